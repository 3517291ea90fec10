"""The budget: who is admitted while others are under way, and when it is reached."""

from __future__ import annotations

import asyncio

import pytest

from promptops.errors import RunStopped
from promptops.runs.budget import Budget


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
