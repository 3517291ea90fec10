"""Columns of repeated answers: where they stand, what stands in for an answer that says nothing, what changed."""

from __future__ import annotations

import math
from array import array
from pathlib import Path

import numpy as np
import pytest

from promptops.errors import ConfigError
from promptops.evaluation.columns import Columns
from promptops.evaluation.repeating import (
    asked_repeatedly,
    changes_by_sample,
    check_repeats,
    draws_before,
    rows,
    stand_in,
)
from promptops.messages import Completion, Failure, Usage
from promptops.samples import Sample
from promptops.samplesource import SampleSource
from promptops.sampling import SampleSet

NAN = math.nan


def sample_set(n: int, repeats: dict[str, int] | None = None) -> SampleSet:
    return SampleSet(source=SampleSource(root=Path()), n=n, units=n, digest="", repeats=repeats or {})


def answer(*, seconds: float | None = 1.0, cached: bool = False, tokens: int | None = 5) -> Completion:
    return Completion(
        text="yes",
        finish_reason="stop",
        model="m",
        seconds=seconds or 0.0,
        cached=cached,
        usage=Usage(input_tokens=tokens, output_tokens=tokens),
    )


def test_a_sample_is_asked_for_all_of_its_answers_before_the_next_one() -> None:
    numbered = [(index, Sample(sample_id=f"s{index}", inputs={})) for index in range(3)]
    found = [(place, sample.sample_id) for place, sample in asked_repeatedly(numbered, n=3, repeats=2)]
    assert found == [(0, "s0"), (3, "s0"), (1, "s1"), (4, "s1"), (2, "s2"), (5, "s2")]
    assert list(asked_repeatedly(numbered, n=3, repeats=1)) == numbered


def test_no_two_answers_are_one_draw_and_further_rounds_leave_the_first_alone() -> None:
    same = {"s1": 1, "s2": 2}  # three samples that ask the same
    before = draws_before(sample_set(4, same))
    draws = [
        [before(repeat * 4 + index) + same.get(f"s{index}", 0) for index in range(3)] for repeat in range(3)
    ]
    assert draws == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert [draws_before(sample_set(4))(index) for index in (0, 3, 4, 11)] == [0, 0, 1, 2]


def test_a_column_is_a_row_a_repeat_and_not_a_copy() -> None:
    column = array("d", range(6))
    found = rows(column, 3)
    column[4] = 9.0
    assert found.tolist() == [[0.0, 1.0, 2.0], [3.0, 9.0, 5.0]]
    assert rows(array("d"), 0).shape == (1, 0)


def test_an_answer_to_which_a_measure_does_not_apply_is_spoken_for_by_the_others() -> None:
    values = np.array([[1.0, NAN, NAN, 3.0], [4.0, 2.0, NAN, 0.0], [NAN, NAN, NAN, 5.0]])
    applies = np.array([[1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 0, 1]], dtype=bool)
    found = stand_in(values, applies)
    assert found[2, 0] == pytest.approx(2.0)  # the root of 1 * 4
    assert found[0, 1] == pytest.approx(2.0)
    assert math.isnan(found[2, 1]), "it applies there, and is missing"
    assert np.isnan(found[:, 2]).all()
    assert found[1, 3] == pytest.approx(math.sqrt(15))
    assert stand_in(values, np.ones((3, 4), dtype=bool)) is values


def test_cached_answers_take_no_part_in_how_long_a_sample_took() -> None:
    columns = Columns(4)  # two samples, two repeats
    columns.put_answers(0, answer(seconds=1.0), answer(seconds=2.0))
    columns.put_answers(2, answer(cached=True), answer(cached=True))
    columns.put_answers(1, answer(cached=True), answer(cached=True))
    columns.put_answers(3, answer(cached=True), answer(cached=True))
    found = columns.by_name["latency"].measured(sample_set(2), worst=30.0)
    assert found.candidate.tolist() == [[2.0], [2.0]], "the sample of which nothing was timed is left out"
    assert found.baseline.tolist() == [[1.0], [1.0]]


def test_a_failed_repeat_stays_missing_beside_an_answer_that_came() -> None:
    columns = Columns(4)
    for index in (0, 1, 3):
        columns.put_answers(index, answer(), answer())
    columns.put_answers(2, answer(), Failure(kind="timeout", message="late", attempts=1))
    found = columns.by_name["answered"].measured(sample_set(2), worst=None)
    assert found.baseline.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert found.candidate[0].tolist() == [1.0, 1.0]
    assert columns.unscored["candidate"]["timeout"] == 1


def test_one_answer_each_stays_a_plain_column() -> None:
    columns = Columns(2)
    columns.put_answers(0, answer(), answer())
    columns.put_answers(1, answer(), answer())
    assert columns.by_name["answered"].measured(sample_set(2), worst=None).candidate.tolist() == [1.0, 1.0]


def test_a_sample_changed_where_its_mean_did_and_the_answer_that_shows_it_is_named() -> None:
    before = array("d", [1.0, 0.1, 1.0, NAN, 1.0, 0.2, 0.0, 1.0, 1.0, 0.3, 1.0, 1.0])
    after = array("d", [1.0, 0.3, 0.0, 1.0, 0.0, 0.1, 1.0, NAN, 1.0, 0.2, 1.0, NAN])
    found = list(changes_by_sample(before, after, n=4, scale=(0.0, 1.0)))
    # 1: the same three values in another order; 3: no answer of the baseline beside one of the candidate counts less
    assert [(place % 4, place // 4) for place, _ in found] == [(0, 1)]
    assert found[0][1] == pytest.approx(-1 / 3)


@pytest.mark.parametrize(("repeats", "sequential"), [(0, False), (101, False), (2, True)])
def test_repeats_that_a_test_cannot_have_are_refused(repeats: int, sequential: bool) -> None:
    with pytest.raises(ConfigError, match="--repeats"):
        check_repeats(repeats, sequential=sequential)
    check_repeats(1, sequential=True)
