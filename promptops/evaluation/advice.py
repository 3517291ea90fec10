"""From what a test found to the honest ways on: what each open question would take at the next look, and its price."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from promptops.basis import Basis
from promptops.evaluation.earlier import earlier_tests
from promptops.evaluation.ledger import Look
from promptops.evaluation.money import price_of
from promptops.evaluation.plan import Plan
from promptops.gate import MetricVerdict, Verdict
from promptops.nextsteps import Open, Situation, next_steps
from promptops.reasons import creeps
from promptops.report import Report
from promptops.rules import ANSWERED, Policy, question_of
from promptops.stats.facts import Facts
from promptops.stats.looks import alpha_at
from promptops.stats.metric import need_of, planning_sd
from promptops.stats.planning import Need, shared_power
from promptops.stats.power import answers_to_hold, pairs_for_chance
from promptops.stats.question import Question
from promptops.stats.repeats import repeats_instead
from promptops.stats.results import Role, Status
from promptops.stats.stopping import expected_stop

SCORER = "scorer:"  # what a score that could not be had is counted under


def advised(report: Report, plan: Plan, basis: Basis, look: Look) -> Report:
    """Return the report with its ways on; they are planned for the look that would come next."""
    # A sequential test goes on where it stopped: that is still the same look.
    number = look.number if report.sequential is not None else look.number + 1
    now = situation_of(
        report,
        basis,
        basis.verdict(),
        next_alpha=alpha_at(number, plan.policy.alpha),
        usd_a_call=_usd_a_call(report, plan),
    )
    return report.model_copy(update={"next_steps": list(next_steps(now))})


def _usd_a_call(report: Report, plan: Plan) -> float | None:
    """What a call costs: as in this test, else as far as anybody knows."""
    if report.verdict != "inconclusive":
        return None
    if report.cost.calls and report.cost.usd is not None and not report.cost.unpriced:
        return report.cost.usd / report.cost.calls
    return price_of(plan, earlier_tests(plan.workspace, plan.id, plan.evidence)).usd


def situation_of(
    report: Report, basis: Basis, verdict: Verdict, *, next_alpha: float, usd_a_call: float | None
) -> Situation:
    """Return what decides what to do next; `next_alpha` is the one-sided level that the next test is judged at."""
    kinds, rules = report.unscored.by_kind, basis.policy.rules
    gating = {rule.metric for rule in rules if rule.gates}
    failed = (kind.removeprefix(SCORER) for kind in kinds if kind.startswith(SCORER))
    creeping = [one.rule.drift for one in verdict.metrics if creeps(one)]
    return Situation(
        prompt=report.prompt.id,
        verdict=report.verdict,
        samples=report.samples.n,
        arms=1 if basis.first else 2,
        repeats=max((line.repeats for line in report.metrics), default=1),
        usd_a_call=usd_a_call,
        unanswered=sum(count for kind, count in kinds.items() if not kind.startswith(SCORER)),
        unscored=tuple(name for name in failed if name in gating),
        silent=not any(rule.says_what_is_right for rule in rules),
        blind=tuple(one.rule.metric for one in verdict.metrics if _is_blind(one)),
        sequential=report.sequential is not None,
        ended=report.sequential is not None and not report.sequential.open_end,
        anchor=f"v{creeping[0].version}" if creeping and creeping[0] is not None else None,
        inconclusive=report.inconclusive,
        open=tuple(_open(basis, verdict, next_alpha)),
    )


def _is_blind(one: MetricVerdict) -> bool:
    """Whether every answer of both versions got the worst score, so that nothing can be learnt from more of them."""
    whole = one.rule.slice is None and one.rule.says_what_is_right
    return whole and "all_fail_both" in one.result.warnings


def _open(basis: Basis, verdict: Verdict, alpha: float) -> Iterator[Open]:
    policy = replace(basis.policy, alpha=alpha)
    # Of several targets one is enough, unless all are asked for.
    enough = policy.targets == "any" and any(one.target == Status.BETTER for one in verdict.metrics)
    bets = not any(rule.gates and rule.kind == "ratio" for rule in policy.rules) and not policy.slices_block
    for one in verdict.metrics:
        facts = basis.findings[one.rule.name].compared
        unshown = one.target == Status.NOT_SHOWN and not enough
        if one.guardrail == Status.INCONCLUSIVE or unshown:
            yield _comparison(one, facts, policy, whole=_size(basis), bets=bets)
        if one.floor is not None and one.floor.status == Status.INCONCLUSIVE:
            yield _floor(one, alpha, facts)


def _size(basis: Basis) -> int:
    return max((finding.compared.n for finding in basis.findings.values()), default=0)


def _comparison(one: MetricVerdict, facts: Facts, policy: Policy, *, whole: int, bets: bool) -> Open:
    rule, reason = one.rule, one.result.reason
    if reason in ("missing", "not_measured", "too_few_clusters"):
        return Open(metric=rule.name, reason=reason)
    if rule.metric == ANSWERED and facts.seen is not None and facts.seen.downs:
        return Open(metric=rule.name, reason="missing")  # to be asked again, not to be mended
    # A target that is a guardrail too, and holds as one, is open as a target alone.
    role: Role = "target" if one.guardrail in (None, Status.PASS) else "guardrail"
    question = replace(question_of(rule, policy), role=role)
    need = need_of(question, facts)
    needed = _needed(question, facts, need)
    # A slice grows with the whole.
    share = whole / facts.n if facts.n else 1.0
    return Open(
        metric=rule.name,
        reason=reason,
        needed=None if needed is None else math.ceil(needed * share),
        repeats=_repeats(facts, needed),
        expected=_expected(question, facts, share) if bets else None,
        worse="more_samples_likelier_confirm" in need.notes,
        idle=role == "target" and facts.seen is not None and facts.seen.centre <= 0,
    )


def _needed(question: Question, facts: Facts, need: Need) -> int | None:
    """How many samples are likely to show it: for plain pass rates by enumeration, which no approximation flatters."""
    seen, reach = facts.seen, question.reach
    counted = question.kind == "binary" and facts.repeats == 1 and question.role != "target"
    if need.n is None or seen is None or reach is None or seen.grouped is not None or not counted:
        return need.n
    # Half a pair more: that none differed so far does not mean that none ever will.
    moved = (seen.ups + seen.downs + 0.5) / (seen.n + 1)
    as_seen = "planned_at_observed" in need.notes
    return pairs_for_chance(
        need.n,
        margin=question.margin / reach,
        discordant=moved,
        difference=min(seen.mean, 0.0) if as_seen else 0.0,
        alpha=question.alpha,
        power=shared_power(question.guardrails),
    )


def _repeats(facts: Facts, needed: int | None) -> int | None:
    """How many answers to each sample would do instead; known only where samples were answered more than once."""
    if facts.components is None or needed is None:
        return None
    return repeats_instead(facts.components, needed=needed)


def _expected(question: Question, facts: Facts, share: float) -> int | None:
    """After how many samples betting stops if both versions are equally good, a target if it is as good as seen."""
    if question.reach is None or facts.seen is None:
        return None
    # Even where none differed so far, some will.
    moved = max((planning_sd(question, facts, facts.seen) / question.reach) ** 2, 0.5 / (facts.n + 1))
    target = question.role == "target"
    found = expected_stop(
        moved=min(1.0, moved),
        margin=0.0 if target else question.margin / question.reach,
        difference=facts.seen.centre / question.reach if target else 0.0,
        alpha=question.alpha / (question.targets if target else 1),
    )
    return None if found is None else math.ceil(found * share)


def _floor(one: MetricVerdict, alpha: float, facts: Facts) -> Open:
    """What a floor takes if the candidate is as good as it was seen to be, with what is missing counted against it."""
    found, scale = one.floor, one.rule.value_range
    name = one.rule.name
    if found is None or scale is None or found.mean is None or found.reason != "not_shown":
        return Open(metric=name, reason="missing")
    reach = scale[1] - scale[0]
    mean, floor = (found.mean - scale[0]) / reach, (found.floor - scale[0]) / reach
    counted = mean * (found.n - found.unscored) / found.n
    needed = answers_to_hold(mean=counted, floor=floor, alpha=alpha)
    seen = facts.seen
    units = 1.0 if seen is None or seen.grouped is None else seen.n / seen.grouped.effective
    return Open(
        metric=name,
        reason=found.reason,
        needed=None if needed is None else max(found.n + 1, math.ceil(needed * units)),
        worse=mean < floor,
    )
