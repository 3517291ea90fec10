"""Two columns of measured values become oriented differences: higher is better, NaN or None is missing.

Columns are read as views where they already are 64-bit floats (`array('d')`, numpy): 8 bytes a value. Refuses
infinities, values outside the declared range, and columns that do not pair up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptops.stats.results import BadNumbers, Kind

Floats = NDArray[np.float64]

SLACK = 1e-9  # of the range: a sum of weights may end at 1.0000000000000002


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The differences of one metric, oriented (positive is better; ratio: minus the log ratio).

    `seen`: those of the pairs with both values. `against`: of all pairs, every missing value counted against
    the candidate; `against_known` is False when a ratio's missing value has no known worst.
    """

    seen: Floats
    against: Floats
    against_known: bool
    n: int
    baseline_missing: int
    candidate_missing: int
    touched: int
    baseline_mean: float | None
    candidate_mean: float | None
    all_fail: bool
    all_pass: bool


def column(values: Any) -> Floats:
    """Read a column; None and NaN are missing, infinity is an error."""
    read = np.asarray(values, dtype=np.float64)
    if read.ndim != 1:
        raise BadNumbers("not_a_column", "a metric's values are one number (or nothing) per pair")
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


def read_pairs(
    kind: Kind,
    baseline: Any,
    candidate: Any,
    *,
    scale: tuple[float, float] | None,
    higher_is_better: bool,
    worst: float | None = None,
    best: float | None = None,
) -> Pairs:
    """Check two columns and subtract them; `worst` and `best` fill a ratio's missing values."""
    before, after = column(baseline), column(candidate)
    if before.size != after.size:
        raise BadNumbers("length_mismatch", f"{before.size} baseline but {after.size} candidate values")
    if before.size == 0:
        raise BadNumbers("no_pairs", "there is no pair to compare")
    check_values(kind, before, scale)
    check_values(kind, after, scale)
    if scale is None:
        low, high = _ratio_ends(before, after, worst, best)
        return _subtract(-np.log(before), -np.log(after), low, high, ratio=True)
    low, high = scale
    if not higher_is_better:
        return _mirror_means(_subtract(-before, -after, -high, -low))
    return _subtract(before, after, low, high)


def _ratio_ends(
    before: Floats, after: Floats, worst: float | None, best: float | None
) -> tuple[float, float]:
    """Oriented ends of a ratio's scale: a missing value is never better than one that was seen."""
    if worst is not None and not (np.isfinite(worst) and worst > 0):
        raise BadNumbers("nonpositive_value", f"the worst value of a ratio is positive, got {worst!r}")
    if best is not None and not (np.isfinite(best) and best > 0):
        raise BadNumbers("nonpositive_value", f"the best value of a ratio is positive, got {best!r}")
    slowest = np.nan if worst is None else np.fmax.reduce(after, initial=worst)
    fastest = np.fmin.reduce(before, initial=np.nan if best is None else best)
    return float(-np.log(slowest)), float(-np.log(fastest))


def _subtract(before: Floats, after: Floats, low: float, high: float, *, ratio: bool = False) -> Pairs:
    lost, unscored = np.isnan(before), np.isnan(after)
    whole = ~(lost | unscored)
    known_before, known_after = before[whole], after[whole]
    against = np.where(unscored, low, after) - np.where(lost, high, before)
    edge = 0.0 if ratio else SLACK * (high - low)
    any_seen = known_before.size > 0
    return Pairs(
        seen=known_after - known_before,
        against=against,
        against_known=not np.isnan(against).any(),
        n=before.size,
        baseline_missing=int(lost.sum()),
        candidate_missing=int(unscored.sum()),
        touched=int(before.size - whole.sum()),
        baseline_mean=_mean(known_before, ratio),
        candidate_mean=_mean(known_after, ratio),
        all_fail=not ratio and any_seen and bool(max(known_before.max(), known_after.max()) <= low + edge),
        all_pass=not ratio and any_seen and bool(min(known_before.min(), known_after.min()) >= high - edge),
    )


def _mean(known: Floats, ratio: bool) -> float | None:
    if known.size == 0:
        return None
    return float(np.exp(-known.mean())) if ratio else float(known.mean())


def _mirror_means(pairs: Pairs) -> Pairs:
    """Give the means of negated columns their own sign back."""
    if pairs.baseline_mean is None or pairs.candidate_mean is None:
        return pairs
    return replace(pairs, baseline_mean=-pairs.baseline_mean, candidate_mean=-pairs.candidate_mean)
