"""`promote`, `rollback`, `status`, `log`, `export`, `verify`: what is live, how it got there, how it gets back."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptops.cli.agreeing import Yes, before_asking
from promptops.cli.options import Command, Environment, Json, PromptId, Reason, Repeats, Sequential
from promptops.errors import ConfigError

if TYPE_CHECKING:
    from promptops.releasing.outcome import Outcome
    from promptops.releasing.retest import Retest
    from promptops.releasing.targets import Target
    from promptops.workspace import Workspace

Push = Annotated[
    bool, typer.Option("--push", help="Release directly; a branch for a pull request where that is refused.")
]
Branch = Annotated[
    str | None,
    typer.Option("--branch", metavar="NAME", help="Commit on this branch instead of the one checked out."),
]
Force = Annotated[
    bool, typer.Option("--force", help="Overrule a REGRESSION or missing evidence; stays visible; needs -m.")
]


def commands(app: typer.Typer) -> None:
    for name, function in (("promote", promote), ("rollback", rollback), ("status", status), ("log", log)):
        app.command(name, cls=Command)(function)
    for name, hidden in (("export", export), ("verify", verify)):
        app.command(name, cls=Command, hidden=True)(hidden)


def promote(
    prompt: PromptId,
    environment: Environment = None,
    reason: Reason = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Overrule an INCONCLUSIVE; stays visible; needs -m.")
    ] = False,
    force: Force = False,
    first: Annotated[
        bool, typer.Option("--first", help="Adopt a prompt that was never released as it is.")
    ] = False,
    push: Push = False,
    branch: Branch = None,
    recorded: Annotated[bool, typer.Option("--recorded", help="Test on recorded answers only.")] = False,
    sequential: Sequential = False,
    repeats: Repeats = 1,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Release HEAD's version if its test allows it.

    Runs the test if this very test was not run yet, then commits what goes live.

    Refused when the candidate is worse (exit 3) or when the samples cannot tell (exit 4).
    """
    from promptops.cli.asking import ask
    from promptops.cli.here import workspace
    from promptops.cli.output import note
    from promptops.cli.progress import ProgressLine
    from promptops.evaluation.evaluate import Options
    from promptops.releasing.promote import Wish
    from promptops.releasing.promote import promote as release

    here = workspace()
    _check_where(push=push, branch=branch)
    wish = Wish(
        environment=here.environment(environment),
        reason=reason or "",
        accept=accept,
        force=force,
        first=first,
        push=push,
        branch=branch,
        sequential=sequential,
        repeats=repeats,
    )
    line = ProgressLine(what="pairs" if repeats > 1 else "samples")
    options = Options(say=note, recorded=recorded, on_progress=line)
    before = before_asking(yes=yes, recorded=recorded)
    outcome = ask(release(here, prompt, wish, options=options, now=_now, before_asking=before), line)
    _show(here, outcome, json=json)


