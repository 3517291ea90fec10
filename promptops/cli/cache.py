"""`cache stats|export|import|clear`: answers that were paid for once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptops.cli.options import Command, Json

if TYPE_CHECKING:
    from promptops.runs.cachestats import Stats

OlderThan = Annotated[
    str | None,
    typer.Option("--older-than", metavar="AGE", help="Only what was asked longer ago, such as 30d or 12h."),
]


def commands(app: typer.Typer) -> None:
    cache = typer.Typer(
        help="Answers already paid for: stats, export, import, clear.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    for name, function in (("stats", stats), ("export", export), ("import", import_), ("clear", clear)):
        cache.command(name, cls=Command)(function)
    app.add_typer(cache, name="cache", hidden=True)


def stats(json: Json = False) -> None:
    """How many answers are kept, of which models, and how old they are."""
    import time

    from promptops.cli.here import cache, workspace
    from promptops.cli.output import show, show_json

    here = workspace()
    limit = here.config.limits.cache_max_age
    with cache(here) as kept:
        found = kept.stats(before=time.time() - limit)
    if json:
        show_json(found.as_json())
        return
    for line in _lines(found, limit):
        show(line)


def _lines(found: Stats, limit: float) -> list[str]:
    lines = [
        f"{found.answers} answers, {found.bytes:,} bytes"
        + (f", {found.imported} imported" if found.imported else "")
    ]
    for one in found.models:
        came = f", {one.imported} imported" if one.imported else ""
        old = f", {one.old} older than {limit / 86400:g} days" if one.old else ""
        lines.append(f"{one.model}: {one.answers} answers, {one.bytes:,} bytes, asked {one.days}{came}{old}")
    return lines


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write JSON lines.")],
) -> None:
    """Write every kept answer to a file; it holds no keys and no headers."""
    from promptops.cli.here import cache, workspace
    from promptops.cli.output import note, reaching

    with cache(workspace()) as kept, reaching(file):
        note(f"{kept.export(file)} answers written to {file}")


def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files that `cache export` wrote.")],
) -> None:
    """Take answers from files; they are marked as imported."""
    from promptops.cli.here import cache, workspace
    from promptops.cli.output import note, reaching

    with cache(workspace()) as kept:
        for file in files:
            with reaching(file):
                note(f"{kept.import_(file)} answers taken from {file}")


def clear(
    older_than: OlderThan = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many it would be.")] = False,
) -> None:
    """Forget kept answers of this folder: all of them, or the old ones."""
    import time

    from promptops.cli.here import cache, workspace
    from promptops.cli.output import note

    before = None if older_than is None else time.time() - _age(older_than)
    with cache(workspace()) as kept:
        count = kept.count(before=before) if dry_run else kept.clear(before=before)
    note(f"{count} answers {'would be forgotten' if dry_run else 'forgotten'}")


def _age(written: str) -> float:
    """Read `30d` as seconds.

    Raises:
        ConfigError: it is no length of time.
    """
    from promptops.config import seconds
    from promptops.errors import ConfigError

    found = seconds(written)
    if not isinstance(found, float):
        raise ConfigError(f"--older-than {written!r}: expected a length of time such as 30d, 12h or 90s")
    return found
