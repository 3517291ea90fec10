"""Tests and intervals for pass/fail scores: one proportion, or pairs of them.

Pairs are given as counts: `fixed` (baseline failed, candidate passed), `broken` (the other way round) and `n`
(all pairs). Assumed: pairs are independent draws from the population of samples; nothing else.
Refuses Wald and unpaired tests: their sizes are wrong at the sample sizes people have.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from promptops.stats.distributions import (
    beta_quantile,
    fair_coin_mass,
    fair_coin_tail,
    normal_quantile,
    normal_tail,
)
from promptops.stats.noninferiority import exact_pvalue
from promptops.stats.results import Alternative, BadNumbers, Interval, TestResult, check_confidence
from promptops.stats.tango import score_of


def mcnemar_test(
    fixed: int,
    broken: int,
    *,
    method: Literal["midp", "exact"] = "midp",
    alternative: Alternative = "two-sided",
) -> TestResult:
    """McNemar's test that fixed and broken pairs are equally likely, given their number.

    "greater" asks whether the candidate is better, "less" whether it is worse. Mid-p (Fagerland, Lydersen &
    Laake 2013) is near-exact: its size stays at the nominal level in practice, without a guarantee; "exact"
    has the guarantee and less power. No discordant pair is no evidence: p = 1.
    """
    _check_counts(fixed, broken, fixed + broken)
    if method not in ("midp", "exact"):
        raise BadNumbers("unknown_method", f"unknown McNemar method {method!r}: midp or exact")
    weight = 0.5 if method == "midp" else 1.0
    p = _mcnemar_p(fixed, broken, weight, alternative)
    return TestResult(pvalue=p, method=f"mcnemar-{method}", alternative=alternative, n=fixed + broken)


def _mcnemar_p(fixed: int, broken: int, weight: float, alternative: Alternative) -> float:
    pairs = fixed + broken
    if pairs == 0:
        return 1.0
    if alternative == "two-sided":
        one_sided = _coin_p(max(fixed, broken), pairs, weight)
        return 1.0 if fixed == broken else min(1.0, 2 * one_sided)
    return _coin_p(fixed if alternative == "greater" else broken, pairs, weight)


def _coin_p(heads: int, throws: int, weight: float) -> float:
    return min(1.0, fair_coin_tail(heads, throws) + weight * fair_coin_mass(heads, throws))


def paired_proportion_ci(
    fixed: float, broken: float, n: int, *, confidence: float = 0.90, method: Literal["tango"] = "tango"
) -> Interval:
    """Tango's (1998) score interval for the difference of two paired proportions, candidate minus baseline.

    Asymptotic, but never of zero width: with no discordant pair it is +-z^2/(n + z^2). `fixed` and `broken`
    may be fractional masses, as the bounded-score fallback needs.
    """
    _check_counts(fixed, broken, n)
    if n == 0:
        raise BadNumbers("no_pairs", "there is no pair to compare")
    check_confidence(confidence)
    if method != "tango":
        raise BadNumbers("unknown_method", f"unknown method {method!r} for a paired interval: tango")
    lower, upper = tango_limits(fixed, broken, n, alpha=(1 - confidence) / 2)
    difference = (fixed - broken) / n
    return Interval(
        estimate=difference,
        lower=lower,
        upper=upper,
        confidence=confidence,
        method="tango",
        n=n,
        se=math.sqrt(max(fixed + broken - n * difference**2, 0.0)) / n,
    )


def tango_limits(fixed: float, broken: float, n: float, *, alpha: float) -> tuple[float, float]:
    """Both limits of Tango's interval, each at one-sided `alpha`."""
    z = normal_quantile(1 - alpha)
    if fixed + broken == 0:
        half = z * z / (n + z * z)
        return -half, half
    difference = (fixed - broken) / n

    def statistic(d0: float) -> float:
        return score_of(fixed, broken, n, d0)

    edge = 1 - 1e-12
    lower = -1.0 if difference <= -edge else _falling_root(lambda d: statistic(d) - z, -edge, difference)
    upper = 1.0 if difference >= edge else _falling_root(lambda d: statistic(d) + z, difference, edge)
    return lower, upper


