"""Why a verdict is what it is, in sentences, the most important first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptops.creep import gained, sentence
from promptops.stats import sentences as say
from promptops.stats.results import Status

if TYPE_CHECKING:
    from promptops.gate import MetricVerdict, Policy

    Metrics = tuple[MetricVerdict, ...]

NOTHING_SAYS_WHAT_IS_RIGHT = (
    "nothing here says what is right: declare a scorer, or give the samples an expected answer"
)
NOTHING_TO_COMPARE_WITH = (
    "there is nothing to compare with and no floor: declare min or never, or adopt it as it is"
)
NOTHING_ANSWERED = "no call of either version was answered"
FLOORS_HOLD = "every floor holds, and what must never happen did not"


def doubts(policy: Policy, metrics: Metrics) -> list[str]:
    """What keeps any PASS from meaning something."""
    found = [
        say.all_failed(one.rule.name) if one.rule.says_what_is_right else NOTHING_ANSWERED
        for one in metrics
        if one.rule.gates and "all_fail_both" in one.result.warnings
    ]
    if not any(rule.says_what_is_right for rule in policy.rules):
        found.insert(0, NOTHING_SAYS_WHAT_IS_RIGHT)
    return found + [_creeping(one) for one in metrics if creeps(one)]


def creeps(one: MetricVerdict) -> bool:
    """Whether a guardrail fell too far since its anchor; one that is shown better now is an anchor itself."""
    rule, result = one.rule, one.result
    if rule.drift is None or rule.slice is not None or rule.margin is None or one.guardrail is None:
        return False
    edge = result.upper if rule.kind == "ratio" else result.lower
    better = edge is not None and gained(rule.kind, edge) > 0
    return not better and rule.drift.is_too_far(rule.kind, result.difference, rule.margin)


def _creeping(one: MetricVerdict) -> str:
    rule = one.rule
    assert rule.drift is not None
    assert rule.margin is not None
    return sentence(rule.name, rule.kind, rule.drift, one.result.difference, rule.margin)


def regressions(metrics: Metrics) -> list[str]:
    nevers = [
        say.never_sentence(one.rule.name, one.never)
        for one in metrics
        if one.never is not None and one.never.status == Status.REGRESSION
    ]
    falls = [
        say.regressed(one.rule.name, one.result)
        if one.guardrail == Status.REGRESSION
        else say.worsened(one.rule.name, one.result)
        for one in metrics
        if one.guardrail == Status.REGRESSION or one.target == Status.WORSE
    ]
    floors = [
        say.floor_sentence(one.rule.name, one.rule.kind, one.floor)
        for one in metrics
        if one.floor is not None and one.floor.status == Status.REGRESSION
    ]
    return nevers + falls + floors


def open_questions(metrics: Metrics, policy: Policy) -> list[str]:
    found = []
    for one in metrics:
        name = one.rule.name
        if one.guardrail == Status.INCONCLUSIVE:
            found.append(say.open_guardrail(name, one.result, look=policy.look))
        if one.floor is not None and one.floor.status == Status.INCONCLUSIVE:
            found.append(say.floor_sentence(name, one.rule.kind, one.floor))
        if one.never is not None and one.never.status == Status.INCONCLUSIVE:
            found.append(say.never_sentence(name, one.never))
    targets = [one for one in metrics if one.target is not None]
    if policy.targets == "any" and any(one.target == Status.BETTER for one in targets):
        return found
    return found + [
        say.open_target(one.rule.name, one.result) for one in targets if one.target == Status.NOT_SHOWN
    ]


def _is_better(one: MetricVerdict) -> bool:
    """A target that is BETTER, or a guardrail whose whole interval lies above no change."""
    shown = one.rule.says_what_is_right and one.result.lower is not None and one.result.lower > 0
    return one.target == Status.BETTER or (one.guardrail == Status.PASS and shown)


def what_holds(metrics: Metrics) -> list[str]:
    better = [say.improved(one.rule.name, one.result) for one in metrics if _is_better(one)]
    guarded = any(one.guardrail is not None for one in metrics)
    return [*better, "nothing fell by more than is allowed"] if guarded or not better else better
