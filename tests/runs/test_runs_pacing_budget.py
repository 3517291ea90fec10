"""The budget: which attempt is admitted while others are under way, and when it is reached."""

from __future__ import annotations

import asyncio

import pytest

from promptops.errors import Overloaded, RunStopped, Truncated
from promptops.messages import Completion, Failure, Message, Request, ToolSpec, Usage
from promptops.runs.budget import Budget
from promptops.runs.ceiling import ceiling
from promptops.runs.pacing import Paced


def costing(cost: float | None) -> Completion:
    return Completion(text="x", finish_reason="stop", model="m", cost=cost)


async def spend(budget: Budget, cost: float | None, most: float | None = None) -> None:
    (await budget.admit(most))(costing(cost))


def test_an_attempt_that_may_not_fit_waits_for_those_under_way_which_may_cost_less() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        await spend(budget, 0.4)
        costs = [0.1] * 5
        most = under_way = 0

        async def call() -> None:
            nonlocal most, under_way
            told = await budget.admit()
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            told(costing(costs.pop()))

        await asyncio.gather(*(call() for _ in range(3)))
        assert budget.spent == pytest.approx(0.7)
        assert most == 1, "0.4 spent and 0.4 for each: there is room for one at a time"
        with pytest.raises(RunStopped, match=r"the budget of \$1.00 is reached: \$0.7000 spent"):
            await call()

    asyncio.run(main())


def test_the_dearest_answer_decides_how_many_may_be_under_way() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        await spend(budget, 0.25)
        held = [await budget.admit() for _ in range(3)]
        waiting = asyncio.create_task(budget.admit())
        await asyncio.sleep(0)
        assert not waiting.done()
        for told in held:
            told(costing(0.25))
        with pytest.raises(RunStopped):
            await waiting
        assert budget.spent == 1.0

    asyncio.run(main())


def test_nobody_waits_for_ever_when_those_under_way_are_cancelled() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        await spend(budget, 0.5)
        first = await budget.admit()
        second = asyncio.create_task(budget.admit())
        await asyncio.sleep(0)
        assert not second.done()
        first(None)
        assert await second

    asyncio.run(main())


def test_many_small_costs_that_fill_the_budget_exactly_all_fit() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        for _ in range(10):
            await spend(budget, 0.1)
        with pytest.raises(RunStopped):
            await budget.admit()

    asyncio.run(main())


def test_attempts_go_one_at_a_time_until_one_was_answered_not_only_tried() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        (await budget.admit())(Overloaded("busy"))
        told = await budget.admit()
        second = asyncio.create_task(budget.admit())
        await asyncio.sleep(0)
        assert not second.done()
        told(costing(None))
        await second

    asyncio.run(main())


def test_what_was_spent_before_counts() -> None:
    async def main() -> None:
        budget = Budget(1.0, spent=0.75)
        await spend(budget, 0.25, 0.25)
        with pytest.raises(RunStopped, match=r"reached: \$1.0000 spent;"):
            await budget.admit()

    asyncio.run(main())


def test_what_nobody_counted_counts_as_what_it_can_have_cost() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        (await budget.admit())(Truncated("cut"))
        assert budget.spent == 0.0, "nothing is known yet"
        (await budget.admit(0.25))(Truncated("cut"))
        await spend(budget, None, 0.25)
        await spend(budget, None)
        assert budget.spent == 0.5, "an answer that has no price at all costs nothing here"
        await spend(budget, 0.125, 0.25)
        (await budget.admit())(Truncated("cut"))
        with pytest.raises(
            RunStopped, match=r"\$0.7500 spent \(\$0.6250 of it at most, for what nobody counted\)"
        ):
            await budget.admit(0.5)

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
    asked = Request(model="m", messages=(), parameters={"max_tokens": 1}, tools=(tool,))
    assert (ceiling(asked, cents) or 0) > 5 + 5, "and what a vendor explains tools with"


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


def test_attempts_with_a_ceiling_need_not_wait_for_the_first_answer() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        held = [await budget.admit(0.25) for _ in range(4)]
        with pytest.raises(RunStopped):
            await budget.admit(1.25)
        fifth = asyncio.create_task(budget.admit(0.25))
        await asyncio.sleep(0)
        assert not fifth.done()
        held[0](None)
        await fifth

    asyncio.run(main())


class Lossy:
    """Every answer is cut off after the provider counted and billed it."""

    def __init__(self) -> None:
        self.asked = 0

    async def complete(self, request: Request) -> Completion:
        self.asked += 1
        error = Truncated("cut")
        error.usage = Usage(input_tokens=2, output_tokens=8)
        raise error


def test_every_attempt_of_a_call_is_paid_when_it_ends_so_that_retries_cannot_overspend(time) -> None:
    service, budget = Lossy(), Budget(0.35)
    options = {"clock": time.clock, "sleep": time.sleep, "price": cents, "budget": budget}
    with pytest.raises(RunStopped, match=r"the budget of \$0.35 is reached: \$0.3000 spent, and the next"):
        asyncio.run(Paced(service, name="m", attempts=8, **options).answer(question()))
    assert service.asked == 3
    assert budget.spent == pytest.approx(0.3)


def test_a_call_that_pauses_holds_nothing_of_the_budget(time) -> None:
    budget = Budget(1.0)
    model = Paced(
        Lossy(), name="m", attempts=2, clock=time.clock, sleep=time.sleep, price=cents, budget=budget
    )

    async def main() -> list[object]:
        calls = (model.answer(question(max_tokens=1)) for _ in range(2))
        return await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(one, Failure) for one in asyncio.run(main()))
    assert budget.spent == pytest.approx(0.4)
