"""Whether scores moved between two windows of production: one comparison of means, made once.

The windows hold different samples, so nothing is paired. Refuses to be a monitor: looking every day at 5 % calls a
drift that is not there every three weeks (`streams.e_detector` may be looked at all the time).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from promptops.stats.clusters import ENOUGH_CLUSTERS, Grouped, grouped
from promptops.stats.distributions import t_quantile, t_tail
from promptops.stats.results import BadNumbers, as_json, check_confidence
from promptops.stats.summary import ENOUGH, TINY

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The mean of the current window minus that of the reference, on the scores' own scale.

    `p_fell` is for H0 "not lower than before", `p_rose` for H0 "not higher", `pvalue` two-sided. All are None, and
    the limits too, where nothing can be said; a warning says why.
    """

    estimate: float
    lower: float | None
    upper: float | None
    p_fell: float | None
    p_rose: float | None
    pvalue: float | None
    se: float
    df: float | None
    confidence: float
    n_reference: int
    n_current: int
    method: str
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return as_json(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gap:
    """A difference of two independent means: its error, degrees of freedom, and standardised third moment."""

    mean: float
    se: float
    df: float
    skew: float


def compare_windows(
    reference: ArrayLike,
    current: ArrayLike,
    *,
    reference_clusters: ArrayLike | None = None,
    current_clusters: ArrayLike | None = None,
    confidence: float = 0.90,
) -> Moved:
    """Compare the means of two windows of scores, one number per answer, none missing.

    Welch's t with Satterthwaite's degrees of freedom; without clusters the more cautious of it and Hall's (1992)
    correction for skewness, for two means. With cluster labels (in both windows) each variance is CR2 with the
    degrees of freedom of its own (`clusters`). Assumes independent windows and independent clusters: nobody's
    conversation is in both. Warns `few_differences` where fewer than 5 scores differ from the common one.

    Raises:
        BadNumbers: an empty window, values not finite, labels for one window only or of another number.
    """
    check_confidence(confidence)
    before, after = _finite(reference), _finite(current)
    if (reference_clusters is None) != (current_clusters is None):
        raise BadNumbers("length_mismatch", "cluster labels are needed for both windows or for neither")
    edge = TINY * float(np.abs(np.concatenate([before, after])).max())
    old = grouped(before, clusters=reference_clusters, edge=edge)
    new = grouped(after, clusters=current_clusters, edge=edge)
    clustered = reference_clusters is not None
    warnings, gap = _warnings(before, after, old, new, clustered), _gap(old, new)
    silent = bool({"too_few_values", "too_few_clusters", "zero_variance"} & set(warnings))
    lower, upper = (None, None) if silent else _limits(gap, (1 - confidence) / 2, clustered)
    rose, fell = (None, None) if silent else (_p(gap, clustered), _p(_turned(gap), clustered))
    return Moved(
        estimate=gap.mean,
        lower=lower,
        upper=upper,
        p_fell=fell,
        p_rose=rose,
        pvalue=None if rose is None or fell is None else min(1.0, 2 * min(rose, fell)),
        se=gap.se,
        df=None if silent else gap.df,
        confidence=confidence,
        n_reference=before.size,
        n_current=after.size,
        method="welch-cr2" if clustered else "welch-hall",
        warnings=warnings,
    )


def _finite(values: ArrayLike) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or found.size == 0:
        raise BadNumbers("no_pairs", "a window without a score has no mean")
    if not np.isfinite(found).all():
        raise BadNumbers("not_finite", "scores must be finite numbers; leave a missing one out")
    return found


def _warnings(before: Floats, after: Floats, old: Grouped, new: Grouped, clustered: bool) -> tuple[str, ...]:
    pool = np.concatenate([before, after])
    values, counts = np.unique(pool, return_counts=True)
    common = values[counts.argmax()]
    least = min(old.clusters, new.clusters)
    found = {
        "too_few_clusters": clustered and least < ENOUGH_CLUSTERS,
        "too_few_values": not clustered and least < 2,
        "zero_variance": old.se == new.se == 0,
        "few_differences": int(np.count_nonzero(pool != common)) < ENOUGH,
    }
    return tuple(name for name, holds in found.items() if holds)


def _gap(old: Grouped, new: Grouped) -> _Gap:
    variance = old.se**2 + new.se**2
    if variance == 0:
        return _Gap(mean=new.mean - old.mean, se=0.0, df=0.0, skew=0.0)
    uncertainty = sum(one.se**4 / one.df for one in (old, new) if one.df > 0)
    third = new.skew * new.se**3 - old.skew * old.se**3
    return _Gap(
        mean=new.mean - old.mean,
        se=math.sqrt(variance),
        df=variance**2 / uncertainty if uncertainty else 0.0,
        skew=third / variance**1.5,
    )


def _turned(gap: _Gap) -> _Gap:
    return _Gap(mean=-gap.mean, se=gap.se, df=gap.df, skew=-gap.skew)


def _p(gap: _Gap, clustered: bool) -> float:
    """The p-value of H0 "the mean did not rise"."""
    t = gap.mean / gap.se
    return t_tail(t if clustered else min(t, _hall(t, gap.skew)), gap.df)


def _limits(gap: _Gap, tail: float, clustered: bool) -> tuple[float, float]:
    t = t_quantile(1 - tail, gap.df)
    below, above = (t, -t) if clustered else (max(t, _unhall(t, gap.skew)), min(-t, _unhall(-t, gap.skew)))
    return gap.mean - gap.se * below, gap.mean - gap.se * above


def _hall(t: float, skew: float) -> float:
    """Hall's monotone transformation of t, with the third moment of the mean itself in place of skewness / sqrt(n)."""
    a = skew / 3
    return t + a * t**2 + a**2 * t**3 / 3 + skew / 6


def _unhall(x: float, skew: float) -> float:
    a = skew / 3
    return x if abs(a) < 1e-8 else float((np.cbrt(1 + 3 * a * (x - skew / 6)) - 1) / a)
