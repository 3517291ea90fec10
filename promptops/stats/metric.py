"""One metric of one test: two columns in, a `MetricResult` out.

`measure` computes everything that needs the facts and decides nothing; `evaluate_metric` adds the status from
the raw p-values. The gate calls `measure` and settles the status with p-values adjusted over all metrics.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from promptops.stats.facts import Facts, facts_of
from promptops.stats.paired import Side
from promptops.stats.planning import Need, cautious_sd, pairs_to_improve, pairs_to_pass, shared_power
from promptops.stats.question import Question, ask
from promptops.stats.repeats import best_repeats
from promptops.stats.results import Kind, MetricResult, Role, Status
from promptops.stats.sides import both_sides, is_exact
from promptops.stats.summary import ENOUGH, Summary
from promptops.stats.verdict import settle

LARGEST_LOG = 709.0  # whose exponential a float still holds


def evaluate_metric(
    kind: Kind,
    baseline: Any,
    candidate: Any,
    *,
    margin: float | None,
    value_range: tuple[float, float] | None = None,
    clusters: Any = None,
    weights: Any = None,
    role: Role = "guardrail",
    alpha: float = 0.05,
    higher_is_better: bool | None = None,
    worst: float | None = None,
    best: float | None = None,
    targets: int = 1,
) -> MetricResult:
    """Compare one metric between two versions and say what is shown, with no other metric in the family.

    `baseline` and `candidate` pair up by sample, of shape (n,) or (repeats, n); NaN or None is an answer that never
    came. `margin` is the fall allowed on the metric's own scale (ratio: the relative rise allowed, 0.2 = 20 %); None
    takes the default and warns. `clusters` names the cluster of each sample, `weights` is one over its chance of
    being in the set. `worst` and `best` stand for a ratio's missing values (the deadline; the fastest).
    binary: values 0 and 1. bounded: `value_range` is declared. ratio: values above 0, less is better.

    Assumed: samples (clusters, where there are any) are independent draws from the population.

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
    facts = facts_of(
        question, baseline, candidate, worst=worst, best=best, clusters=clusters, weights=weights
    )
    result = measure(question, facts)
    return settle(result, role=role, p_harm=result.p_harm, p_superior=result.p_superior, alpha=alpha)


def uncompared(question: Question, facts: Facts) -> MetricResult:
    """The result of a metric without a baseline: how many answers there are, and their mean."""
    return MetricResult(
        status=Status.OBSERVED,
        kind=question.kind,
        method="none",
        n=facts.n,
        n_complete=0,
        repeats=facts.repeats,
        candidate_mean=facts.candidate_mean,
        candidate_unscored=facts.candidate_missing,
        confidence=1 - 2 * question.alpha,
        margin=question.margin,
        passable=False,
        reason="not_measured",
    )


def measure(question: Question, facts: Facts) -> MetricResult:
    """Everything `evaluate_metric` says except the status, which stays OBSERVED."""
    if facts.n == 0:
        return uncompared(question, facts)
    return _planned(question, facts, _claimed(question, facts, _described(question, facts)))


def _described(question: Question, facts: Facts) -> MetricResult:
    """What the data are, before any test: their numbers, means and spread."""
    binary = question.kind == "binary" and facts.repeats == 1
    seen, parts = facts.seen, facts.components
    grouped = seen.grouped if seen is not None else None
    ups, downs = (seen.ups, seen.downs) if seen is not None else (0, 0)
    return replace(
        uncompared(question, facts),
        n_complete=facts.n_complete,
        n_clusters=grouped.clusters if grouped is not None else None,
        baseline_mean=facts.baseline_mean,
        se=_se(question, facts),
        df=grouped.df if grouped is not None else None,
        deff=grouped.deff if grouped is not None else None,
        icc=grouped.icc if grouped is not None else None,
        within_baseline=parts.within_baseline if parts is not None else None,
        within_candidate=parts.within_candidate if parts is not None else None,
        between=parts.between if parts is not None else None,
        best_repeats=best_repeats(parts) if parts is not None else None,
        fixed=ups if binary else None,
        broken=downs if binary else None,
        discordant=ups + downs if binary else None,
        wins=None if binary else ups,
        ties=None if binary else facts.n_complete - ups - downs,
        losses=None if binary else downs,
        dropped_baseline_missing=facts.baseline_missing,
        warnings=_warnings(question, facts),
    )


