"""Our tests against scipy's wherever both can compute the same thing.

The package itself never imports `scipy.stats` (three times the start-up time of everything else); here it is the judge.
"""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from promptops.stats.binary import mcnemar_test, paired_proportion_noninferiority, proportion_ci
from promptops.stats.distributions import (
    beta_quantile,
    chi2_quantile,
    fair_coin_mass,
    fair_coin_tail,
    normal_quantile,
    normal_tail,
    t_quantile,
    t_tail,
)
from promptops.stats.families import adjust_pvalues
from promptops.stats.floors import floor_result, never_result
from promptops.stats.metric import evaluate_metric
from promptops.stats.paired import paired_mean_ci
from promptops.stats.planning import minimum_detectable_effect, sample_size
from promptops.stats.power import chance_of_passing
from promptops.stats.ratios import geometric_mean_ratio
from promptops.stats.signflip import sign_flip_test
from promptops.stats.tango import score

probabilities = st.floats(1e-6, 1 - 1e-6)
degrees = st.floats(1, 500)
samples = st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=3, max_size=80).filter(
    lambda values: np.std(values) > 1e-3
)


@given(probabilities, degrees)
@settings(deadline=None)
def test_quantiles_are_scipys(p: float, df: float) -> None:
    assert normal_quantile(p) == pytest.approx(stats.norm.ppf(p), abs=1e-9)
    assert t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-6, abs=1e-9)
    assert chi2_quantile(p, df) == pytest.approx(stats.chi2.ppf(p, df), rel=1e-6)


@given(st.floats(-30, 30), degrees)
@settings(deadline=None)
def test_tails_are_scipys(x: float, df: float) -> None:
    assert normal_tail(x) == pytest.approx(stats.norm.sf(x), rel=1e-9, abs=1e-300)
    assert t_tail(x, df) == pytest.approx(stats.t.sf(x, df), rel=1e-7, abs=1e-300)


