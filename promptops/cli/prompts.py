"""`new`, `diff`, `lint`, `render`, `show`: writing prompts and looking at them; nothing is asked of a model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from promptops.cli.options import Command, Json, PromptId, PromptIds

if TYPE_CHECKING:
    from promptops.comparing import Linted

Sample = Annotated[
    str | None, typer.Option("--sample", metavar="ID", help="With this sample; default: the first.")
]
Inputs = Annotated[
    list[str] | None, typer.Option("-i", "--input", metavar="NAME=VALUE", help="An input; may be repeated.")
]


def commands(app: typer.Typer) -> None:
    for name, function in (("diff", diff), ("render", render), ("lint", lint)):
        app.command(name, cls=Command)(function)
    app.command("show", cls=Command, hidden=True)(show_)


def diff(
    prompt: PromptId,
    against: Annotated[
        str | None, typer.Option("--against", metavar="REF", help="The baseline; default: what is live.")
    ] = None,
    rendered: Annotated[
        bool, typer.Option("--rendered", help="Compare what a sample makes of both.")
    ] = False,
    sample: Sample = None,
    json: Json = False,
) -> None:
    """Show what changed, word by word.

    Every finding is breaking, behaviour or cosmetic.
    """
    from promptops.cli.here import workspace
    from promptops.cli.output import console, note, show_json
    from promptops.comparing import compare
    from promptops.reports.difference import difference_json, print_difference

    found = compare(
        workspace(), prompt, against=against, rendered=rendered or sample is not None, sample=sample
    )
    sides = f"{found.baseline.side.short} → {found.candidate.side.ref}"
    if json:
        show_json({"schema": "promptops.diff/1", "versions": sides, **difference_json(found.difference)})
        return
    for warning in (*found.baseline.warnings, *found.candidate.warnings):
        note(f"warning: {warning}")
    note(
        f"{found.candidate.prompt.id}: {sides}"
        + (f", rendered with {found.rendered}" if found.rendered else "")
    )
    print_difference(found.difference, console())


def render(prompt: PromptId, inputs: Inputs = None, sample: Sample = None, json: Json = False) -> None:
    """Show what would be sent.

    With a sample's inputs, or with your own.
    """
    from promptops.cli.here import workspace
    from promptops.cli.output import show, show_json
    from promptops.comparing import render_one
    from promptops.reports.request import request_json, request_lines
    from promptops.sampling import inputs_of

    request = render_one(workspace(), prompt, sample=sample, inputs=inputs_of(list(inputs or ())))
    if json:
        show_json(request_json(request))
    else:
        show("\n".join(request_lines(request)))


def show_(prompt: PromptId, json: Json = False) -> None:
    """A version as it was written, with its digest and its partials."""
    from promptops.cli.here import workspace
    from promptops.cli.output import note, show, show_json
    from promptops.reading import find

    found = find(workspace(), prompt)
    for warning in found.warnings:
        note(f"warning: {warning}")
    if json:
        body = {
            "id": found.id,
            "version": found.version,
            "digest": found.prompt.digest,
            "path": found.prompt.path,
        }
        show_json(
            {"schema": "promptops.show/1", **body, "label": found.label, "body": dict(found.prompt.body)}
        )
        return
    number = f" v{found.version}" if found.version and f"v{found.version}" not in found.label else ""
    note(f"{found.id}: {found.label}{number} · {found.prompt.path} · {found.prompt.digest}")
    show(found.prompt.source.rstrip("\n"))
    for name, text in found.prompt.partials.items():
        show(f"\n# partial {name}\n{text}")


def lint(prompts: PromptIds = None, json: Json = False) -> None:
    """Check prompt files: every problem at once.

    With file, line and column. Exit code 2 where one is an error.
    """
    from promptops.cli.here import workspace
    from promptops.cli.output import show_json
    from promptops.comparing import lint_prompts

    found = lint_prompts(workspace(), list(prompts or ()))
    if json:
        show_json(found.as_json())
    else:
        _print_findings(found)
    sys.exit(found.exit_code)


def _print_findings(found: Linted) -> None:
    from promptops.cli.output import note, show

    for problem in found.problems:
        show(f"{problem} [invalid]")
    for one in found.findings:
        show(f"{one.path}:{one.line}:{one.column}: {one.severity}: {one.message} [{one.code}]")
    if not found.problems and not found.findings:
        note(f"{found.prompts} prompt{'s' if found.prompts != 1 else ''}, nothing to say")
