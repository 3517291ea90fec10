from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from promptops.stats.binary import paired_proportion_ci
from promptops.stats.distributions import chi2_quantile
from promptops.stats.families import adjust_pvalues
from promptops.stats.paired import Side, paired_mean_ci
from promptops.stats.paired import bounded_score_side as bounded_score_side_of
from promptops.stats.paired import lower_side as lower_side_of
from promptops.stats.paired import upper_side as upper_side_of
from promptops.stats.ratios import geometric_mean_ratio
from promptops.stats.ratios import ratio_side as ratio_side_of
from promptops.stats.results import BadNumbers
from promptops.stats.signflip import sign_flip_test
from promptops.stats.summary import moments, summarise

SKEWED = np.array([0.0, 0.1, -0.2, 0.05, 0.3, -0.9, 0.12, 0.07, 0.02, 0.11, -0.04, 0.2])
differences = st.lists(st.floats(-1, 1, allow_nan=False).map(lambda x: round(x, 3)), min_size=1, max_size=40)


def lower_side(values: np.ndarray, *, margin: float, **rest: float) -> Side:
    return lower_side_of(summarise(values, edge=1e-9, margin=margin), margin=margin, **rest)


def upper_side(values: np.ndarray, *, margin: float, **rest: float) -> Side:
    return upper_side_of(summarise(values, edge=1e-9, margin=margin), margin=margin, **rest)


def bounded_score_side(values: np.ndarray, *, margin: float, **rest: float) -> Side:
    return bounded_score_side_of(summarise(values, edge=1e-9, margin=margin), margin=margin, **rest)


def ratio_side(values: np.ndarray, *, margin: float, alpha: float) -> Side:
    return ratio_side_of(summarise(values, edge=1e-9, margin=margin), margin=margin, alpha=alpha)


def test_the_t_interval_agrees_with_scipy() -> None:
    found = paired_mean_ci(SKEWED, method="t", confidence=0.9)
    theirs = stats.ttest_1samp(SKEWED, 0).confidence_interval(0.9)
    assert (found.lower, found.upper) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_hall_is_t_where_nothing_is_skewed() -> None:
    even = np.array([-0.3, -0.1, 0.0, 0.1, 0.3])
    hall, t = paired_mean_ci(even, method="hall"), paired_mean_ci(even, method="t")
    assert (hall.lower, hall.upper) == pytest.approx((t.lower, t.upper), abs=1e-12)


def test_hall_reaches_further_into_the_long_tail() -> None:
    hall, t = paired_mean_ci(SKEWED, method="hall"), paired_mean_ci(SKEWED, method="t")
    assert hall.lower < t.lower


def test_limits_are_clipped_to_what_is_possible() -> None:
    found = paired_mean_ci([1.0, -1.0, 1.0], method="hall", value_range=1.0)
    assert (found.lower, found.upper) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("diffs", "method", "warning"),
    [
        ([0.2], "t", "too_few_pairs"),
        ([0.2, 0.3], "hall", "too_few_pairs"),
        ([0.1] * 30, "hall", "zero_variance"),
        ([0.0] * 30, "t", "zero_variance"),
    ],
)
def test_an_interval_without_width_is_never_reported(diffs: list[float], method: str, warning: str) -> None:
    found = paired_mean_ci(diffs, method=method)
    assert (found.lower, found.upper, found.warnings) == (None, None, (warning,))


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: paired_mean_ci([]), "no_pairs"),
        (lambda: paired_mean_ci([0.1, math.nan]), "not_finite"),
        (lambda: paired_mean_ci([0.1, 0.2], method="bca"), "unknown_method"),
        (lambda: sign_flip_test([]), "not_finite"),
        (lambda: geometric_mean_ratio([1, 2], [1]), "length_mismatch"),
        (lambda: geometric_mean_ratio([1, 0], [1, 1]), "nonpositive_value"),
        (lambda: adjust_pvalues([0.1, 1.2]), "bad_pvalue"),
        (lambda: adjust_pvalues([math.nan]), "bad_pvalue"),
        (lambda: adjust_pvalues([0.1], method="sidak"), "unknown_method"),
    ],
)
def test_impossible_input_is_an_error_with_a_code(call, code: str) -> None:
    with pytest.raises(BadNumbers) as caught:
        call()
    assert caught.value.code == code


@given(differences)
@settings(deadline=None, max_examples=80)
def test_both_sides_surround_the_mean_and_mirror_each_other(values: list[float]) -> None:
    diffs = np.array(values)
    low = lower_side(diffs, margin=0.05, alpha=0.05, value_range=1.0)
    high = upper_side(diffs, margin=0.05, alpha=0.05, value_range=1.0)
    mirrored = upper_side(-diffs, margin=0.05, alpha=0.05, value_range=1.0)
    assert -1 <= low.limit <= diffs.mean() + 1e-12
    assert diffs.mean() - 1e-12 <= high.limit <= 1
    if low.method == mirrored.method:
        assert (low.limit, low.p_zero) == pytest.approx((-mirrored.limit, mirrored.p_zero))


