"""Which slices look worse than the whole, judged from what was found of each of them.

Every slice that is large enough is tested for harm; over all of these tests Benjamini & Hochberg (1995) keep the
expected share of false alarms at q = 0.10, also when slices overlap (positive dependence). That is for looking, so
a flag is a warning. Where slices may block, the same p-values stand in the gate's own Holm family, and only that
makes a REGRESSION; a flag alone then keeps the verdict open. Refuses to say anything of small slices but counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from promptops.rules import Findings, Policy, Rule, question_of
from promptops.stats import sentences as say
from promptops.stats.families import adjust_pvalues
from promptops.stats.results import MetricResult, Status
from promptops.stats.verdict import statuses_of

LEAST_PAIRS: Final = 30
LEAST_MOVED: Final = 5
SHARE_OF_FALSE: Final = 0.10  # of the flags, on average


class SliceStatus(StrEnum):
    """What is known of one metric in one slice."""

    REGRESSION = "regression"
    FLAGGED = "flagged"
    OK = "ok"
    TOO_SMALL = "too_small"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """One metric in one slice before the families are known; `judged` where it is large enough to be tested."""

    rule: Rule
    result: MetricResult
    judged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceVerdict:
    """One metric in one slice.

    `p_adjusted` is Benjamini & Hochberg's over all slices that were tested, `p_harm_adjusted` Holm's over the
    gate's family where slices may block. `within`: worse or not, its fall is shown to be within the margin.
    """

    rule: Rule
    result: MetricResult
    status: SliceStatus
    p_adjusted: float | None = None
    p_harm_adjusted: float | None = None
    within: bool = False


def explore(policy: Policy, findings: Findings) -> tuple[Explored, ...]:
    """Measure every slice that is only looked at, in the policy's order."""
    return tuple(_explored(rule, policy, findings) for rule in policy.explored if rule.name in findings)


def _explored(rule: Rule, policy: Policy, findings: Findings) -> Explored:
    from promptops.stats.metric import measure, uncompared

    # Only looked at: what a guardrail asks beyond an observed metric is asked of the flagged ones alone.
    question, facts = question_of(replace(rule, observe=True), policy), findings[rule.name].compared
    moved = facts.seen.moved if facts.seen is not None else 0
    if facts.n_complete < LEAST_PAIRS or moved < LEAST_MOVED:
        small = replace(uncompared(question, facts), candidate_mean=None, n_complete=facts.n_complete)
        return Explored(rule=rule, result=_counted(small, findings, rule), judged=False)
    result = measure(question, facts)
    return Explored(rule=rule, result=result, judged=result.p_harm is not None)


def _counted(result: MetricResult, findings: Findings, rule: Rule) -> MetricResult:
    """Counts are all that is said of a small slice."""
    seen = findings[rule.name].compared.seen
    ups, downs = (seen.ups, seen.downs) if seen is not None else (0, 0)
    if result.kind == "binary" and findings[rule.name].compared.repeats == 1:
        return replace(result, fixed=ups, broken=downs)
    return replace(result, wins=ups, losses=downs)


def blocking(policy: Policy, explored: Sequence[Explored]) -> list[float]:
    """The p-values that join the gate's family of harm: those of the tested slices, where slices may block."""
    return [one.result.p_harm or 0.0 for one in explored if one.judged] if policy.slices_block else []


def settle_slices(
    policy: Policy, explored: Sequence[Explored], findings: Findings, *, p_harm: Sequence[float | None]
) -> tuple[SliceVerdict, ...]:
    """Give every slice its status; `p_harm` begins with Holm's p-values in the order of `blocking`."""
    judged = [one for one in explored if one.judged]
    shares = adjust_pvalues([one.result.p_harm or 0.0 for one in judged], method="bh")
    holm = p_harm[: len(judged)] if policy.slices_block else [None] * len(judged)
    tested = {
        one.rule.name: _settled(policy, one, findings, share, p)
        for one, share, p in zip(judged, shares, holm, strict=True)
    }
    return tuple(
        tested.get(one.rule.name)
        or SliceVerdict(rule=one.rule, result=one.result, status=SliceStatus.TOO_SMALL)
        for one in explored
    )


def _settled(
    policy: Policy, one: Explored, findings: Findings, share: float, p_harm: float | None
) -> SliceVerdict:
    flagged = share <= SHARE_OF_FALSE
    harmed = p_harm is not None and p_harm <= policy.alpha
    status, within = SliceStatus.FLAGGED if flagged else SliceStatus.OK, False
    if flagged or harmed:
        guardrail = _as_guardrail(one.rule, policy, findings, p_harm)
        within = guardrail == Status.PASS
        status = SliceStatus.REGRESSION if guardrail == Status.REGRESSION else status
    return SliceVerdict(
        rule=one.rule,
        result=one.result,
        status=status,
        p_adjusted=share,
        p_harm_adjusted=p_harm,
        within=within,
    )


def _as_guardrail(rule: Rule, policy: Policy, findings: Findings, p_harm: float | None) -> Status | None:
    from promptops.stats.metric import measure

    result = measure(question_of(rule, policy), findings[rule.name].compared)
    return statuses_of(result, role="guardrail", p_harm=p_harm, p_superior=None, alpha=policy.alpha)[0]


def regressions(slices: Sequence[SliceVerdict]) -> list[str]:
    """Why slices make a REGRESSION, in sentences."""
    return [
        say.regressed(one.rule.name, one.result) for one in slices if one.status == SliceStatus.REGRESSION
    ]


def doubts(policy: Policy, slices: Sequence[SliceVerdict]) -> list[str]:
    """Which flagged slices keep the verdict open: those that may block and whose fall may be beyond the margin."""
    if not policy.slices_block:
        return []
    return [
        f"{look_worse(one)}, and slices may block here"
        for one in slices
        if one.status == SliceStatus.FLAGGED and not one.within
    ]


def look_worse(one: SliceVerdict) -> str:
    """What a flag says, with its uncertainty."""
    said = f"{one.rule.name} {say.change(one.result)} over {one.result.n} samples"
    return f"{said} (p = {one.p_adjusted:.2g} after looking at every slice)"
