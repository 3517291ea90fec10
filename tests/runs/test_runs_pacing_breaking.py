"""The breaker: who is held back while a provider is down, who asks whether it is back, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from promptops.errors import Malformed, Overloaded, RunStopped, TimedOut, Unreachable
from promptops.messages import Completion, Failure, Request
from promptops.runs.breaking import Breaker
from promptops.runs.pacing import Paced
from promptops.runs.retrying import Tools

REQUEST = Request(model="m", messages=())
BUSY = Overloaded("it answered 503", status=503)


class Service:
    """A provider that is up or down; counts what reaches it, and how much of it at once."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked = self.now = self.most = 0

    async def complete(self, request: Request) -> Completion:
        self.asked += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0)
            if self.error is not None:
                raise self.error
            return Completion(text="x", finish_reason="stop", model="m")
        finally:
            self.now -= 1


def paced(provider: Any, time: Any, **more: Any) -> Paced:
    options = {"clock": time.clock, "sleep": time.sleep, "random": lambda: 1.0, "name": "the model"}
    return Paced(provider, **{**options, "attempts": 1, "at_once": 64, **more})


async def until(happened: Callable[[], bool]) -> None:
    for _ in range(1000):
        if happened():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never happened")


async def opened(service: Service, time: Any, **more: Any) -> Paced:
    """A paced provider that has answered once and is down now, its breaker open."""
    model = paced(service, time, **more)
    await model.answer(REQUEST)
    service.error = BUSY
    for _ in range(8):
        assert isinstance(await model.answer(REQUEST), Failure)
    assert model.breaker.is_open
    service.asked = service.most = 0
    time.slept.clear()
    return model


def test_of_fifty_calls_one_asks_whether_it_is_back_and_all_go_on_when_it_is(time) -> None:
    class Gate(Service):
        """Tells what was asked when the probe came in, before it answers."""

        probed: int = 0

        async def complete(self, request: Request) -> Completion:
            if not self.probed:
                for _ in range(100):
                    await asyncio.sleep(0)
                self.probed = self.asked + 1
                self.error = None
            return await super().complete(request)

    async def main() -> None:
        service = Gate()
        service.probed = 1
        model = await opened(service, time)
        service.probed = 0
        answers = await asyncio.gather(*(model.answer(REQUEST) for _ in range(50)))
        assert all(isinstance(one, Completion) for one in answers)
        assert (service.probed, service.asked) == (1, 50)
        assert time.slept == [2.0]
        assert not model.breaker.is_open

    asyncio.run(main())


def test_while_it_is_down_it_is_asked_one_at_a_time_and_less_and_less_then_the_run_stops(time) -> None:
    async def main() -> None:
        service = Service()
        model = await opened(service, time)
        answers = await asyncio.gather(*(model.answer(REQUEST) for _ in range(50)), return_exceptions=True)
        assert (service.asked, service.most) == (5, 1)
        assert time.slept == [2.0, 4.0, 8.0, 16.0, 32.0]
        stopped = [one for one in answers if isinstance(one, RunStopped)]
        assert (len(stopped), sum(isinstance(one, Failure) for one in answers)) == (46, 4)
        assert {str(one) for one in stopped} == {
            "the model is down: 8 calls in a row got no answer, nor did 5 attempts since, the last:"
            " it answered 503; what was finished is kept; run again to resume"
        }
        with pytest.raises(RunStopped):
            await model.answer(REQUEST)
        assert service.asked == 5

    asyncio.run(main())


def test_attempts_of_calls_under_way_wait_for_the_probe_too_and_lose_no_time_by_it(time) -> None:
    async def main() -> None:
        service = Service(BUSY)
        model = paced(service, time, attempts=3, deadline=10.0, stop_after=1, probes=9, random=lambda: 0.0)
        first = asyncio.create_task(model.answer(REQUEST))
        await until(lambda: service.asked == 2)
        others = [asyncio.create_task(model.answer(REQUEST)) for _ in range(20)]
        await until(lambda: model.breaker.is_open)
        under_way = service.asked
        service.most = service.now
        await until(lambda: 64.0 in time.slept)
        assert service.asked == under_way + 5, "one after 2, 4, 8, 16 and 32 seconds"
        service.error = None
        answers = await asyncio.gather(first, *others)
        assert sum(isinstance(one, Completion) for one in answers) == 18
        assert sum(one.attempts for one in answers) == service.asked

    asyncio.run(main())


