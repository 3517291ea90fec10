"""What is found on the lines of a file; plain values: the child starts faster without what reports are made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, NamedTuple


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
