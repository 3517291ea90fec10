"""A limit in US dollars, shared by everything that spends in a run.

It stops before overspending, as far as anybody can know: an attempt is admitted when what was spent, and what every
attempt under way and this one can cost, stays within the limit; else it waits for those under way, which may cost
less. What an attempt can cost is its ceiling, where its request has one, else what the dearest so far did. Until
one was answered, attempts without a ceiling go one at a time. One that failed and that nobody counted counts as what
it can have cost; an answer without a known price as its ceiling, where it has none as nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from promptops.errors import RunStopped
from promptops.messages import Completion, Request, Usage
from promptops.runs.ceiling import ceiling
from promptops.runs.retrying import Result, Told

# A sum of many small costs may be a little more than it should be by rounding.
_ROUNDING = 1e-12


class Budget:
    """What may be spent and what was, `guessed` the part of it that nobody counted.

    A run that is resumed begins with what it has `spent` and what its `dearest` answer cost.
    """

    def __init__(self, limit: float, *, spent: float = 0.0, dearest: float | None = None) -> None:
        self.limit, self.spent, self.guessed = limit, spent, 0.0
        self._under_way: list[float | None] = []
        self._dearest = dearest
        self._ended = asyncio.Event()

    async def admit(self, ceiling: float | None = None) -> Told:
        """Wait until an attempt fits; what is returned is to be called with what came of it.

        `ceiling` is what it can cost at most, None where nobody knows.

        Raises:
            RunStopped: it could bring the sum over the limit.
        """
        while not self._fits([*self._under_way, ceiling]):
            if not self._under_way or not self._fits([ceiling]):
                raise self._reached(ceiling)
            await self._ended.wait()
        self._under_way.append(ceiling)

        def told(result: Result | None) -> None:
            self._under_way.remove(ceiling)
            self._count(result, ceiling)
            # A new event for those who wait from now on.
            self._ended.set()
            self._ended = asyncio.Event()

        return told

    def _fits(self, ceilings: list[float | None]) -> bool:
        if self._dearest is None and ceilings.count(None) > 1:
            return False
        most = self.spent + sum(self._most(one) for one in ceilings)
        return self.spent < self.limit and most <= self.limit * (1 + _ROUNDING)

    def _most(self, ceiling: float | None) -> float:
        return (self._dearest or 0.0) if ceiling is None else ceiling

    def _count(self, result: Result | None, ceiling: float | None) -> None:
        if result is None:
            return
        answered = isinstance(result, Completion)
        if result.cost is None:
            guess = (ceiling or 0.0) if answered else self._most(ceiling)
            self.guessed += guess
            self.spent += guess
        self.spent += result.cost or 0.0
        if answered or result.cost:
            self._dearest = max(result.cost or 0.0, self._dearest or 0.0)

    def _reached(self, ceiling: float | None) -> RunStopped:
        most = self._most(ceiling)
        more = f", and the next call can cost ${most:.4f}" if most and self.spent < self.limit else ""
        guessed = f" (${self.guessed:.4f} of it at most, for what nobody counted)" if self.guessed else ""
        return RunStopped(
            f"the budget of ${self.limit:.2f} is reached: ${self.spent:.4f} spent{guessed}{more};"
            " what was finished is kept; run again with a larger budget to resume"
        )


class Purse:
    """A budget as the attempts at one provider see it, whose prices give each its ceiling."""

    def __init__(self, budget: Budget, price: Callable[[str, Usage], float | None] | None) -> None:
        self._budget, self._price = budget, price

    async def turn(self, request: Request) -> Told:
        """Wait until an attempt fits into the budget.

        Raises:
            RunStopped: it is reached.
        """
        return await self._budget.admit(None if self._price is None else ceiling(request, self._price))
