"""What a run has asked and paid, summed up from its pairs.

Who finished first, and how often the run was killed and resumed, makes no difference: pairs that are read from
the journal count as they did when they were asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from promptops.messages import Completion, Failure
from promptops.samples import Pair

# Whole numbers of these are summed, because a sum of floats would tell who finished first.
_PARTS_OF_A_DOLLAR = 10**12


@dataclass(slots=True)
class Spending:
    """Attempts, answers from the cache (and how many of them were imported), calls that failed, dollars."""

    calls: int = 0
    cached: int = 0
    imported: int = 0
    failures: int = 0
    _parts: int = 0

    def add(self, pair: Pair) -> None:
        for answer in (pair.baseline, pair.candidate):
            if isinstance(answer, Completion) and answer.cached:
                self.cached += 1
                self.imported += answer.imported
                continue
            self.calls += answer.attempts
            if isinstance(answer, Failure):
                self.failures += answer.attempts > 0
            else:
                self._parts += round((answer.cost or 0.0) * _PARTS_OF_A_DOLLAR)

    @property
    def usd(self) -> float | None:
        """Dollars for what was asked; None where no price of it is known."""
        return self._parts / _PARTS_OF_A_DOLLAR if self._parts or not self.calls else None
