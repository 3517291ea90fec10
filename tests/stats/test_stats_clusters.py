"""Means of clustered and weighted differences, against dense matrices, by hand, and against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from promptops.stats.clusters import cluster_robust_mean, grouped
from promptops.stats.paired import cautious_side
from promptops.stats.results import BadNumbers
from promptops.stats.sandwich import codes_of
from promptops.stats.summary import moments

EDGE = 1e-9
VALUES = np.array([0.1, -0.3, 0.2, 0.0, 0.5, -0.4, 0.25, 0.05, -0.15, 0.3, 0.12, -0.07])
UNEVEN = np.array([0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 3, 4])
WEIGHTS = np.array([1.0, 2.0, 1.0, 5.0, 1.0, 1.0, 0.5, 3.0, 1.0, 4.0, 1.0, 2.0])


def dense(values: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    """CR2 with every matrix written out: the mean, its standard error, Satterthwaite's degrees of freedom."""
    shares = weights / weights.sum()
    residuals = np.eye(values.size) - np.outer(np.ones(values.size), shares)  # d - mean, as a matrix
    sums = np.array([(codes == code) * shares for code in np.unique(codes)]) @ residuals
    covariance = sums @ sums.T  # of the S_g, when the values are independent with variance 1
    squares = np.array([np.sum(shares[codes == code] ** 2) for code in np.unique(codes)])
    scale = np.sqrt(squares / np.diag(covariance))
    b = scale[:, None] * covariance * scale
    variance = np.sum((scale * (sums @ values)) ** 2)
    return float(shares @ values), math.sqrt(variance), float(np.trace(b) ** 2 / np.sum(b * b))


