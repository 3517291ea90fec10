"""The only place that decides: a policy and what was found in, a verdict with its reasons out.

Guardrails are an intersection-union test: each at the full alpha, PASS needs all. Harm is one Holm family
over all guardrails and targets, improvement one over the targets. Refuses to say PASS where nothing says
what is right, where a metric scored zero everywhere, and where too many answers are missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from promptops import reasons as why
from promptops.exploring import SliceVerdict, blocking, explore, settle_slices
from promptops.exploring import doubts as slice_doubts
from promptops.exploring import regressions as slice_regressions
from promptops.rules import ANSWERED, Finding, Findings, Measured, Policy, Rule, question_of, summarise
from promptops.stats.families import adjust_pvalues
from promptops.stats.results import FloorResult, MetricResult, NeverResult, Status
from promptops.stats.verdict import decide as decide_statuses
from promptops.stats.verdict import gravest, settle, statuses_of

__all__ = [
    "ANSWERED",
    "Measured",
    "MetricVerdict",
    "Outcome",
    "Policy",
    "Rule",
    "Verdict",
    "decide",
    "decide_first",
    "judge",
    "judge_first",
]


class Outcome(StrEnum):
    """What the gate says."""

    PASS = "pass"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricVerdict:
    """One metric with its rule, its numbers, and what they mean; `status` is the gravest of its roles."""

    rule: Rule
    result: MetricResult
    status: Status
    guardrail: Status | None = None
    target: Status | None = None
    p_harm_adjusted: float | None = None
    p_superior_adjusted: float | None = None
    floor: FloorResult | None = None
    never: NeverResult | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome, why (the most important first), every metric and every explored slice in the policy's order."""

    outcome: Outcome
    reasons: tuple[str, ...]
    metrics: tuple[MetricVerdict, ...]
    alpha: float
    slices: tuple[SliceVerdict, ...] = ()


def decide(policy: Policy, measured: Mapping[str, Measured], *, complete: bool = True) -> Verdict:
    """Judge a candidate against its baseline from columns; see `summarise` and `judge`.

    Raises:
        BadNumbers: values that do not fit their rule (named in the message), or columns without a rule.
    """
    return judge(policy, summarise(policy, measured), complete=complete)


def decide_first(policy: Policy, candidate: Mapping[str, Any], *, complete: bool = True) -> Verdict:
    """Judge a first release from the candidate's column by metric.

    Raises:
        BadNumbers: as `decide`.
    """
    columns = {name: Measured(baseline=(), candidate=values) for name, values in candidate.items()}
    return judge_first(policy, summarise(policy, columns), complete=complete)


def judge(policy: Policy, findings: Findings, *, complete: bool = True) -> Verdict:
    """Judge a candidate against its baseline from what was found of every rule, and nothing else.

    `complete` is False when not every sample was answered: then no `never` is kept.
    """
    results = [_measure(rule, findings[rule.name], policy) for rule in policy.rules]
    explored = explore(policy, findings)
    others = [*blocking(policy, explored), *[None] * _floors_by_bets(policy, findings)]
    harm = _adjusted(
        [*(result.p_harm for result in results), *others],
        [*(rule.role != "observe" for rule in policy.rules), *[True] * len(others)],
    )
    better = _adjusted([result.p_superior for result in results], [rule.target for rule in policy.rules])
    metrics = tuple(
        _alone(_compared(rule, result, p_harm, p_superior, policy), findings[rule.name], policy, complete)
        for rule, result, p_harm, p_superior in zip(
            policy.rules, results, harm[: len(results)], better, strict=True
        )
    )
    slices = settle_slices(policy, explored, findings, p_harm=harm[len(results) :])
    return _verdict(policy, metrics, slices)


def judge_first(policy: Policy, findings: Findings, *, complete: bool = True) -> Verdict:
    """Judge a first release, which has nothing to be compared with: only floors and nevers decide."""
    metrics = tuple(
        _alone(_observed(rule, findings[rule.name], policy), findings[rule.name], policy, complete)
        for rule in policy.rules
    )
    statuses = _lone_statuses(metrics)
    reasons = why.regressions(metrics) + why.open_questions(metrics, policy)
    if not statuses:
        reasons = [why.NOTHING_TO_COMPARE_WITH]
    outcome = Outcome(decide_statuses(statuses).lower())
    return Verdict(
        outcome=outcome,
        reasons=tuple(reasons or [why.FLOORS_HOLD]),
        metrics=metrics,
        alpha=policy.alpha,
    )


