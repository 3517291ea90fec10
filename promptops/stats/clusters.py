"""The mean of differences that come in clusters (conversations, users) or with weights.

Samples of one cluster resemble each other, so they count for less than their number: the cluster is what was
drawn, and its total is what varies. Everything is a closed form in O(n): cluster-robust variance CR2 with
Satterthwaite degrees of freedom (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018), for the weighted mean too.
Assumed: clusters are independent draws; nothing about what happens inside one. Refuses to call one cluster an
interval, and resampling clusters (the size of a bootstrap of few clusters is wrong).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from promptops.stats.distributions import normal_quantile, t_quantile
from promptops.stats.results import BadNumbers, Interval, check_confidence
from promptops.stats.sandwich import Shares, Spread, cr1, cr2, product, shares_of

Floats = NDArray[np.float64]

LOW_DF = 4.0  # below, the tail of t is so heavy that the limits depend on its approximation
ENOUGH_CLUSTERS = 5
TINY = 1e-12  # of the largest difference: what floating point leaves of clusters that agree


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """What the tests use of differences in clusters, plain numbers only; differences keep their own scale.

    `largest` is the number of samples of the largest cluster. `mean` is the weighted (Hájek) mean, `se` its CR2
    standard error, `df` Satterthwaite's degrees of freedom; with one cluster both are 0, and so is `se` where
    all clusters have the same mean: neither is fit for a t test. `skew` is the third standardised moment of the
    mean itself (skewness / sqrt(n) where every cluster is one sample). `effective` is the number of equal clusters
    that would weigh like these, 1 / sum P_g^2 with P_g the cluster's share of the weight; `gain` and `loss` are
    the sums of the positive and of the negative cluster means on that number: (gain - loss) / effective = mean.
    `ups` and `downs` count clusters by the sign of their mean, `moved` is their sum, `telling` those that hold a
    difference of at least the margin. `lifted` is Kish's effective number of samples under the weights, sum(w)^2 /
    sum(w^2). `deff` is the variance relative to that of as many independent samples of one weight; `icc` the
    one-way analysis of variance's estimate (unweighted), 0 where it is negative, None without repetition.
    """

    clusters: int
    largest: int
    mean: float
    se: float
    df: float
    skew: float
    effective: float
    gain: float
    loss: float
    ups: int
    downs: int
    telling: int
    weighted: bool
    lifted: float
    deff: float | None = None
    icc: float | None = None

    @property
    def moved(self) -> int:
        return self.ups + self.downs

    def mirrored(self) -> Grouped:
        """The same for the values with their signs changed."""
        return replace(
            self,
            mean=-self.mean,
            skew=-self.skew,
            gain=self.loss,
            loss=self.gain,
            ups=self.downs,
            downs=self.ups,
        )


def cluster_robust_mean(
    diffs: ArrayLike,
    clusters: ArrayLike,
    *,
    confidence: float = 0.90,
    kind: Literal["CR2", "CR1"] = "CR2",
    weights: ArrayLike | None = None,
) -> Interval:
    """Interval for the mean of differences whose samples come in clusters.

    "CR2": the Bell-McCaffrey variance with t on Satterthwaite's degrees of freedom (`df`). "CR1": the usual sandwich
    times G / (G - 1) with a normal quantile, for comparison with other programs; it is liberal below 50 clusters.
    `weights` are sampling weights: positive, of any scale. Limits are None with one cluster ("too_few_clusters") or
    where the clusters do not differ ("zero_variance"); fewer than 5 clusters and `df` below 4 are warned of.

    Raises:
        BadNumbers: no difference, one not finite, another number of labels or weights, a weight not positive.
    """
    check_confidence(confidence)
    if kind not in ("CR2", "CR1"):
        raise BadNumbers("unknown_method", f"unknown cluster-robust variance {kind!r}: CR2 or CR1")
    values = _finite(diffs)
    shares = shares_of(values.size, clusters, weights)
    spread = cr2(values, shares) if kind == "CR2" else cr1(values, shares)
    problems = _problems(shares.share.size, spread, values)
    reach = _reach(spread, confidence) if "zero_variance" not in problems else None
    return Interval(
        estimate=spread.mean,
        lower=None if reach is None else spread.mean - reach,
        upper=None if reach is None else spread.mean + reach,
        confidence=confidence,
        method=f"{kind.lower()}-{'t' if kind == 'CR2' else 'z'}",
        n=values.size,
        se=math.sqrt(spread.variance),
        df=spread.df if math.isfinite(spread.df) else None,
        n_clusters=shares.share.size,
        warnings=problems,
    )


def grouped(
    values: Floats,
    *,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    edge: float,
    margin: float = 0.0,
) -> Grouped:
    """Summarise finite differences by cluster; without `clusters` every sample is one.

    `clusters` are labels of any kind, or codes 0, 1, … (faster, gaps allowed); `edge` is what rounding leaves of a
    zero, `margin` the size from which a difference is telling, both on the scale of the values.

    Raises:
        BadNumbers: no difference, another number of labels or weights, a weight not positive.
    """
    shares = shares_of(values.size, clusters, weights)
    spread = cr2(values, shares)
    means = shares.totals(shares.per_sample * values) / shares.share
    effective = 1.0 / product(shares.share, shares.share)
    same = spread.variance * effective <= edge * edge
    return Grouped(
        clusters=shares.share.size,
        largest=int(shares.size.max()),
        mean=spread.mean,
        se=0.0 if same else math.sqrt(spread.variance),
        df=spread.df,
        skew=0.0 if same else spread.skew,
        effective=effective,
        gain=effective * product(shares.share, np.maximum(means, 0.0)),
        loss=effective * product(shares.share, np.maximum(-means, 0.0)),
        ups=int(np.count_nonzero(means > edge)),
        downs=int(np.count_nonzero(means < -edge)),
        telling=_telling(values, shares, max(edge, margin * (1 - 1e-9))),
        deff=_deff(values, shares, spread, edge),
        icc=_icc(values, shares, edge),
        weighted=weights is not None,
        lifted=1.0 / float(shares.square.sum()),
    )


def _problems(count: int, spread: Spread, values: Floats) -> tuple[str, ...]:
    found = ["too_few_clusters"] if count < ENOUGH_CLUSTERS else []
    found += ["low_df"] if spread.df < LOW_DF else []
    nothing = math.sqrt(spread.variance) <= TINY * float(np.abs(values).max())
    return (*found, "zero_variance") if nothing else tuple(found)


def _reach(spread: Spread, confidence: float) -> float:
    """Half the width of the interval."""
    level = (1 + confidence) / 2
    quantile = t_quantile(level, spread.df) if math.isfinite(spread.df) else normal_quantile(level)
    return quantile * math.sqrt(spread.variance)


def _telling(values: Floats, shares: Shares, margin: float) -> int:
    reaching = shares.codes[(np.abs(values) >= margin) & (values != 0)]
    return int(np.count_nonzero(np.bincount(reaching, minlength=shares.share.size)))


def _deff(values: Floats, shares: Shares, spread: Spread, edge: float) -> float | None:
    n = values.size
    if shares.share.size < 2:
        return None
    squares = product(shares.per_sample, (values - spread.mean) ** 2)
    single = squares / (n - 1)  # s^2 / n with s^2 = squares * n / (n - 1)
    return spread.variance / single if squares > edge * edge else None


def _icc(values: Floats, shares: Shares, edge: float) -> float | None:
    """(MSB - MSW) / (MSB + (n0 - 1) MSW) with n0 = (n - sum n_g^2 / n) / (G - 1) (Donner 1986), not below 0."""
    n, count = values.size, shares.share.size
    if count < 2 or count == n:
        return None
    centred = values - values.mean()
    means = shares.totals(centred) / shares.size
    between = product(shares.size, means * means) / (count - 1)
    within = float(np.sum((centred - means[shares.codes]) ** 2)) / (n - count)
    usual = (n - product(shares.size, shares.size) / n) / (count - 1)
    spread = between + (usual - 1) * within
    return max(0.0, (between - within) / spread) if spread > edge * edge else None


def _finite(diffs: ArrayLike) -> Floats:
    values = np.asarray(diffs, dtype=np.float64)
    if not np.isfinite(values).all():
        raise BadNumbers("not_finite", "differences must be finite numbers")
    return values
