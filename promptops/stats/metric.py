"""One metric of one test: two columns in, a `MetricResult` out.

`measure` computes everything that needs the data and decides nothing; `evaluate_metric` adds the status from
the raw p-values. The gate calls `measure` and settles the status with p-values adjusted over all metrics.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from promptops.stats.columns import Floats, Pairs, check_values, column, read_pairs
from promptops.stats.paired import ENOUGH, Side, moments, sign_counts
from promptops.stats.planning import Need, cautious_sd, pairs_to_improve, pairs_to_pass
from promptops.stats.results import Kind, MetricResult, Role, Status
from promptops.stats.sides import Question, ask, both_sides, is_exact
from promptops.stats.verdict import settle


def evaluate_metric(
    kind: Kind,
    baseline: Any,
    candidate: Any,
    *,
    margin: float | None,
    value_range: tuple[float, float] | None = None,
    role: Role = "guardrail",
    alpha: float = 0.05,
    higher_is_better: bool | None = None,
    worst: float | None = None,
    best: float | None = None,
    targets: int = 1,
) -> MetricResult:
    """Compare one metric between two versions and say what is shown, with no other metric in the family.

    `baseline` and `candidate` pair up by index; NaN or None is an answer that never came. `margin` is the
    fall allowed on the metric's own scale (ratio: the relative rise allowed, 0.2 = 20 %); None takes the
    default and warns. `worst` and `best` stand for a ratio's missing values (the deadline; the fastest).
    binary: values 0 and 1. bounded: `value_range` is declared. ratio: values above 0, less is better.

    Pairs are assumed independent; average repeats and handle clusters beforehand.

    Raises:
        BadNumbers: columns that do not pair up, no pair, infinities, values outside the range, a bad margin.
    """
    question = ask(
        kind,
        margin=margin,
        value_range=value_range,
        role=role,
        alpha=alpha,
        higher_is_better=higher_is_better,
        targets=targets,
    )
    result = measure(question, baseline, candidate, worst=worst, best=best)
    return settle(result, role=role, p_harm=result.p_harm, p_superior=result.p_superior, alpha=alpha)


def measure(
    question: Question,
    baseline: Any,
    candidate: Any,
    *,
    worst: float | None = None,
    best: float | None = None,
) -> MetricResult:
    """Everything `evaluate_metric` says except the status, which stays OBSERVED.

    Raises:
        BadNumbers: columns that do not pair up, no pair, infinities, values outside the range.
    """
    pairs = read_pairs(
        question.kind,
        baseline,
        candidate,
        scale=question.scale,
        higher_is_better=question.higher_is_better,
        worst=worst,
        best=best,
    )
    return _result(question, pairs)


def uncompared(question: Question, candidate: Any) -> MetricResult:
    """The result of a metric without a baseline: how many answers there are, and their mean.

    Raises:
        BadNumbers: values that the scale cannot have.
    """
    values = column(candidate)
    check_values(question.kind, values, question.scale)
    known = values[~np.isnan(values)]
    mean = None
    if known.size:
        mean = float(known.mean()) if question.kind != "ratio" else float(np.exp(np.log(known).mean()))
    unscored = values.size - known.size
    return replace(unmeasured(question), n=values.size, candidate_mean=mean, candidate_unscored=unscored)


def unmeasured(question: Question) -> MetricResult:
    """The result of a metric that was measured on no pair."""
    return MetricResult(
        status=Status.OBSERVED,
        kind=question.kind,
        method="none",
        n=0,
        n_complete=0,
        confidence=1 - 2 * question.alpha,
        margin=question.margin,
        passable=False,
        reason="not_measured",
    )


def _result(question: Question, pairs: Pairs) -> MetricResult:
    sides = both_sides(question, pairs)
    mean = float(pairs.seen.mean()) if pairs.seen.size else None
    # Filling in ties may pull the pessimistic limit above the mean of what was seen; never show that.
    low = min(sides.low.limit, mean) if sides.low and mean is not None else None
    high = sides.high.limit if sides.high else None
    passable = low is not None and not _too_much_missing(pairs)
    p_margin = sides.low.p_margin if sides.low and question.gating else None
    noninferior = passable and _noninferior(question, sides.low, mean)
    noninferior_seen = _noninferior(question, sides.low_seen, mean)
    need = _need(question, pairs, passable)
    ups, downs = sign_counts(pairs.seen, question.reach or 1.0)
    binary = question.kind == "binary"
    shown = _as_shown(question, low, high, mean)
    return MetricResult(
        status=Status.OBSERVED,
        kind=question.kind,
        method=sides.method,
        n=pairs.n,
        n_complete=pairs.seen.size,
        difference=shown[1],
        lower=shown[0],
        upper=shown[2],
        baseline_mean=pairs.baseline_mean,
        candidate_mean=pairs.candidate_mean,
        se=_se(question, pairs.seen),
        confidence=1 - 2 * question.alpha,
        margin=question.margin,
        noninferior=noninferior,
        noninferior_seen=noninferior_seen,
        passable=passable,
        fixed=ups if binary else None,
        broken=downs if binary else None,
        discordant=ups + downs if binary else None,
        wins=None if binary else ups,
        ties=None if binary else pairs.seen.size - ups - downs,
        losses=None if binary else downs,
        p_noninferior=p_margin,
        p_exact=p_margin if is_exact(question, pairs.n) else None,
        p_harm=sides.high.p_zero if sides.high else None,
        p_superior=sides.low.p_zero if sides.low else None,
        n_required=need.n,
        n_additional=None if need.n is None else max(0, need.n - pairs.n),
        dropped_baseline_missing=pairs.baseline_missing,
        candidate_unscored=pairs.candidate_missing,
        reason=_reason(pairs, missing=not passable or (noninferior_seen and not noninferior), need=need),
        warnings=_warnings(question, pairs),
        notes=need.notes,
    )


def _noninferior(question: Question, side: Side | None, mean: float | None) -> bool:
    """Whether this side shows the metric within its margin; never where the estimate lies beyond it."""
    if side is None or mean is None or not question.gating:
        return False
    return min(side.limit, mean) > -question.oriented_margin and side.p_margin <= question.alpha


def _as_shown(
    question: Question, low: float | None, high: float | None, mean: float | None
) -> tuple[float | None, float | None, float | None]:
    """Lower, estimate and upper as people read them: for ratios a relative change, where less is better."""
    if question.kind != "ratio":
        return low, mean, high
    rise = [None if value is None else math.expm1(-value) for value in (high, mean, low)]
    return rise[0], rise[1], rise[2]


def _se(question: Question, seen: Floats) -> float | None:
    if question.kind == "binary" and seen.size:
        return float(seen.std()) / math.sqrt(seen.size)
    return moments(seen).se if seen.size > 1 else None


def _too_much_missing(pairs: Pairs) -> bool:
    """More than 20 % of the pairs touched, or arms that differ by more than 5 points."""
    gap = abs(pairs.baseline_missing - pairs.candidate_missing)
    return pairs.touched * 5 > pairs.n or gap * 20 > pairs.n


def _warnings(question: Question, pairs: Pairs) -> tuple[str, ...]:
    found = {
        "default_margin": question.margin_is_default and question.gating,
        "missing_rate": pairs.touched * 20 > pairs.n,
        "all_fail_both": pairs.all_fail,
        "all_pass_both": pairs.all_pass,
    }
    return tuple(name for name, holds in found.items() if holds)


def _reason(pairs: Pairs, *, missing: bool, need: Need) -> str:
    if missing:
        return "missing"
    return "too_few_pairs" if pairs.n < need.least else "not_shown"


def _need(question: Question, pairs: Pairs, passable: bool) -> Need:
    """How many pairs the open question would take; more of them do not cure missing answers."""
    if not passable or question.role == "observe":
        return Need()
    sd, mean = _planning_sd(question, pairs.seen), float(pairs.seen.mean())
    if question.role == "target":
        return pairs_to_improve(pairs.n, mean=mean, sd=sd, targets=question.targets, alpha=question.alpha)
    return pairs_to_pass(
        pairs.n,
        mean=mean,
        sd=sd,
        margin=question.oriented_margin,
        value_range=question.reach,
        alpha=question.alpha,
    )


def _planning_sd(question: Question, seen: Floats) -> float:
    if question.kind == "binary":
        return math.sqrt(float(np.mean(seen * seen)))  # pi_disc; the plan is for no difference
    sd = cautious_sd(moments(seen).sd, seen.size)
    few = int(np.count_nonzero(np.abs(seen) >= question.oriented_margin)) < ENOUGH
    # Where the fallback decides, it is its own variance bound that has to shrink: d^2 <= R |d|.
    return max(sd, math.sqrt(question.reach * float(np.abs(seen).mean()))) if few and question.reach else sd