def rollback(
    prompts: Annotated[
        list[str],
        typer.Argument(metavar="ID...", help="Prompts; ID@v11 names the version to go back to."),
    ],
    to: Annotated[
        str | None, typer.Option("--to", metavar="vN", help="The version; default: the one before.")
    ] = None,
    environment: Environment = None,
    reason: Reason = None,
    test: Annotated[bool, typer.Option("--test", help="Test it against what is live now, first.")] = False,
    force: Force = False,
    push: Push = False,
    branch: Branch = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Make the version before live again; offline.

    One commit, also for several prompts, in any clone; allowed by the evidence with which each version went live.
    """
    from promptops.cli.here import workspace
    from promptops.releasing.rollback import rollback as release
    from promptops.releasing.targets import Retreat, named, targets

    here = workspace()
    _check_where(push=push, branch=branch)
    wish = Retreat(
        environment=here.environment(environment),
        prompts=named(prompts, to),
        reason=reason or "",
        force=force,
        push=push,
        branch=branch,
    )
    wanted = targets(here, wish)
    tested = {one.pointer.id: _retested(here, one, yes=yes) for one in wanted if test and not one.is_there}
    _show(here, *release(here, wanted, wish, now=_now, tested=tested), json=json)


def _check_where(*, push: bool, branch: str | None) -> None:
    if push and branch is not None:
        raise ConfigError("--push goes to the release branch; leave --branch out, or --push")


def _retested(here: Workspace, target: Target, *, yes: bool) -> Retest:
    from promptops.cli.asking import ask
    from promptops.cli.output import note
    from promptops.cli.progress import ProgressLine
    from promptops.evaluation.evaluate import Options
    from promptops.releasing.retest import retest

    line = ProgressLine()
    options = Options(say=note, on_progress=line)
    return ask(retest(here, target, options=options, before_asking=before_asking(yes=yes)), line)


def _now() -> datetime:
    return datetime.now(UTC)


def _show(here: Workspace, *outcomes: Outcome, json: bool) -> None:
    """Show what became of one prompt or of several, and end with the gravest exit code."""
    from promptops.cli.output import show, show_json
    from promptops.gitstore.mending import forget
    from promptops.releasing.outcome import code_of, commit_line, together

    if json:
        show_json(together(outcomes))
    else:
        for outcome in outcomes:
            _print_report(outcome)
            for line in outcome.said:
                show(line)
        if line := commit_line(outcomes):
            show(line)
    sys.stdout.flush()
    forget(here.repo)
    sys.exit(code_of(outcomes))


def _print_report(outcome: Outcome) -> None:
    if outcome.report is None:
        return
    from promptops.cli.output import console
    from promptops.reports.terminal import print_report

    print_report(outcome.report, console(), next_step=outcome.open)


def status(
    prompt: Annotated[str | None, typer.Argument(metavar="[ID]", help="Only this prompt.")] = None,
    json: Json = False,
) -> None:
    """Show what is live, and the next command."""
    from promptops.cli.here import workspace
    from promptops.cli.output import show, show_json
    from promptops.releasing.state import status as state
    from promptops.reports.state import state_lines

    found = state(workspace(), prompt)
    if json:
        show_json(found.as_json())
    else:
        show("\n".join(state_lines(found.as_json())))
    sys.exit(2 if found.problems else 0)


def log(
    prompt: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One prompt; default: all of them.")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("-e", "--env", metavar="ENV", help="Only releases to this environment.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="12h, 7d, or a date like 2026-03-01.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Only what was live then: 14:05, 2h, a date.")
    ] = None,
    count: Annotated[int | None, typer.Option("-n", min=1, help="At most so many entries.")] = None,
    json: Json = False,
) -> None:
    """Tell the story of a prompt, newest first.

    Its commits, versions and releases; of all prompts when none is named. With -e what was live there, since when;
    with --at what was live at that moment. Times without a zone are UTC.
    """
    from promptops.cli.here import workspace
    from promptops.cli.output import show, show_json
    from promptops.releasing.story import moment, story, then
    from promptops.reports.story import story_lines, then_lines

    here = workspace()
    if at is not None:
        if since or count:
            raise ConfigError("--at is one moment; it goes with no --since and no -n")
        now = _now()
        was = then(here, prompt, here.environment(environment), moment(at, now=now), now=now).as_json()
        show_json(was) if json else show("\n".join(then_lines(was)))
        return
    after = moment(since, now=_now()) if since else None
    chosen = here.environment(environment) if environment else None
    found = story(here, prompt, environment=chosen, since=after, count=count).as_json()
    if json:
        show_json(found)
    else:
        show("\n".join(story_lines(found)))


def export(
    environment: Environment = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write here instead.")
    ] = None,
) -> None:
    """What is live as JSON, for programs in other languages."""
    from promptops.cli.here import workspace
    from promptops.cli.output import reaching
    from promptops.releasing.exporting import export as live
    from promptops.reports.machine import dumps

    here = workspace()
    text = dumps(live(here, here.environment(environment)))
    if output is None:
        sys.stdout.write(text)
        return
    with reaching(output):
        output.write_text(text, encoding="utf-8", newline="\n")


def verify(
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="REF", help="Judge only what the commits since REF did; for CI."),
    ] = None,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Also reach every verdict again from its evidence alone.")
    ] = False,
    json: Json = False,
) -> None:
    """Check every release file and its history: digests, chain, evidence, signatures.

    Exit code 6 if anything is wrong. With --since, 2 if this checkout is too shallow to tell.
    """
    from promptops.cli.here import workspace
    from promptops.cli.output import show, show_json
    from promptops.releasing.checking import check

    here = workspace()
    found = check(here, since=since)
    if recompute:
        from promptops.releasing.recomputing import recompute as reach_again

        found = reach_again(here, found)
    if json:
        show_json(found.as_json())
    else:
        show("\n".join(found.lines()))
    sys.exit(found.exit_code)
