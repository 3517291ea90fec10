"""Limits: how many calls at once a server gets, and how much of a minute."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptops.errors import Overloaded, Truncated
from promptops.messages import Completion, Message, Request, Usage
from promptops.runs.limiting import Rate, Rates, Slots
from promptops.runs.pacing import Paced
from promptops.runs.retrying import Tools

REQUEST = Request(model="m", messages=())
ANSWER = Completion(text="x", finish_reason="stop", model="m")


def told(slots: Slots, *results: Any) -> None:
    """Begin attempts together, and let them end as told."""

    async def main() -> None:
        ends = [await slots.turn(REQUEST) for _ in results]
        for end, result in zip(ends, results, strict=True):
            end(result)

    asyncio.run(main())


@pytest.mark.parametrize("status", [None, 429, 503, 529])
def test_a_server_that_has_too_much_gets_half_once_for_all_that_were_under_way(status) -> None:
    slots = Slots(32)
    told(slots, *[Overloaded("busy", status=status)] * 32)
    assert slots.allowed == 16
    told(slots, Overloaded("busy", status=status))
    assert slots.allowed == 8


@pytest.mark.parametrize("result", [Overloaded("broken", status=500), Truncated("cut"), None])
def test_other_faults_do_not_slow_us_down(result) -> None:
    slots = Slots(32)
    told(slots, result, result)
    assert slots.allowed == 32


def test_one_call_is_always_allowed() -> None:
    slots = Slots(4)
    for _ in range(10):
        told(slots, Overloaded("busy"))
    assert slots.allowed == 1


def test_it_grows_by_one_in_about_as_many_answers_as_are_allowed_at_once_up_to_the_limit() -> None:
    slots = Slots(16)
    told(slots, Overloaded("busy"))
    assert slots.allowed == 8
    told(slots, *[ANSWER] * 9)
    assert slots.allowed == 9
    told(slots, *[ANSWER] * 1000)
    assert slots.allowed == 16


def test_calls_at_once_settle_near_what_the_server_takes() -> None:
    async def sleep(seconds: float) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    class Narrow:
        """Takes 6 at once, and turns others away."""

        now = refused = 0

        async def complete(self, request: Request) -> Completion:
            if self.now >= 6:
                self.refused += 1
                raise Overloaded("too many", status=429)
            self.now += 1
            try:
                for _ in range(5):
                    await asyncio.sleep(0)
                return ANSWER
            finally:
                self.now -= 1

    async def main() -> None:
        service = Narrow()
        model = Paced(service, name="m", at_once=64, attempts=20, clock=lambda: 0.0, sleep=sleep)
        answers = await asyncio.gather(*(model.answer(REQUEST) for _ in range(2000)))
        assert all(isinstance(one, Completion) for one in answers)
        assert 2 <= model.slots.allowed <= 8
        assert service.refused < 600

    asyncio.run(main())


def test_slots_go_to_those_who_came_first_also_when_some_give_up() -> None:
    async def main() -> None:
        slots, order = Slots(1), []

        async def one(name: str) -> None:
            async with slots.one():
                order.append(name)
                await asyncio.sleep(0)

        tasks = {name: asyncio.create_task(one(name)) for name in "abcdef"}
        await asyncio.sleep(0)
        tasks["b"].cancel()
        tasks["d"].cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        assert order == ["a", "c", "e", "f"]
        async with slots.one():
            pass

    asyncio.run(main())


def test_a_slot_given_to_a_call_that_is_cancelled_in_the_same_moment_is_not_lost() -> None:
    async def main() -> None:
        slots = Slots(1)
        held = asyncio.Event()

        async def holder() -> None:
            async with slots.one():
                await held.wait()

        async def waiter() -> None:
            async with slots.one():
                raise AssertionError("it was cancelled")

        first = asyncio.create_task(holder())
        await asyncio.sleep(0)
        second = asyncio.create_task(waiter())
        await asyncio.sleep(0)
        held.set()
        await first
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        async with asyncio.timeout(1), slots.one():
            pass

    asyncio.run(main())


def test_a_rate_is_spread_evenly_and_what_was_not_used_is_not_saved_up() -> None:
    rate = Rate(60)
    assert [rate.reserve(100.0) for _ in range(4)] == [0.0, 1.0, 2.0, 3.0]
    assert [rate.reserve(500.0) for _ in range(2)] == [0.0, 1.0]


def test_no_minute_holds_more_requests_than_allowed(time) -> None:
    asked: list[float] = []

    class Noting:
        async def complete(self, request: Request) -> Completion:
            asked.append(time.now)
            return ANSWER

    async def main() -> None:
        model = Paced(
            Noting(), name="m", at_once=1, requests_per_minute=30, clock=time.clock, sleep=time.sleep
        )
        for _ in range(100):
            await model.answer(REQUEST)

    asyncio.run(main())
    assert all(sum(begin <= one < begin + 60 for one in asked) <= 30 for begin in asked)
    assert asked[-1] - asked[0] == 198


def test_attempts_that_fail_count_and_waiting_for_a_share_takes_no_time_from_a_call(time) -> None:
    class Failing:
        asked = 0

        async def complete(self, request: Request) -> Completion:
            self.asked += 1
            if self.asked % 2:
                raise Overloaded("broken", status=500)
            return ANSWER

    async def main() -> None:
        model = Paced(
            Failing(),
            name="m",
            at_once=1,
            deadline=5.0,
            requests_per_minute=1,
            clock=time.clock,
            sleep=time.sleep,
            random=lambda: 0.5,
        )
        for _ in range(3):
            assert isinstance(await model.answer(REQUEST), Completion)
        assert time.now == 100 + 5 * 60

    asyncio.run(main())


def test_tokens_are_counted_as_the_provider_counts_them_and_guessed_by_the_mean_before(time) -> None:
    used = Completion(
        text="x", finish_reason="stop", model="m", usage=Usage(input_tokens=80, output_tokens=20)
    )
    rates = Rates(requests=None, tokens=600, tools=Tools(clock=time.clock, sleep=time.sleep))

    async def main() -> None:
        waited = []
        for _ in range(4):
            before = time.now
            (await rates.turn(REQUEST))(used)
            waited.append(time.now - before)
        assert waited == pytest.approx([0.0, 10.0, 10.0, 10.0])

    asyncio.run(main())


def test_the_first_requests_are_taken_to_need_what_they_could_and_get_back_what_they_did_not(time) -> None:
    tools = Tools(clock=time.clock, sleep=time.sleep)
    rates = Rates(requests=None, tokens=600, tools=tools)
    long = Request(
        model="m", messages=(Message(role="user", content="x" * 400),), parameters={"max_tokens": 500}
    )
    used = Completion(
        text="x", finish_reason="stop", model="m", usage=Usage(input_tokens=90, output_tokens=10)
    )

    async def main() -> None:
        first = await rates.turn(long)
        second = await rates.turn(long)
        assert time.slept == [60.0]
        first(used)
        second(None)
        await rates.turn(long)
        assert time.slept[1:] == pytest.approx([10.0])

    asyncio.run(main())


def test_the_scarcer_of_both_limits_decides(time) -> None:
    rates = Rates(requests=60, tokens=6, tools=Tools(clock=time.clock, sleep=time.sleep))
    request = Request(model="m", messages=(Message(role="user", content="word"),))

    async def main() -> None:
        for _ in range(3):
            await rates.turn(request)
        assert time.slept == [10.0, 10.0]

    asyncio.run(main())


def test_what_waited_for_its_share_of_a_minute_still_tells_that_there_is_too_much(time) -> None:
    class Full:
        async def complete(self, request: Request) -> Completion:
            raise Overloaded("busy", status=429)

    async def main() -> None:
        model = Paced(
            Full(),
            name="m",
            at_once=8,
            attempts=1,
            requests_per_minute=60,
            clock=time.clock,
            sleep=time.sleep,
        )
        await asyncio.gather(*(model.answer(REQUEST) for _ in range(3)))
        assert model.slots.allowed == 1

    asyncio.run(main())
