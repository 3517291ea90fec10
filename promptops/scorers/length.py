"""`length`: the answer is as long as it should be; both bounds belong to it.

The score is whether it fits, not the number: a mean of lengths says nothing about an answer that is too long.
The reason carries the number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from promptops.prompts.model import LengthBounds
from promptops.samples import Sample
from promptops.scorers.checked import Found, Test
from promptops.scorers.text import Likeness

Unit = Literal["characters", "words", "lines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fits:
    """Between the bounds; characters are code points, words stand between spaces, empty text has 0 lines."""

    bounds: LengthBounds
    like: Likeness

    def ask(self, sample: Sample) -> Test:
        return self._test

    def _test(self, found: Found) -> str:
        length = _MEASURE[self.bounds.unit](self.like.plain(found.text))
        unit = self.bounds.unit if length != 1 else self.bounds.unit.removesuffix("s")
        if self.bounds.max is not None and length > self.bounds.max:
            return f"{length:,} {unit}, at most {self.bounds.max:,}"
        if self.bounds.min is not None and length < self.bounds.min:
            return f"{length:,} {unit}, at least {self.bounds.min:,}"
        return ""


def fits(bounds: LengthBounds, like: Likeness) -> Fits:
    """Check the bounds.

    Raises:
        ValueError: there are none, or nothing lies between them.
    """
    if bounds.min is None and bounds.max is None:
        raise ValueError("length needs min, max or both")
    if bounds.min is not None and bounds.max is not None and bounds.min > bounds.max:
        raise ValueError(f"length has min {bounds.min} above max {bounds.max}")
    return Fits(bounds=bounds, like=like)


def _lines(text: str) -> int:
    return text.count("\n") + 1 if text else 0


_MEASURE: dict[Unit, Callable[[str], int]] = {
    "characters": len,
    "words": lambda text: len(text.split()),
    "lines": _lines,
}
