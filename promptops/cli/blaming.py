"""`blame`: who wrote each line of a prompt, and with which version it went live."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from promptops.cli.options import Command, Json, PromptId


def commands(app: typer.Typer) -> None:
    app.command("blame", cls=Command, hidden=True)(blame)


def blame(
    prompt: PromptId,
    environment: Annotated[
        str | None,
        typer.Option("-e", "--env", metavar="ENV", help="What is live there; default: the work tree."),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="What was live then: 12h, or 2026-03-01T14:05.")
    ] = None,
    partials: Annotated[bool, typer.Option("--partials", help="The partials as well.")] = False,
    json: Json = False,
) -> None:
    """Show each line with its commit, its author, the version that first released it, and where it is live.

    Below, how those versions went live: verdict and numbers.
    """
    from promptops.cli.here import workspace
    from promptops.cli.output import show, show_json
    from promptops.releasing.blaming import blame as find
    from promptops.releasing.story import moment
    from promptops.reports.blame import WIDEST, blame_lines

    now = datetime.now(UTC)
    when = moment(at, now=now) if at else None
    here = workspace()
    found = find(here, prompt, environment=environment, at=when, now=now, partials=partials).as_json()
    if json:
        show_json(found)
    else:
        # What is piped on is cut as late as it can be.
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDEST
        show("\n".join(blame_lines(found, columns)))
