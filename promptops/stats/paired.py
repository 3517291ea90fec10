"""The mean of paired differences on a bounded scale, with limits that small samples deserve.

Two rules above the textbook: the more cautious of Hall's and the ordinary t limit counts, and where too few
differences carry information a bounded-score argument takes over, so that thirty identical pairs never
prove that nothing changed. Refuses intervals of zero width, and bootstraps (their size is wrong here).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from promptops.stats.binary import mcnemar_test, tango_limits
from promptops.stats.clusters import Grouped
from promptops.stats.distributions import normal_tail, t_quantile, t_tail
from promptops.stats.results import BadNumbers, Interval, check_confidence
from promptops.stats.summary import ENOUGH, TINY, Floats, Moments, Summary, moments
from promptops.stats.tango import score


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One limit of the mean and the one-sided p-values that belong to it, by one method.

    `p_margin` is for H0 "beyond the margin on this side", `p_zero` for H0 "zero or on this side of it".
    """

    limit: float
    p_margin: float
    p_zero: float
    method: str


def paired_mean_ci(
    diffs: ArrayLike,
    *,
    confidence: float = 0.90,
    method: Literal["hall", "t"] = "hall",
    value_range: float | None = None,
) -> Interval:
    """Interval for the mean of paired differences; the pure formulas without cautious rule and fallback.

    "hall": Hall's (1992) cubic transformation of t, corrected for skewness; needs 3 differences. "t": the
    ordinary paired t; needs 2. `value_range` R clips the limits to [-R, R]. Without variance, or with fewer
    differences, the limits are None and a warning says why: such an interval would have no width.
    """
    check_confidence(confidence)
    values = _finite(diffs)
    if method not in ("hall", "t"):
        raise BadNumbers("unknown_method", f"unknown method {method!r} for a mean: hall or t")
    m = moments(values)
    problem = _no_limits(m, values, needed=3 if method == "hall" else 2)
    lower, upper = (None, None) if problem else _limits(m, confidence, method, value_range)
    return Interval(
        estimate=m.mean,
        lower=lower,
        upper=upper,
        confidence=confidence,
        method=method,
        n=m.n,
        se=m.se,
        warnings=problem,
    )


def _no_limits(m: Moments, values: Floats, *, needed: int) -> tuple[str, ...]:
    if m.n < needed:
        return ("too_few_pairs",)
    # The standard deviation of a constant may be 3e-18.
    return ("zero_variance",) if m.sd <= TINY * float(np.abs(values).max()) else ()


def _limits(m: Moments, confidence: float, method: str, value_range: float | None) -> tuple[float, float]:
    limit = _hall_limit if method == "hall" else _t_limit
    tail, e = (1 - confidence) / 2, _estimate(m)
    bound = math.inf if value_range is None else value_range
    return max(limit(e, 1 - tail), -bound), min(limit(e, tail), bound)


def _finite(diffs: ArrayLike) -> Floats:
    values = np.asarray(diffs, dtype=float)
    if values.size == 0:
        raise BadNumbers("no_pairs", "there is no difference to average")
    if not np.isfinite(values).all():
        raise BadNumbers("not_finite", "differences must be finite numbers")
    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class _Estimate:
    """A mean, its standard error, the degrees of freedom of that, and the skewness of the mean itself."""

    mean: float
    se: float
    df: float
    skew: float


def _estimate(found: Moments | Grouped) -> _Estimate:
    if isinstance(found, Grouped):
        return _Estimate(mean=found.mean, se=found.se, df=found.df, skew=found.skew)
    return _Estimate(mean=found.mean, se=found.se, df=found.n - 1, skew=found.skew / math.sqrt(found.n))


def _t_limit(e: _Estimate, level: float) -> float:
    return e.mean - e.se * t_quantile(level, e.df)


def _hall_limit(e: _Estimate, level: float) -> float:
    return e.mean - e.se * _hall_inverse(t_quantile(level, e.df), e.skew)


def _hall(t: float, skew: float) -> float:
    return t + skew * (t**2 / 3 + 1 / 6) + skew**2 * t**3 / 27


