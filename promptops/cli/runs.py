"""`try`, `test`, `report`: asking models and reading what they answered."""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptops.cli.agreeing import Yes, before_asking
from promptops.cli.options import Command, Json, PromptIds, Repeats, Sequential
from promptops.errors import PromptopsError

if TYPE_CHECKING:
    from promptops.evaluation.testing import Tested
    from promptops.report import Report

Against = Annotated[
    str | None,
    typer.Option("--against", metavar="REF", help="The baseline: an environment, vN or a git name."),
]
SampleIds = Annotated[
    list[str] | None, typer.Option("--sample", metavar="ID", help="Only this sample; may be repeated.")
]
Where = Annotated[
    list[str] | None, typer.Option("--where", metavar="NAME=VALUE", help="Only samples of this slice or tag.")
]
Recorded = Annotated[
    bool,
    typer.Option("--recorded", help="Ask nobody: answers come from the cache, a missing one ends the run."),
]

Explain = Annotated[
    bool,
    typer.Option("--explain", help="Also say how: every method, its reason, the numbers that went in."),
]


def commands(app: typer.Typer) -> None:
    app.command("try", cls=Command)(try_)
    app.command("test", cls=Command)(test)
    app.command("report", cls=Command, hidden=True)(report)


def test(
    prompts: PromptIds = None,
    against: Against = None,
    samples: SampleIds = None,
    where: Where = None,
    recorded: Recorded = False,
    sequential: Sequential = False,
    repeats: Repeats = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked and what the samples can show.")
    ] = False,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Also append the report as Markdown.")
    ] = None,
    explain: Explain = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Compare the work tree with what is live.

    Every recorded sample is answered by both versions. Without a name: every prompt that differs from what is
    live. Exit code 0 pass, 3 regression, 4 inconclusive.
    """
    from promptops.cli.asking import ask
    from promptops.cli.here import workspace
    from promptops.cli.output import note, reaching
    from promptops.cli.progress import ProgressLine
    from promptops.evaluation.evaluate import Options
    from promptops.evaluation.testing import Selection, test_prompts

    selection = Selection(
        references=tuple(prompts or ()),
        against=against,
        ids=tuple(samples or ()),
        where=tuple(where or ()),
        sequential=sequential,
        repeats=repeats,
    )
    line = ProgressLine(what="pairs" if repeats > 1 else "samples")
    options = Options(say=note, recorded=recorded, on_progress=line)
    if markdown is not None:
        # Before anything is paid: a report that cannot be written would come too late to say so.
        with reaching(markdown):
            markdown.open("a").close()
    before = before_asking(yes=yes, recorded=recorded)
    tested = ask(
        test_prompts(workspace(), selection, options=options, before_asking=before, dry_run=dry_run),
        line,
    )
    _show(tested, json=json, markdown=markdown, explain=explain)
    if tested.stopped:
        note(f"error: {tested.stopped}")
    sys.exit(tested.exit_code())


def _show(tested: Tested, *, json: bool, markdown: Path | None, explain: bool) -> None:
    from promptops.cli.output import console, show, show_json
    from promptops.reports.markdown import markdown as as_markdown
    from promptops.reports.terminal import print_report

    if markdown is not None and tested.reports:
        with markdown.open("a", encoding="utf-8") as file:
            file.write(as_markdown(tested.reports))
    if json:
        values = tested.as_json()
        if explain and tested.reports:
            values["reports"] = [_with_explanation(one) for one in tested.reports]
        show_json(values)
        return
    for line in tested.said:
        show(line)
    for number, one in enumerate(tested.reports):
        if number:
            show("")
        print_report(one, console())
        if explain:
            _explain(one)


def _explain(found: Report) -> None:
    # Only here: the statistics are not loaded to show an old report.
    from promptops.cli.output import show
    from promptops.reports.explained import explained

    for line in explained(found):
        show(line)


def _with_explanation(found: Report) -> dict[str, Any]:
    from promptops.reports.explain import with_explanation

    return with_explanation(found)


def try_(
    prompt: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The prompt; may be left out if there is one.")
    ] = None,
    count: Annotated[int, typer.Option("-n", min=1, max=100, help="How many samples.")] = 5,
    failed: Annotated[bool, typer.Option("--failed", help="Only samples that the last test broke.")] = False,
    samples: SampleIds = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("-i", "--input", metavar="NAME=VALUE", help="An input of your own instead of a sample."),
    ] = None,
    against: Against = None,
    recorded: Recorded = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Again whenever a file of the prompt changes.")
    ] = False,
    json: Json = False,
) -> None:
    """Answer a few samples beside what is live.

    The inner loop: the prompt's diff, both answers, the scorers' ticks; never a verdict.
    """
    from promptops.cli.asking import ask
    from promptops.cli.here import workspace
    from promptops.cli.output import console, note, show_json
    from promptops.evaluation.trial import Trial, try_prompt
    from promptops.evaluation.watching import changes
    from promptops.reports.trial import print_trial, trial_json

    wanted = Trial(
        reference=prompt,
        count=count,
        failed=failed,
        ids=tuple(samples or ()),
        inputs=tuple(inputs or ()),
        against=against,
        recorded=recorded,
    )

    def once() -> None:
        shown = ask(try_prompt(workspace(), wanted, say=note))
        if json:
            show_json(trial_json(shown))
        else:
            print_trial(shown, console())

    if not watch:
        once()
        return
    for _ in chain([None], changes(workspace())):
        # Half a word typed is no reason to stop watching.
        try:
            once()
        except PromptopsError as error:
            note(f"error: {error}")


def report(
    prompt: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The prompt; default: the last test of any.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    explain: Explain = False,
    json: Json = False,
) -> None:
    """Show the last report again; nothing is asked and no verdict changes."""
    from promptops.cli.here import workspace
    from promptops.cli.output import console, show_json
    from promptops.evaluation.past import last_report
    from promptops.reports.machine import report_json
    from promptops.reports.markdown import markdown as as_markdown
    from promptops.reports.terminal import print_report

    found = last_report(workspace(), prompt)
    if json and explain:
        show_json(_with_explanation(found))
    elif json:
        sys.stdout.write(report_json(found))
    elif markdown:
        sys.stdout.write(as_markdown([found]))
    else:
        print_report(found, console())
        if explain:
            _explain(found)
