"""Options that mean the same in every command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from promptops.errors import ConfigError, PromptopsError


def _ids(incomplete: str) -> list[str]:
    """Complete a prompt's id by a glance at the files; says nothing where there is no repository."""
    from promptops.cli.here import workspace
    from promptops.gitstore.references import known_ids

    try:
        here = workspace()
        known = [name for root in here.roots for name in known_ids(here.repo, None, root=root)]
    except PromptopsError:
        return []
    return sorted(name for name in known if name.startswith(incomplete))


PromptId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        autocompletion=_ids,
        help="A prompt's id; ID@production, ID@v12, ID@HEAD~3 where a version is meant.",
    ),
]
PromptIds = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Prompts; all of them when none is named.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON with a schema name instead of text.")]
Sequential = Annotated[
    bool,
    typer.Option("--sequential", help="Stop as soon as it is decided; more samples may be added later."),
]
Repeats = Annotated[
    int,
    typer.Option("--repeats", metavar="K", min=1, max=100, help="Ask each sample K times; its mean counts."),
]
Environment = Annotated[
    str | None,
    typer.Option("-e", "--env", metavar="ENV", help="The environment; default: the last one configured."),
]
Reason = Annotated[
    str | None, typer.Option("-m", "--reason", metavar="WHY", help="Why; recorded in the release.")
]


def enter(folder: Path) -> None:
    """Go on as if the program had been started in this folder.

    Raises:
        ConfigError: there is no such folder.
    """
    named = here() / folder
    try:
        os.chdir(folder)
    except OSError as error:
        raise ConfigError(f"-C {folder}: {error.strerror}") from error
    os.environ["PWD"] = str(named)  # as `cd` does


def here() -> Path:
    """Return the folder that the program works in, by the name that it was given: it may lead through links."""
    physical = Path.cwd()
    named = Path(os.environ.get("PWD", physical))
    return named if named.is_absolute() and named.is_dir() and named.samefile(physical) else physical


class Command(TyperCommand):
    """A command that takes -C after its name too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        folder = TyperOption(
            param_decls=["-C", "--repo"],
            metavar="PATH",
            help="Run as if started in PATH.",
            expose_value=False,
            callback=lambda _context, _option, value: enter(Path(value)) if value else None,
        )
        self.params.append(folder)
