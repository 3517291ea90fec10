"""Plain columns for text that must start fast: no colour, no boxes, aligned by what a terminal shows."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

GAP = "   "


def width(text: str) -> int:
    """How many cells a terminal gives a text."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in ("W", "F") for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) != 0 for char in text)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines, every column but the last as wide as its widest cell."""
    if not rows:
        return []
    widths = [max(width(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        GAP.join(cell + " " * (size - width(cell)) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