@st.composite
def samples(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Differences, clusters (at least two), weights."""
    n = draw(st.integers(2, 30))
    values = draw(st.lists(st.integers(-20, 20).map(lambda x: x / 20), min_size=n, max_size=n))
    codes = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n).filter(lambda c: len(set(c)) > 1))
    weights = draw(st.lists(st.integers(1, 40).map(lambda x: x / 4), min_size=n, max_size=n))
    return np.array(values), np.array(codes), np.array(weights)


@settings(deadline=None)
@given(samples())
def test_the_closed_form_agrees_with_dense_matrices(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, codes, weights = data
    for some in (weights, np.ones(values.size)):
        found = grouped(values, clusters=codes, weights=some, edge=EDGE)
        mean, se, df = dense(values, codes, some)
        assert found.mean == pytest.approx(mean, abs=1e-12)
        assert found.se == pytest.approx(se, abs=1e-7)
        assert found.df == pytest.approx(df, rel=1e-9)


def test_equal_weights_give_the_formulas_of_an_unweighted_mean() -> None:
    n, sizes = VALUES.size, np.bincount(UNEVEN)
    sums = np.bincount(UNEVEN, weights=VALUES - VALUES.mean())
    scale = 1 / np.sqrt(1 - sizes / n)
    b = np.outer(scale, scale) * (np.diag(sizes) - np.outer(sizes, sizes) / n) / n**2
    found = grouped(VALUES, clusters=UNEVEN, edge=EDGE)
    assert found.se == pytest.approx(math.sqrt(np.sum((scale * sums) ** 2)) / n, abs=1e-14)
    assert found.df == pytest.approx(np.trace(b) ** 2 / np.sum(b * b), rel=1e-12)
    same = grouped(VALUES, clusters=UNEVEN, weights=np.full(n, 7.0), edge=EDGE)
    assert (same.se, same.df) == pytest.approx((found.se, found.df), rel=1e-12)


def test_cr1_is_what_one_computes_by_hand() -> None:
    # Mean 3; the clusters' sums of residuals are -3 and 3: sqrt(2 / 1 * 18 / 16).
    found = cluster_robust_mean([1, 2, 3, 6], ["a", "a", "b", "b"], kind="CR1", confidence=0.9)
    assert (found.estimate, found.se) == pytest.approx((3, 1.5))
    assert found.upper == pytest.approx(3 + 1.5 * stats.norm.ppf(0.95))
    assert (found.method, found.df, found.n_clusters) == ("cr1-z", None, 2)


def test_the_interval_is_t_with_satterthwaites_degrees_of_freedom() -> None:
    found = cluster_robust_mean(VALUES, UNEVEN, confidence=0.8)
    _, se, df = dense(VALUES, UNEVEN, np.ones(VALUES.size))
    reach = se * stats.t.ppf(0.9, df)
    assert (found.lower, found.upper) == pytest.approx((VALUES.mean() - reach, VALUES.mean() + reach))
    assert (found.n, found.n_clusters, found.method) == (12, 5, "cr2-t")
    assert found.warnings == ("low_df",)


@settings(deadline=None)
@given(st.lists(st.integers(-20, 20).map(lambda x: x / 20), min_size=2, max_size=40))
def test_clusters_of_one_give_the_ordinary_t(values: list[float]) -> None:
    read = np.array(values)
    found = grouped(read, clusters=np.arange(read.size), edge=EDGE)
    assert found.se == pytest.approx(stats.sem(read), abs=1e-9)
    assert found.df == pytest.approx(read.size - 1, rel=1e-9)
    assert grouped(read, edge=EDGE) == found


def test_the_skewness_of_a_mean_of_single_samples_is_theirs_over_the_root_of_n() -> None:
    skewness = np.mean(((VALUES - VALUES.mean()) / VALUES.std(ddof=1)) ** 3)
    assert grouped(VALUES, edge=EDGE).skew == pytest.approx(skewness / math.sqrt(VALUES.size))


def test_equal_clusters_have_one_degree_of_freedom_less_than_their_number() -> None:
    assert grouped(VALUES, clusters=np.repeat(np.arange(4), 3), edge=EDGE).df == pytest.approx(3)


@settings(deadline=None)
@given(samples(), st.randoms(use_true_random=False))
def test_order_and_names_of_clusters_and_the_scale_of_weights_do_not_matter(
    data: tuple[np.ndarray, np.ndarray, np.ndarray], random: object
) -> None:
    values, codes, weights = data
    order = np.random.default_rng(values.size).permutation(values.size)
    names = np.array([f"conversation {99 - code}" for code in codes])
    found = grouped(values, clusters=codes, weights=weights, edge=EDGE)
    other = grouped(values[order], clusters=names[order], weights=weights[order] * 1e6, edge=EDGE)
    assert (other.mean, other.se, other.df) == pytest.approx((found.mean, found.se, found.df), abs=1e-9)
    assert (other.gain, other.loss, other.skew) == pytest.approx(
        (found.gain, found.loss, found.skew), abs=1e-6
    )
    assert (other.ups, other.downs, other.clusters) == (found.ups, found.downs, found.clusters)


@settings(deadline=None)
@given(samples())
def test_a_sign_change_mirrors_everything(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, codes, weights = data
    found = grouped(values, clusters=codes, weights=weights, edge=EDGE)
    assert grouped(-values, clusters=codes, weights=weights, edge=EDGE) == found.mirrored()


@settings(deadline=None)
@given(samples(), st.floats(0.5, 0.98))
def test_wider_confidence_nests_and_the_mean_lies_inside(
    data: tuple[np.ndarray, np.ndarray, np.ndarray], confidence: float
) -> None:
    values, codes, weights = data
    narrow = cluster_robust_mean(values, codes, weights=weights, confidence=confidence)
    wide = cluster_robust_mean(values, codes, weights=weights, confidence=confidence + 0.01)
    if narrow.lower is None:
        assert "zero_variance" in narrow.warnings
    else:
        assert wide.lower < narrow.lower < narrow.estimate < narrow.upper < wide.upper


@settings(deadline=None)
@given(samples())
def test_gains_and_losses_are_those_of_the_mean(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, codes, weights = data
    found = grouped(values, clusters=codes, weights=weights, edge=EDGE)
    assert (found.gain - found.loss) / found.effective == pytest.approx(found.mean, abs=1e-12)
    assert 1 - 1e-9 <= found.effective <= found.clusters + 1e-9


def test_equal_clusters_weigh_as_many_as_they_are_and_one_huge_one_hardly_more_than_itself() -> None:
    assert grouped(VALUES, clusters=np.repeat(np.arange(4), 3), edge=EDGE).effective == pytest.approx(4)
    huge = grouped(np.ones(160), clusters=np.r_[np.zeros(100, int), np.arange(1, 61)], edge=EDGE)
    assert huge.effective == pytest.approx(1 / ((100 / 160) ** 2 + 60 / 160**2))
    assert (huge.clusters, huge.largest) == (61, 100)


def test_weights_alone_give_the_hajek_mean_and_kishs_effective_number() -> None:
    found = grouped(VALUES, weights=WEIGHTS, edge=EDGE)
    assert found.mean == pytest.approx(np.average(VALUES, weights=WEIGHTS))
    assert found.lifted == pytest.approx(WEIGHTS.sum() ** 2 / np.sum(WEIGHTS**2))
    assert found.effective == pytest.approx(found.lifted)
    assert found.weighted
    assert not grouped(VALUES, clusters=UNEVEN, edge=EDGE).weighted


def test_a_cluster_whose_differences_cancel_has_not_moved() -> None:
    found = grouped(np.array([0.2, -0.2, 0.3, 0.0]), clusters=np.array([0, 0, 1, 1]), edge=EDGE)
    assert (found.ups, found.downs, found.moved) == (1, 0, 1)


def test_a_cluster_is_telling_when_one_of_its_differences_reaches_the_margin() -> None:
    values, codes = np.array([0.04, -0.05, 0.01, 0.0, 0.3, -0.3]), np.array([0, 0, 1, 1, 2, 2])
    assert grouped(values, clusters=codes, edge=EDGE, margin=0.05).telling == 2
    assert grouped(values, clusters=codes, edge=EDGE).telling == 3


def test_the_icc_is_that_of_a_one_way_analysis_of_variance() -> None:
    groups = [VALUES[:4], VALUES[4:8], VALUES[8:]]
    f = stats.f_oneway(*groups).statistic
    found = grouped(VALUES, clusters=np.repeat(np.arange(3), 4), edge=EDGE).icc
    assert found == pytest.approx(max(0.0, (f - 1) / (f + 3)))
    uneven = grouped(np.array([1.0, 1.2, 0.9, 2.0, 2.1, 5.0]), clusters=[0, 0, 0, 1, 1, 2], edge=EDGE).icc
    f, usual = stats.f_oneway([1.0, 1.2, 0.9], [2.0, 2.1], [5.0]).statistic, (6 - 14 / 6) / 2
    assert uneven == pytest.approx((f - 1) / (f + usual - 1))


def test_the_icc_is_one_where_clusters_are_copies_and_none_where_nothing_repeats() -> None:
    copies = np.repeat([0.1, 0.4, -0.2], 5)
    assert grouped(copies, clusters=np.repeat(np.arange(3), 5), edge=EDGE).icc == pytest.approx(1)
    assert grouped(VALUES, edge=EDGE).icc is None
    assert grouped(np.zeros(6), clusters=[0, 0, 1, 1, 2, 2], edge=EDGE).icc is None


def test_the_design_effect_compares_with_independent_samples() -> None:
    copies = np.repeat(VALUES, 5)
    found = grouped(copies, clusters=np.repeat(np.arange(12), 5), edge=EDGE)
    alone = grouped(copies, edge=EDGE)
    assert found.se == pytest.approx(stats.sem(VALUES))
    assert found.deff == pytest.approx((found.se / alone.se) ** 2)
    assert alone.deff == pytest.approx(1)
    assert grouped(np.zeros(6), clusters=[0, 0, 1, 1, 2, 2], edge=EDGE).deff is None


@pytest.mark.parametrize("values", [[0.3], [0.3, -0.3, 0.1]])
def test_one_cluster_has_no_variance_and_no_limits(values: list[float]) -> None:
    found = grouped(np.array(values), clusters=np.zeros(len(values), int), edge=EDGE)
    assert (found.se, found.df, found.deff, found.icc) == (0.0, 0.0, None, None)
    for kind in ("CR2", "CR1"):
        interval = cluster_robust_mean(values, ["only"] * len(values), kind=kind)
        assert (interval.lower, interval.upper) == (None, None)
        assert {"too_few_clusters", "zero_variance"} <= set(interval.warnings)


def test_clusters_that_agree_have_no_limits_however_their_samples_differ() -> None:
    values, codes = np.tile([0.1, 0.3], 20), np.repeat(np.arange(20), 2)
    assert grouped(values, clusters=codes, edge=EDGE).se == 0.0
    found = cluster_robust_mean(values, codes)
    assert (found.lower, found.upper, found.warnings) == (None, None, ("zero_variance",))


def test_fewer_than_five_clusters_are_warned_of() -> None:
    found = cluster_robust_mean(VALUES, np.repeat(np.arange(4), 3))
    assert found.lower is not None
    assert found.warnings == ("too_few_clusters", "low_df")


def test_one_sample_of_nearly_all_the_weight_raises_nothing() -> None:
    for heavy in (1e12, 1e17, 1e200, 1e308):
        found = grouped(np.array([0.5, -0.2, 0.1]), weights=np.array([heavy, 1.0, 1e-300]), edge=EDGE)
        assert math.isfinite(found.se + found.df + found.skew)
        assert found.df < 1.5


def test_codes_with_gaps_and_labels_of_any_kind_are_clusters() -> None:
    assert codes_of(["b", "a", "b"]).tolist() == [1, 0, 1]
    assert codes_of([None, "a", None, 3]).tolist() == [0, 1, 0, 2]
    assert codes_of([-5, 10**12, -5]).tolist() == [0, 1, 0]
    values = np.array([0.1, 0.4, -0.2, 0.3])
    gaps = grouped(values, clusters=np.array([1, 5, 5, 9]), edge=EDGE)
    assert gaps == grouped(values, clusters=["x", "y", "y", "z"], edge=EDGE)


@pytest.mark.parametrize(
    ("diffs", "clusters", "options", "code"),
    [
        ([], [], {}, "no_pairs"),
        ([0.1, math.nan], [0, 1], {}, "not_finite"),
        ([0.1, 0.2], [0], {}, "length_mismatch"),
        ([0.1, 0.2], [[0, 1]], {}, "not_a_column"),
        ([0.1, 0.2], [0, 1], {"weights": [1.0]}, "length_mismatch"),
        ([0.1, 0.2], [0, 1], {"weights": [1.0, 0.0]}, "bad_weight"),
        ([0.1, 0.2], [0, 1], {"weights": [1.0, math.nan]}, "bad_weight"),
        ([0.1, 0.2], [0, 1], {"kind": "CR3"}, "unknown_method"),
        ([0.1, 0.2], [0, 1], {"confidence": 1.0}, "bad_confidence"),
    ],
)
def test_numbers_that_no_test_can_use_are_refused(
    diffs: list[float], clusters: list[int], options: dict[str, object], code: str
) -> None:
    with pytest.raises(BadNumbers) as caught:
        cluster_robust_mean(diffs, clusters, **options)
    assert caught.value.code == code


@settings(deadline=None)
@given(
    st.lists(st.integers(-20, 20).map(lambda x: x / 20), min_size=6, max_size=40).filter(
        lambda v: len(set(v)) > 1
    )
)
def test_clusters_of_one_are_judged_as_samples_are(values: list[float]) -> None:
    read = np.array(values)
    options = {"margin": 0.05, "alpha": 0.05, "value_range": 2.0}
    alone = cautious_side(moments(read), **options)
    units = cautious_side(grouped(read, edge=EDGE), **options)
    assert (units.limit, units.p_margin, units.p_zero) == pytest.approx(
        (alone.limit, alone.p_margin, alone.p_zero), abs=1e-8
    )


@settings(deadline=None)
@given(samples())
def test_the_side_of_clusters_never_claims_more_than_cr2(
    data: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    values, codes, weights = data
    found = grouped(values, clusters=codes, weights=weights, edge=EDGE)
    if found.se < 1e-6 or found.df < 1:
        return
    side = cautious_side(found, margin=0.05, alpha=0.05, value_range=9.0)
    interval = cluster_robust_mean(values, codes, weights=weights, confidence=0.9)
    assert side.limit <= interval.lower + 1e-9
    assert side.p_margin >= stats.t.sf((found.mean + 0.05) / found.se, found.df) - 1e-9
    assert (side.limit > -0.05) == (side.p_margin < 0.05) or abs(side.p_margin - 0.05) < 1e-9
    assert side.method == "hajek-hall-t"
