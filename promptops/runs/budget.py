"""A limit in US dollars, shared by everything that spends in a run.

It stops before overspending, as far as anybody can know: a call is admitted when what was spent, plus the
dearest call so far for every call under way and for this one, stays within the limit. Until one call has
told its price, calls go one at a time. Calls without a known price cost nothing here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from promptops.errors import RunStopped

Charge = Callable[[float | None], None]


class Budget:
    """What may be spent and what was."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.spent = 0.0
        self._under_way = 0
        self._dearest: float | None = None
        self._first = asyncio.Lock()

    @asynccontextmanager
    async def one_call(self) -> AsyncIterator[Charge]:
        """Admit one call; inside, what it gives is called with the cost, None where nobody knows it.

        Raises:
            RunStopped: the call could bring the sum over the limit.
        """
        if self._dearest is None:
            async with self._first:
                if self._dearest is None:
                    async with self._admitted() as charge:
                        yield charge
                    # A call that told no price ends the waiting, too: none of the others may ever tell one.
                    self._dearest = self._dearest or 0.0
                    return
        async with self._admitted() as charge:
            yield charge

    @asynccontextmanager
    async def _admitted(self) -> AsyncIterator[Charge]:
        ahead = (self._under_way + 1) * (self._dearest or 0.0)
        if self.spent >= self.limit or self.spent + ahead > self.limit:
            raise RunStopped(
                f"the budget of ${self.limit:.2f} is reached: ${self.spent:.4f} spent;"
                " what was finished is kept; run again with a larger budget to resume"
            )
        self._under_way += 1
        try:
            yield self.add
        finally:
            self._under_way -= 1

    def add(self, cost: float | None) -> None:
        """Count what one call cost."""
        if cost is None:
            return
        self.spent += cost
        self._dearest = max(cost, self._dearest or 0.0)
