"""The exact unconditional non-inferiority test for paired proportions.

Tables are ordered by Tango's score (Hsueh, Liu & Chen 2001) and the p-value is the largest tail probability
over the nuisance parameter, the chance of a fixed pair. Exact up to the nuisance grid; O(n * grid).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from promptops.stats.tango import score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LOG_NEGLIGIBLE = math.log(1e-14)  # a row this improbable is not summed: 2,000 of them weigh 2e-11


def exact_pvalue(statistic: float, n: int, margin: float) -> float:
    """Return max over q of P(T >= statistic | p_fixed = q, p_broken = q + margin) for `n` pairs.

    With no discordant pair it is (1 - margin)^n.
    """
    least = _least_fixed(statistic, n, margin)
    top = (1 - margin) / 2
    start = min(1e-5, top / 2)
    grid = np.unique(np.concatenate([[0.0], np.geomspace(start, top, 100), np.linspace(start, top, 100)]))
    tails = _tails(grid, least, n, margin)
    best = int(np.argmax(tails))
    near = np.linspace(grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)], 50)
    return min(1.0, float(max(tails[best], _tails(near, least, n, margin).max())))


def _least_fixed(statistic: float, n: int, margin: float) -> Floats:
    """For each number of broken pairs 0..n, the least number of fixed ones that is at least as extreme."""
    broken = np.arange(n + 1, dtype=float)
    low, high = np.zeros(n + 1), n - broken + 1
    while np.any(low < high):
        middle = np.floor((low + high) / 2)
        extreme = score(middle, broken, n, -margin) >= statistic - 1e-10
        open_ = low < high
        high = np.where(open_ & extreme, middle, high)
        low = np.where(open_ & ~extreme, middle + 1, low)
    return low


def _tails(grid: Floats, least: Floats, n: int, margin: float) -> Floats:
    """The tail probability at each nuisance value of `grid`, which lies in [0, (1 - margin)/2]."""
    from scipy.special import betainc

    logs = _log_row_weights(grid + margin, n)
    cell, row = np.nonzero(logs > LOG_NEGLIGIBLE)
    rest, need = n - row, least[row]
    chance = np.clip(grid / np.maximum(1 - grid - margin, 1e-300), 0.0, 1.0)[cell]
    inside = (need >= 1) & (need <= rest)
    tail = np.where(need <= 0, 1.0, 0.0)
    tail[inside] = betainc(need[inside], (rest - need + 1)[inside], chance[inside])
    sums = np.bincount(cell, weights=np.exp(logs[cell, row]) * tail, minlength=grid.size)
    return np.asarray(sums, dtype=np.float64)


def _log_row_weights(p: Floats, n: int) -> Floats:
    """The log of P(j broken pairs) for each p of a grid (rows), none of them 0 or 1, and j = 0..n (columns)."""
    from scipy.special import gammaln

    j = np.arange(n + 1, dtype=float)
    ways = gammaln(n + 1) - gammaln(j + 1) - gammaln(n - j + 1)
    return np.asarray(ways + np.log(p)[:, None] * j + np.log1p(-p)[:, None] * (n - j))
