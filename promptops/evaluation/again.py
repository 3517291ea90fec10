"""A verdict of the past, reached again from its evidence alone: the same numbers must lead to the same word.

It shows that nobody wrote another word or another number over them. It cannot show that the numbers were measured:
for that the test is run again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from promptops.basis import Basis
from promptops.errors import PromptopsError
from promptops.evaluation.lines import metric_lines
from promptops.gate import Verdict
from promptops.records import Evidence
from promptops.version import tool_version

_WORDS = frozenset({"method", "reason", "warnings", "notes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What came out otherwise: `wrong` is what cannot be, `odd` are words that another promptops may put differently.

    `unknown` says why it could not be reached again at all.
    """

    wrong: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    unknown: str = ""


def reach_again(evidence: Evidence) -> Again:
    """Judge once more what the evidence says was found, and compare verdict, level, reasons and every metric."""
    if evidence.basis is None:
        return Again(unknown="it is of an older promptops, and holds too little to reach its verdict again")
    try:
        verdict = Basis.from_json(evidence.basis).verdict()
        return Again(wrong=tuple(_wrong(evidence, verdict)), odd=tuple(_odd(evidence, verdict)))
    except PromptopsError as error:
        return Again(wrong=(str(error),))
    except (ArithmeticError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        # Values that no test ever gave, in the right shape: pydantic's ValidationError is a ValueError.
        return Again(wrong=(f"its numbers are no result of a test ({type(error).__name__})",))


def _odd(evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    if evidence.tool_version == tool_version() and verdict.reasons != tuple(evidence.reasons):
        yield "its reasons are worded otherwise"


def _wrong(evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    reached = verdict.outcome.value
    if reached != evidence.verdict:
        yield f"says {evidence.verdict.upper()}, and its own numbers say {reached.upper()}"
    if not _same(evidence.alpha, verdict.alpha):
        yield f"says alpha {evidence.alpha:g}, and its verdict was reached at {verdict.alpha:g}"
    rows = {line.name: line.model_dump(mode="json") for line in metric_lines(verdict)}
    if [row.get("name") for row in evidence.metrics] != list(rows):
        yield "lists other metrics than its verdict was reached from"
        return
    for row in evidence.metrics:
        name = row["name"]
        for key in _differing(row, rows[name]):
            yield f"says that {key} of {name} is {row.get(key)}, and its own numbers say {rows[name].get(key)}"


def _differing(row: Mapping[str, Any], reached: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields that differ; one that another version added or dropped is none, and neither are words."""
    for key, value in row.items():
        if key not in _WORDS and key in reached and not _same(value, reached[key]):
            yield key


def _same(one: Any, other: Any) -> bool:
    """Equal; of numbers, as far as two machines agree on them."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return bool(one == other)
