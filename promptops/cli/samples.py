"""`init`, `new`, `import`, `demo`: from an empty folder to a prompt with samples."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from promptops.buildservers import Server
from promptops.cli.options import Command, Json, PromptId


def commands(app: typer.Typer) -> None:
    for name, function in (("init", init), ("new", new), ("import", import_), ("demo", demo)):
        app.command(name, cls=Command)(function)


def init(
    ci: Annotated[
        Server | None,
        typer.Option("--ci", metavar="github|gitlab", help="Write the files of a build server, too."),
    ] = None,
) -> None:
    """Set up promptops here; nothing is overwritten.

    Writes a configuration, a folder for prompts, the schema for editors, and a line for .gitignore. With --ci also
    what runs the gate on every change, and prints the commands that make it required.
    """
    from promptops.cli.here import workspace
    from promptops.cli.output import show
    from promptops.starting import build_server, initialise

    here = workspace()
    found = [initialise(here.folder)]
    if ci is not None:
        found.append(build_server(workspace(), ci))
    for started in found:
        for name in started.written:
            show(f"wrote {name}")
        for name in started.kept:
            show(f"kept {name}")
    for line in found[-1].ways_on or ("next: promptops new ID",):
        show(line)


def new(prompt: PromptId) -> None:
    """Write a prompt file of four lines that works."""
    from promptops.cli.here import workspace
    from promptops.cli.output import show
    from promptops.starting import new_prompt

    here = workspace()
    path = new_prompt(here, prompt).relative_to(here.top)
    show(f"wrote {path}")
    show(
        f"samples go to {path.parent}/{prompt}.samples.jsonl, one a line: "
        + '{"inputs": {"message": "…"}, "expected": "billing"}'
    )
    show(f"next: promptops render {prompt} -i message=hello")


def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSONL or CSV files of samples.")],
    prompt: Annotated[
        str, typer.Option("--prompt", metavar="ID", help="The prompt that they are samples of.")
    ],
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Count and name bad lines instead of stopping.")
    ] = False,
    json: Json = False,
) -> None:
    """Add recorded calls to a prompt's samples.

    Importing twice changes nothing. Says what so many samples can show.
    """
    from promptops.cli.here import workspace
    from promptops.cli.output import note, show, show_json
    from promptops.collecting import import_files
    from promptops.reading import find

    here = workspace()
    found = import_files(
        here,
        find(here, prompt).prompt,
        files,
        skip_bad=skip_bad,
        margin=here.config.defaults.max_drop,
    )
    for line in found.bad:
        note(f"left out: {line}")
    if json:
        show_json(found.as_json())
        return
    show(
        f"{found.added} samples added to {found.path}, {found.skipped} were there already"
        + (f", {len(found.bad)} left out" if found.bad else "")
    )
    show(found.said)
    show(f"next: promptops try {found.prompt}")


def demo(
    recorded: Annotated[
        bool, typer.Option("--recorded", help="From recorded answers: seconds, no model.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="PATH", help="Where to build the repository; default: a new one."),
    ] = None,
) -> None:
    """See the whole loop on a real small model.

    A careless change is refused, a good one released and rolled back, in a scratch repository.
    """
    from promptops.demonstration import demonstrate

    sys.exit(demonstrate(folder=folder, recorded=recorded))
