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

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shares:
    """How samples fall into clusters: per cluster its share P of the weight, Q = sum of squared shares, size."""

    codes: Codes
    per_sample: Floats
    share: Floats
    square: Floats
    size: Floats

    def totals(self, values: Floats) -> Floats:
        return _sums(self.codes, values, self.share.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spread:
    """The mean of clustered values, its variance, its degrees of freedom and its standardised third moment."""

    mean: float
    variance: float
    df: float
    skew: float


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
    shares = _shares(values.size, clusters, weights)
    spread = _spread(values, shares) if kind == "CR2" else _sandwich(values, shares)
    problems = _problems(shares.share.size, spread, values)
    width = 0.0 if _no_limits(problems) else math.sqrt(spread.variance) * _quantile(confidence, spread.df)
    return Interval(
        estimate=spread.mean,
        lower=spread.mean - width if width else None,
        upper=spread.mean + width if width else None,
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
    shares = _shares(values.size, clusters, weights)
    spread = _spread(values, shares)
    means = shares.totals(shares.per_sample * values) / shares.share
    effective = 1.0 / float(np.dot(shares.share, shares.share))
    lifted = 1.0 / float(shares.square.sum())
    same = spread.variance * effective <= edge * edge
    return Grouped(
        clusters=shares.share.size,
        largest=int(shares.size.max()),
        mean=spread.mean,
        se=0.0 if same else math.sqrt(spread.variance),
        df=spread.df,
        skew=0.0 if same else spread.skew,
        effective=effective,
        gain=effective * float(np.dot(shares.share, np.maximum(means, 0.0))),
        loss=effective * float(np.dot(shares.share, np.maximum(-means, 0.0))),
        ups=int(np.count_nonzero(means > edge)),
        downs=int(np.count_nonzero(means < -edge)),
        telling=_telling(values, shares, max(edge, margin * (1 - 1e-9))),
        deff=_deff(values, shares, spread, edge),
        icc=_icc(values, shares, edge),
        weighted=weights is not None,
        lifted=lifted,
    )


def codes_of(labels: ArrayLike) -> Codes:
    """Number the clusters 0, 1, … by label; codes that are numbers from 0 already stay as they are."""
    read = np.asarray(labels)
    if read.ndim != 1:
        raise BadNumbers("not_a_column", "clusters are one label per difference")
    if np.issubdtype(read.dtype, np.integer) and read.size and read.min() >= 0 and read.max() < 4 * read.size:
        return read.astype(np.intp, copy=False)
    return np.unique(read, return_inverse=True)[1].reshape(-1)


def _shares(n: int, clusters: ArrayLike | None, weights: ArrayLike | None) -> _Shares:
    if n == 0:
        raise BadNumbers("no_pairs", "there is no difference to average")
    codes = np.arange(n, dtype=np.intp) if clusters is None else codes_of(clusters)
    if codes.size != n:
        raise BadNumbers("length_mismatch", f"{n} differences but {codes.size} cluster labels")
    per_sample = _weights(n, weights)
    size = np.bincount(codes)
    if not size.all():  # codes with gaps: a slice that some clusters have no sample of
        codes = (np.cumsum(size > 0) - 1)[codes]
        size = size[size > 0]
    return _Shares(
        codes=codes,
        per_sample=per_sample,
        share=_sums(codes, per_sample, size.size),
        square=_sums(codes, per_sample * per_sample, size.size),
        size=size.astype(np.float64),
    )


def _sums(codes: Codes, values: Floats, count: int) -> Floats:
    return np.asarray(np.bincount(codes, weights=values, minlength=count), dtype=np.float64)


def _weights(n: int, weights: ArrayLike | None) -> Floats:
    """Weights that sum to 1."""
    if weights is None:
        return np.full(n, 1.0 / n)
    read = np.asarray(weights, dtype=np.float64)
    if read.shape != (n,):
        raise BadNumbers("length_mismatch", f"{n} differences but {read.size} weights")
    if not (np.isfinite(read).all() and (read > 0).all()):
        raise BadNumbers("bad_weight", "a weight is a positive finite number")
    scaled = read / read.max()
    return np.asarray(scaled / scaled.sum(), dtype=np.float64)


def _spread(values: Floats, shares: _Shares) -> _Spread:
    """CR2 of the weighted mean under the working model of independent values with one variance.

    With p the sample's share of the weight, S_g = sum p (d - mean) over the cluster, and P_g, Q_g the cluster's sums of
    p and p^2 (Q = sum Q_g), the model has Var(S_g) = (1 - P_g)^2 Q_g + P_g^2 (Q - Q_g). Every S_g is scaled so that
    its square estimates Q_g without bias. Equal weights give a_g = 1 / sqrt(1 - n_g / n).
    """
    mean = float(np.dot(shares.per_sample, values))
    if shares.share.size < 2:
        return _Spread(mean=mean, variance=0.0, df=0.0, skew=0.0)
    p, q = shares.share, shares.square
    total = float(q.sum())
    sums = shares.totals(shares.per_sample * (values - mean))
    inflate = q / ((1 - p) ** 2 * q + p * p * (total - q))
    variance = float(np.dot(inflate, sums * sums))
    third = float(np.dot(sums, sums * sums))
    return _Spread(
        mean=mean,
        variance=variance,
        df=_satterthwaite(inflate, p, q, total),
        skew=third / variance**1.5 if variance > 0 else 0.0,
    )


def _satterthwaite(inflate: Floats, p: Floats, q: Floats, total: float) -> float:
    """tr(B)^2 / sum(B * B) for B_gh = a_g a_h Cov(S_g, S_h), never built: Cov = diag(q) + p u' + u p'."""
    u = total * p / 2 - q
    on_diagonal = float(np.dot(inflate**2, q * (q + 4 * p * u)))
    pp, uu, pu = (float(np.dot(inflate, x)) for x in (p * p, u * u, p * u))
    return total * total / (on_diagonal + 2 * (pp * uu + pu * pu))


def _sandwich(values: Floats, shares: _Shares) -> _Spread:
    """CR1: the sum of squared cluster totals times G / (G - 1), to be used with the normal distribution."""
    mean = float(np.dot(shares.per_sample, values))
    count = shares.share.size
    sums = shares.totals(shares.per_sample * (values - mean))
    variance = float(np.dot(sums, sums)) * count / (count - 1) if count > 1 else 0.0
    return _Spread(mean=mean, variance=variance, df=math.inf, skew=0.0)


def _problems(count: int, spread: _Spread, values: Floats) -> tuple[str, ...]:
    found = ["too_few_clusters"] if count < ENOUGH_CLUSTERS else []
    found += ["low_df"] if spread.df < LOW_DF else []
    nothing = math.sqrt(spread.variance) <= TINY * float(np.abs(values).max())
    return (*found, "zero_variance") if nothing else tuple(found)


def _no_limits(problems: tuple[str, ...]) -> bool:
    return "zero_variance" in problems


def _quantile(confidence: float, df: float) -> float:
    level = (1 + confidence) / 2
    return t_quantile(level, df) if math.isfinite(df) else normal_quantile(level)


def _telling(values: Floats, shares: _Shares, margin: float) -> int:
    reaching = shares.codes[np.abs(values) >= margin] if margin > 0 else shares.codes[values != 0]
    return int(np.count_nonzero(np.bincount(reaching, minlength=shares.share.size)))


def _deff(values: Floats, shares: _Shares, spread: _Spread, edge: float) -> float | None:
    n = values.size
    if shares.share.size < 2:
        return None
    squares = float(np.dot(shares.per_sample, (values - spread.mean) ** 2))
    single = squares / (n - 1)  # s^2 / n with s^2 = squares * n / (n - 1)
    return spread.variance / single if squares > edge * edge else None


def _icc(values: Floats, shares: _Shares, edge: float) -> float | None:
    """(MSB - MSW) / (MSB + (n0 - 1) MSW) with n0 = (n - sum n_g^2 / n) / (G - 1) (Donner 1986), not below 0."""
    n, count = values.size, shares.share.size
    if count < 2 or count == n:
        return None
    centred = values - values.mean()
    means = shares.totals(centred) / shares.size
    between = float(np.dot(shares.size, means * means)) / (count - 1)
    within = float(np.sum((centred - means[shares.codes]) ** 2)) / (n - count)
    usual = (n - float(np.dot(shares.size, shares.size)) / n) / (count - 1)
    spread = between + (usual - 1) * within
    return max(0.0, (between - within) / spread) if spread > edge * edge else None


def _finite(diffs: ArrayLike) -> Floats:
    values = np.asarray(diffs, dtype=np.float64)
    if not np.isfinite(values).all():
        raise BadNumbers("not_finite", "differences must be finite numbers")
    return values
