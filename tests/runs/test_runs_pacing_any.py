"""Whatever comes, in whatever order: every attempt is counted, the budget holds, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from promptops.errors import Overloaded, Refused, RunStopped, TimedOut, Truncated, Unreachable
from promptops.messages import Completion, Message, Request, Usage
from promptops.runs.budget import Budget
from promptops.runs.pacing import Paced
from promptops.runs.retrying import Tally
from promptops.runs.routing import Routed, Way

LONGEST = 20  # tokens
FAULTS = ("uncounted", "429", "wait", "500", "cut", "cut and counted", "401", "400", "gone", "slow")
REQUEST = Request(
    model="m", messages=(Message(role="user", content="h"),), parameters={"max_tokens": LONGEST}
)


def price(model: str, usage: Usage) -> float | None:
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    return (usage.input_tokens + usage.output_tokens) / 1000


class Anything:
    """Answers or fails by dice; `billed` is what a vendor would take for it."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.asked, self.billed = dice, 0, 0.0
        self.faults = ["none"] * dice.randint(1, 8) + dice.choices(FAULTS, k=dice.randint(0, 4))

    async def complete(self, request: Request) -> Completion:
        self.asked += 1
        fault = self.dice.choice(self.faults)
        used = Usage(input_tokens=2, output_tokens=self.dice.randint(1, LONGEST))
        if fault in ("none", "uncounted", "cut", "cut and counted", "slow"):
            self.billed += price("m", used) or 0.0
        for _ in range(self.dice.randint(0, 3)):
            await asyncio.sleep(0)
        if fault in ("none", "uncounted"):
            counted = used if fault == "none" else Usage()
            return Completion(text="x", finish_reason="stop", model="m", usage=counted)
        raise self.error(fault, used)

    def error(self, fault: str, used: Usage) -> Exception:
        cut = Truncated("cut")
        cut.usage = used if fault == "cut and counted" else None
        return {
            "429": Overloaded("busy", status=429),
            "wait": Overloaded("busy", status=429, retry_after=self.dice.choice([1.0, 500.0])),
            "500": Overloaded("broken", status=500),
            "401": Refused("no key"),
            "400": Refused("too long", only_this=True),
            "gone": Unreachable("nobody", cause="refused"),
            "slow": TimedOut("slow", cause="idle"),
        }.get(fault, cut)


def paced(provider: Anything, budget: Budget | None, time: Any) -> Paced:
    dice = provider.dice
    return Paced(
        provider,
        name="m",
        attempts=dice.randint(1, 4),
        at_once=dice.choice([1, 2, 8, 32]),
        stop_after=dice.choice([2, 8]),
        outage=5.0,
        price=price,
        budget=budget,
        requests_per_minute=dice.choice([None, 60, 6000]),
        tokens_per_minute=dice.choice([None, 5000]),
        clock=time.clock,
        sleep=time.sleep,
        random=dice.random,
    )


async def go(time: Any, *, seed: int) -> None:
    """Make some calls, of which some are cancelled where the seed is odd."""
    dice = random.Random(seed)
    limit = dice.choice([None, 0.05, 0.3, 2.0])
    budget = None if limit is None else Budget(limit)
    providers = [Anything(dice) for _ in range(dice.choice([1, 1, 2]))]
    ways = [Way(paced=paced(one, budget, time), model="m") for one in providers]
    on = dice.choice([["overloaded", "timeout"], ["refused", "truncated", "unreachable"]])
    asks = ways[0].paced if len(ways) == 1 else Routed(ways, on=on)
    tallies = [Tally() for _ in range(dice.randint(1, 60))]
    calls = [asyncio.create_task(asks.answer(REQUEST, tally)) for tally in tallies]
    for _ in range(dice.randint(0, 40)):
        await asyncio.sleep(0)
        if seed % 2 and dice.random() < 0.3:
            dice.choice(calls).cancel()
    _, waiting = await asyncio.wait(calls, timeout=30)
    assert not waiting
    ended = [call.exception() for call in calls if not call.cancelled()]
    assert all(error is None or isinstance(error, RunStopped) for error in ended)
    assert sum(tally.attempts for tally in tallies) == sum(one.asked for one in providers)
    if budget is not None:
        assert budget.spent <= budget.limit * 1.000001
    if budget is not None and not any(call.cancelled() for call in calls):
        assert sum(one.billed for one in providers) <= budget.limit * 1.000001


def test_whatever_comes_every_attempt_is_counted_and_the_budget_holds(time: Any) -> None:
    for seed in range(200):
        asyncio.run(go(time, seed=seed))
