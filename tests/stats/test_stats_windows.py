"""Two windows of scores, compared once."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats as scipy_stats

from promptops.stats.clusters import cluster_robust_mean
from promptops.stats.results import BadNumbers
from promptops.stats.windows import compare_windows


def test_symmetric_scores_give_welchs_t() -> None:
    # A sample and its mirror image: no skewness, so Hall's correction changes nothing.
    half = np.random.default_rng(1).normal(0, 1, 20)
    before, after = np.concatenate([half, -half]), 0.4 + 2 * np.concatenate([half, -half])
    found = compare_windows(before, after)
    expected = scipy_stats.ttest_ind(after, before, equal_var=False, alternative="greater")
    assert found.p_rose == pytest.approx(expected.pvalue)
    assert found.df == pytest.approx(expected.df)
    two_sided = scipy_stats.ttest_ind(after, before, equal_var=False)
    interval = two_sided.confidence_interval(0.90)
    assert found.pvalue == pytest.approx(two_sided.pvalue)
    assert (found.lower, found.upper) == pytest.approx((interval.low, interval.high))


def test_skewed_scores_are_never_narrower_than_welchs_t() -> None:
    rng = np.random.default_rng(2)
    before, after = rng.exponential(1, 30), rng.exponential(1, 50)
    found = compare_windows(before, after)
    interval = scipy_stats.ttest_ind(after, before, equal_var=False).confidence_interval(0.90)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower <= interval.low + 1e-12
    assert found.upper >= interval.high - 1e-12
    assert found.upper - found.lower > interval.high - interval.low


def test_swapping_the_windows_mirrors_everything() -> None:
    rng = np.random.default_rng(3)
    before, after = rng.beta(5, 2, 40), rng.beta(4, 2, 60)
    found, turned = compare_windows(before, after), compare_windows(after, before)
    assert (turned.estimate, turned.p_rose, turned.p_fell) == pytest.approx(
        (-found.estimate, found.p_fell, found.p_rose)
    )
    assert found.upper is not None
    assert found.lower is not None
    assert (turned.lower, turned.upper) == pytest.approx((-found.upper, -found.lower))


def test_the_interval_and_the_tests_agree() -> None:
    rng = np.random.default_rng(4)
    for _ in range(30):
        found = compare_windows(rng.exponential(1, 20), rng.exponential(1.4, 25))
        assert found.lower is not None
        assert found.p_rose is not None
        assert (found.lower > 0) == (found.p_rose < 0.05)


def test_clusters_add_their_own_variances_and_degrees_of_freedom() -> None:
    rng = np.random.default_rng(5)
    names = np.repeat(np.arange(12), 5)
    windows = [rng.normal(0, 1, 12)[names] + rng.normal(0, 1, 60) for _ in range(2)]
    found = compare_windows(*windows, reference_clusters=names, current_clusters=names)
    alone = [cluster_robust_mean(window, names) for window in windows]
    assert alone[0].se is not None
    assert alone[1].se is not None
    assert found.se == pytest.approx((alone[0].se ** 2 + alone[1].se ** 2) ** 0.5)
    assert found.df == pytest.approx(
        found.se**4 / sum(one.se**4 / one.df for one in alone if one.se and one.df)
    )
    assert found.method == "welch-cr2"
    forgotten = compare_windows(*windows)
    assert forgotten.se < found.se


def test_windows_of_one_mix_are_seldom_called_different() -> None:
    # Two-sided at .10, skewed scores, unequal windows: 2,000 replicates, seed 6, three standard errors.
    rng, called = np.random.default_rng(6), 0
    for _ in range(2000):
        p = compare_windows(rng.exponential(1, 40), rng.exponential(1, 80)).pvalue
        called += p is not None and p <= 0.10
    assert called / 2000 <= 0.10 + 3 * (0.1 * 0.9 / 2000) ** 0.5


@pytest.mark.parametrize(
    ("before", "after", "names", "warnings"),
    [
        ([1.0] * 30, [1.0] * 30, None, ("zero_variance", "few_differences")),
        ([1.0], [0.0, 1.0, 0.5, 0.2, 0.7, 0.9], None, ("too_few_values",)),
        ([0.1, 0.5, 0.9, 0.4], [0.1, 0.5, 0.8, 0.4], [1, 1, 2, 2], ("too_few_clusters",)),
    ],
)
def test_what_says_nothing_has_no_limits(
    before: list[float], after: list[float], names: list[int] | None, warnings: tuple[str, ...]
) -> None:
    found = compare_windows(before, after, reference_clusters=names, current_clusters=names)
    assert (found.lower, found.upper, found.pvalue, found.df) == (None,) * 4
    assert found.warnings == warnings
    assert json.dumps(found.as_json(), allow_nan=False)


def test_one_failure_in_two_hundred_is_warned_of() -> None:
    found = compare_windows([1.0] * 100, [1.0] * 99 + [0.0])
    assert found.warnings == ("few_differences",)


@pytest.mark.parametrize(
    ("before", "after", "options", "code"),
    [
        ([], [1.0], {}, "no_pairs"),
        ([1.0], [float("nan")], {}, "not_finite"),
        ([1.0, 2.0], [1.0, 2.0], {"current_clusters": [1, 2]}, "length_mismatch"),
        ([1.0, 2.0], [1.0], {"reference_clusters": [1, 2], "current_clusters": [1, 2]}, "length_mismatch"),
    ],
)
def test_windows_that_cannot_be_compared_are_an_error(
    before: list[float], after: list[float], options: dict[str, list[int]], code: str
) -> None:
    with pytest.raises(BadNumbers) as caught:
        compare_windows(before, after, **options)
    assert caught.value.code == code
