"""The one retry loop: a call is tried until an answer comes, its attempts are used up or its time is.

This is the only place that tries again, so the attempts it counts are the attempts a server sees. Which
failures are tried again:

    Overloaded, Unreachable        yes, after back-off with full jitter, or after what the server asks for
    Malformed, Truncated           yes: a proxy's hiccup looks like this
    TimedOut by the provider       yes, while there is time left; our own deadline is the end of the call
    Refused                        never
    any other ProviderError        never: somebody's own code raised

What a call waits for because a server asked for it is its own time; what it waits for because we hold it back
(`Turns`) is not.
"""

from __future__ import annotations

import asyncio
import random as _random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from promptops.errors import Malformed, Overloaded, ProviderError, Refused, TimedOut, Truncated, Unreachable
from promptops.messages import NOTHING_LOST, Completion, Lost, Request, Usage
from promptops.ports import Provider

Price = Callable[[str, Usage], float | None]
Result = Completion | ProviderError
Told = Callable[[Result | None], None]

_TRY_AGAIN = (Overloaded, Unreachable, TimedOut, Malformed, Truncated)
_FIRST_PAUSE = 1.0  # seconds; doubled with every attempt
_LONGEST_PAUSE = 30.0


class Turns(Protocol):
    """Who may send the next attempt, and when: limits and breakers."""

    async def turn(self, request: Request) -> Told:
        """Wait until an attempt may be sent; what is returned is to be called with what came of it.

        That is None when nothing came of it: it was cancelled.

        Raises:
            RunStopped: none may be sent any more.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Clock, sleep and randomness; arguments, so that tests pass no time."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = _random.random


@dataclass(slots=True)
class Tally:
    """The attempts of one call, counted as they are made, and what those cost that no answer came to.

    It is the caller's, who so has it also of a call that ends the run or is cancelled.
    """

    attempts: int = 0
    lost: Lost = NOTHING_LOST

    def lose(self, result: Result | None) -> None:
        """Count what an attempt cost; None is one that was cancelled."""
        if isinstance(result, Completion):
            return
        known = None if result is None else result.cost
        self.lost += Lost(unknown=1) if known is None else Lost(usd=known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """`deadline` seconds for all attempts of a call and the pauses between them, at most `attempts` of them."""

    deadline: float = 60.0
    attempts: int = 4


class Retrying:
    """Asks `provider` with patience. `price` gives the US dollars of an answer by the model that answered."""

    def __init__(
        self,
        provider: Provider,
        *,
        name: str,
        patience: Patience,
        turns: Turns,
        price: Price | None,
        tools: Tools,
    ) -> None:
        self._provider, self._name, self._patience = provider, name, patience
        self._turns, self._price, self._tools = turns, price, tools

    async def ask(self, request: Request, tally: Tally) -> Result:
        """Ask until there is an answer, or return what the last attempt came to; `tally` counts the attempts."""
        clock, deadline = self._tools.clock, self._patience.deadline
        spent, tried, last = 0.0, 0, ""
        while True:
            told = await self._turns.turn(request)
            begun, tried = clock(), tried + 1
            tally.attempts += 1
            result = None
            try:
                result = await self._try(request, seconds=deadline - spent, last=last)
            finally:
                tally.lose(result)
                told(result)
            left = deadline - spent - (clock() - begun)
            if isinstance(result, Completion):
                return result
            pause = self._pause(result, tried=tried, left=left)
            if pause is None or pause >= left:
                return self._explained(result, left=left)
            last = f", the last attempt: {result}"
            await self._tools.sleep(pause)
            spent += clock() - begun

    async def _try(self, request: Request, *, seconds: float, last: str) -> Result:
        begun = self._tools.clock()
        try:
            async with asyncio.timeout(seconds) as limit:
                answer = await self._provider.complete(request)
        except ProviderError as error:
            error.cost = self._cost(request, error)
            return error
        except TimeoutError:
            if not limit.expired():
                raise
            return _OurDeadline(f"{self._name} gave no answer within {self._patience.deadline:g} s{last}")
        took = answer.seconds if answer.seconds is not None else self._tools.clock() - begun
        cost = answer.cost
        if cost is None and self._price is not None:
            cost = self._price(answer.model, answer.usage)
        return replace(answer, seconds=took, cost=cost)

    def _cost(self, request: Request, error: ProviderError) -> float | None:
        """Price an attempt that no answer came to, by what its provider counted."""
        known = None
        if error.usage is not None and self._price is not None:
            known = self._price(request.model, error.usage)
        return 0.0 if known is None and _is_turned_away(error) else known

    def _pause(self, error: ProviderError, *, tried: int, left: float) -> float | None:
        """Return the seconds to wait before the next attempt, None when there is to be none."""
        if isinstance(error, _OurDeadline) or not isinstance(error, _TRY_AGAIN):
            return None
        if tried >= self._patience.attempts:
            return None
        jitter = self._tools.random() * min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (min(tried, 30) - 1))
        asked = _asked(error)
        if asked is None:
            return jitter
        # A little more than asked for, so that those who were turned away together do not return together;
        # but not so much that a wait that is short enough becomes too long.
        return asked + min(jitter, max(0.0, left - asked) / 2)

    def _explained(self, error: ProviderError, *, left: float) -> ProviderError:
        asked = _asked(error)
        if asked is None or asked < left:
            return error
        return Overloaded(
            f"{error}; it asks to wait {asked:g} s, and the deadline is {self._patience.deadline:g} s",
            retry_after=asked,
        )


class _OurDeadline(TimedOut):
    """The whole call's time is over; a provider's own timeout may be tried again."""


def _is_turned_away(error: ProviderError) -> bool:
    """Whether nothing was answered at all, which no provider bills: a status instead, or no connection."""
    never_there = isinstance(error, Unreachable | TimedOut) and error.cause in ("refused", "dns", "connect")
    return never_there or isinstance(error, Overloaded | Refused)


def _asked(error: ProviderError) -> float | None:
    return error.retry_after if isinstance(error, Overloaded) else None
