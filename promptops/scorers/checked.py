"""Yes-or-no scorers: a rule, applied to the answer or to what a path selects from it.

A bad answer (not JSON, nothing at the path, no text) is the worst value with its reason; a sample or a rule
that cannot be applied gives no score. JSON is read strictly: an answer in a ``` fence is not JSON, for the
program that reads the answer would not take it either.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from promptops.messages import Completion
from promptops.samples import Sample, Score
from promptops.scorers.fill import Unscorable
from promptops.scorers.jsonpath import JsonPath
from promptops.scorers.text import as_text, reason
from promptops.strictjson import NotJson, parse

_FENCE = re.compile(r"\s*```")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a rule looks at: the answer's text, or a JSON value selected from it."""

    value: Any
    selected: bool = False

    @property
    def text(self) -> str:
        return as_text(self.value)

    def json(self) -> Any:
        """The selected value, or the answer read as JSON.

        Raises:
            NotJson: the answer is not JSON.
        """
        return self.value if self.selected else parse_answer(self.value)


Test = Callable[[Found], str]


class Rule(Protocol):
    """One question about an answer."""

    def ask(self, sample: Sample) -> Test:
        """Return the question for this sample: it says why an answer is wrong, nothing when it is right.

        The test may raise NotJson. What cannot be asked is known before any answer is looked at, so that both
        arms of a pair miss the score, never one.

        Raises:
            Unscorable: the question cannot be asked of this sample.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A binary scorer; where a path selects several values, one that is right is enough."""

    rule: Rule
    path: JsonPath | None = None

    @property
    def value_range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    @property
    def binary(self) -> bool:
        return True

    def score(self, sample: Sample, completion: Completion) -> Score:
        try:
            why = self._fails(self.rule.ask(sample), completion.text)
        except NotJson as error:
            why = f"not JSON: {error}"
        except (Unscorable, RecursionError) as error:
            return Score(value=None, reason=reason(str(error)))
        return Score(value=0.0, reason=reason(why)) if why else Score(value=1.0)

    def _fails(self, test: Test, text: str | None) -> str:
        if text is None:
            return "the answer has no text"
        if self.path is None:
            return test(Found(value=text))
        found = self.path.find(parse_answer(text))
        if not found:
            return f"{self.path.text} is missing"
        return _first_right(test, found)


def _first_right(test: Test, found: list[Any]) -> str:
    first = ""
    for value in found:
        why = test(Found(value=value, selected=True))
        if not why:
            return ""
        first = first or why
    return first if len(found) == 1 else f"none of {len(found)} values fits; the first: {first}"


def parse_answer(text: str) -> Any:
    """Read an answer as JSON.

    Raises:
        NotJson: it is not; a fence is named, as the most common cause.
    """
    try:
        return parse(text)
    except NotJson:
        if _FENCE.match(text):
            raise NotJson("the answer is in a ``` fence; ask for bare JSON") from None
        raise
