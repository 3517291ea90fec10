"""What a run has asked and paid: the same sum in any order."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from promptops.messages import Answer, Completion, Failure, Lost, Usage
from promptops.runs.encoding import Half, Unanswered
from promptops.runs.journal import Journal
from promptops.runs.recorded import NO_BASELINE
from promptops.runs.spending import Spending
from promptops.samples import Pair

LOST = Failure(kind="stopped", message="the run ended", lost=Lost(usd=0.1))


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


def counted(read: int, written: int, *, model: str = "m", cached: int | None = None) -> Completion:
    usage = Usage(input_tokens=read, output_tokens=written, cached_tokens=cached)
    return Completion(text="x", finish_reason="stop", model=model, usage=usage, cost=0.5, attempts=2)


def test_every_arm_and_model_has_an_account_of_its_own() -> None:
    lost = Failure(kind="timeout", message="slow", attempts=4)
    found = summed(
        [(counted(10, 1), counted(20, 2, cached=5)), (counted(1, 1, model="m-2"), lost), (paid(0.5), lost)]
    )
    assert found.accounts.keys() == {
        ("baseline", "m"),
        ("baseline", "m-2"),
        ("candidate", "m"),
        ("candidate", ""),
    }
    own = found.accounts["candidate", "m"]
    assert (own.calls, own.answers, own.input_tokens, own.output_tokens) == (2, 1, 20, 2)
    assert (own.cached_tokens, own.reasoning_tokens) == (5, None)
    assert found.accounts["baseline", "m"].input_tokens == 10, "who did not count adds nothing"
    assert (found.accounts["candidate", ""].calls, found.accounts["candidate", ""].failures) == (8, 2)


def test_a_cached_answer_costs_nothing_and_is_listed_at_its_price() -> None:
    found = summed([(paid(9.0, cached=True), paid(1.0))])
    assert (found.billed.usd, found.listed.usd) == (1.0, 10.0)


def test_a_cached_answer_that_was_kept_without_a_price_is_listed_at_todays() -> None:
    spending = Spending(list_price=lambda arm, answer: 3.0 if arm == "candidate" else None)
    spending.add(Pair(index=0, sample_id="s", baseline=NO_BASELINE, candidate=paid(None, cached=True)))
    assert (spending.listed.usd, spending.billed.usd) == (3.0, 0.0)
    spending.add(Pair(index=1, sample_id="s", baseline=NO_BASELINE, candidate=paid(None)))
    assert (spending.billed.unpriced, spending.usd) == (1, None), "what is billed is not guessed afterwards"


def test_part_of_a_sum_says_how_much_is_missing_from_it() -> None:
    found = summed([(paid(1.0), paid(None)), (paid(0.0), paid(None))])
    assert (found.usd, found.billed.unpriced) == (1.0, 2)


def test_a_free_model_costs_nothing_and_that_is_known() -> None:
    assert summed([(paid(0.0), paid(0.0))]).usd == 0.0


def test_attempts_that_no_answer_came_to_are_paid_as_far_as_anybody_knows() -> None:
    answered = replace(paid(1.0, attempts=3), lost=Lost(usd=0.25, unknown=1))
    failed = Failure(kind="malformed", message="no JSON", attempts=2, lost=Lost(usd=0.5, unknown=1))
    found = summed([(answered, failed), (paid(2.0), paid(None))])
    assert (found.usd, found.billed.unpriced, found.lost.unpriced) == (3.75, 1, 2)
    assert found.accounts["candidate", ""].lost.usd == 0.5
    only = summed([(failed, replace(failed, lost=Lost(unknown=2)))])
    assert (only.usd, only.lost.unpriced) == (0.5, 3)
    assert summed([(replace(failed, lost=Lost(unknown=2)),) * 2]).usd is None, "unknown is not nothing"


def test_an_answer_that_stands_in_several_lines_is_counted_once_and_a_repeated_failure_each_time() -> None:
    half = Half(index=0, sample_id="s", role="baseline", asked_at=1.0, answer=paid(1.0))
    lost = Failure(kind="timeout", message="slow", attempts=4)
    spending = Spending()
    spending.add(half)
    assert (spending.calls, spending.usd) == (1, 1.0), "half a pair is paid for"
    spending.add(Pair(index=0, sample_id="s", baseline=half.answer, candidate=lost))
    spending.add(Pair(index=0, sample_id="s", baseline=half.answer, candidate=lost))
    assert (spending.calls, spending.failures) == (9, 1)
    spending.add(Pair(index=0, sample_id="s", baseline=half.answer, candidate=paid(2.0)))
    assert (spending.calls, spending.failures, spending.usd) == (10, 0, 3.0)
    spending.add(replace(half, answer=paid(4.0)))
    assert (spending.calls, spending.usd) == (11, 7.0), "a finished pair that is asked again is paid again"


def test_a_resumed_run_has_the_ledger_of_one_that_nobody_disturbed(tmp_path: Path) -> None:
    lines = [
        Half(index=0, sample_id="s", role="candidate", asked_at=1.0, answer=paid(0.1)),
        Pair(index=0, sample_id="s", baseline=paid(0.2, attempts=3), candidate=paid(0.1)),
        Half(index=1, sample_id="s", role="baseline", asked_at=1.0, answer=paid(0.3)),
        Pair(index=2, sample_id="s", baseline=paid(9.0, cached=True), candidate=paid(None)),
        Unanswered(index=1, sample_id="s", role="candidate", failure=replace(LOST, attempts=2)),
    ]
    read = Spending()
    for part in (lines[:2], lines[2:]):
        written = Spending()  # each in a process of its own
        with Journal.open(tmp_path / "run", {"digests": {}}, told=written.add) as journal:
            for line in part:
                journal.append(line)
    with Journal.open(tmp_path / "run", {"digests": {}}, told=read.add):
        pass
    assert read.accounts == written.accounts
    assert (read.calls, read.cached, read.billed.unpriced) == (8, 1, 1)
    assert read.usd == pytest.approx(0.7)
