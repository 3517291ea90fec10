"""What one version alone must reach: a floor under its mean, and what must never happen.

Only the candidate's column is looked at; missing values are NaN. Refuses to call a floor held, or a never
kept, on answers that were not scored.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from promptops.stats.binary import clopper_pearson_lower, clopper_pearson_upper
from promptops.stats.columns import Floats, check_values, column, scale_of
from promptops.stats.paired import ENOUGH, TINY, cautious_side, moments
from promptops.stats.results import BadNumbers, FloorResult, Kind, NeverResult, Status, check_alpha


def floor_result(
    kind: Kind,
    candidate: Any,
    *,
    floor: float,
    value_range: tuple[float, float] | None = None,
    alpha: float = 0.05,
) -> FloorResult:
    """Ask whether the candidate's mean lies above `floor`, on the metric's own scale, higher is better.

    Binary: Clopper & Pearson's one-sided limits. Bounded: the more cautious of Hall and t; where fewer than 5
    values lie on the far side of the floor, Clopper & Pearson on the fractional mass of successes, which is
    conservative because a bounded value varies less than a pass/fail one with its mean.
    """
    check_alpha(alpha)
    values, (low, high) = _scored(kind, candidate, value_range)
    if not low < floor < high:
        raise BadNumbers("bad_floor", f"a floor lies between the worst and the best value, got {floor!r}")
    seen = values[~np.isnan(values)]
    if seen.size == 0:
        return _nothing_scored(floor, values.size)
    against = np.where(np.isnan(values), low, values)
    lower, method = _lower(kind, against, floor, (low, high), alpha)
    upper = _upper(kind, seen, floor, (low, high), alpha)
    too_many = (values.size - seen.size) * 5 > values.size
    status = _floor_status(lower, upper, floor, too_many)
    return FloorResult(
        status=status,
        floor=floor,
        mean=float(seen.mean()),
        lower=lower,
        upper=upper,
        n=values.size,
        unscored=values.size - seen.size,
        method=method,
        reason=("missing" if too_many else "not_shown") if status == Status.INCONCLUSIVE else "",
    )


def _nothing_scored(floor: float, n: int) -> FloorResult:
    return FloorResult(
        status=Status.INCONCLUSIVE,
        floor=floor,
        mean=None,
        lower=None,
        upper=None,
        n=n,
        unscored=n,
        method="none",
        reason="missing" if n else "not_measured",
    )


def never_result(
    kind: Kind, candidate: Any, *, value_range: tuple[float, float] | None = None, alpha: float = 0.05
) -> NeverResult:
    """Count the candidate's answers below the best value: one is a REGRESSION, an unscored one no PASS."""
    check_alpha(alpha)
    values, (low, high) = _scored(kind, candidate, value_range)
    unscored = int(np.isnan(values).sum())
    violations = int(np.count_nonzero(values < high - TINY * (high - low)))
    unknown = values.size == 0 or unscored > 0
    status = Status.INCONCLUSIVE if unknown else Status.PASS
    return NeverResult(
        status=Status.REGRESSION if violations else status,
        violations=violations,
        n=values.size,
        unscored=unscored,
        rate_upper=clopper_pearson_upper(violations + unscored, values.size, alpha),
        confidence=1 - alpha,
        reason=("missing" if unscored else "not_measured") if unknown and not violations else "",
    )


def _scored(
    kind: Kind, candidate: Any, value_range: tuple[float, float] | None
) -> tuple[Floats, tuple[float, float]]:
    scale = scale_of(kind, value_range)
    if scale is None:
        raise BadNumbers("no_scale", "a ratio has no best value: floors and nevers need a scored metric")
    values = column(candidate)
    check_values(kind, values, scale)
    return values, scale


def _floor_status(lower: float, upper: float, floor: float, too_many: bool) -> Status:
    if lower > floor and not too_many:
        return Status.PASS
    return Status.REGRESSION if upper < floor else Status.INCONCLUSIVE


def _lower(
    kind: Kind, values: Floats, floor: float, scale: tuple[float, float], alpha: float
) -> tuple[float, str]:
    low, size = scale[0], scale[1] - scale[0]
    m = moments(values)
    far = int(np.count_nonzero(values <= floor))
    if kind == "binary" or far < ENOUGH or m.sd < TINY * size:
        successes = float(((values - low) / size).sum())
        return low + size * clopper_pearson_lower(successes, m.n, alpha), "clopper-pearson"
    side = cautious_side(moments(values - low), margin=size, alpha=alpha, value_range=size)
    return max(low, low + side.limit), side.method


def _upper(kind: Kind, values: Floats, floor: float, scale: tuple[float, float], alpha: float) -> float:
    """The upper limit is the lower one of the mirrored scale."""
    low, high = scale
    limit, _ = _lower(kind, low + high - values, low + high - floor, scale, alpha)
    return low + high - limit
