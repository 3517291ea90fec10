"""The small part of JSONPath (RFC 9535) that names places: `$.a.b[0].c`, `$['a b']`, `[*]`, `.*`, `[-1]`.

Filters, slices, unions and `..` are refused: a scorer that needs them is clearer as a python function.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(
    r"""\.(?P<name>[^\W\d][\w-]*) | \.(?P<star>\*) | \[\s*(?:
        (?P<index>-?\d{1,9}) | (?P<every>\*) | '(?P<single>[^'\\]*)' | "(?P<double>[^"\\]*)" )\s*\]""",
    re.VERBOSE,
)


class _Every:
    """The step that takes every member."""


EVERY = _Every()


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonPath:
    """A place, or with `[*]` several, in a JSON value."""

    text: str
    steps: tuple[str | int | _Every, ...]

    def find(self, value: Any) -> list[Any]:
        """Every value at this place, in order; none when there is nothing."""
        found = [value]
        for step in self.steps:
            found = [inner for outer in found for inner in _members(outer, step)]
        return found


def parse_path(text: str) -> JsonPath:
    """Read a path.

    Raises:
        ValueError: with a sentence that says what is not understood.
    """
    if not text.startswith("$"):
        hint = f"; write $.{text}" if re.fullmatch(r"[^\W\d][\w.-]*", text) else ""
        raise ValueError(f"a path starts with $, got {text!r}{hint}")
    steps: list[str | int | _Every] = []
    place = 1
    while place < len(text):
        match = _STEP.match(text, place)
        if match is None:
            raise ValueError(
                f"{text[place:]!r} in {text!r} is not understood; a path is like $.a[0]['b c'][*]"
            )
        steps.append(_step(match))
        place = match.end()
    return JsonPath(text=text, steps=tuple(steps))


def _step(match: re.Match[str]) -> str | int | _Every:
    if match["index"] is not None:
        return int(match["index"])
    if match["star"] or match["every"]:
        return EVERY
    return next(name for name in (match["name"], match["single"], match["double"]) if name is not None)


def _members(value: Any, step: str | int | _Every) -> list[Any]:
    if isinstance(value, dict):
        if isinstance(step, _Every):
            return list(value.values())
        return [value[step]] if isinstance(step, str) and step in value else []
    if isinstance(value, list):
        if isinstance(step, _Every):
            return list(value)
        return [value[step]] if isinstance(step, int) and -len(value) <= step < len(value) else []
    return []
