"""What a run has asked and paid: the same sum in any order."""

from __future__ import annotations

import random

from promptops.messages import Answer, Completion, Failure
from promptops.runs.recorded import NO_BASELINE
from promptops.runs.spending import Spending
from promptops.samples import Pair


def paid(cost: float | None, *, attempts: int = 1, cached: bool = False) -> Completion:
    return Completion(text="x", finish_reason="stop", model="m", cost=cost, attempts=attempts, cached=cached)


def summed(answers: list[tuple[Answer, Answer]]) -> Spending:
    spending = Spending()
    for index, (baseline, candidate) in enumerate(answers):
        spending.add(Pair(index=index, sample_id="s", baseline=baseline, candidate=candidate))
    return spending


def test_every_attempt_is_a_call_and_nobody_who_was_not_asked_is_one() -> None:
    lost = Failure(kind="timeout", message="slow", attempts=4)
    found = summed([(paid(1.0, attempts=3), lost), (NO_BASELINE, paid(0.5)), (paid(2.0, cached=True), lost)])
    assert (found.calls, found.cached, found.failures, found.usd) == (12, 1, 2, 1.5)


def test_an_unknown_price_is_not_nothing() -> None:
    assert summed([(paid(None), paid(None))]).usd is None
    assert summed([(paid(9.0, cached=True), paid(9.0, cached=True))]).usd == 0.0


def test_the_sum_does_not_tell_who_finished_first() -> None:
    dice = random.Random(1)
    pairs: list[tuple[Answer, Answer]] = [
        (paid(dice.random() / 1000), paid(dice.random())) for _ in range(500)
    ]
    sums = {summed(dice.sample(pairs, len(pairs))).usd for _ in range(5)}
    assert len(sums) == 1