def _falling_root(f: Callable[[float], float], low: float, high: float) -> float:
    """Return where the falling function `f` crosses zero between `low` and `high`."""
    while high - low > 1e-14:
        middle = (low + high) / 2
        if f(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def paired_proportion_noninferiority(
    fixed: int, broken: int, n: int, *, margin: float, method: Literal["exact", "score"] = "exact"
) -> TestResult:
    """Test H0 "the candidate passes at least `margin` less often" against "less than `margin` less often".

    `margin` is a difference of proportions in (0, 1). "score" is Tango's asymptotic statistic; "exact" orders
    all tables by it and takes the largest tail over the nuisance parameter, so its size never exceeds alpha
    (see `noninferiority.exact_pvalue`).
    """
    _check_counts(fixed, broken, n)
    if n == 0:
        raise BadNumbers("no_pairs", "there is no pair to compare")
    if not 0 < margin < 1:
        raise BadNumbers("bad_margin", f"a margin for proportions lies between 0 and 1, got {margin!r}")
    statistic = score_of(fixed, broken, n, -margin)
    if method == "score":
        return TestResult(pvalue=normal_tail(statistic), statistic=statistic, method="tango-score", n=n)
    if method != "exact":
        raise BadNumbers("unknown_method", f"unknown non-inferiority method {method!r}: exact or score")
    p = exact_pvalue(statistic, n, margin)
    return TestResult(pvalue=p, statistic=statistic, method="exact-unconditional", n=n)


def proportion_ci(
    successes: float,
    n: int,
    *,
    confidence: float = 0.90,
    method: Literal["wilson", "clopper-pearson"] = "wilson",
) -> Interval:
    """Interval for one proportion: Wilson's score, or Clopper & Pearson's with guaranteed coverage.

    `successes` may be a fractional mass of values on [0, 1]; the Clopper-Pearson limits then stay on the safe
    side, since such values vary less than pass/fail ones with the same mean.
    """
    _check_counts(successes, 0, n)
    if n == 0:
        raise BadNumbers("no_pairs", "a proportion of nothing has no interval")
    check_confidence(confidence)
    tail = (1 - confidence) / 2
    if method == "wilson":
        lower, upper = _wilson(successes, n, normal_quantile(1 - tail))
    elif method == "clopper-pearson":
        lower, upper = clopper_pearson_lower(successes, n, tail), clopper_pearson_upper(successes, n, tail)
    else:
        raise BadNumbers("unknown_method", f"unknown method {method!r}: wilson or clopper-pearson")
    return Interval(
        estimate=successes / n, lower=lower, upper=upper, confidence=confidence, method=method, n=n
    )


def _wilson(successes: float, n: int, z: float) -> tuple[float, float]:
    p, z2 = successes / n, z * z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    lower = 0.0 if successes == 0 else max(0.0, middle - half)
    upper = 1.0 if successes == n else min(1.0, middle + half)
    return lower, upper


def clopper_pearson_lower(successes: float, n: float, alpha: float) -> float:
    """The exact one-sided lower limit at level 1 - alpha."""
    return 0.0 if successes <= 0 else beta_quantile(alpha, successes, n - successes + 1)


def clopper_pearson_upper(successes: float, n: float, alpha: float) -> float:
    """The exact one-sided upper limit at level 1 - alpha."""
    return 1.0 if successes >= n else beta_quantile(1 - alpha, successes + 1, n - successes)


def _check_counts(fixed: float, broken: float, n: int) -> None:
    if n < 0 or fixed < 0 or broken < 0 or fixed + broken > n * (1 + 1e-9):
        raise BadNumbers("bad_counts", f"impossible counts: {fixed} and {broken} of {n}")
