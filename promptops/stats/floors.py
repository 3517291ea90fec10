"""What one version alone must reach: a floor under its mean, and what must never happen.

Only the candidate's column is looked at; missing values are NaN. Refuses to call a floor held, or a never
kept, on answers that were not scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from promptops.stats.binary import clopper_pearson_upper
from promptops.stats.columns import Floats, check_values, column, scale_of
from promptops.stats.paired import cautious_side
from promptops.stats.repeats import averaged
from promptops.stats.results import BadNumbers, FloorResult, Kind, NeverResult, Status, check_alpha
from promptops.stats.summary import ENOUGH, TINY, Summary, as_numbers, read_summaries, summarise

MOST_LOST = 0.20  # of the answers; with more, a floor is not held


@dataclass(frozen=True, slots=True, kw_only=True)
class Lone:
    """One column summed up for floors and nevers, on the scale from `low` to `high`.

    `short`: how far every answer stays below the best value, a missing one by the whole scale; its `telling` are the
    values at or below the floor. `over`: how far the scored ones lie above the worst value; its `telling` are those
    at or above the floor. None where nothing was scored. `unscored` counts samples of which an answer is missing,
    `lost` is the share of all answers, repeats included.
    """

    low: float
    high: float
    n: int
    unscored: int
    violations: int
    lost: float = 0.0
    mean: float | None = None
    short: Summary | None = None
    over: Summary | None = None

    @property
    def size(self) -> float:
        return self.high - self.low

    def as_json(self) -> dict[str, Any]:
        return as_numbers(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read back what `as_json` wrote.

        Raises:
            TypeError: it is something else.
        """
        return cls(**{**values, **read_summaries(values, "short", "over")})


def lone_of(
    kind: Kind,
    candidate: Any,
    *,
    floor: float | None = None,
    value_range: tuple[float, float] | None = None,
    clusters: Any = None,
    weights: Any = None,
) -> Lone:
    """Sum up the candidate's column, of shape (n,) or (repeats, n).

    Raises:
        BadNumbers: values that the scale cannot have, or a floor outside it.
    """
    scale = scale_of(kind, value_range)
    if scale is None:
        raise BadNumbers("no_scale", "a ratio has no best value: floors and nevers need a scored metric")
    values = column(candidate)
    check_values(kind, values, scale)
    low, high = scale
    if floor is not None and not low < floor < high:
        raise BadNumbers("bad_floor", f"a floor lies between the worst and the best value, got {floor!r}")
    level = (low + high) / 2 if floor is None else floor
    edge = TINY * (high - low)
    seen, against = averaged(values, missing=None), averaged(values, missing=low)
    known = ~np.isnan(seen)
    scored = seen[known]
    return Lone(
        low=low,
        high=high,
        n=seen.size,
        unscored=int(np.count_nonzero(_any_repeat(np.isnan(values)))),
        violations=int(np.count_nonzero(_any_repeat(values < high - edge))),
        lost=float(np.mean(np.isnan(values))) if values.size else 0.0,
        mean=float(np.average(scored, weights=_chosen(weights, known))) if scored.size else None,
        short=_summary(against - high, high - level, edge, clusters, weights) if scored.size else None,
        over=_summary(scored - low, level - low, edge, _chosen(clusters, known), _chosen(weights, known))
        if scored.size
        else None,
    )


def _summary(values: Floats, margin: float, edge: float, clusters: Any, weights: Any) -> Summary:
    return summarise(values, edge=edge, margin=margin, clusters=clusters, weights=weights)


def _any_repeat(found: Any) -> Any:
    """Which samples it holds for, in any of their repeats."""
    return found.any(axis=0) if found.ndim == 2 else found


def _chosen(values: Any, known: Any) -> Any:
    return None if values is None else np.asarray(values)[known]


