"""Lines for a terminal that may be too narrow for them: broken between words, and what follows hangs below.

Anything else than a terminal gets every line whole.
"""

from __future__ import annotations

from rich.console import Console
from rich.text import Text


def print_line(console: Console, text: Text, *, hang: int = 4) -> None:
    """Print a line; what has no room stands below it, from column `hang` or the middle on, whichever is first."""
    width = console.width
    if not console.file.isatty() or text.cell_len <= width:
        console.print(text, soft_wrap=True)
        return
    hang = min(hang, width // 2)
    first, *rest = text[hang:].wrap(console, width - hang)
    for line in (text[:hang] + first, *(Text(" " * hang) + _no_command(line) for line in rest)):
        line.rstrip()
        console.print(line, soft_wrap=True)


def _no_command(line: Text) -> Text:
    """Return a line that begins where somebody else's text was broken: a build server may run on a terminal, too."""
    return Text("\\u{3a}") + line[1:] if line.plain.lstrip().startswith("::") else line


def print_command(console: Console, text: Text, command: str) -> None:
    """Print what is to be typed on one line with what is said of it or, where that has no room, below: to be copied."""
    whole = Text.assemble(text, f" {command}" if command else "")
    if command and console.file.isatty() and whole.cell_len > console.width:
        print_line(console, text)
        whole = Text(f"    {command}")
    console.print(whole, soft_wrap=True)