def _hall_inverse(x: float, skew: float) -> float:
    if abs(skew) < 1e-8:
        return x
    return float(3 / skew * (np.cbrt(1 + skew * (x - skew / 6)) - 1))


def _t_p(e: _Estimate, d0: float) -> float:
    return t_tail((e.mean - d0) / e.se, e.df)


def _hall_p(e: _Estimate, d0: float) -> float:
    return t_tail(_hall((e.mean - d0) / e.se, e.skew), e.df)


def cautious_side(found: Moments | Grouped, *, margin: float, alpha: float, value_range: float) -> Side:
    """The lower side by Hall and by t, whichever claims less; the standard error must not be zero.

    For clusters and weights the standard error is CR2, the degrees of freedom Satterthwaite's, and the skewness
    that of the sum of cluster totals: few clusters of which one in ten falls deep are as skewed as few samples,
    and t alone would call them safe in one of eight tests where it should be one of twenty.
    """
    e, units = _estimate(found), found if isinstance(found, Grouped) else None
    limit = min(_t_limit(e, 1 - alpha), _hall_limit(e, 1 - alpha))
    return Side(
        limit=max(limit, -value_range),
        p_margin=max(_t_p(e, -margin), _hall_p(e, -margin)),
        p_zero=max(_t_p(e, 0.0), _hall_p(e, 0.0)),
        method="hall-t" if units is None else "hajek-hall-t" if units.weighted else "cr2-hall-t",
    )


def bounded_score_side(found: Summary, *, margin: float, alpha: float, value_range: float) -> Side:
    """The lower side from gains and losses used as fractional fixed and broken pairs in Tango's score.

    Conservative because d^2 <= |d| on the unit scale; the same as Tango's for 0/1 data; never of zero width.
    Clusters count as their means, as many as their sizes are worth. Two guards beyond the score, which is
    asymptotic: not even n ties prove a margin before (1 - margin)^n <= alpha, and fewer than 5 differences prove
    no direction that their signs alone (mid-p) would not.
    """
    units = found if found.grouped is None else found.grouped
    n = found.n if found.grouped is None else found.grouped.effective
    gain, loss, share = units.gain / value_range, units.loss / value_range, margin / value_range
    lower, _ = tango_limits(gain, loss, n, alpha=alpha)
    few = units.ups + units.downs < ENOUGH
    by_sign = mcnemar_test(units.ups, units.downs, alternative="greater").pvalue if few else 0.0
    return Side(
        limit=value_range * lower,
        p_margin=max(normal_tail(float(score(gain, loss, n, -share))), (1 - share) ** n),
        p_zero=max(normal_tail(float(score(gain, loss, n, 0.0))), by_sign),
        method="bounded-score",
    )


def lower_side(found: Summary, *, margin: float, alpha: float, value_range: float) -> Side:
    """The lower limit of the mean difference, for non-inferiority (`p_margin`) and superiority (`p_zero`).

    The fallback decides when fewer than 5 differences reach the margin: jitter everywhere and a rare
    catastrophe look harmless to a t test until the catastrophe is drawn often enough.
    """
    return _side(found, found.informative, margin=margin, alpha=alpha, value_range=value_range)


def upper_side(found: Summary, *, margin: float, alpha: float, value_range: float) -> Side:
    """The upper limit of the mean difference and, as `p_zero`, the test that the candidate is worse."""
    side = _side(found.mirrored(), found.moved, margin=margin, alpha=alpha, value_range=value_range)
    return Side(limit=-side.limit, p_margin=side.p_margin, p_zero=side.p_zero, method=side.method)


def _side(found: Summary, informative: int, *, margin: float, alpha: float, value_range: float) -> Side:
    """By the fallback where too few differences carry information, else by the t tests."""
    if informative < ENOUGH or found.units < ENOUGH or found.spread < TINY * value_range:
        return bounded_score_side(found, margin=margin, alpha=alpha, value_range=value_range)
    return cautious_side(found.grouped or found, margin=margin, alpha=alpha, value_range=value_range)
