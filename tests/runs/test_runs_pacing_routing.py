"""Failover: who is asked after whom, at which failures, and for which model."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from promptops.errors import Overloaded, ProviderError, Refused, RunStopped, TimedOut, Unreachable
from promptops.messages import Completion, Failure, Lost, Request
from promptops.runs.budget import Budget
from promptops.runs.pacing import Paced
from promptops.runs.routing import Routed, Way

REQUEST = Request(model="wanted", messages=())
ON = ["overloaded", "timeout"]
BUSY = Overloaded("it answered 503", status=503)


@dataclass
class Route:
    routed: Routed
    providers: list[Any]

    def ask(self, times: int = 1) -> list[Any]:
        async def main() -> list[Any]:
            return [await self.routed.answer(REQUEST) for _ in range(times)]

        return asyncio.run(main())

    @property
    def asked(self) -> list[int]:
        return [len(one.asked) for one in self.providers]


def route(time: Any, *providers: Any, on: Any = ON, models: Any = None, **more: Any) -> Route:
    options = {"clock": time.clock, "sleep": time.sleep, "random": lambda: 1.0, "attempts": 2, **more}
    names = models or ["wanted"] * len(providers)
    ways = [
        Way(paced=Paced(one, name=f"p{index}", **options), model=name)
        for index, (one, name) in enumerate(zip(providers, names, strict=True))
    ]
    return Route(Routed(ways, on=on), list(providers))


def test_the_first_answers_while_it_can(script, time) -> None:
    both = route(time, script("first"), script("second"))
    assert [one.text for one in both.ask(5)] == ["first"] * 5
    assert both.asked == [5, 0]


def test_the_next_one_answers_when_all_attempts_of_the_first_failed_and_all_attempts_count(
    script, time
) -> None:
    both = route(time, script(BUSY, BUSY, "back"), script("second"))
    answers = both.ask(2)
    assert [(one.text, one.attempts) for one in answers] == [("second", 3), ("back", 1)]
    assert both.asked == [3, 1]


@pytest.mark.parametrize(
    ("error", "on", "goes_on"),
    [
        (BUSY, ["overloaded"], True),
        (BUSY, ["timeout"], False),
        (TimedOut("slow", cause="idle"), ["timeout"], True),
        (TimedOut("slow", cause="idle"), ["timeout.idle"], True),
        (TimedOut("slow", cause="connect"), ["timeout.idle"], False),
        (Unreachable("gone", cause="dns"), ["unreachable"], True),
        (ProviderError("raised"), ["error"], True),
        (Refused("too long", only_this=True), ["overloaded"], False),
    ],
)
def test_the_route_goes_on_at_the_failures_it_names(script, time, error, on, goes_on) -> None:
    both = route(time, script(error), script("second"), on=on)
    answer = both.ask()[0]
    assert isinstance(answer, Completion if goes_on else Failure)
    assert both.asked[1] == goes_on


def test_a_refused_key_ends_the_run_unless_the_route_says_otherwise(script, time) -> None:
    with pytest.raises(RunStopped, match="answered 401"):
        route(time, script(Refused("it answered 401")), script("second")).ask()
    both = route(time, script(Refused("it answered 401")), script("second"), on=["refused"])
    assert [one.text for one in both.ask(5)] == ["second"] * 5
    assert both.asked == [1, 5]


def test_when_nobody_answers_the_failure_is_the_last_ones(script, time) -> None:
    both = route(time, script(BUSY), script(TimedOut("slow", cause="idle")))
    assert both.ask() == [Failure(kind="timeout.idle", message="slow", attempts=4, lost=Lost(unknown=2))]
    with pytest.raises(TimedOut):
        asyncio.run(both.routed.complete(REQUEST))
    assert asyncio.run(route(time, script("x"), script("y")).routed.complete(REQUEST)).text == "x"


def test_one_that_is_down_is_passed_over_at_once_and_asked_again_after_a_while(script, time) -> None:
    both = route(time, script(*[BUSY] * 16, "back"), script("second"))
    assert [one.text for one in both.ask(8)] == ["second"] * 8
    time.slept.clear()
    assert [one.text for one in both.ask(100)] == ["second"] * 100
    assert (both.asked, time.slept) == ([16, 108], [])
    time.now += 2
    assert [one.text for one in both.ask(2)] == ["back"] * 2
    assert time.slept == [0.0]


def test_one_that_was_never_there_ends_no_run_that_has_another(script, time) -> None:
    both = route(time, script(Unreachable("nobody listens")), script("second"), on=["unreachable"])
    assert [one.text for one in both.ask(50)] == ["second"] * 50
    assert both.asked[0] == 16


def test_the_last_one_is_waited_for_and_ends_the_run_as_without_a_route(script, time) -> None:
    with pytest.raises(RunStopped, match=r"^p1 is down: 8 calls in a row got no answer, nor did 5 attempts"):
        route(time, script(BUSY), script("x", BUSY)).ask(50)


def test_each_is_asked_for_its_own_model(script, time) -> None:
    both = route(time, script(BUSY), script("x"), models=["wanted", "other"])
    both.ask()
    assert [one.asked[-1].model for one in both.providers] == ["wanted", "other"]


def test_no_failover_spends_beyond_the_budget(script, time) -> None:
    first = script(Completion(text="x", finish_reason="stop", model="m", cost=1.0))
    both = route(time, first, script("second"), budget=Budget(2.0))
    with pytest.raises(RunStopped, match=r"the budget of \$2.00 is reached"):
        both.ask(3)
    assert both.asked == [2, 0]