@given(st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(deadline=None)
def test_fair_coins_are_scipys(throws: tuple[int, int]) -> None:
    heads, n = throws
    assert fair_coin_tail(heads, n) == pytest.approx(stats.binom.sf(heads, n, 0.5), rel=1e-7, abs=1e-300)
    assert fair_coin_mass(heads, n) == pytest.approx(stats.binom.pmf(heads, n, 0.5), rel=1e-7, abs=1e-300)


@given(probabilities, st.floats(0.5, 300), st.floats(0.5, 300))
@settings(deadline=None)
def test_beta_quantiles_are_scipys(p: float, a: float, b: float) -> None:
    assert beta_quantile(p, a, b) == pytest.approx(stats.beta.ppf(p, a, b), abs=1e-9)


@given(st.integers(0, 150), st.integers(0, 150))
@settings(deadline=None)
def test_mcnemars_test_is_the_binomial_one(fixed: int, broken: int) -> None:
    if fixed + broken == 0:
        return
    for alternative in ("two-sided", "greater", "less"):
        theirs = stats.binomtest(fixed, fixed + broken, alternative=alternative).pvalue
        ours = mcnemar_test(fixed, broken, method="exact", alternative=alternative).pvalue
        assert ours == pytest.approx(theirs, rel=1e-9)


@given(
    st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([0.8, 0.92, 0.99]),
)
@settings(deadline=None)
def test_one_proportion_is_scipys(counts: tuple[int, int], confidence: float) -> None:
    successes, n = counts
    for ours, theirs in (("wilson", "wilson"), ("clopper-pearson", "exact")):
        found = proportion_ci(successes, n, confidence=confidence, method=ours)
        judge = stats.binomtest(successes, n).proportion_ci(confidence, theirs)
        assert (found.lower, found.upper) == pytest.approx((judge.low, judge.high), abs=1e-9)


@given(st.integers(1, 300), st.data())
@settings(deadline=None)
def test_tangos_score_at_no_difference_is_mcnemars(n: int, data: st.DataObject) -> None:
    fixed = data.draw(st.integers(0, n))
    broken = data.draw(st.integers(0, n - fixed))
    if fixed + broken == 0:
        return
    chi2 = (fixed - broken) ** 2 / (fixed + broken)
    assert float(score(fixed, broken, n, 0.0)) ** 2 == pytest.approx(chi2)
    p = paired_proportion_noninferiority(fixed, broken, n, margin=1e-9, method="score").pvalue
    judge = stats.chi2.sf(chi2, 1) / 2
    assert p == pytest.approx(judge if fixed >= broken else 1 - judge, abs=1e-5)


@pytest.mark.parametrize(
    ("fixed", "broken", "n", "margin"), [(3, 1, 25, 0.1), (0, 2, 40, 0.15), (6, 6, 60, 0.1)]
)
def test_the_exact_p_value_is_a_sum_of_scipys_multinomial(
    fixed: int, broken: int, n: int, margin: float
) -> None:
    i, j = (index.ravel() for index in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    inside = i + j <= n
    i, j = i[inside], j[inside]
    extreme = score(i, j, n, -margin) >= float(score(fixed, broken, n, -margin)) - 1e-10
    counts = np.stack([i, j, n - i - j], axis=1)[extreme]
    tails = [
        stats.multinomial.pmf(counts, n, [q, q + margin, max(0.0, 1 - 2 * q - margin)]).sum()
        for q in np.linspace(1e-9, (1 - margin) / 2 - 1e-9, 600)
    ]
    ours = paired_proportion_noninferiority(fixed, broken, n, margin=margin).pvalue
    assert ours == pytest.approx(max(tails), abs=1e-5)


@given(samples, st.sampled_from([0.8, 0.9, 0.92, 0.99]))
@settings(deadline=None)
def test_the_ordinary_t_is_scipys(values: list[float], confidence: float) -> None:
    found = paired_mean_ci(values, confidence=confidence, method="t")
    judge = stats.ttest_1samp(values, 0).confidence_interval(confidence)
    assert (found.lower, found.upper) == pytest.approx((judge.low, judge.high), abs=1e-9)
    assert found.se == pytest.approx(stats.sem(values))


@given(samples)
@settings(deadline=None)
def test_hall_without_skewness_is_the_ordinary_t(values: list[float]) -> None:
    symmetric = [*values, *(-value for value in values)]
    hall, t = paired_mean_ci(symmetric), paired_mean_ci(symmetric, method="t")
    assert (hall.lower, hall.upper) == pytest.approx((t.lower, t.upper), abs=1e-9)


def test_halls_limit_is_where_his_statistic_is_students() -> None:
    """From the definition: n^(1/2) g((m - L)/s) is Student's quantile, with scipy's skewness."""
    rng = np.random.default_rng(7)
    for values in (rng.beta(2, 5, 40), rng.exponential(1, 25), -rng.exponential(1, 60)):
        n, m, s = values.size, values.mean(), values.std(ddof=1)
        skew = stats.skew(values) * ((n - 1) / n) ** 1.5  # theirs divides by the sd with ddof 0
        found = paired_mean_ci(values)
        for limit, level in ((found.lower, 0.95), (found.upper, 0.05)):
            w = (m - limit) / s
            g = w + skew / 3 * w**2 + skew**2 / 27 * w**3 + skew / (6 * n)
            assert math.sqrt(n) * g == pytest.approx(stats.t.ppf(level, n - 1), abs=1e-8)


@given(samples)
@settings(deadline=None)
def test_a_bounded_metrics_harm_is_never_below_scipys_t(values: list[float]) -> None:
    found = evaluate_metric(
        "bounded", np.zeros(len(values)), values, margin=0.05, value_range=(-1, 1), role="both"
    )
    if "hall-t" not in found.method:
        return
    judge = stats.ttest_1samp(values, 0)
    if len(values) >= 5 and np.count_nonzero(values) >= 5:
        assert found.p_harm >= stats.t.cdf(judge.statistic, judge.df) - 1e-12
        assert found.upper >= judge.confidence_interval(0.9).high - 1e-9 or found.upper == pytest.approx(2)


@pytest.mark.parametrize("n", [8, 40, 300])
def test_a_ratio_is_scipys_t_on_logs(n: int) -> None:
    rng = np.random.default_rng(n)
    before = rng.lognormal(0, 1, n)
    after = before * rng.lognormal(0.05, 0.3, n)
    judge = stats.ttest_rel(np.log(after), np.log(before))
    interval = judge.confidence_interval(0.9)
    found = geometric_mean_ratio(before, after)
    assert (found.lower, found.upper) == pytest.approx((math.exp(interval.low), math.exp(interval.high)))
    assert found.estimate == pytest.approx(stats.gmean(after) / stats.gmean(before))
    metric = evaluate_metric("ratio", before, after, margin=0.2)
    assert (metric.lower + 1, metric.upper + 1) == pytest.approx((found.lower, found.upper))
    assert metric.p_harm == pytest.approx(
        stats.ttest_rel(np.log(after), np.log(before), alternative="greater").pvalue
    )
    less = stats.ttest_1samp(np.log(after / before), math.log(1.2), alternative="less").pvalue
    assert metric.p_noninferior == pytest.approx(less)


@given(st.lists(st.floats(-1, 1).map(lambda x: round(x, 2)), min_size=3, max_size=10))
@settings(deadline=None, max_examples=40)
def test_flipping_signs_is_scipys_permutation_test(values: list[float]) -> None:
    # scipy's tolerance for ties is a share of the statistic: at 0 it has none, and misses ties by rounding.
    assume(abs(sum(values)) > 1e-6)
    for alternative in ("greater", "less", "two-sided"):
        judge = stats.permutation_test(
            (np.array(values),),
            lambda x, axis: np.mean(x, axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=np.inf,
            alternative=alternative,
        )
        assert sign_flip_test(values, alternative=alternative).pvalue == pytest.approx(judge.pvalue)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(deadline=None)
def test_corrections_for_many_questions_are_the_published_ones(pvalues: list[float]) -> None:
    assert adjust_pvalues(pvalues, method="bh") == pytest.approx(
        stats.false_discovery_control(pvalues), abs=1e-12
    )
    holm = adjust_pvalues(pvalues)
    for level in (0.01, 0.05, 0.2):
        rejected = [False] * len(pvalues)
        for rank, index in enumerate(np.argsort(pvalues)):  # Holm's steps, from the definition
            if pvalues[index] > level / (len(pvalues) - rank):
                break
            rejected[index] = True
        close = any(abs(p - level) < 1e-12 for p in holm)
        assert close or [p <= level for p in holm] == rejected


@pytest.mark.parametrize(("passed", "n"), [(0, 1), (50, 60), (59, 59), (117, 120)])
@pytest.mark.parametrize("alpha", [0.05, 0.04])
def test_floors_and_nevers_are_scipys_exact_interval(passed: int, n: int, alpha: float) -> None:
    judge = stats.binomtest(passed, n).proportion_ci(1 - 2 * alpha, "exact")
    values = [1.0] * passed + [0.0] * (n - passed)
    found = floor_result("binary", values, floor=0.5, alpha=alpha)
    assert (found.lower, found.upper) == pytest.approx((judge.low, judge.high))
    broken = stats.binomtest(n - passed, n).proportion_ci(1 - 2 * alpha, "exact").high
    assert never_result("binary", values, alpha=alpha).rate_upper == pytest.approx(broken)


@pytest.mark.parametrize(("n", "sd", "margin"), [(50, 0.3, 0.1), (400, 0.2, 0.02)])
def test_planned_sizes_have_the_power_that_was_asked_for(n: int, sd: float, margin: float) -> None:
    needed = sample_size(sd_diff=sd, margin=margin).n
    power = stats.norm.sf(stats.norm.ppf(0.95) - margin / sd * math.sqrt(needed))
    assert 0.80 <= power <= 0.81 + 5 / needed
    seen = minimum_detectable_effect(sd_diff=sd, n=n)
    assert stats.norm.sf(stats.norm.ppf(0.95) - seen / sd * math.sqrt(n)) == pytest.approx(0.80)


@pytest.mark.parametrize(("n", "discordant"), [(60, 0.1), (150, 0.1), (200, 0.04)])
def test_the_chance_of_passing_is_a_sum_of_scipys_multinomial(n: int, discordant: float) -> None:
    i, j = (index.ravel() for index in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    inside = i + j <= n
    i, j = i[inside], j[inside]
    passing = score(i, j, n, -0.05) >= stats.norm.ppf(0.95)
    passing[(i + j) == 0] = n >= 59  # ties alone: (1 - .05)^59 is below .05
    masses = stats.multinomial.pmf(
        np.stack([i, j, n - i - j], axis=1), n, [discordant / 2, discordant / 2, 1 - discordant]
    )
    assert chance_of_passing(n, margin=0.05, discordant=discordant) == pytest.approx(
        masses[passing].sum(), abs=1e-6
    )


def test_the_package_judges_pass_and_fail_without_scipy_stats() -> None:
    program = (
        "import sys\n"
        "from promptops.stats.metric import evaluate_metric\n"
        "evaluate_metric('binary', [1.0] * 80, [1.0] * 79 + [0.0], margin=0.05, role='both')\n"
        "sys.exit('scipy.stats' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
