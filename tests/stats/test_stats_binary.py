from __future__ import annotations

import math
import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from promptops.stats.binary import (
    mcnemar_test,
    paired_proportion_ci,
    paired_proportion_noninferiority,
    proportion_ci,
)
from promptops.stats.results import BadNumbers
from promptops.stats.tango import score, score_of

tables = st.integers(1, 60).flatmap(
    lambda n: st.integers(0, n).flatmap(
        lambda fixed: st.tuples(st.just(fixed), st.integers(0, n - fixed), st.just(n))
    )
)


@pytest.mark.parametrize("fixed", range(6))
@pytest.mark.parametrize("broken", range(6))
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_exact_mcnemar_is_the_binomial_test(fixed: int, broken: int, alternative: str) -> None:
    found = mcnemar_test(fixed, broken, method="exact", alternative=alternative)
    expected = (
        1.0 if fixed + broken == 0 else stats.binomtest(fixed, fixed + broken, alternative=alternative).pvalue
    )
    assert found.pvalue == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("fixed", "broken"), [(0, 3), (2, 9), (7, 7), (30, 12)])
def test_midp_counts_half_of_what_was_seen(fixed: int, broken: int) -> None:
    coin = stats.binom(fixed + broken, 0.5)
    greater = mcnemar_test(fixed, broken, alternative="greater").pvalue
    assert greater == pytest.approx(coin.sf(fixed) + 0.5 * coin.pmf(fixed), abs=1e-12)
    low = min(fixed, broken)
    two_sided = 1.0 if fixed == broken else min(1.0, 2 * coin.cdf(low) - coin.pmf(low))
    assert mcnemar_test(fixed, broken).pvalue == pytest.approx(two_sided, abs=1e-12)


def test_no_discordant_pair_is_no_evidence() -> None:
    for alternative in ("two-sided", "greater", "less"):
        assert mcnemar_test(0, 0, alternative=alternative).pvalue == 1.0


@given(st.integers(0, 200), st.integers(0, 200))
@settings(deadline=None)
def test_swapping_the_arms_exchanges_better_and_worse(fixed: int, broken: int) -> None:
    one = mcnemar_test(fixed, broken, alternative="greater").pvalue
    assert one == mcnemar_test(broken, fixed, alternative="less").pvalue


def test_tangos_published_example() -> None:
    found = paired_proportion_ci(0, 1, 44)
    assert (round(found.lower, 3), round(found.upper, 3)) == (-0.096, 0.037)
    assert round(float(score(0, 1, 44, -0.1)), 3) == 1.709


@given(tables, st.sampled_from([0.5, 0.8, 0.9, 0.95]))
@settings(deadline=None, max_examples=60)
def test_tangos_interval_obeys_its_laws(table: tuple[int, int, int], confidence: float) -> None:
    fixed, broken, n = table
    found = paired_proportion_ci(fixed, broken, n, confidence=confidence)
    mirrored = paired_proportion_ci(broken, fixed, n, confidence=confidence)
    wider = paired_proportion_ci(fixed, broken, n, confidence=(1 + confidence) / 2)
    assert -1 <= found.lower <= found.estimate <= found.upper <= 1
    assert found.upper > found.lower
    assert (mirrored.lower, mirrored.upper) == pytest.approx((-found.upper, -found.lower), abs=1e-9)
    assert wider.lower <= found.lower + 1e-12
    assert wider.upper >= found.upper - 1e-12


@given(tables, st.sampled_from([0.8, 0.9, 0.95]))
@settings(deadline=None, max_examples=60)
def test_a_tied_pair_never_widens_tangos_interval(table: tuple[int, int, int], confidence: float) -> None:
    fixed, broken, n = table
    if abs(fixed - broken) > 0.6 * n:
        return  # at 3 fixed of 3 the interval ends at 1, and a tie frees it: there the law does not hold
    before = paired_proportion_ci(fixed, broken, n, confidence=confidence)
    after = paired_proportion_ci(fixed, broken, n + 1, confidence=confidence)
    assert after.upper - after.lower <= before.upper - before.lower + 1e-9


@given(tables, st.sampled_from([0.01, 0.05, 0.2, 0.5]))
@settings(deadline=None, max_examples=60)
def test_the_score_test_and_the_interval_agree(table: tuple[int, int, int], margin: float) -> None:
    fixed, broken, n = table
    lower = paired_proportion_ci(fixed, broken, n).lower
    p = paired_proportion_noninferiority(fixed, broken, n, margin=margin, method="score").pvalue
    if abs(lower + margin) > 1e-9:
        assert (lower > -margin) == (p < 0.05)


@pytest.mark.parametrize(("n", "everything_broken"), [(5, -1.0), (1, -1.0)])
def test_an_extreme_estimate_ends_the_interval(n: int, everything_broken: float) -> None:
    assert paired_proportion_ci(0, n, n).lower == everything_broken
    assert paired_proportion_ci(n, 0, n).upper == -everything_broken


