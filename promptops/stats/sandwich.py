"""The variance of a weighted mean whose samples come in clusters: CR2, and CR1 for comparison.

Everything is a sum over samples or clusters, never a matrix of clusters by clusters. Assumed: clusters are
independent draws; nothing about what happens inside one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from promptops.stats.results import BadNumbers

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

SMALLEST = 1e-100  # of the largest weight: the square of a smaller one would be 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """How samples fall into clusters: per cluster its share P of the weight, Q = sum of squared shares, size."""

    codes: Codes
    per_sample: Floats
    share: Floats
    square: Floats
    size: Floats

    def totals(self, values: Floats) -> Floats:
        return _sums(self.codes, values, self.share.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The mean of clustered values, its variance, its degrees of freedom and its standardised third moment."""

    mean: float
    variance: float
    df: float
    skew: float


def codes_of(labels: ArrayLike) -> Codes:
    """Number the clusters 0, 1, … by label; codes that are numbers from 0 already stay as they are."""
    read = np.asarray(labels)
    if read.ndim != 1:
        raise BadNumbers("not_a_column", "clusters are one label per difference")
    if read.dtype == object:  # labels of several types, which no sort can order
        seen: dict[object, int] = {}
        return np.array([seen.setdefault(label, len(seen)) for label in read], dtype=np.intp)
    if np.issubdtype(read.dtype, np.integer) and read.size and read.min() >= 0 and read.max() < 4 * read.size:
        return read.astype(np.intp, copy=False)
    return np.unique(read, return_inverse=True)[1].reshape(-1)


def shares_of(n: int, clusters: ArrayLike | None, weights: ArrayLike | None) -> Shares:
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
    return Shares(
        codes=codes,
        per_sample=per_sample,
        share=_sums(codes, per_sample, size.size),
        square=_sums(codes, per_sample * per_sample, size.size),
        size=size.astype(np.float64),
    )


def product(one: Floats, other: Floats) -> float:
    """The sum of products, the same on every machine: a BLAS would sum in an order that its threads decide."""
    return float((one * other).sum())


def all_alone(labels: ArrayLike) -> bool:
    """Whether no two samples share a cluster."""
    return bool((np.bincount(codes_of(labels)) <= 1).all())


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
    scaled = np.maximum(read / read.max(), SMALLEST)
    return np.asarray(scaled / scaled.sum(), dtype=np.float64)


def cr2(values: Floats, shares: Shares) -> Spread:
    """CR2 of the weighted mean under the working model of independent values with one variance.

    With p the sample's share of the weight, S_g = sum p (d - mean) over the cluster, and P_g, Q_g the cluster's sums of
    p and p^2 (Q = sum Q_g), the model has Var(S_g) = (1 - P_g)^2 Q_g + P_g^2 (Q - Q_g). Every S_g is scaled so that
    its square estimates Q_g without bias. Equal weights give a_g = 1 / sqrt(1 - n_g / n). A cluster of nearly all the
    weight has no variance left to scale; then there are no degrees of freedom either.
    """
    mean = product(shares.per_sample, values)
    if shares.share.size < 2:
        return Spread(mean=mean, variance=0.0, df=0.0, skew=0.0)
    p, q = shares.share, shares.square
    model = (1 - p) ** 2 * q + p * p * np.maximum(q.sum() - q, 0.0)
    inflate = np.divide(q, model, out=np.zeros_like(q), where=model > 0)
    sums = shares.totals(shares.per_sample * (values - mean))
    variance = product(inflate, sums * sums)
    return Spread(
        mean=mean,
        variance=variance,
        df=_satterthwaite(inflate, model, p, q),
        skew=product(sums, sums * sums) / variance**1.5 if variance**1.5 > 0 else 0.0,
    )


def _satterthwaite(inflate: Floats, model: Floats, p: Floats, q: Floats) -> float:
    """tr(B)^2 / sum(B * B) for B_gh = a_g a_h Cov(S_g, S_h), never built: Cov = diag(q) + p u' + u p'."""
    u = float(q.sum()) * p / 2 - q
    on_diagonal = product(inflate**2, q * (q + 4 * p * u))
    pp, uu, pu = (product(inflate, x) for x in (p * p, u * u, p * u))
    squares = on_diagonal + 2 * (pp * uu + pu * pu)
    return product(inflate, model) ** 2 / squares if squares > 0 else 0.0


def cr1(values: Floats, shares: Shares) -> Spread:
    """CR1: the sum of squared cluster totals times G / (G - 1), to be used with the normal distribution."""
    mean = product(shares.per_sample, values)
    count = shares.share.size
    sums = shares.totals(shares.per_sample * (values - mean))
    variance = product(sums, sums) * count / (count - 1) if count > 1 else 0.0
    return Spread(mean=mean, variance=variance, df=math.inf, skew=0.0)
