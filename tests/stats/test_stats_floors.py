from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from promptops.stats.floors import floor_result, never_result
from promptops.stats.results import BadNumbers, Status

NAN = math.nan


@pytest.mark.parametrize(
    ("passed", "n", "floor", "expected"),
    [(59, 59, 0.95, "PASS"), (58, 58, 0.95, "INCONCLUSIVE"), (90, 100, 0.8, "PASS"),
     (85, 100, 0.8, "INCONCLUSIVE"), (70, 100, 0.8, "REGRESSION")],
)  # fmt: skip
def test_a_floor_is_held_shown_missed_or_open(passed: int, n: int, floor: float, expected: str) -> None:
    found = floor_result("binary", [1.0] * passed + [0.0] * (n - passed), floor=floor)
    theirs = stats.binomtest(passed, n).proportion_ci(0.90, "exact")
    assert found.status == expected
    assert (found.lower, found.upper) == pytest.approx((theirs.low, theirs.high))
    assert found.reason == ("not_shown" if expected == "INCONCLUSIVE" else "")


def test_missing_answers_count_as_the_worst_for_holding_and_not_at_all_for_missing() -> None:
    values = [1.0] * 95 + [NAN] * 5
    found = floor_result("binary", values, floor=0.8)
    assert found.lower == floor_result("binary", [1.0] * 95 + [0.0] * 5, floor=0.8).lower
    assert found.upper == floor_result("binary", [1.0] * 95, floor=0.8).upper
    assert (found.mean, found.unscored, found.status) == (1.0, 5, Status.PASS)


def test_too_many_unscored_answers_hold_no_floor() -> None:
    found = floor_result("binary", [1.0] * 78 + [NAN] * 22, floor=0.2)
    assert (found.status, found.reason) == (Status.INCONCLUSIVE, "missing")


@pytest.mark.parametrize(("values", "reason"), [([], "not_measured"), ([NAN, None], "missing")])
def test_nothing_scored_holds_no_floor(values: list[float], reason: str) -> None:
    found = floor_result("bounded", values, floor=3, value_range=(1, 5))
    assert (found.status, found.reason, found.lower) == (Status.INCONCLUSIVE, reason, None)
    assert json.dumps(found.as_json(), allow_nan=False)


def test_a_bounded_floor_takes_the_cautious_limit() -> None:
    rng = np.random.default_rng(5)
    values = rng.beta(6, 3, 80)
    found = floor_result("bounded", values, floor=0.6, value_range=(0, 1))
    t = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert found.method == "hall-t"
    assert found.lower <= t.low + 1e-12
    assert found.upper >= t.high - 1e-12


def test_good_scores_without_variance_hold_a_floor_only_in_numbers() -> None:
    few = floor_result("bounded", [0.9] * 10, floor=0.8, value_range=(0, 1))
    many = floor_result("bounded", [0.9] * 100, floor=0.8, value_range=(0, 1))
    assert (few.method, few.status, many.status) == ("clopper-pearson", Status.INCONCLUSIVE, Status.PASS)
    assert floor_result("bounded", [1.0] * 10, floor=4, value_range=(1, 5)).status == Status.REGRESSION


@given(st.lists(st.floats(1, 5), min_size=1, max_size=40), st.floats(1.1, 4.9))
@settings(deadline=None, max_examples=60)
def test_the_limits_surround_the_mean_and_stay_on_the_scale(values: list[float], floor: float) -> None:
    found = floor_result("bounded", values, floor=floor, value_range=(1, 5))
    assert 1 - 1e-9 <= found.lower <= found.mean + 1e-9
    assert found.mean - 1e-9 <= found.upper <= 5 + 1e-9


def test_one_violation_breaks_a_never() -> None:
    found = never_result("binary", [1.0] * 299 + [0.0])
    assert (found.status, found.violations, found.reason) == (Status.REGRESSION, 1, "")


def test_an_unscored_answer_keeps_a_never_open() -> None:
    found = never_result("binary", [1.0] * 299 + [NAN])
    assert (found.status, found.unscored, found.reason) == (Status.INCONCLUSIVE, 1, "missing")
    assert never_result("binary", []).reason == "not_measured"


def test_a_kept_never_says_what_it_rules_out() -> None:
    found = never_result("bounded", [5.0] * 100, value_range=(1, 5), alpha=0.05)
    assert found.status == Status.PASS
    assert found.rate_upper == pytest.approx(1 - 0.05**0.01)
    assert found.confidence == 0.95
    assert json.dumps(found.as_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: floor_result("binary", [1.0], floor=0), "bad_floor"),
        (lambda: floor_result("binary", [1.0], floor=1), "bad_floor"),
        (lambda: floor_result("ratio", [1.0], floor=1), "no_scale"),
        (lambda: never_result("binary", [0.5]), "not_binary"),
        (lambda: never_result("binary", [1.0], alpha=0), "bad_alpha"),
    ],
)
def test_impossible_floors_are_errors_with_a_code(call, code: str) -> None:
    with pytest.raises(BadNumbers) as caught:
        call()
    assert caught.value.code == code
