"""Tango's (1998) score statistic for a difference of paired proportions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def score(fixed: ArrayLike, broken: ArrayLike, n: float, d0: float) -> Any:
    """Return T(d0), which falls in `d0`, rises in `fixed`, and is McNemar's statistic at 0.

    `fixed` and `broken` are counts or fractional masses, scalars or arrays of one shape; the probability of a
    broken pair is estimated under the restriction that the difference is `d0`. 0 where the numerator is 0.
    """
    gain, loss = np.asarray(fixed, dtype=float), np.asarray(broken, dtype=float)
    numerator = gain - loss - n * d0
    b = -(gain + loss) + (2 * n - gain + loss) * d0
    c = -loss * d0 * (1 - d0)
    q = (-b + np.sqrt(np.maximum(b * b - 8 * n * c, 0.0))) / (4 * n)
    variance = n * np.maximum(2 * q + d0 * (1 - d0), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(numerator == 0, 0.0, numerator / np.sqrt(variance))


def score_of(fixed: float, broken: float, n: float, d0: float) -> float:
    """The same for one table, in plain floats: a root search asks for it a hundred times."""
    numerator = fixed - broken - n * d0
    if numerator == 0:
        return 0.0
    b = -(fixed + broken) + (2 * n - fixed + broken) * d0
    c = -broken * d0 * (1 - d0)
    q = (-b + math.sqrt(max(b * b - 8 * n * c, 0.0))) / (4 * n)
    variance = n * max(2 * q + d0 * (1 - d0), 0.0)
    return numerator / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, numerator)
