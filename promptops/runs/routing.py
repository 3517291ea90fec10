"""Failover: the next provider is asked when one does not answer, for the failures that the route names.

Each has its own slots, limits, breaker and deadline. One whose breaker is open is passed over at once; the last
one is asked, and waited for, as if there were no route. Which models may stand in for which is the caller's
business: here a way is asked for the model that it has.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from promptops.errors import ProviderError, RunStopped, family_of
from promptops.messages import Request
from promptops.runs.asked import Asked
from promptops.runs.pacing import Paced
from promptops.runs.retrying import Result, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One provider of a route, and its own name of the model."""

    paced: Paced
    model: str


class Routed(Asked):
    """Asks `ways` in turn; `on` holds kinds of failures or their families."""

    def __init__(self, ways: Sequence[Way], *, on: Collection[str]) -> None:
        self._ways, self._on = tuple(ways), frozenset(on)

    async def ask(self, request: Request, tally: Tally) -> Result:
        """Ask until one answers, and count every attempt, whoever got it, in `tally`.

        Raises:
            RunStopped: the budget is reached, or one that may not be passed over ends the run.
        """
        *others, last = self._ways
        for way in others:
            result = await self._ask(way, request, tally)
            if result is not None and not self._goes_on(result):
                return result
        return await last.paced.ask(replace(request, model=last.model), tally)

    async def _ask(self, way: Way, request: Request, tally: Tally) -> Result | None:
        """Ask one that others stand behind; None when it is passed over."""
        if self._is_down(way):
            return None
        try:
            return await way.paced.ask(replace(request, model=way.model), tally)
        except RunStopped:
            if self._is_down(way):
                return None
            raise

    def _is_down(self, way: Way) -> bool:
        return way.paced.breaker.is_open and self._goes_on(way.paced.breaker.last)

    def _goes_on(self, result: Result | None) -> bool:
        if not isinstance(result, ProviderError):
            return False
        return result.kind in self._on or family_of(result.kind) in self._on
