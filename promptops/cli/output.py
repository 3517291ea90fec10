"""Where things are printed: results on stdout, progress and notes on stderr, colour only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptops.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console


def console() -> Console:
    """The console that results are printed on."""
    from rich.console import Console

    return Console(highlight=False, emoji=False, markup=False)


@contextmanager
def reaching(file: Path) -> Iterator[None]:
    """Say of a file that a person named on the command line why it cannot be read or written.

    Raises:
        ConfigError: instead of the OSError.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error


def note(text: str) -> None:
    """Say something that is not a result."""
    from promptops.reports.escape import many_lines

    begin = "\r\x1b[K" if sys.stderr.isatty() else ""  # a line of progress may stand there
    sys.stderr.write(f"{begin}{many_lines(text)}\n")
    sys.stderr.flush()


def show_json(value: Mapping[str, Any]) -> None:
    from promptops.reports.machine import dumps

    sys.stdout.write(dumps(value))


def show(text: str) -> None:
    """Print plain text that may hold what others wrote."""
    from promptops.reports.escape import many_lines

    sys.stdout.write(f"{many_lines(text)}\n")
