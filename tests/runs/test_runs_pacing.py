"""Patience: what is tried again, how long is waited, when the run stops, what may be spent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

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
from promptops.messages import Completion, Failure, Lost, Request, Usage
from promptops.runs.budget import Budget
from promptops.runs.pacing import Paced
from promptops.runs.retrying import Tally

REQUEST = Request(model="m", messages=())


def paced(provider: Any, time: Any, **more: Any) -> Paced:
    options = {"clock": time.clock, "sleep": time.sleep, "random": lambda: 1.0, "name": "the model"}
    return Paced(provider, **{**options, **more})


def answer(*args: Any, **more: Any) -> Any:
    return asyncio.run(paced(*args, **more).answer(REQUEST))


def test_an_answer_passes_with_its_time_and_cost(script, time) -> None:
    said = Completion(text="x", finish_reason="stop", model="m-2026", usage=Usage(input_tokens=3))

    def price(model: str, usage: Usage) -> float | None:
        assert model == "m-2026"
        return usage.input_tokens and usage.input_tokens * 0.5

    done = answer(script(said), time, price=price)
    assert (done.text, done.attempts, done.seconds, done.cost) == ("x", 1, 0.0, 1.5)


def test_what_the_provider_measured_itself_stays(script, time) -> None:
    said = Completion(text="x", finish_reason="stop", model="m", seconds=3.5, cost=2.0)
    done = answer(script(said), time, price=lambda model, usage: 9.0)
    assert (done.seconds, done.cost) == (3.5, 2.0)


@pytest.mark.parametrize(
    "error", [Overloaded("busy"), Unreachable("gone"), Malformed("html"), Truncated("cut"), TimedOut("slow")]
)
def test_what_may_pass_is_tried_again_and_counted(script, time, error) -> None:
    provider = script(error, error, "at last")
    done = answer(provider, time)
    assert (done.text, done.attempts) == ("at last", 3)
    assert time.slept == [1.0, 2.0]


def test_attempts_are_bounded_and_the_failure_says_why(script, time) -> None:
    provider = script(Overloaded("busy\nas a bee"))
    assert answer(provider, time, attempts=3) == Failure(
        kind="overloaded", message="busy as a bee", attempts=3
    )
    assert len(provider.asked) == 3


def test_somebodys_own_error_is_not_tried_again(script, time) -> None:
    failed = answer(script(ProviderError("bot raised KeyError")), time)
    assert failed == Failure(kind="error", message="bot raised KeyError", attempts=1, lost=Lost(unknown=1))


def test_the_pause_is_random_between_nothing_and_its_limit(script, time) -> None:
    answer(script(Overloaded("busy")), time, attempts=8, deadline=1e6, random=lambda: 0.5)
    assert time.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


def test_a_server_that_says_when_is_taken_at_its_word(script, time) -> None:
    answer(script(Overloaded("busy", retry_after=7.0), "x"), time, random=lambda: 0.0)
    assert time.slept == [7.0]


def test_a_wait_beyond_the_deadline_fails_at_once(script, time) -> None:
    provider = script(Overloaded("busy", retry_after=3600.0))
    failed = answer(provider, time, deadline=60.0)
    assert failed.message == "busy; it asks to wait 3600 s, and the deadline is 60 s"
    assert (len(provider.asked), time.slept) == (1, [])


def test_a_server_that_asks_for_no_time_at_all_is_given_some(script, time) -> None:
    answer(script(Overloaded("busy", retry_after=0.0)), time, attempts=4)
    assert time.slept == [1.0, 2.0, 4.0]


def test_a_wait_just_within_the_deadline_is_waited(script, time) -> None:
    done = answer(script(Overloaded("busy", retry_after=9.0), "x"), time, deadline=10.0)
    assert (done.text, time.slept) == ("x", [9.5])


def test_pauses_do_not_go_beyond_the_deadline(script, time) -> None:
    provider = script(Unreachable("gone"))
    assert answer(provider, time, attempts=100, deadline=10.0).attempts == len(provider.asked) == 4
    assert sum(time.slept) <= 10


def test_one_deadline_ends_a_call_whatever_the_provider_does(time) -> None:
    class Hanging:
        async def complete(self, request: Request) -> Completion:
            await asyncio.Event().wait()
            raise AssertionError

    failed = answer(Hanging(), time, deadline=0.02)
    assert failed == Failure(
        kind="timeout.total",
        message="the model gave no answer within 0.02 s",
        attempts=1,
        lost=Lost(unknown=1),
    )


def test_the_deadline_counts_all_attempts(script) -> None:
    failed = asyncio.run(
        Paced(
            script(Overloaded("busy")), name="x", deadline=0.05, attempts=10**9, random=lambda: 0.01
        ).answer(REQUEST)
    )
    assert failed.kind in ("timeout.total", "overloaded")
    assert failed.attempts > 1


def test_a_refusal_is_never_tried_again_and_stops_the_run_with_one_line(script, time) -> None:
    provider = script(Refused("https://x answered 401: wrong key"))
    service = paced(provider, time)

    async def main() -> None:
        for _ in range(3):
            with pytest.raises(
                RunStopped, match=r"^https://x answered 401: wrong key; what was finished is kept"
            ):
                await service.answer(REQUEST)

    asyncio.run(main())
    assert len(provider.asked) == 1


def test_a_refusal_of_one_request_is_a_failure_and_others_go_on(script, time) -> None:
    too_long = Refused("answered 400: too long", only_this=True)
    service = paced(script(*[too_long, "fine"] * 20), time)

    async def main() -> list[Any]:
        return [await service.answer(REQUEST) for _ in range(40)]

    answers = asyncio.run(main())
    assert answers[0] == Failure(kind="refused", message="answered 400: too long", attempts=1)
    assert sum(isinstance(one, Completion) for one in answers) == 20


@pytest.mark.parametrize("error", [Unreachable("nobody listens"), Refused("400", only_this=True)])
def test_a_provider_that_was_never_there_or_refuses_all_stops_the_run_at_once(script, time, error) -> None:
    provider = script(error)
    service = paced(provider, time, attempts=2, stop_after=8)

    async def main() -> None:
        for _ in range(7):
            assert isinstance(await service.answer(REQUEST), Failure)
        with pytest.raises(RunStopped, match=r"^the model is down: 8 calls in a row .* run again to resume$"):
            await service.answer(REQUEST)
        asked = len(provider.asked)
        with pytest.raises(RunStopped):
            await service.complete(REQUEST)
        assert len(provider.asked) == asked

    asyncio.run(main())


def test_an_answer_in_between_shows_that_it_is_not_down(script, time) -> None:
    service = paced(script(*[*[Overloaded("500")] * 7, "x"] * 5), time, attempts=1)

    async def main() -> None:
        for _ in range(40):
            await service.answer(REQUEST)

    asyncio.run(main())


@pytest.mark.parametrize("error", [ProviderError("bot raised"), Malformed("no JSON"), Truncated("cut")])
def test_answers_that_are_none_do_not_stop_the_run(script, time, error) -> None:
    service = paced(script(error), time, attempts=1)

    async def main() -> None:
        for _ in range(50):
            assert isinstance(await service.answer(REQUEST), Failure)

    asyncio.run(main())


def test_deadlines_that_end_together_do_not_look_like_a_provider_that_is_down(script, time) -> None:
    service = paced(script(TimedOut("slow")), time, attempts=1, at_once=16, stop_after=8)

    async def main() -> None:
        await asyncio.gather(*(service.answer(REQUEST) for _ in range(16)))
        for _ in range(7):
            await service.answer(REQUEST)
        assert not service.breaker.is_open
        await service.answer(REQUEST)
        assert service.breaker.is_open

    asyncio.run(main())


def test_no_more_calls_than_allowed_are_under_way(time) -> None:
    class Counting:
        now = most = 0

        async def complete(self, request: Request) -> Completion:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0)
            self.now -= 1
            return Completion(text="", finish_reason="stop", model="m")

    provider = Counting()
    service = paced(provider, time, at_once=5)

    async def main() -> None:
        await asyncio.gather(*(service.answer(REQUEST) for _ in range(100)))

    asyncio.run(main())
    assert provider.most == 5


def test_what_was_asked_is_counted_also_where_nothing_comes_back(script, time) -> None:
    tally = Tally()
    provider = script(Overloaded("busy"), Truncated("cut"), Refused("wrong key"))
    with pytest.raises(RunStopped, match="wrong key"):
        asyncio.run(paced(provider, time).answer(REQUEST, tally))
    assert tally == Tally(attempts=3, lost=Lost(unknown=1))


def test_an_attempt_that_is_cancelled_is_counted_and_of_unknown_cost(time) -> None:
    class Hanging:
        async def complete(self, request: Request) -> Completion:
            await asyncio.Event().wait()
            raise AssertionError

    async def main() -> Tally:
        tally = Tally()
        call = asyncio.create_task(paced(Hanging(), time).answer(REQUEST, tally))
        await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        return tally

    assert asyncio.run(main()) == Tally(attempts=1, lost=Lost(unknown=1))


def test_as_a_provider_it_raises_what_was_left(script, time) -> None:
    with pytest.raises(Overloaded, match="busy"):
        asyncio.run(paced(script(Overloaded("busy")), time).complete(REQUEST))
    assert asyncio.run(paced(script("x"), time).complete(REQUEST)).text == "x"


def test_a_bug_in_a_provider_keeps_its_traceback(script, time) -> None:
    for bug in (ZeroDivisionError(), TimeoutError("of its own")):
        with pytest.raises(type(bug)):
            answer(script(bug), time)


def spend(budget: Budget, costs: list[float | None], *, at_once: int) -> tuple[int, str]:
    """Ask until the budget says no; return the number of answers and what was said."""

    class Costly:
        under_way = 0

        async def complete(self, request: Request) -> Completion:
            cost = costs.pop(0) if len(costs) > 1 else costs[0]
            await asyncio.sleep(0)
            return Completion(text="", finish_reason="stop", model="m", cost=cost)

    service = Paced(Costly(), name="x", at_once=at_once, budget=budget)

    async def main() -> list[Any]:
        return await asyncio.gather(*(service.answer(REQUEST) for _ in range(100)), return_exceptions=True)

    outcomes = asyncio.run(main())
    said = {str(outcome) for outcome in outcomes if isinstance(outcome, RunStopped)}
    assert len(said) <= 1 or at_once > 1
    return sum(isinstance(outcome, Completion) for outcome in outcomes), next(iter(said), "")


@pytest.mark.parametrize("at_once", [1, 64])
def test_a_budget_stops_before_overspending(at_once) -> None:
    budget = Budget(1.0)
    answered, said = spend(budget, [0.125], at_once=at_once)
    assert answered == 8
    assert budget.spent == 1.0
    assert "the budget of $1.00 is reached: $" in said
    assert "kept" in said


def test_the_dearest_call_so_far_is_what_the_next_may_cost() -> None:
    budget = Budget(1.0)
    spend(budget, [0.5, 0.125, 0.125, 0.5], at_once=1)
    assert budget.spent == 0.625


def test_calls_without_a_price_go_on() -> None:
    assert spend(Budget(1.0), [None], at_once=64) == (100, "")


def test_a_budget_of_nothing_asks_nobody() -> None:
    assert spend(Budget(0.0), [1.0], at_once=8)[0] == 0