def enumerated(fixed: int, broken: int, n: int, margin: float) -> float:
    """The largest tail over a fine grid of the nuisance, from the definition."""
    rows = [(i, j) for i, j in product(range(n + 1), repeat=2) if i + j <= n]
    observed = float(score(fixed, broken, n, -margin))
    extreme = [(i, j) for i, j in rows if float(score(i, j, n, -margin)) >= observed - 1e-10]
    grid = np.linspace(0, (1 - margin) / 2, 1501)
    total = np.zeros_like(grid)
    for i, j in extreme:
        ways = math.comb(n, i) * math.comb(n - i, j)
        rest = np.clip(1 - 2 * grid - margin, 0, 1)
        total += ways * grid**i * (grid + margin) ** j * rest ** (n - i - j)
    return float(total.max())


@pytest.mark.parametrize("margin", [0.02, 0.05, 0.1, 0.3, 0.8])
@pytest.mark.parametrize(
    ("fixed", "broken", "n"),
    [(0, 0, 1), (0, 0, 7), (1, 0, 8), (0, 1, 12), (2, 1, 12), (3, 6, 11), (12, 0, 12)],
)
def test_the_exact_p_value_is_the_largest_enumerated_tail(
    fixed: int, broken: int, n: int, margin: float
) -> None:
    found = paired_proportion_noninferiority(fixed, broken, n, margin=margin).pvalue
    assert found == pytest.approx(enumerated(fixed, broken, n, margin), abs=2e-5)


def worst_size(n: int, margin: float) -> float:
    """The largest chance of a false PASS over the nuisance, by enumerating every table."""
    p = {
        (i, j): paired_proportion_noninferiority(i, j, n, margin=margin).pvalue
        for i, j in product(range(n + 1), repeat=2)
        if i + j <= n
    }
    grid = np.linspace(0, (1 - margin) / 2, 200)
    rest = np.clip(1 - 2 * grid - margin, 0, 1)
    size = sum(
        math.comb(n, i) * math.comb(n - i, j) * grid**i * (grid + margin) ** j * rest ** (n - i - j)
        for (i, j), value in p.items()
        if value <= 0.05
    )
    return float(np.max(size))


@pytest.mark.parametrize("n", [6, 14])
def test_the_exact_test_never_exceeds_its_size(n: int) -> None:
    assert worst_size(n, 0.2) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("n", "measured"), [(20, 0.047), (50, 0.040)])
def test_the_exact_test_has_the_size_that_was_measured(n: int, measured: float) -> None:
    assert worst_size(n, 0.05) == pytest.approx(measured, abs=0.002)


@pytest.mark.parametrize("margin", [0.01, 0.02, 0.05])
def test_ties_alone_are_worth_a_power_of_what_is_left(margin: float) -> None:
    assert paired_proportion_noninferiority(0, 0, 40, margin=margin).pvalue == pytest.approx(
        (1 - margin) ** 40
    )


def test_the_exact_test_of_two_thousand_pairs_takes_half_a_second_at_most() -> None:
    paired_proportion_noninferiority(1, 1, 10, margin=0.05)
    start = time.process_time()
    paired_proportion_noninferiority(300, 300, 2000, margin=0.05)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("successes", "n"), [(0, 1), (1, 1), (0, 20), (3, 20), (19, 20), (20, 20), (500, 1000)]
)
@pytest.mark.parametrize("method", ["wilson", "clopper-pearson"])
def test_one_proportion_agrees_with_scipy(successes: int, n: int, method: str) -> None:
    found = proportion_ci(successes, n, confidence=0.95, method=method)
    theirs = stats.binomtest(successes, n).proportion_ci(0.95, {"wilson": "wilson"}.get(method, "exact"))
    assert (found.lower, found.upper) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: mcnemar_test(-1, 2), "bad_counts"),
        (lambda: mcnemar_test(1, 2, method="wald"), "unknown_method"),
        (lambda: paired_proportion_ci(3, 3, 5), "bad_counts"),
        (lambda: paired_proportion_ci(0, 0, 0), "no_pairs"),
        (lambda: paired_proportion_ci(0, 0, 5, confidence=1.0), "bad_confidence"),
        (lambda: paired_proportion_ci(0, 0, 5, method="wald"), "unknown_method"),
        (lambda: paired_proportion_noninferiority(0, 0, 5, margin=0), "bad_margin"),
        (lambda: paired_proportion_noninferiority(0, 0, 5, margin=1), "bad_margin"),
        (lambda: paired_proportion_noninferiority(0, 0, 0, margin=0.1), "no_pairs"),
        (lambda: paired_proportion_noninferiority(0, 0, 5, margin=0.1, method="wald"), "unknown_method"),
        (lambda: proportion_ci(1, 0), "bad_counts"),
        (lambda: proportion_ci(0, 0), "no_pairs"),
        (lambda: proportion_ci(1, 2, method="wald"), "unknown_method"),
    ],
)
def test_impossible_input_is_an_error_with_a_code(call, code: str) -> None:
    with pytest.raises(BadNumbers) as caught:
        call()
    assert caught.value.code == code
    assert isinstance(caught.value, ValueError)


@given(st.integers(1, 400), st.floats(-0.999, 0.999), st.data())
def test_the_score_of_one_table_is_that_of_an_array_of_tables(n: int, d0: float, data: st.DataObject) -> None:
    fixed = data.draw(st.integers(0, n))
    broken = data.draw(st.integers(0, n - fixed))
    assert score_of(fixed, broken, n, d0) == float(score(fixed, broken, n, d0))