def test_a_provider_that_comes_and_goes_opens_it_again_with_short_waits(time) -> None:
    async def main() -> None:
        service = Service()
        model = await opened(service, time)
        for _ in range(3):
            service.error = None
            assert isinstance(await model.answer(REQUEST), Completion)
            service.error = BUSY
            for _ in range(8):
                await model.answer(REQUEST)
            assert model.breaker.is_open
        assert time.slept == [2.0] * 3

    asyncio.run(main())


def test_a_server_that_answers_nonsense_is_back(time) -> None:
    async def main() -> None:
        service = Service()
        model = await opened(service, time)
        service.error = Malformed("HTML")
        for _ in range(30):
            assert isinstance(await model.answer(REQUEST), Failure)
        assert service.asked == 30

    asyncio.run(main())


@pytest.mark.parametrize("error", [BUSY, TimedOut("slow"), Unreachable("lost")])
def test_what_was_there_once_is_waited_for(time, error) -> None:
    async def main() -> None:
        service = Service()
        model = paced(service, time, at_once=1)
        await model.answer(REQUEST)
        service.error = error
        for _ in range(9):
            await model.answer(REQUEST)
        assert model.breaker.is_open
        service.error = None
        assert isinstance(await model.answer(REQUEST), Completion)

    asyncio.run(main())


def test_a_probe_that_is_cancelled_is_taken_over(time) -> None:
    class Stuck(Service):
        async def complete(self, request: Request) -> Completion:
            self.asked += 1
            if self.asked == 1:
                await asyncio.Event().wait()
            self.asked -= 1
            return await super().complete(request)

    async def main() -> None:
        service = Service()
        model = await opened(service, time)
        service.__class__ = Stuck
        probe = asyncio.create_task(model.answer(REQUEST))
        await until(lambda: service.asked == 1)
        others = [asyncio.create_task(model.answer(REQUEST)) for _ in range(10)]
        for _ in range(50):
            await asyncio.sleep(0)
        assert service.asked == 1
        service.error = None
        probe.cancel()
        assert all(isinstance(one, Completion) for one in await asyncio.gather(*others))

    asyncio.run(main())


def test_a_probe_that_is_cancelled_while_it_waits_is_taken_over() -> None:
    async def main() -> None:
        asleep, wake = asyncio.Event(), asyncio.Event()

        async def sleep(seconds: float) -> None:
            asleep.set()
            await wake.wait()

        service = Service(BUSY)
        model = Paced(service, name="m", attempts=1, stop_after=1, clock=lambda: 0.0, sleep=sleep)
        await model.answer(REQUEST)
        first = asyncio.create_task(model.answer(REQUEST))
        await asleep.wait()
        second = asyncio.create_task(model.answer(REQUEST))
        await asyncio.sleep(0)
        first.cancel()
        service.error = None
        wake.set()
        assert isinstance(await second, Completion)

    asyncio.run(main())


def test_an_answer_of_a_call_that_was_under_way_closes_it(time) -> None:
    async def main() -> None:
        breaker = Breaker(name="m", opens_after=1, tools=Tools(clock=time.clock, sleep=time.sleep))
        late = await breaker.turn(REQUEST)
        failing = Paced(Service(BUSY), name="m", attempts=1, stop_after=1, clock=time.clock, sleep=time.sleep)
        failing.breaker = breaker
        await failing.answer(REQUEST)
        assert breaker.is_open
        late(Completion(text="x", finish_reason="stop", model="m"))
        assert not breaker.is_open
        await breaker.turn(REQUEST)
        assert time.slept == []

    asyncio.run(main())


def test_people_are_told_what_is_waited_for(time) -> None:
    said: list[str] = []

    async def main() -> None:
        await opened(Service(), time, say=said.append)
        assert said == [
            "the model is down: 8 calls in a row got no answer, the last: it answered 503;"
            " waiting up to 62 s for it to come back"
        ]

    asyncio.run(main())
