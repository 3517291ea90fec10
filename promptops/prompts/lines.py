"""Which lines of one text are those of another: for telling how old each line is.

Lines are compared as they are; one that was moved counts as new where it stands now.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

# difflib is quadratic: beyond this many pairs it passes over lines that occur again and again.
_MANY: Final = 4_000_000


def lines_of(text: str) -> list[str]:
    """Return the lines of a text; the line feed that ends it begins no other."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def same_lines(old: Sequence[str], new: Sequence[str]) -> list[int | None]:
    """Return for every line of `new` the index of the same line in `old`, None where it has none."""
    head = _shared(old, new)
    tail = _shared(old[head:][::-1], new[head:][::-1])
    found: list[int | None] = [
        *range(head),
        *[None] * (len(new) - head - tail),
        *range(len(old) - tail, len(old)),
    ]
    left, right = old[head : len(old) - tail], new[head : len(new) - tail]
    many = len(left) * len(right) > _MANY
    for here, there, size in SequenceMatcher(None, left, right, autojunk=many).get_matching_blocks():
        for step in range(size):
            found[head + there + step] = head + here + step
    return found


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
