"""`python`: a function of the repository's own, called with the answer's text and the sample.

It returns a bool, a number inside the declared range, or `(value, reason)`. What it raises, and a value that
is none of these, is a missing score with its reason: a bug in a scorer is not the prompt's doing. A number outside
the range ends the run: margins and verdicts are about the declared range, so one of the two is wrong.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isnan
from numbers import Real
from typing import Any

from promptops.errors import InvalidInput
from promptops.messages import Completion
from promptops.samples import Sample, Score
from promptops.scorers.checked import parse_answer
from promptops.scorers.jsonpath import JsonPath
from promptops.scorers.text import as_text, reason, shown
from promptops.strictjson import NotJson

Function = Callable[[str, dict[str, Any]], Any]

_SLACK = 1e-9  # of the range: a sum of weights may end at 1.0000000000000002


class OutsideRange(InvalidInput):
    """A function returned a number outside of the range that is declared for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """A scorer around a function; an answer without text is given to it as an empty text."""

    function: Function
    value_range: tuple[float, float]
    binary: bool
    path: JsonPath | None = None

    def score(self, sample: Sample, completion: Completion) -> Score:
        try:
            output = self._output(completion.text or "")
        except NotJson as error:
            return Score(value=self.value_range[0], reason=reason(f"not JSON: {error}"))
        if output is None and self.path:
            return Score(value=self.value_range[0], reason=f"{self.path.text} is missing")
        try:
            result = self.function(output or "", _plain(sample))
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a function raises, the run goes on
            return Score(value=None, reason=reason(f"the scorer raised {type(error).__name__}: {error}"))
        return self._read(result)

    def _output(self, text: str) -> str | None:
        if self.path is None:
            return text
        found = self.path.find(parse_answer(text))
        return as_text(found[0]) if found else None

    def _read(self, result: Any) -> Score:
        value, why = result if isinstance(result, tuple) and len(result) == 2 else (result, "")
        worst, best = self.value_range
        if isinstance(value, bool):
            value = best if value else worst
        if not isinstance(value, Real) or isnan(_plain_float(value)):
            return _unscored(f"{shown(str(value))}, not a bool or a number")
        number = self._inside(_plain_float(value))
        if self.binary and number not in (worst, best):
            return _unscored(f"{number:g}, although it says that it returns a bool")
        return Score(value=number, reason=reason(str(why)) if why else "")

    def _inside(self, value: float) -> float:
        """The value within the range, to which rounding may bring it back.

        Raises:
            OutsideRange: it lies further off.
        """
        worst, best = self.value_range
        slack = _SLACK * (best - worst)
        if not worst - slack <= value <= best + slack:
            said = f"the scorer returned {value:g}, outside {worst:g} to {best:g}"
            raise OutsideRange(
                f"{said}; declare the whole range, range: [WORST, BEST], or correct the function"
            )
        return min(max(value, worst), best)


def python_scorer(function: Function, *, range: tuple[float, float] | None, path: JsonPath | None) -> Python:
    """Wrap a function; one whose annotation is `bool` or `tuple[bool, str]` is a binary scorer.

    Raises:
        ValueError: it is async, or the range is not a range.
    """
    if inspect.iscoroutinefunction(function):
        raise ValueError("an async function cannot be a scorer; write it as a plain one")
    worst, best = range or (0.0, 1.0)
    if not worst < best:
        raise ValueError(f"range goes from the worst to the best value, got [{worst:g}, {best:g}]")
    return Python(function=function, value_range=(worst, best), binary=_says_bool(function), path=path)


def _unscored(what: str) -> Score:
    return Score(value=None, reason=reason(f"the scorer returned {what}"))


def _plain_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf  # a whole number beyond every float


def _says_bool(function: Function) -> bool:
    annotation = getattr(function, "__annotations__", {}).get("return", "")
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return text.replace(" ", "") in ("bool", "tuple[bool,str]")


def _plain(sample: Sample) -> dict[str, Any]:
    """The sample as plain JSON values, a fresh copy for every call; every field is there, None if unset."""
    dumped: Mapping[str, Any] = sample.model_dump(mode="json", by_alias=True)
    return dict(dumped)
