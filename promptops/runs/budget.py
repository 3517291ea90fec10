"""A limit in US dollars, shared by everything that spends in a run.

It stops before overspending, as far as anybody can know: a call is admitted when what was spent, and what every
call under way and this one can cost, stays within the limit; else it waits for what is under way, which may cost
less. What a call can cost is its ceiling, where its request has one, else what the dearest call so far did. Until
one was answered, calls without a ceiling go one at a time. Answers without a known price cost nothing here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from promptops.errors import RunStopped

Charge = Callable[[float | None], None]
# A sum of many small costs may be a little more than it should be by rounding.
_ROUNDING = 1e-12


class Budget:
    """What may be spent and what was."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.spent = 0.0
        self._under_way: list[float | None] = []
        self._dearest: float | None = None
        self._first = asyncio.Lock()
        self._ended = asyncio.Event()

    @asynccontextmanager
    async def one_call(self, ceiling: float | None = None) -> AsyncIterator[Charge]:
        """Admit one call; inside, what it gives is called with the cost of the answer if there is one.

        `ceiling` is what the call can cost at most, None where nobody knows.

        Raises:
            RunStopped: the call could bring the sum over the limit.
        """
        if self._dearest is None and ceiling is None:
            async with self._first:
                if self._dearest is None:
                    async with self._admitted(ceiling) as charge:
                        yield charge
                    return
        async with self._admitted(ceiling) as charge:
            yield charge

    @asynccontextmanager
    async def _admitted(self, ceiling: float | None) -> AsyncIterator[Charge]:
        while not self._fits([*self._under_way, ceiling]):
            if not self._under_way or not self._fits([ceiling]):
                raise self._reached(ceiling)
            await self._ended.wait()
        self._under_way.append(ceiling)
        try:
            yield self.add
        finally:
            self._under_way.remove(ceiling)
            # A new event for those who wait from now on.
            self._ended.set()
            self._ended = asyncio.Event()

    def _fits(self, ceilings: list[float | None]) -> bool:
        dearest = self._dearest or 0.0
        most = self.spent + sum(dearest if one is None else one for one in ceilings)
        return self.spent < self.limit and most <= self.limit * (1 + _ROUNDING)

    def _reached(self, ceiling: float | None) -> RunStopped:
        next_one = self._dearest if ceiling is None else ceiling
        more = f", and the next call can cost ${next_one:.4f}" if next_one and self.spent < self.limit else ""
        return RunStopped(
            f"the budget of ${self.limit:.2f} is reached: ${self.spent:.4f} spent{more};"
            " what was finished is kept; run again with a larger budget to resume"
        )

    def add(self, cost: float | None) -> None:
        """Count what one answer cost, None where nobody knows it: then the others may never tell a price either."""
        self.spent += cost or 0.0
        self._dearest = max(cost or 0.0, self._dearest or 0.0)
