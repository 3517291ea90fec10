"""The program: one Typer application, one table of commands, one place where an error becomes an exit code.

0 fine · 1 a bug (traceback) · 2 the input is wrong · 3 regression · 4 inconclusive · 5 lost a race, try again ·
6 integrity · 7 the run could not finish · 130 interrupted.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from promptops.cli import blaming, cache, gate, prompts, releases, runs, samples
from promptops.cli.options import enter
from promptops.errors import PromptopsError

HELP = """Releases for prompts, native to git.

Start: promptops demo · promptops init · promptops new ID

Also there: show, export, verify, blame, report, cache (each with --help).
"""

# What a machine does to any program: nobody learns more from a traceback.
FULL_OR_BROKEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)

app = typer.Typer(
    name="promptops",
    help=HELP,
    no_args_is_help=True,
    # Plain help: rich costs 90 ms of every start.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        from promptops.version import tool_version

        typer.echo(f"promptops {tool_version()}")
        raise typer.Exit


@app.callback()
def options(
    folder: Annotated[
        Path | None, typer.Option("-C", "--repo", metavar="PATH", help="Run as if started in PATH, like git.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if folder is not None:
        enter(folder)


# The order of `--help`: start, the inner loop, releases.
for room in (samples, runs, cache, prompts, releases, gate, blaming):
    room.commands(app)


def main() -> None:
    """Run the program; errors a person can act on become one line and an exit code."""
    # What a start makes is needed to the end. Who waits for models looks for garbage again (asking.py).
    gc.disable()
    every = app.registered_commands
    # Making all commands takes 0.03 s: the one that is named first needs no other.
    app.registered_commands = [one for one in every if one.name == next(iter(sys.argv[1:]), None)] or every
    try:
        _run()
    finally:
        app.registered_commands = every
        gc.unfreeze()
        gc.enable()


def _run() -> None:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started us (`>&-`): there is nobody to tell
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    # Model output may hold lone surrogates; showing them escaped beats dying while showing.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except PromptopsError as error:
        from promptops.reports.escape import many_lines

        sys.stderr.write(f"error: {many_lines(str(error))}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader (`| head`) has gone; Python would complain again while closing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno not in FULL_OR_BROKEN:
            raise
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
