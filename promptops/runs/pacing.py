"""A provider around a provider: one deadline a call, bounded retries, a limit of calls at once, a breaker.

This is the only place that retries, so the attempts it counts are the attempts a server sees. Which
failures are tried again:

    Overloaded, Unreachable        yes, after back-off with full jitter, or after what the server asks for
    Malformed, Truncated           yes: a proxy's hiccup looks like this
    TimedOut by the provider       yes, while there is time left; our own deadline is the end of the call
    Refused                        never, and it ends the run, unless it may concern this one request only
    any other ProviderError        never: somebody's own code raised

What ends a run is RunStopped. What happens to one call is a Failure, counted and reported.
"""

from __future__ import annotations

import asyncio
import random as _random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from promptops.errors import (
    Malformed,
    Overloaded,
    ProviderError,
    Refused,
    RunStopped,
    TimedOut,
    Truncated,
    Unreachable,
)
from promptops.messages import Answer, Completion, Failure, Request, Usage
from promptops.ports import Provider
from promptops.runs.budget import Budget

Price = Callable[[str, Usage], float | None]

_TRY_AGAIN = (Overloaded, Unreachable, TimedOut, Malformed, Truncated)
# Failures that say something about the provider; the others may be the prompt's own doing and are for the
# verdict.
_OUT_OF_ORDER = (Overloaded, Unreachable, TimedOut, Refused)
_FIRST_PAUSE = 1.0  # seconds; doubled with every attempt
_LONGEST_PAUSE = 30.0
_LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    result: Completion | ProviderError
    attempts: int


class Paced:
    """Asks `provider` with patience, and stops the run when patience is useless.

    `deadline` is in seconds and covers all attempts of a call and the pauses between them, not the waiting
    for one of the `at_once` slots, which is our own doing. A call keeps its slot while it pauses, so an
    overloaded server is asked less. `stop_after` calls in a row without an answer, each after all its
    attempts, stop the run (for deadlines `at_once` more: those that began together end together). `price`
    gives the US dollars of an answer by the name of the model that answered. Clock, sleep and randomness
    are arguments for tests.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        name: str,
        deadline: float = 60.0,
        attempts: int = 4,
        at_once: int = 32,
        stop_after: int = 8,
        price: Price | None = None,
        budget: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self._provider, self._name = provider, name
        self._deadline, self._attempts = deadline, attempts
        self._at_once, self._stop_after = at_once, stop_after
        self._price, self._budget = price, budget
        self._clock, self._sleep, self._random = clock, sleep, random
        self._slots = asyncio.Semaphore(at_once)
        self._failed_in_row = 0
        self._stopped: str | None = None

    async def complete(self, request: Request) -> Completion:
        """Answer, so that a paced provider is a provider, too.

        Raises:
            ProviderError: after all attempts. RunStopped: see `answer`.
        """
        outcome = await self._ask(request)
        if isinstance(outcome.result, ProviderError):
            raise outcome.result
        return outcome.result

    async def answer(self, request: Request) -> Answer:
        """Answer, or say as a value why there is no answer.

        Raises:
            RunStopped: the provider refuses us, is down, or the budget is reached.
        """
        outcome = await self._ask(request)
        if isinstance(outcome.result, Completion):
            return outcome.result
        message = " ".join(str(outcome.result).split())[:_LONGEST_MESSAGE]
        return Failure(kind=outcome.result.kind, message=message, attempts=outcome.attempts)

    async def _ask(self, request: Request) -> _Outcome:
        async with self._slots:
            self._go_on()
            if self._budget is None:
                outcome = await self._within_deadline(request)
            else:
                async with self._budget.one_call() as charge:
                    outcome = await self._within_deadline(request)
                    charge(outcome.result.cost if isinstance(outcome.result, Completion) else None)
        self._judge(outcome)
        return outcome

    async def _within_deadline(self, request: Request) -> _Outcome:
        begun, tried, last = self._clock(), 0, ""
        try:
            async with asyncio.timeout(self._deadline) as limit:
                while True:
                    self._go_on()
                    tried += 1
                    result = await self._try(request, attempt=tried)
                    if isinstance(result, Completion):
                        return _Outcome(result=result, attempts=tried)
                    pause = self._pause(result, tried=tried)
                    left = self._deadline - (self._clock() - begun)
                    if pause is None or pause >= left:
                        return _Outcome(result=self._explained(result, left=left), attempts=tried)
                    last = f", the last attempt: {result}"
                    await self._sleep(pause)
        except TimeoutError:
            if not limit.expired():
                raise
            error = TimedOut(f"{self._name} gave no answer within {self._deadline:g} s{last}")
            return _Outcome(result=error, attempts=tried)

    async def _try(self, request: Request, *, attempt: int) -> Completion | ProviderError:
        begun = self._clock()
        try:
            answer = await self._provider.complete(request)
        except ProviderError as error:
            return error
        seconds = answer.seconds if answer.seconds is not None else self._clock() - begun
        cost = answer.cost
        if cost is None and self._price is not None:
            cost = self._price(answer.model, answer.usage)
        return replace(answer, attempts=attempt, seconds=seconds, cost=cost)

    def _pause(self, error: ProviderError, *, tried: int) -> float | None:
        """Return the seconds to wait before the next attempt, None when there is to be none."""
        if not isinstance(error, _TRY_AGAIN) or tried >= self._attempts:
            return None
        asked = error.retry_after if isinstance(error, Overloaded) else None
        if asked is not None:
            # A little more than asked for, so that those who were turned away together do not return
            # together.
            return asked + self._random() * _FIRST_PAUSE
        return self._random() * min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (tried - 1))

    def _explained(self, error: ProviderError, *, left: float) -> ProviderError:
        asked = error.retry_after if isinstance(error, Overloaded) else None
        if asked is None or asked < left:
            return error
        return Overloaded(f"{error}; it asks to wait {asked:g} s, and the deadline is {self._deadline:g} s")

    def _judge(self, outcome: _Outcome) -> None:
        error = outcome.result
        if isinstance(error, Completion):
            self._failed_in_row = 0
            return
        if isinstance(error, Refused) and not error.only_this:
            self._stop(f"{error}; what was finished is kept; run again once that is put right", error)
        if not isinstance(error, _OUT_OF_ORDER):
            return
        self._failed_in_row += 1
        patience = self._stop_after + (self._at_once if isinstance(error, TimedOut) else 0)
        if self._failed_in_row >= patience:
            self._stop(
                f"{self._name} is down: {self._failed_in_row} calls in a row got no answer,"
                f" the last: {error}; what was finished is kept; run again to resume",
                error,
            )

    def _stop(self, message: str, error: ProviderError) -> None:
        self._stopped = self._stopped or message
        raise RunStopped(self._stopped) from error

    def _go_on(self) -> None:
        if self._stopped is not None:
            raise RunStopped(self._stopped)
