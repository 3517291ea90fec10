"""What a verdict claims, test by test: the hypothesis, the method, the numbers that went in, and the p-value.

Reached from the basis of the verdict alone, so it is what the gate did and not a retelling. Knows no sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from promptops.basis import Basis
from promptops.exploring import SliceStatus, SliceVerdict
from promptops.gate import MetricVerdict
from promptops.reports.claim import (
    ABOVE,
    AGAINST,
    ALL_PAIRS,
    BELOW,
    BETTER,
    FELL_LITTLE,
    SEEN,
    WORSE,
    Asked,
    Claim,
    Numbers,
    numbers_of,
)
from promptops.reports.loneclaims import claims_alone, never_claim
from promptops.rules import question_of
from promptops.stats.bets import METHOD as BETTING
from promptops.stats.bets import Bet, Bets
from promptops.stats.floors import Lone
from promptops.stats.paired import Side
from promptops.stats.results import Status
from promptops.stats.sides import both_sides
from promptops.stats.summary import Summary

COUNTED = (
    "exact-unconditional",
    "tango",
)  # sides whose test at no difference is McNemar's, and whose limit is Tango's


def claims_of(basis: Basis, one: MetricVerdict) -> list[Claim]:
    """Every claim about one rule that the verdict rests on."""
    finding = basis.findings[one.rule.name]
    asked = Asked(
        question=question_of(one.rule, basis.policy),
        facts=finding.compared,
        verdict=one,
        alpha=basis.policy.alpha,
    )
    if finding.bets is not None:
        return list(_by_bets(asked, finding.bets, finding.lone))
    compared = [] if basis.first or one.rule.role == "observe" else list(_compared(asked))
    alone = [] if finding.lone is None else list(claims_alone(asked, finding.lone))
    return compared + alone


def slice_claim(basis: Basis, one: SliceVerdict) -> Claim | None:
    """The claim that a slice got worse; None where it was too small to be tested."""
    if one.p_adjusted is None:
        return None
    facts = basis.findings[one.rule.name].compared
    asked = Asked(
        question=question_of(one.rule, basis.policy),
        facts=facts,
        verdict=MetricVerdict(
            rule=one.rule, result=one.result, status=Status.OBSERVED, p_harm_adjusted=one.p_harm_adjusted
        ),
        alpha=basis.policy.alpha,
    )
    high = both_sides(replace(asked.question, role="observe"), facts).high
    if facts.seen is None or high is None:
        return None
    claim = _worse(asked, high, facts.seen, SEEN if facts.touched else ALL_PAIRS)
    if one.p_harm_adjusted is not None:
        return claim
    return replace(claim, adjusted=one.p_adjusted, family="slices", shown=one.status == SliceStatus.FLAGGED)


def _compared(asked: Asked) -> Iterator[Claim]:
    facts, sides = asked.facts, both_sides(asked.question, asked.facts)
    if facts.seen is None or sides.high is None:
        return
    whole = facts.touched == 0
    filled = facts.seen if whole else facts.against
    over = ALL_PAIRS if whole else AGAINST
    if asked.question.gating:
        yield _within(asked, sides.low, filled, over)
    yield _worse(asked, sides.high, facts.seen, ALL_PAIRS if whole else SEEN)
    if asked.verdict.rule.target:
        yield _better(asked, sides.low, filled, over)


def _within(asked: Asked, side: Side | None, found: Summary | None, over: str) -> Claim:
    margin = asked.question.oriented_margin
    method = "none" if side is None else {"tango": "tango-score"}.get(side.method, side.method)
    return Claim(
        says=FELL_LITTLE,
        null=f"D <= {-margin!r}",
        method=method,
        limit_method=_limit_method(side),
        numbers=numbers_of(asked.question, method, found),
        over=over,
        p=None if side is None else side.p_margin,
        limit=None if side is None else side.limit,
        shown=asked.verdict.guardrail == Status.PASS,
    )


def _worse(asked: Asked, side: Side, found: Summary, over: str) -> Claim:
    known = asked.verdict.result.p_harm is not None
    method = _zero_method(side)
    adjusted = asked.verdict.p_harm_adjusted
    return Claim(
        says=WORSE,
        null="D >= 0",
        method=method,
        limit_method=_limit_method(side),
        numbers=numbers_of(asked.question, method, found),
        over=over,
        p=side.p_zero if known else None,
        limit=side.limit,
        adjusted=adjusted,
        family="worse",
        shown=adjusted is not None and adjusted <= asked.alpha,
    )


def _better(asked: Asked, side: Side | None, found: Summary | None, over: str) -> Claim:
    known = asked.verdict.result.p_superior is not None and side is not None
    method = "none" if side is None else _zero_method(side)
    return Claim(
        says=BETTER,
        null="D <= 0",
        method=method,
        limit_method=_limit_method(side),
        numbers=numbers_of(asked.question, method, found),
        over=over,
        p=side.p_zero if side is not None and known else None,
        limit=None if side is None else side.limit,
        adjusted=asked.verdict.p_superior_adjusted,
        family="better",
        shown=asked.verdict.target == Status.BETTER,
    )


def _zero_method(side: Side) -> str:
    return "mcnemar-midp" if side.method in COUNTED else side.method


def _limit_method(side: Side | None) -> str:
    if side is None:
        return "none"
    return "tango" if side.method in COUNTED else side.method


def _by_bets(asked: Asked, bets: Bets, lone: Lone | None) -> Iterator[Claim]:
    verdict, margin = asked.verdict, asked.question.oriented_margin
    floor = verdict.floor.floor if verdict.floor is not None else 0.0
    seen, filled = (
        "units in their order, missing values left out",
        "units in their order, missing values counted against",
    )
    guarded, worse = verdict.guardrail == Status.PASS, verdict.p_harm_adjusted
    told = (
        ("noninferiority", FELL_LITTLE, f"D <= {-margin!r}", filled, bets.lower, guarded),
        ("harm", WORSE, "D >= 0", seen, bets.upper, worse is not None and worse <= asked.alpha),
        ("superiority", BETTER, "D <= 0", filled, bets.lower, verdict.target == Status.BETTER),
        ("floor", ABOVE, f"mean <= {floor!r}", filled, bets.floor_lower, bets.shows("floor")),
        ("missed", BELOW, f"mean >= {floor!r}", seen, bets.floor_upper, bets.shows("missed")),
    )
    adjusted = {"harm": ("worse", worse), "superiority": ("better", verdict.p_superior_adjusted)}
    for name, says, null, over, limit, shown in told:
        if name in bets.claims:
            family, p = adjusted.get(name, ("", None))
            yield Claim(
                says=says,
                null=null,
                method=BETTING,
                limit_method=BETTING,
                numbers=_capitals(bets.claims[name]),
                over=over,
                p=bets.claims[name].pvalue,
                limit=limit,
                adjusted=p,
                family=family,
                shown=shown,
            )
    if verdict.never is not None and lone is not None:
        yield never_claim(lone, verdict.never)


def _capitals(bet: Bet) -> Numbers:
    """What is left of ten bets: the logarithm of each capital."""
    logs = {f"log{place}": value for place, value in enumerate(bet.logs, start=1)}
    return {"units": bet.units, "threshold": bet.threshold} | logs
