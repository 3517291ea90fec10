"""Where things are printed: results on stdout, progress and notes on stderr, colour only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 180


def console() -> Console:
    """The console that results are printed on; wide, so that a table is wrapped by the terminal and never cut."""
    from rich.console import Console

    found = Console(highlight=False, emoji=False, markup=False)
    return Console(highlight=False, emoji=False, markup=False, width=max(found.width, WIDE))


def note(text: str) -> None:
    """Say something that is not a result."""
    from promptops.reports.escape import many_lines

    sys.stderr.write(f"{many_lines(text)}\n")
    sys.stderr.flush()


def show_json(value: Mapping[str, Any]) -> None:
    from promptops.reports.machine import dumps

    sys.stdout.write(dumps(value))


def show(text: str) -> None:
    """Print plain text that may hold what others wrote."""
    from promptops.reports.escape import many_lines

    sys.stdout.write(f"{many_lines(text)}\n")
