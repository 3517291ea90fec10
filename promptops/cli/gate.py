"""`gate`: what a pull request does to the prompts, for people, for GitHub and for programs."""

from __future__ import annotations

import json as jsonlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptops.cli.agreeing import Yes, before_asking
from promptops.cli.options import Command, Json, here
from promptops.errors import PromptopsError

if TYPE_CHECKING:
    from promptops.gated import GateReport


def commands(app: typer.Typer) -> None:
    app.command("gate", cls=Command)(gate)


def gate(
    base: Annotated[str, typer.Option("--base", metavar="REF", help="The branch that the change goes to.")],
    head: Annotated[str, typer.Option("--head", metavar="REF", help="Where the change ends.")] = "HEAD",
    recorded: Annotated[bool, typer.Option("--recorded", help="Test on recorded answers only.")] = False,
    untrusted: Annotated[
        bool, typer.Option("--untrusted", help="Believe no evidence of the change; set for forks by itself.")
    ] = False,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write a comment for the pull request.")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option("--summary", metavar="FILE", help="Write everything as Markdown.")
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.")] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Judge a change by what its base says.

    Finds the prompts that it affects and tests what has no valid evidence. Configuration, scorers, samples and
    policy come from the base. Exit code 0 pass, 3 regression, 4 inconclusive; nothing affected is 0 and silent.
    """
    from promptops.cli.asking import ask
    from promptops.cli.output import note
    from promptops.cli.progress import ProgressLine
    from promptops.evaluation.evaluate import Options
    from promptops.gating.gate import Change
    from promptops.gating.gate import gate as judge

    files = _emptied({"comment": markdown, "summary": summary or _github_summary(), "junit": junit})
    line = ProgressLine()
    work = judge(
        here(),
        os.environ,
        Change(base=base, head=head, untrusted=untrusted or _from_a_fork()),
        options=Options(say=note, recorded=recorded, on_progress=line),
        before_asking=before_asking(yes=yes, recorded=recorded),
    )
    try:
        found = ask(work, line)
    except PromptopsError as error:
        failed = _failed(error)
        _write(failed, files)
        _print(failed, json=json, terminal=False)  # there the error itself is said
        raise
    _write(found, files)
    _print(found, json=json)
    sys.exit(found.exit_code())


def _emptied(files: dict[str, Path | None]) -> dict[str, Path]:
    """Open before anything is paid what will be written, and let nobody take an earlier answer for this one."""
    from promptops.cli.output import reaching

    named = {kind: path for kind, path in files.items() if path is not None}
    for path in named.values():
        with reaching(path):
            # What other steps of a job have written stays.
            path.open("a" if path == _github_summary() else "w").close()
    return named


def _failed(error: PromptopsError) -> GateReport:
    from promptops.gated import GateReport
    from promptops.version import tool_version

    said = str(error).split("\n")
    return GateReport(base="", head="", failed=error.exit_code, said=said, tool_version=tool_version())


def _write(found: GateReport, files: dict[str, Path]) -> None:
    from promptops.cli.output import reaching

    for kind, path in files.items():
        if kind == "summary" and not found.affects:
            continue
        with reaching(path), path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(_text(found, kind, there=path.stat().st_size))


def _text(found: GateReport, kind: str, *, there: int) -> str:
    """Return an answer for a file that holds `there` bytes: a job's summary that grows too large is lost as a whole."""
    from promptops.reports.gatecomment import comment
    from promptops.reports.gatesummary import LEAST, LIMIT, summary
    from promptops.reports.junit import junit

    match kind:
        case "comment":
            return comment(found)
        case "summary":
            return summary(found, limit=max(LEAST, LIMIT - there))
        case _:
            return junit(found)


def _print(found: GateReport, *, json: bool, terminal: bool = True) -> None:
    from promptops.cli.output import console, show_json
    from promptops.reports.annotations import annotations
    from promptops.reports.gateterminal import print_gate

    if json:
        show_json(found.model_dump(mode="json", by_alias=True))
        return
    if terminal:
        print_gate(found, console())
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for row in annotations(found):
            sys.stdout.write(f"{row}\n")


def _github_summary() -> Path | None:
    named = os.environ.get("GITHUB_STEP_SUMMARY")
    return Path(named) if named else None


def _from_a_fork() -> bool:
    """Whether GitHub says that the pull request comes from another repository; what cannot be read is not trusted."""
    named = os.environ.get("GITHUB_EVENT_PATH")
    if not named:
        return False
    try:
        request: Any = jsonlib.loads(Path(named).read_text(encoding="utf-8")).get("pull_request")
        if request is None:
            return False
        return bool(request["head"]["repo"]["full_name"] != request["base"]["repo"]["full_name"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return True
