"""Text that must not be larger than a place allows: cut at whole rows, and it says what was cut.

Every section may take a share of the room that is left, and what it leaves goes to the next ones, so that a flood in
one of them never hides the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

# For the line that says what was cut.
_RESERVE = 400

# Ways to show one thing, the longest first; made only when asked for.
Row = Iterable[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Rows under a head; `share` is the part of what is left that they may take, `cut` says how many had none.

    Head and tail are shown wherever there is a row or something was cut; they are taken to be small.
    """

    rows: Sequence[Row]
    share: float
    cut: Callable[[int], str]
    head: str = ""
    tail: str = ""


def fitted(sections: Sequence[Section], limit: int) -> str:
    """Join the sections within `limit` bytes of UTF-8; heads, tails and the lines about what was cut come first."""
    shown = [section for section in sections if section.rows]
    free = limit - sum(size(section.head) + size(section.tail) + _RESERVE for section in shown)
    parts = []
    for section in shown:
        kept = _kept(section.rows, int(section.share * max(0, free)))
        free -= sum(map(size, kept))
        left = len(section.rows) - len(kept)
        parts.append("".join([section.head, *kept, section.tail, section.cut(left) if left else ""]))
    return "".join(parts)


def _kept(rows: Iterable[Row], room: int) -> list[str]:
    kept: list[str] = []
    for row in rows:
        text = next((text for text in row if size(text) <= room), None)
        if text is None:
            return kept
        kept.append(text)
        room -= size(text)
    return kept


def size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
