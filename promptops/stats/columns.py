"""Columns of measured values, NaN or None where one is missing, and the scales they are on.

Columns are read as views where they already are 64-bit floats (`array('d')`, numpy): 8 bytes a value. Refuses
infinities and values outside the declared range.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptops.stats.results import BadNumbers, Kind

Floats = NDArray[np.float64]

SLACK = 1e-9  # of the range: a sum of weights may end at 1.0000000000000002


def column(values: Any) -> Floats:
    """Read a column, of shape (n,) or (repeats, n); None and NaN are missing, infinity is an error."""
    read = np.asarray(values, dtype=np.float64)
    if read.ndim not in (1, 2):
        raise BadNumbers("not_a_column", "a metric's values are one number (or nothing) per pair and repeat")
    if np.isinf(read).any():
        raise BadNumbers("infinite_value", "a value is infinite; a missing one is NaN or None")
    return read


def scale_of(kind: Kind, value_range: tuple[float, float] | None) -> tuple[float, float] | None:
    """The declared worst and best of a scale; None for a ratio, which has neither."""
    if kind == "ratio":
        return None
    if kind == "binary":
        return (0.0, 1.0)
    if kind != "bounded":
        raise BadNumbers("unknown_kind", f"unknown kind of metric {kind!r}: binary, bounded or ratio")
    if value_range is None or not (np.isfinite(value_range).all() and value_range[0] < value_range[1]):
        raise BadNumbers("bad_range", f"a bounded metric needs a range, low before high; got {value_range!r}")
    return (float(value_range[0]), float(value_range[1]))


def check_values(kind: Kind, values: Floats, scale: tuple[float, float] | None) -> None:
    """Raise for values that the declared scale cannot have."""
    known = values[~np.isnan(values)]
    if scale is None:
        if (known <= 0).any():
            raise BadNumbers("nonpositive_value", f"a ratio needs values above 0, got {float(known.min())!r}")
        return
    if kind == "binary" and not ((known == 0) | (known == 1)).all():
        raise BadNumbers("not_binary", "a pass/fail metric has values 0 and 1 only")
    low, high = scale
    slack = SLACK * (high - low)
    outside = known[(known < low - slack) | (known > high + slack)]
    if outside.size:
        raise BadNumbers("outside_range", f"{float(outside[0])!r} lies outside the range {low:g} to {high:g}")
