"""The budget: who is admitted while others are under way, and when it is reached."""

from __future__ import annotations

import asyncio

import pytest

from promptops.errors import RunStopped
from promptops.messages import Completion, Message, Request, ToolSpec, Usage
from promptops.runs.budget import Budget
from promptops.runs.ceiling import ceiling
from promptops.runs.pacing import Paced


def test_a_call_that_may_not_fit_waits_for_those_under_way_which_may_cost_less() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        async with budget.one_call() as charge:
            charge(0.4)
        costs = [0.1] * 5
        most = under_way = 0

        async def call() -> None:
            nonlocal most, under_way
            async with budget.one_call() as charge:
                under_way += 1
                most = max(most, under_way)
                await asyncio.sleep(0)
                under_way -= 1
                charge(costs.pop())

        await asyncio.gather(*(call() for _ in range(3)))
        assert budget.spent == pytest.approx(0.7)
        assert most == 1, "0.4 spent and 0.4 for each: there is room for one at a time"
        with pytest.raises(RunStopped, match=r"the budget of \$1.00 is reached: \$0.7000 spent"):
            await call()

    asyncio.run(main())


def test_the_dearest_call_decides_how_many_may_be_under_way() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        async with budget.one_call() as charge:
            charge(0.25)
        held = [budget.one_call() for _ in range(3)]
        for one in held:
            await one.__aenter__()
        waiting = asyncio.create_task(budget.one_call().__aenter__())
        await asyncio.sleep(0)
        assert not waiting.done()
        for one in held:
            (budget.add)(0.25)
            await one.__aexit__(None, None, None)
        with pytest.raises(RunStopped):
            await waiting
        assert budget.spent == 1.0

    asyncio.run(main())


def test_nobody_waits_for_ever_when_those_under_way_are_cancelled() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        async with budget.one_call() as charge:
            charge(0.5)

        async def call() -> None:
            async with budget.one_call():
                await asyncio.Event().wait()

        first = asyncio.create_task(call())
        await asyncio.sleep(0)
        second = asyncio.create_task(call())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await asyncio.sleep(0)
        assert not second.done(), "admitted, and under way"
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)

    asyncio.run(main())


def test_many_small_costs_that_fill_the_budget_exactly_all_fit() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        for _ in range(10):
            async with budget.one_call() as charge:
                charge(0.1)
        with pytest.raises(RunStopped):
            async with budget.one_call():
                pass

    asyncio.run(main())


def test_calls_go_one_at_a_time_until_one_was_answered_not_only_tried() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        async with budget.one_call():
            pass  # it failed, and told no price
        first = budget.one_call()
        charge = await first.__aenter__()
        second = asyncio.create_task(budget.one_call().__aenter__())
        await asyncio.sleep(0)
        assert not second.done()
        charge(None)
        await first.__aexit__(None, None, None)
        await second

    asyncio.run(main())


def cents(model: str, usage: Usage) -> float | None:
    """A cent a token; nobody knows what other models cost."""
    if model != "m" or usage.input_tokens is None or usage.output_tokens is None:
        return None
    return (usage.input_tokens + usage.output_tokens) / 100


def question(text: str = "hi", **parameters: object) -> Request:
    return Request(model="m", messages=(Message(role="user", content=text),), parameters=parameters)


def test_a_request_with_max_tokens_has_a_ceiling_that_its_bytes_and_answers_are_under() -> None:
    short, long = (ceiling(question("é" * n, max_tokens=1000), cents) for n in (10, 1000))
    assert short is not None
    assert long is not None
    assert 10.2 < short < 12
    assert long - short == pytest.approx(2 * 990 / 100)
    assert ceiling(question(max_completion_tokens=100, n=5), cents) == pytest.approx(
        (ceiling(question(max_tokens=100), cents) or 0) + 4
    )
    tool = ToolSpec(name="t", description="x" * 500, parameters={"type": "object"})
    assert (
        ceiling(Request(model="m", messages=(), parameters={"max_tokens": 1}, tools=(tool,)), cents) or 0
    ) > 5


@pytest.mark.parametrize(
    "request_",
    [
        question(),
        question(max_tokens="many"),
        question(max_tokens=10, n="2"),
        Request(model="other", messages=(), parameters={"max_tokens": 10}),
        Request(
            model="m",
            messages=(Message(role="user", content=({"type": "image_url"},)),),
            parameters={"max_tokens": 10},
        ),
    ],
)
def test_where_nobody_can_know_there_is_none(request_: Request) -> None:
    assert ceiling(request_, cents) is None


def test_a_call_that_is_far_dearer_than_all_before_is_not_begun_beyond_the_budget() -> None:
    class Costly:
        asked = 0

        async def complete(self, request: Request) -> Completion:
            self.asked += 1
            used = Usage(input_tokens=2, output_tokens=int(request.parameters["max_tokens"]))
            return Completion(text="x", finish_reason="stop", model="m", usage=used)

    async def main() -> None:
        service, budget = Costly(), Budget(5.0)
        model = Paced(service, name="m", price=cents, budget=budget)
        for _ in range(10):
            await model.answer(question(max_tokens=1))
        with pytest.raises(RunStopped, match=r"\$0.3000 spent, and the next call can cost \$10.66"):
            await model.answer(question(max_tokens=1000))
        assert service.asked == 10
        assert budget.spent == pytest.approx(0.3)

    asyncio.run(main())


def test_calls_with_a_ceiling_need_not_wait_for_the_first_answer() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        held = [budget.one_call(0.25) for _ in range(4)]
        for one in held:
            await one.__aenter__()
        with pytest.raises(RunStopped):
            await budget.one_call(1.25).__aenter__()
        fifth = asyncio.create_task(budget.one_call(0.25).__aenter__())
        await asyncio.sleep(0)
        assert not fifth.done()
        await held[0].__aexit__(None, None, None)
        await fifth

    asyncio.run(main())
