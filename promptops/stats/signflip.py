"""The sign-flip test: a cross-check of the mean's tests that assumes only symmetry around zero under H0."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from promptops.stats.results import Alternative, BadNumbers, TestResult

EXACT_UP_TO = 16  # 65,536 sign patterns
CHUNK = 4_000_000  # signs drawn at once: 32 MB


def sign_flip_test(
    diffs: ArrayLike, *, alternative: Alternative = "greater", n_resamples: int = 9999, seed: int = 0
) -> TestResult:
    """Test that the mean difference is zero by flipping signs; exact for up to 16 differences.

    Beyond that `n_resamples` random flips from `seed`, with the observed one counted in. A skewed null is not
    symmetric: then the size is only approximate.
    """
    values = np.asarray(diffs, dtype=float)
    if values.size == 0 or not np.isfinite(values).all():
        raise BadNumbers("not_finite", "a sign-flip test needs finite differences, at least one")
    exact = values.size <= EXACT_UP_TO
    sums = _all_sums(values) if exact else _random_sums(values, n_resamples, seed)
    extra = 0 if exact else 1
    slack = 1e-12 * float(np.abs(values).sum())
    above = (np.count_nonzero(sums >= values.sum() - slack) + extra) / (sums.size + extra)
    below = (np.count_nonzero(sums <= values.sum() + slack) + extra) / (sums.size + extra)
    p = {"greater": above, "less": below, "two-sided": min(1.0, 2 * min(above, below))}[alternative]
    return TestResult(
        pvalue=float(p),
        statistic=float(values.mean()),
        method="sign-flip-exact" if exact else "sign-flip",
        alternative=alternative,
        n=values.size,
    )


def _all_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _random_sums(values: NDArray[np.float64], count: int, seed: int) -> NDArray[np.float64]:
    draw = np.random.default_rng(seed)
    sums = np.empty(count)
    step = max(1, CHUNK // values.size)
    for start in range(0, count, step):
        size = min(step, count - start)
        sums[start : start + size] = (2 * draw.integers(0, 2, (size, values.size)) - 1) @ values
    return sums
