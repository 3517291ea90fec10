"""Coefficients of agreement from a table of counts, first rater's rating by second rater's.

Tables come flat, shape (…, size * size), so that a bootstrap is one call. Refuses a value where only one rating was
ever given: agreement by chance is certain then, and the coefficient is NaN here and None outside, not 0 and not 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from promptops.stats.results import BadNumbers

Floats = NDArray[np.float64]
Coefficient = Callable[[Floats], Floats]


def coefficients(size: int) -> dict[str, Coefficient]:
    """Percent agreement, Cohen's (1960) kappa, quadratic weighted kappa (Cohen 1968), Krippendorff's ordinal alpha."""
    return {
        "agreement": lambda tables: 1 - _ratio(tables @ apart(size).reshape(-1), tables.sum(axis=-1)),
        "kappa": lambda tables: _kappa(tables, apart(size)),
        "weighted_kappa": lambda tables: _kappa(tables, squared_steps(size)),
        "alpha_ordinal": _alpha,
    }


def one(coefficient: Coefficient, table: Floats) -> float | None:
    """The coefficient of a single table."""
    value = float(coefficient(table)) if table.size else np.nan
    return None if np.isnan(value) else value


def krippendorff_alpha(ratings: ArrayLike) -> float | None:
    """Krippendorff's (2011) alpha for ordinal ratings of any number of raters: shape (raters, items), NaN is missing.

    Items with fewer than two ratings say nothing and are left out. None where only one rating was ever given.
    """
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or np.isinf(table).any():
        raise BadNumbers(
            "not_a_table", "ratings are a table of finite numbers, raters by items; NaN is missing"
        )
    scale = np.unique(table[~np.isnan(table)])
    counts = (table[:, :, None] == scale).sum(axis=0).astype(np.float64)  # items by ratings
    counts = counts[counts.sum(axis=1) >= 2]
    shares = counts / (counts.sum(axis=1) - 1)[:, None]
    coincidences = counts.T @ shares - np.diag(shares.sum(axis=0))
    return one(_alpha, coincidences.reshape(-1) / 2)


def apart(size: int) -> Floats:
    """Distance 1 between any two ratings."""
    return np.asarray(1.0 - np.eye(size))


def squared_steps(size: int) -> Floats:
    """Distance by the square of the number of steps between two ratings."""
    steps = np.arange(size, dtype=np.float64)
    return np.asarray((steps[:, None] - steps) ** 2)


def squared_ranks(pool: Floats) -> Floats:
    """Distance by the square of the ratings given between two steps, half of those at the ends included."""
    middle = np.cumsum(pool, axis=-1) - pool / 2
    return np.asarray((middle[..., :, None] - middle[..., None, :]) ** 2)


def _kappa(tables: Floats, distance: Floats) -> Floats:
    """1 - observed / expected distance, expected from both raters' own margins."""
    square = tables.reshape(*tables.shape[:-1], *distance.shape)
    rows, columns = square.sum(axis=-1), square.sum(axis=-2)
    expected = np.einsum("...i,ij,...j->...", rows, distance, columns)
    return 1 - _ratio(tables @ distance.reshape(-1) * tables.sum(axis=-1), expected)


def _alpha(tables: Floats) -> Floats:
    """1 - observed / expected distance, where the ratings of all raters are one pool."""
    size = round(tables.shape[-1] ** 0.5)
    square = tables.reshape(*tables.shape[:-1], size, size)
    pool = square.sum(axis=-1) + square.sum(axis=-2)
    distance = squared_ranks(pool)
    observed = 2 * (square * distance).sum(axis=(-2, -1))
    expected = np.einsum("...i,...ij,...j->...", pool, distance, pool)
    return 1 - _ratio(observed * (pool.sum(axis=-1) - 1), expected)


def _ratio(above: Floats, below: Floats) -> Floats:
    """Return above / below, NaN where there is nothing below."""
    known = below > 0
    return np.where(known, above / np.where(known, below, 1.0), np.nan)
