"""A provider around a provider: slots, budget, breaker, limits a minute and retries, put together in one place.

    slot        calls at once, fewer while the server has too many                    limiting.Slots
    attempts    one deadline, bounded retries                                         retrying.Retrying
      budget    what the attempt may cost stays within the limit                      budget.Budget
      breaker   while the provider is down, one attempt at a time                     breaking.Breaker
      rates     requests and tokens a minute                                          limiting.Rates
      asked     promptops.providers: once

What ends a run is RunStopped. What happens to one call is a Failure, counted and reported.
"""

from __future__ import annotations

import asyncio
import random as _random
import time
from collections.abc import Awaitable, Callable

from promptops.messages import Request
from promptops.ports import Provider
from promptops.runs.asked import Asked
from promptops.runs.breaking import OUTAGE, PROBES, Breaker
from promptops.runs.budget import Budget, Purse
from promptops.runs.limiting import Rates, Slots
from promptops.runs.retrying import Patience, Price, Result, Retrying, Tally, Told, Tools, Turns


class Paced(Asked):
    """Asks `provider` with patience, and stops the run when patience is useless.

    `deadline` is in seconds and covers all attempts of a call and the pauses between them, not the waiting for
    one of the `at_once` slots, for the share of a minute or for a breaker, which is our own doing. A call keeps
    its slot while it pauses, so an overloaded server is asked less. `stop_after` calls in a row without an
    answer, each after all its attempts, open the breaker; when `probes` more get none over `outage` seconds, the
    run stops. `price` gives the US dollars of an answer by the name of the model that answered; people are told by
    `say` when the breaker opens.
    Clock, sleep and randomness are arguments for tests.
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
        probes: int = PROBES,
        outage: float = OUTAGE,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        price: Price | None = None,
        budget: Budget | None = None,
        say: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = _random.random,
    ) -> None:
        tools = Tools(clock=clock, sleep=sleep, random=random)
        self.slots = Slots(at_once)
        self.breaker = Breaker(
            name=name,
            opens_after=stop_after,
            at_once=at_once,
            probes=probes,
            outage=outage,
            say=say,
            tools=tools,
        )
        turns: list[Turns] = [] if budget is None else [Purse(budget, price)]
        turns.append(
            self.breaker
        )  # after the budget: who asks whether the provider is back must not wait for money
        if requests_per_minute is not None or tokens_per_minute is not None:
            turns.append(Rates(requests=requests_per_minute, tokens=tokens_per_minute, tools=tools))
        turns.append(self.slots)  # last: what it learns is of the moment an attempt is sent
        self._retrying = Retrying(
            provider,
            name=name,
            patience=Patience(deadline=deadline, attempts=attempts),
            turns=_InTurn(turns),
            price=price,
            tools=tools,
        )

    async def ask(self, request: Request, tally: Tally) -> Result:
        """Ask, and count every attempt in `tally`.

        Raises:
            RunStopped: the provider refuses us, is down, or the budget is reached.
        """
        async with self.slots.one():
            self.breaker.check()
            result = await self._retrying.ask(request, tally)
            self.breaker.judge(result)
        return result


class _InTurn:
    """One turn after the other."""

    def __init__(self, turns: list[Turns]) -> None:
        self._turns = turns

    async def turn(self, request: Request) -> Told:
        all_told: list[Told] = []

        def told(result: Result | None) -> None:
            for one in all_told:
                one(result)

        try:
            for turn in self._turns:
                all_told.append(await turn.turn(request))
        except BaseException:
            told(None)
            raise
        return told
