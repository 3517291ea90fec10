"""Ratios of positive, heavy-tailed measurements (latency, cost, tokens)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from promptops.stats.distributions import t_quantile, t_tail
from promptops.stats.paired import Side, bounded_score_side, cautious_side, paired_mean_ci
from promptops.stats.results import BadNumbers, Interval
from promptops.stats.summary import ENOUGH, TINY, Summary

CLIP = math.log(4)  # a single pair seldom becomes four times dearer or slower


def geometric_mean_ratio(baseline: ArrayLike, candidate: ArrayLike, *, confidence: float = 0.90) -> Interval:
    """Interval for exp(mean log(candidate / baseline)): the paired t on log ratios, exponentiated.

    Assumes independent pairs whose log ratios have a finite variance. `se` is that of the mean log ratio.
    Limits are None without variance, as in `paired_mean_ci`. Any value <= 0 is an error, never dropped.
    """
    before, after = np.asarray(baseline, dtype=float), np.asarray(candidate, dtype=float)
    if before.shape != after.shape:
        raise BadNumbers("length_mismatch", f"{before.size} baseline but {after.size} candidate values")
    if not (np.all(before > 0) and np.all(after > 0)):
        raise BadNumbers("nonpositive_value", "a ratio needs values above 0 in both versions")
    logs = paired_mean_ci(np.log(after / before), confidence=confidence, method="t")
    return replace(
        logs,
        estimate=math.exp(logs.estimate),
        lower=None if logs.lower is None else math.exp(logs.lower),
        upper=None if logs.upper is None else math.exp(logs.upper),
        method="log-t",
    )


def ratio_side(found: Summary, *, margin: float, alpha: float) -> Side:
    """The lower side of mean oriented log ratios (-log(c/b), positive is better); `margin` is a log too.

    The ordinary t, or the more cautious of Hall and t with CR2 for clusters, except where it would claim too much from
    too little: fewer than 5 pairs, fewer than 5 that differ, or no variance. Then the bounded-score argument on the
    range log 4 (or the largest seen).
    """
    value_range = max(CLIP, 2 * margin, found.largest)
    if found.units < ENOUGH or found.moved < ENOUGH or found.spread < TINY * value_range:
        return bounded_score_side(found, margin=margin, alpha=alpha, value_range=value_range)
    if found.grouped is not None:
        return cautious_side(found.grouped, margin=margin, alpha=alpha, value_range=math.inf)
    return Side(
        limit=found.mean - found.se * t_quantile(1 - alpha, found.n - 1),
        p_margin=t_tail((found.mean + margin) / found.se, found.n - 1),
        p_zero=t_tail(found.mean / found.se, found.n - 1),
        method="log-t",
    )