def _measure(rule: Rule, finding: Finding, policy: Policy) -> MetricResult:
    from promptops.stats.metric import measure

    question = question_of(rule, policy)
    if finding.bets is None:
        found = measure(question, finding.compared)
    else:
        from promptops.stats.bets import compared_by_bets

        # What was only observed needs no test of a fixed size: it would not be used.
        found = compared_by_bets(measure(replace(question, role="observe"), finding.compared), finding.bets)
    return replace(found, warnings=(*found.warnings, finding.problem)) if finding.problem else found


def _floors_by_bets(policy: Policy, findings: Findings) -> int:
    """How many floors share the family of harm: those of a sequential test, which looks at them again and again."""
    if all(finding.bets is None for finding in findings.values()):
        return 0
    return sum(rule.floor is not None for rule in policy.rules)


def _adjusted(pvalues: Sequence[float | None], members: Sequence[bool]) -> list[float | None]:
    """Holm over the members of a family; one that could not be tested stays in it with p = 1."""
    chosen = [index for index, member in enumerate(members) if member]
    tested = [pvalues[index] for index in chosen]
    holm = adjust_pvalues([1.0 if p is None else p for p in tested])
    known = {index: p for index, p, raw in zip(chosen, holm, tested, strict=True) if raw is not None}
    return [known.get(index) for index in range(len(pvalues))]


def _compared(
    rule: Rule, result: MetricResult, p_harm: float | None, p_superior: float | None, policy: Policy
) -> MetricVerdict:
    role, alpha = rule.role, policy.alpha
    guardrail, target = statuses_of(result, role=role, p_harm=p_harm, p_superior=p_superior, alpha=alpha)
    settled = settle(result, role=role, p_harm=p_harm, p_superior=p_superior, alpha=alpha)
    by_default = rule.margin_is_default and guardrail is not None
    warnings = result.warnings + (("default_margin",) if by_default else ())
    return MetricVerdict(
        rule=rule,
        result=settled,
        status=settled.status,
        guardrail=guardrail,
        target=target,
        p_harm_adjusted=p_harm,
        p_superior_adjusted=p_superior,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _observed(rule: Rule, finding: Finding, policy: Policy) -> MetricVerdict:
    """A metric of a first release: the candidate's mean, and no comparison."""
    from promptops.stats.metric import uncompared

    result = uncompared(question_of(rule, policy), finding.compared)
    return MetricVerdict(rule=rule, result=result, status=Status.OBSERVED)


def _alone(found: MetricVerdict, finding: Finding, policy: Policy, complete: bool) -> MetricVerdict:
    """Add what the candidate's answers say on their own: floor and never."""
    rule, lone = found.rule, finding.lone
    if lone is None:
        return found
    from promptops.stats.floors import judge_floor, judge_never

    floor = (
        judge_floor(rule.kind, lone, floor=rule.floor, alpha=policy.alpha) if rule.floor is not None else None
    )
    if floor is not None and finding.bets is not None:
        from promptops.stats.bets import floor_by_bets

        floor = floor_by_bets(floor, finding.bets)
    never = judge_never(lone, alpha=policy.alpha) if rule.never else None
    if never is not None and never.status == Status.PASS and not complete:
        never = replace(never, status=Status.INCONCLUSIVE, reason="incomplete")
    status = gravest([found.status, *(part.status for part in (floor, never) if part is not None)])
    return replace(found, floor=floor, never=never, status=status)


def _verdict(policy: Policy, metrics: tuple[MetricVerdict, ...], slices: tuple[SliceVerdict, ...]) -> Verdict:
    metrics = tuple(_marked(one) for one in metrics)
    guardrails = [one.guardrail for one in metrics if one.guardrail is not None] + _lone_statuses(metrics)
    targets = [one.target for one in metrics if one.target is not None]
    doubts = why.doubts(policy, metrics) + slice_doubts(policy, slices)
    fallen = slice_regressions(slices)
    guardrails += [Status.INCONCLUSIVE] * len(doubts) + [Status.REGRESSION] * len(fallen)
    outcome = Outcome(decide_statuses(guardrails, targets, target_policy=policy.targets).lower())
    reasons = why.regressions(metrics) + fallen + doubts + why.open_questions(metrics, policy)
    return Verdict(
        outcome=outcome,
        reasons=tuple(reasons or why.what_holds(metrics)),
        metrics=metrics,
        alpha=policy.alpha,
        slices=slices,
    )


def _marked(one: MetricVerdict) -> MetricVerdict:
    """Name creep as the reason of a metric that nothing else holds back."""
    if one.result.reason or not why.creeps(one):
        return one
    return replace(one, result=replace(one.result, reason="creep"))


def _lone_statuses(metrics: tuple[MetricVerdict, ...]) -> list[Status]:
    return [part.status for one in metrics for part in (one.floor, one.never) if part is not None]