def _claimed(question: Question, facts: Facts, described: MetricResult) -> MetricResult:
    """What the tests say: limits, p-values, and whether the metric is shown within its margin."""
    sides, few = both_sides(question, facts), too_few_clusters(facts.seen)
    mean = facts.seen.centre if facts.seen is not None else None
    # Filling in ties may pull the pessimistic limit above the mean of what was seen; never show that.
    low = min(sides.low.limit, mean) if sides.low and mean is not None else None
    high = max(sides.high.limit, mean) if sides.high and mean is not None else None
    passable = low is not None and not _too_much_missing(facts) and not few
    p_margin = sides.low.p_margin if sides.low and question.gating else None
    lower, difference, upper = _as_shown(question, low, high, mean)
    return replace(
        described,
        method=sides.method,
        lower=lower,
        difference=difference,
        upper=upper,
        passable=passable,
        noninferior=passable and _noninferior(question, sides.low, mean),
        noninferior_seen=_noninferior(question, sides.low_seen, mean),
        p_noninferior=p_margin,
        p_exact=p_margin if is_exact(question, facts) else None,
        # With so few clusters nothing is shown, neither way.
        p_harm=sides.high.p_zero if sides.high and not few else None,
        p_superior=sides.low.p_zero if sides.low and not few else None,
    )


def _planned(question: Question, facts: Facts, claimed: MetricResult) -> MetricResult:
    """Why the question would stay open, and how many samples would settle it."""
    need = need_of(question, facts) if claimed.passable else Need()
    missing = not claimed.passable or (claimed.noninferior_seen and not claimed.noninferior)
    return replace(
        claimed,
        n_required=need.n,
        n_additional=None if need.n is None else max(0, need.n - facts.n),
        reason=_reason(facts, too_few_clusters(facts.seen), missing=missing, need=need),
        notes=need.notes,
    )


def too_few_clusters(found: Summary | None) -> bool:
    """Whether the samples come from fewer clusters than any standard error can be had from."""
    units = found.grouped if found is not None else None
    return units is not None and units.clusters < ENOUGH


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
    rise = [None if value is None else math.expm1(min(-value, LARGEST_LOG)) for value in (high, mean, low)]
    return rise[0], rise[1], rise[2]


def _se(question: Question, facts: Facts) -> float | None:
    seen = facts.seen
    if seen is None:
        return None
    if question.kind == "binary" and facts.repeats == 1 and seen.grouped is None:
        return math.sqrt(max(seen.ups + seen.downs - seen.n * seen.mean**2, 0.0)) / seen.n
    return seen.error if seen.n > 1 else None


def _too_much_missing(facts: Facts) -> bool:
    """More than 20 % of the pairs touched, or arms that differ by more than 5 points."""
    gap, pairs = abs(facts.baseline_missing - facts.candidate_missing), facts.n * facts.repeats
    return facts.touched * 5 > pairs or gap * 20 > pairs


def _warnings(question: Question, facts: Facts) -> tuple[str, ...]:
    units = facts.seen.grouped if facts.seen is not None else None
    found = {
        "default_margin": question.margin_is_default and question.gating,
        "missing_rate": facts.touched * 20 > facts.n * facts.repeats,
        "all_fail_both": facts.all_fail,
        "all_pass_both": facts.all_pass,
        "low_df": units is not None and units.clusters >= ENOUGH and units.df < 4,
    }
    return tuple(name for name, holds in found.items() if holds)


def _reason(facts: Facts, few: bool, *, missing: bool, need: Need) -> str:
    if few:
        return "too_few_clusters"
    if missing:
        return "missing"
    return "too_few_pairs" if facts.n < need.least else "not_shown"


def need_of(question: Question, facts: Facts) -> Need:
    """How many pairs the open question would take, asked at its level; more of them do not cure missing answers."""
    seen = facts.seen
    if seen is None or question.role == "observe":
        return Need()
    sd, mean = planning_sd(question, facts, seen), seen.centre
    if question.role == "target":
        return pairs_to_improve(facts.n, mean=mean, sd=sd, targets=question.targets, alpha=question.alpha)
    return pairs_to_pass(
        facts.n,
        mean=mean,
        sd=sd,
        margin=question.oriented_margin,
        value_range=question.reach,
        alpha=question.alpha,
        power=shared_power(question.guardrails),
        pairs_a_unit=1.0 if seen.grouped is None else seen.n / seen.grouped.effective,
    )


def planning_sd(question: Question, facts: Facts, seen: Summary) -> float:
    """The standard deviation of one sample's difference to plan with; clusters and weights lengthen it."""
    if seen.grouped is not None:
        return seen.grouped.se * math.sqrt(seen.n)
    if question.kind == "binary" and facts.repeats == 1:
        return math.sqrt((seen.ups + seen.downs) / seen.n)  # pi_disc; the plan is for no difference
    sd = cautious_sd(seen.sd, seen.n)
    few = seen.telling < ENOUGH
    # Where the fallback decides, it is its own variance bound that has to shrink: d^2 <= R |d|.
    return (
        max(sd, math.sqrt(question.reach * (seen.gain + seen.loss) / seen.n))
        if few and question.reach
        else sd
    )
