"""Repeats are averaged, identical ones change nothing, and the moments are those of the formulas."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.stats.facts import Facts, facts_of
from promptops.stats.floors import floor_result
from promptops.stats.metric import evaluate_metric
from promptops.stats.question import ask
from promptops.stats.repeats import (
    VarianceComponents,
    averaged,
    optimal_repeats,
    repeats_instead,
    variance_components,
)
from promptops.stats.results import BadNumbers, MetricResult, Status

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20)


def test_one_value_per_sample_is_the_mean_of_its_answers() -> None:
    assert averaged([[1.0, 0.0], [0.0, 0.0], [0.5, 0.0], [1.0, 0.0]], missing=None).tolist() == [0.625, 0.0]


def test_a_plain_column_stays_as_it_is() -> None:
    assert averaged([0.5, 0.25], missing=None).tolist() == [0.5, 0.25]
    assert averaged([[0.5, 0.25]], missing=None).tolist() == [0.5, 0.25]


def test_missing_answers_are_left_out_while_one_is_there() -> None:
    found = averaged([[1.0, math.nan, math.nan], [0.0, 0.5, math.nan]], missing=None)
    assert found[:2].tolist() == [0.5, 0.5]
    assert math.isnan(found[2])


def test_missing_answers_count_as_the_value_given_for_them() -> None:
    assert averaged([[1.0, math.nan], [math.nan, math.nan]], missing=-1.0).tolist() == [0.0, -1.0]
    assert averaged([1.0, math.nan], missing=-1.0).tolist() == [1.0, -1.0]


@settings(deadline=None)
@given(values, st.integers(1, 10))
def test_identical_repeats_change_nothing_at_all(column: list[float], k: int) -> None:
    assert averaged([column] * k, missing=None).tolist() == column


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 8), st.data())
def test_the_order_of_the_answers_does_not_matter(k: int, n: int, data: st.DataObject) -> None:
    cell = st.one_of(st.just(math.nan), st.integers(-8, 8).map(lambda x: x / 8))
    rows = np.array(data.draw(st.lists(st.lists(cell, min_size=n, max_size=n), min_size=k, max_size=k)))
    np.testing.assert_allclose(averaged(rows[::-1], missing=None), averaged(rows, missing=None), atol=1e-12)


@pytest.mark.parametrize("shape", [(0, 3), (2, 2, 2), ()])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadNumbers, match="one row per repeat"):
        averaged(np.zeros(shape), missing=None)


def test_the_components_are_the_moments() -> None:
    baseline, candidate = [[1.0, 0.0], [1.0, 1.0], [0.0, 0.4]], [[1.0, 1.0], [0.0, 0.2], [0.1, 0.5]]
    found = variance_components(baseline, candidate)
    within = [np.mean([np.var(one, ddof=1) for one in arm]) for arm in (baseline, candidate)]
    total = np.var([np.mean(c) - np.mean(b) for b, c in zip(baseline, candidate, strict=True)], ddof=1)
    assert (found.within_baseline, found.within_candidate) == pytest.approx(within)
    assert found.var_of_sample_mean_diff == pytest.approx(total)
    assert found.between == pytest.approx(max(0.0, total - sum(within) / 2))
    assert found.n == 3


def test_components_find_what_they_were_made_of() -> None:
    rng, n, k = np.random.default_rng(1), 4000, 3
    truth = rng.normal(0, 0.2, n)
    baseline = rng.normal(0, 0.3, (n, k))
    candidate = truth[:, None] + rng.normal(0, 0.1, (n, k))
    found = variance_components(list(baseline), list(candidate))
    assert found.within_baseline == pytest.approx(0.09, rel=0.1)
    assert found.within_candidate == pytest.approx(0.01, rel=0.1)
    assert found.between == pytest.approx(0.04, rel=0.15)


def test_samples_may_have_different_numbers_of_answers_and_some_none() -> None:
    found = variance_components(
        [[1.0, 0.0, 1.0], [0.5], [math.nan], [0.0, 1.0]], [[1.0, 0.0], [0.5, None], [1.0], [1.0, 1.0]]
    )
    assert found.n == 3
    assert found.within_baseline == pytest.approx((1 / 3 + 1 / 2) / 2)
    noise = [found.within_baseline / k for k in (3, 1, 2)] + [found.within_candidate / k for k in (2, 1, 2)]
    expected = max(0.0, found.var_of_sample_mean_diff - sum(noise) / 3)
    assert found.between == pytest.approx(expected)


@pytest.mark.parametrize("arm", [[], [[0.4]], [[0.1], [0.2]]])
def test_what_single_answers_cannot_tell_is_none(arm: list[list[float]]) -> None:
    found = variance_components(arm, arm)
    assert (found.within_baseline, found.between) == (None, None)
    assert (found.var_of_sample_mean_diff is None) == (len(arm) < 2)


def test_bad_answers_are_refused() -> None:
    with pytest.raises(BadNumbers) as caught:
        variance_components([[1.0]], [])
    assert caught.value.code == "length_mismatch"
    with pytest.raises(BadNumbers) as caught:
        variance_components([[math.inf]], [[1.0]])
    assert caught.value.code == "infinite_value"


@pytest.mark.parametrize(
    ("between", "within", "sample", "k"),
    [
        (0.02, 0.08, 8, 8),
        (0.02, 0.08, 0, 1),  # a sample that costs nothing more: never ask twice
        (0.0, 0.08, 8, 10),
        (0.0, 0.0, 8, 1),  # answers never differ
        (0.5, 0.001, 1, 1),
        (1e-9, 1.0, 1000, 10),
    ],
)
def test_repeats_pay_where_answers_vary_and_samples_are_dear(
    between: float, within: float, sample: float, k: int
) -> None:
    costs = {"cost_per_sample": sample, "cost_per_run": 1}
    assert optimal_repeats(between=between, within_baseline=within, within_candidate=within, **costs) == k


@settings(deadline=None)
@given(st.floats(0.001, 1), st.floats(0.001, 1), st.floats(0.1, 50))
def test_the_optimum_costs_no_more_than_its_neighbours(between: float, within: float, sample: float) -> None:
    k = optimal_repeats(
        between=between,
        within_baseline=within,
        within_candidate=within,
        cost_per_sample=sample,
        cost_per_run=1,
    )

    def variance_for_the_money(repeats: float) -> float:
        return (between + 2 * within / repeats) * (sample + repeats)

    best = min(variance_for_the_money(other) for other in range(1, 11))
    # Rounding the root to the nearest whole number misses the best one by little.
    assert variance_for_the_money(k) <= best * 1.03


@pytest.mark.parametrize("bad", [{"between": -0.1}, {"cost_per_run": 0}, {"cost_per_sample": math.nan}])
def test_costs_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    options = {"between": 0.1, "within_baseline": 0.1, "within_candidate": 0.1}
    with pytest.raises(BadNumbers) as caught:
        optimal_repeats(**{**options, "cost_per_sample": 1, "cost_per_run": 1, **bad})
    assert caught.value.code == "bad_costs"


def test_more_answers_stand_in_for_more_samples_only_where_answers_vary() -> None:
    noisy = VarianceComponents(
        n=100, within_baseline=0.05, within_candidate=0.05, between=0.02, var_of_sample_mean_diff=0.12
    )
    # 200 samples with one answer: .12 / 200; 100 samples with k: (.02 + .10 / k) / 100.
    assert repeats_instead(noisy, needed=200) == 3
    assert repeats_instead(noisy, needed=100) == 1
    assert repeats_instead(noisy, needed=500) is None  # .24 of the variance is left even with certain answers
    assert repeats_instead(noisy, needed=590) is None
    assert repeats_instead(VarianceComponents(n=100, var_of_sample_mean_diff=0.12), needed=200) is None


def test_facts_of_repeats_keep_their_components_and_read_them_back() -> None:
    rng = np.random.default_rng(2)
    baseline, candidate = rng.uniform(0, 1, (3, 40)), rng.uniform(0, 1, (3, 40))
    found = facts_of(ask("bounded", margin=0.05, value_range=(0, 1)), baseline, candidate)
    assert found.components == variance_components(list(baseline.T), list(candidate.T))
    assert Facts.from_json(json.loads(json.dumps(found.as_json()))) == found
    assert (
        facts_of(ask("bounded", margin=0.05, value_range=(0, 1)), baseline[0], candidate[0]).components
        is None
    )


def with_lost_answers(k: int, share: float, *, arm: int) -> MetricResult:
    """200 samples, of every arm's answers all right but the lost ones: `share` of one arm's."""
    arms = np.ones((2, k, 200))
    lost = np.random.default_rng(k).permutation(200 * k)[: round(200 * k * share)]
    arms[arm].reshape(-1)[lost] = math.nan
    return evaluate_metric("binary", arms[0], arms[1], margin=0.05)


@pytest.mark.parametrize("arm", [0, 1])
def test_lost_answers_count_by_their_share_however_often_a_sample_was_asked(arm: int) -> None:
    for k in (1, 5):
        few, more, many = (with_lost_answers(k, share, arm=arm) for share in (0.04, 0.06, 0.25))
        assert (few.passable, more.passable, many.passable) == (True, False, False)
        assert ("missing_rate" in few.warnings, "missing_rate" in more.warnings) == (False, True)
        assert few.dropped_baseline_missing + few.candidate_unscored == 8 * k


def test_a_lost_repeat_counts_against_the_candidate_with_its_share_of_the_sample() -> None:
    found = with_lost_answers(5, 0.04, arm=1)
    assert found.difference == 0
    assert found.lower == pytest.approx(
        evaluate_metric("bounded", *worst_case(), margin=0.05, value_range=(0, 1)).lower
    )
    assert found.n_complete == 200


def worst_case() -> tuple[np.ndarray, np.ndarray]:
    """What `with_lost_answers(5, 0.04, arm=1)` says at worst, one value a sample."""
    lost = np.random.default_rng(5).permutation(1000)[:40]
    candidate = np.ones(1000)
    candidate[lost] = 0.0
    return np.ones(200), candidate.reshape(5, 200).mean(axis=0)


def test_a_floor_takes_the_share_of_lost_answers_too() -> None:
    answers = np.ones((5, 200))
    answers.reshape(-1)[np.random.default_rng(1).permutation(1000)[:80]] = math.nan
    found = floor_result("binary", answers, floor=0.8)
    assert found.unscored > 40, "more than a fifth of the samples lack one"
    assert found.status == Status.PASS
    answers.reshape(-1)[np.random.default_rng(1).permutation(1000)[:220]] = math.nan
    assert floor_result("binary", answers, floor=0.5).reason == "missing"
