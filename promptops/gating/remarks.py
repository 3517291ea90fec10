"""What is found on the lines of a file; plain values: the child starts faster without what reports are made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple


class Remark(NamedTuple):
    """One thing on a line of a file; line and column are 0 where it is about the whole."""

    level: Literal["error", "warning"]
    path: str
    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One prompt file as the child found it: what is wrong with it, and what is worth a look."""

    path: str
    problems: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()


def line_of(tried: Tried) -> str:
    """Return what the child prints of one file."""
    return json.dumps([tried.path, tried.problems, tried.notes])


def read_line(line: bytes) -> Tried | None:
    """Read what `line_of` wrote; None where it is anything else: what was read there may have written it."""
    try:
        path, problems, notes = json.loads(line)
        found = [tuple(_remark(*one) for one in some) for some in (problems, notes)]
    except (ValueError, TypeError, RecursionError):
        return None
    return Tried(path=path, problems=found[0], notes=found[1]) if isinstance(path, str) else None


def _remark(level: Any, path: Any, line: Any, column: Any, message: Any) -> Remark:
    """Return a remark.

    Raises:
        TypeError: it is none.
    """
    numbers = all(type(one) is int and one >= 0 for one in (line, column))
    if (
        level not in ("error", "warning")
        or not isinstance(path, str)
        or not isinstance(message, str)
        or not numbers
    ):
        raise TypeError(level)
    return Remark(level, path, line, column, message)