def floor_result(
    kind: Kind,
    candidate: Any,
    *,
    floor: float,
    value_range: tuple[float, float] | None = None,
    alpha: float = 0.05,
    clusters: Any = None,
    weights: Any = None,
) -> FloorResult:
    """Ask whether the candidate's mean lies above `floor`, on the metric's own scale, higher is better.

    Binary: Clopper & Pearson's one-sided limits. Bounded: the more cautious of Hall and t; where fewer than 5
    values lie on the far side of the floor, Clopper & Pearson on the fractional mass of successes, which is
    conservative because a bounded value varies less than a pass/fail one with its mean. Clusters: the same two with
    CR2, or Clopper & Pearson on as many values as the clusters are worth.

    Raises:
        BadNumbers: as `lone_of`.
    """
    lone = lone_of(kind, candidate, floor=floor, value_range=value_range, clusters=clusters, weights=weights)
    return judge_floor(kind, lone, floor=floor, alpha=alpha)


def judge_floor(kind: Kind, lone: Lone, *, floor: float, alpha: float) -> FloorResult:
    """The floor's result from a column that was summed up."""
    check_alpha(alpha)
    if lone.short is None or lone.over is None:
        return _nothing_scored(floor, lone.n)
    fall, method = room(kind, lone.short.mirrored(), lone, alpha)
    rise, _ = room(kind, lone.over, lone, alpha)
    lower, upper = lone.high - fall, lone.low + rise
    too_many = lone.lost > MOST_LOST
    few = lone.over.grouped is not None and lone.over.grouped.clusters < ENOUGH
    status = Status.INCONCLUSIVE if few else _floor_status(lower, upper, floor, too_many)
    reason = "missing" if too_many else "too_few_clusters" if few else "not_shown"
    return FloorResult(
        status=status,
        floor=floor,
        mean=lone.mean,
        lower=lower,
        upper=upper,
        n=lone.n,
        unscored=lone.unscored,
        method=method,
        reason=reason if status == Status.INCONCLUSIVE else "",
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


def room(kind: Kind, found: Summary, lone: Lone, alpha: float) -> tuple[float, str]:
    """The one-sided upper limit of the mean of values between 0 and the size of the scale, and its method.

    The shortfall below the best value gives the lower limit of the mean, what lies above the worst the upper one.
    """
    size, units, opposite = lone.size, found.grouped, found.mirrored()
    counted = kind == "binary" and units is None
    if counted or found.informative < ENOUGH or found.spread < TINY * size:
        mass, n = (found.gain, float(found.n)) if units is None else (units.gain, units.effective)
        return size * clopper_pearson_upper(mass / size, n, alpha), "clopper-pearson"
    side = cautious_side(opposite.grouped or opposite, margin=size, alpha=alpha, value_range=size)
    return min(size, -side.limit), side.method


def never_result(
    kind: Kind, candidate: Any, *, value_range: tuple[float, float] | None = None, alpha: float = 0.05
) -> NeverResult:
    """Count the candidate's answers below the best value: one is a REGRESSION, an unscored one no PASS.

    Raises:
        BadNumbers: as `lone_of`.
    """
    return judge_never(lone_of(kind, candidate, value_range=value_range), alpha=alpha)


def judge_never(lone: Lone, *, alpha: float) -> NeverResult:
    """The never's result from a column that was summed up; the rate's limit takes clusters for what they are worth."""
    check_alpha(alpha)
    unknown = lone.n == 0 or lone.unscored > 0
    status = Status.INCONCLUSIVE if unknown else Status.PASS
    share = worth(lone)
    return NeverResult(
        status=Status.REGRESSION if lone.violations else status,
        violations=lone.violations,
        n=lone.n,
        unscored=lone.unscored,
        rate_upper=clopper_pearson_upper((lone.violations + lone.unscored) * share, lone.n * share, alpha),
        confidence=1 - alpha,
        reason=("missing" if lone.unscored else "not_measured") if unknown and not lone.violations else "",
    )


def worth(lone: Lone) -> float:
    """What one answer counts for beside an independent one: less than 1 where answers come in clusters."""
    units = lone.over.grouped if lone.over is not None else None
    return 1.0 if units is None else min(1.0, units.effective / lone.n)


def _floor_status(lower: float, upper: float, floor: float, too_many: bool) -> Status:
    if lower > floor and not too_many:
        return Status.PASS
    return Status.REGRESSION if upper < floor else Status.INCONCLUSIVE