@given(differences, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_the_order_of_the_pairs_does_not_matter(values: list[float], shuffle) -> None:
    mixed = list(values)
    shuffle.shuffle(mixed)
    one = lower_side(np.array(values), margin=0.05, alpha=0.05, value_range=1.0)
    other = lower_side(np.array(mixed), margin=0.05, alpha=0.05, value_range=1.0)
    assert (one.limit, one.p_margin) == pytest.approx((other.limit, other.p_margin), abs=1e-9)


@given(differences, st.sampled_from([(0.05, 0.02), (0.2, 0.05)]))
@settings(deadline=None, max_examples=40)
def test_a_smaller_alpha_gives_a_wider_interval(values: list[float], alphas: tuple[float, float]) -> None:
    narrow, wide = (
        lower_side(np.array(values), margin=0.05, alpha=alpha, value_range=1.0).limit for alpha in alphas
    )
    assert wide <= narrow + 1e-12


@given(st.integers(1, 40), st.data())
@settings(deadline=None, max_examples=40)
def test_on_pass_and_fail_the_bounded_score_is_tango(n: int, data) -> None:
    fixed = data.draw(st.integers(0, n))
    broken = data.draw(st.integers(0, n - fixed))
    diffs = np.array([1.0] * fixed + [-1.0] * broken + [0.0] * (n - fixed - broken))
    side = bounded_score_side(diffs, margin=0.05, alpha=0.05, value_range=1.0)
    assert side.limit == pytest.approx(paired_proportion_ci(fixed, broken, n).lower)


def test_the_cautious_rule_takes_the_lesser_claim() -> None:
    side = lower_side(SKEWED, margin=0.05, alpha=0.05, value_range=1.0)
    hall, t = paired_mean_ci(SKEWED, method="hall"), paired_mean_ci(SKEWED, method="t")
    assert side.method == "hall-t"
    assert side.limit == min(hall.lower, t.lower)
    assert side.p_zero >= stats.ttest_1samp(SKEWED, 0, alternative="greater").pvalue - 1e-12


@pytest.mark.parametrize(("limit_at", "p"), [(0.05, "p_margin"), (0.0, "p_zero")])
def test_limits_and_p_values_are_the_same_claim(limit_at: float, p: str) -> None:
    rng = np.random.default_rng(7)
    for _ in range(60):
        values = np.clip(rng.normal(-0.02, 0.25, 30), -1, 1)
        side = lower_side(values, margin=0.05, alpha=0.05, value_range=1.0)
        assert (side.limit > -limit_at) == (getattr(side, p) < 0.05)


def test_jitter_does_not_hide_what_was_never_drawn() -> None:
    jitter = np.tile([0.005, -0.005], 10)
    side = lower_side(jitter, margin=0.05, alpha=0.05, value_range=1.0)
    assert side.method == "bounded-score"
    assert side.limit < -0.05


def test_three_drops_prove_no_harm_that_their_signs_would_not() -> None:
    assert upper_side(np.array([-1.0] * 3), margin=0.05, alpha=0.05, value_range=1.0).p_zero == pytest.approx(
        1 / 16
    )
    assert upper_side(np.array([-1.0] * 4), margin=0.05, alpha=0.05, value_range=1.0).p_zero < 0.05


def test_a_constant_has_no_skewness() -> None:
    assert moments(np.full(7, 0.1)).skew == pytest.approx(0, abs=1e-9) or moments(np.full(7, 0.1)).sd < 1e-15
    assert moments(np.array([0.4])).sd == 0


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
@pytest.mark.parametrize("n", [2, 6, 11])
def test_sign_flipping_few_differences_is_scipys_exact_permutation(n: int, alternative: str) -> None:
    diffs = SKEWED[:n] + 0.03
    theirs = stats.permutation_test(
        (diffs,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative=alternative
    ).pvalue
    assert sign_flip_test(diffs, alternative=alternative).pvalue == pytest.approx(min(theirs, 1.0))


def test_sign_flipping_many_differences_is_drawn_from_the_seed() -> None:
    diffs = np.tile(SKEWED, 3) + 0.1
    one, again = sign_flip_test(diffs, seed=3), sign_flip_test(diffs, seed=3)
    t = stats.ttest_1samp(diffs, 0, alternative="greater").pvalue
    assert one == again
    assert one.method == "sign-flip"
    assert one.pvalue == pytest.approx(t, abs=0.03)


def test_a_ratio_without_variance_has_no_interval() -> None:
    found = geometric_mean_ratio([1.0, 2.0, 3.0], [1.2, 2.4, 3.6])
    assert (round(found.estimate, 9), found.lower, found.upper) == (1.2, None, None)


def test_ratios_that_never_differ_fall_back_on_a_bounded_argument() -> None:
    same = ratio_side(np.zeros(300), margin=math.log(1.1), alpha=0.05)
    assert same.method == "bounded-score"
    assert -math.log(1.1) < same.limit < 0
    few = ratio_side(np.zeros(10), margin=math.log(1.1), alpha=0.05)
    assert few.limit < -math.log(1.1)
    wide = ratio_side(np.zeros(10), margin=math.log(6), alpha=0.05)
    assert wide.limit < 0


def test_chi2_quantiles_agree_with_scipy() -> None:
    assert chi2_quantile(0.2, 9) == pytest.approx(stats.chi2.ppf(0.2, 9))


@given(st.lists(st.floats(0, 1), max_size=8))
def test_adjusting_never_lowers_and_keeps_the_order(pvalues: list[float]) -> None:
    for method in ("holm", "bh"):
        adjusted = adjust_pvalues(pvalues, method=method)
        assert all(a >= p - 1e-15 and a <= 1 for a, p in zip(adjusted, pvalues, strict=True))
        ranked = [a for _, a in sorted(zip(pvalues, adjusted, strict=True))]
        assert ranked == sorted(ranked)


@pytest.mark.parametrize("pvalues", [[0.01, 0.04, 0.03, 0.005], [0.2], [0.5, 0.5, 0.001]])
def test_benjamini_hochberg_agrees_with_scipy(pvalues: list[float]) -> None:
    assert adjust_pvalues(pvalues, method="bh") == pytest.approx(stats.false_discovery_control(pvalues))
