"""What a verdict claims, test by test: the hypothesis, the method, the numbers that went in, and the p-value.

Reached from the basis of the verdict alone, so it is what the gate did and not a retelling. Knows no sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from promptops.basis import Basis
from promptops.gate import MetricVerdict
from promptops.rules import question_of
from promptops.stats.facts import Facts
from promptops.stats.floors import Lone, room, worth
from promptops.stats.paired import Side
from promptops.stats.question import Question
from promptops.stats.ratios import CLIP
from promptops.stats.results import FloorResult, NeverResult, Status
from promptops.stats.sides import both_sides
from promptops.stats.summary import Summary

Numbers = dict[str, float]

COUNTED = (
    "exact-unconditional",
    "tango",
)  # sides whose test at no difference is McNemar's, and whose limit Tango's
ALL_PAIRS = "every pair"
AGAINST = "every pair, a missing value counted against the candidate"
SEEN = "the pairs with both values"

_SAMPLES = {
    "exact-unconditional": ("n", "ups", "downs"),
    "tango-score": ("n", "ups", "downs"),
    "mcnemar-midp": ("n", "ups", "downs"),
    "hall-t": ("n", "mean", "sd", "skew"),
    "log-t": ("n", "mean", "sd"),
    "bounded-score": ("n", "gain", "loss", "ups", "downs"),
}
_CLUSTERS = {
    "bounded-score": ("effective", "gain", "loss", "ups", "downs"),
    "cr2-hall-t": ("clusters", "mean", "se", "df", "skew"),
    "hajek-hall-t": ("clusters", "mean", "se", "df", "skew"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim about one metric.

    `says` is the claim in words, `null` the hypothesis that must be refuted for it. `numbers` are all that `p` and
    `limit` were computed from, `over` what they were counted over. `limit` is the confidence limit on the side of
    the claim, on the scale of the differences; `adjusted` is `p` within its `family`. None: there is none.
    """

    says: str
    null: str
    method: str
    limit_method: str
    numbers: Numbers
    over: str
    p: float | None = None
    limit: float | None = None
    adjusted: float | None = None
    family: str = ""
    shown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One compared metric: what was asked, what was found, and what the gate made of it."""

    question: Question
    facts: Facts
    verdict: MetricVerdict
    alpha: float


def claims_of(basis: Basis, one: MetricVerdict) -> list[Claim]:
    """Every claim about one rule that the verdict rests on."""
    finding = basis.findings[one.rule.name]
    asked = _Asked(
        question=question_of(one.rule, basis.policy),
        facts=finding.compared,
        verdict=one,
        alpha=basis.policy.alpha,
    )
    compared = [] if basis.first or one.rule.role == "observe" else list(_compared(asked))
    alone = [] if finding.lone is None else list(_alone(asked, finding.lone))
    return compared + alone


def _compared(asked: _Asked) -> Iterator[Claim]:
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


def _within(asked: _Asked, side: Side | None, found: Summary | None, over: str) -> Claim:
    margin = asked.question.oriented_margin
    method = "none" if side is None else {"tango": "tango-score"}.get(side.method, side.method)
    return Claim(
        says="it did not fall by as much as is allowed",
        null=f"D <= {-margin!r}",
        method=method,
        limit_method=_limit_method(side),
        numbers=_numbers(asked.question, method, found),
        over=over,
        p=None if side is None else side.p_margin,
        limit=None if side is None else side.limit,
        shown=asked.verdict.guardrail == Status.PASS,
    )


def _worse(asked: _Asked, side: Side, found: Summary, over: str) -> Claim:
    known = asked.verdict.result.p_harm is not None
    method = _zero_method(side)
    adjusted = asked.verdict.p_harm_adjusted
    return Claim(
        says="it got worse",
        null="D >= 0",
        method=method,
        limit_method=_limit_method(side),
        numbers=_numbers(asked.question, method, found),
        over=over,
        p=side.p_zero if known else None,
        limit=side.limit,
        adjusted=adjusted,
        family="worse",
        shown=adjusted is not None and adjusted <= asked.alpha,
    )


def _better(asked: _Asked, side: Side | None, found: Summary | None, over: str) -> Claim:
    known = asked.verdict.result.p_superior is not None and side is not None
    method = "none" if side is None else _zero_method(side)
    return Claim(
        says="it got better",
        null="D <= 0",
        method=method,
        limit_method=_limit_method(side),
        numbers=_numbers(asked.question, method, found),
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


def _numbers(question: Question, method: str, found: Summary | None) -> Numbers:
    """The numbers that the method's expression names."""
    if found is None or method == "none":
        return {}
    units = found.grouped
    if units is None:
        values: Numbers = {name: getattr(found, name) for name in _SAMPLES[method]}
    else:
        values = {name: getattr(units, name) for name in _CLUSTERS[method]}
    return values | ({"R": _reach(question, found)} if method == "bounded-score" else {})


def _reach(question: Question, found: Summary) -> float:
    """The size of the scale, for a ratio the one that the fallback takes."""
    return question.reach or max(CLIP, 2 * question.oriented_margin, found.largest)


def _alone(asked: _Asked, lone: Lone) -> Iterator[Claim]:
    floor, never = asked.verdict.floor, asked.verdict.never
    if floor is not None and lone.short is not None and lone.over is not None:
        yield _above(asked, lone, lone.short, floor)
        yield _below(asked, lone, lone.over, floor)
    if never is not None:
        yield _never(lone, never)


def _above(asked: _Asked, lone: Lone, short: Summary, found: FloorResult) -> Claim:
    width, method = room(asked.verdict.rule.kind, short.mirrored(), lone, asked.alpha)
    return Claim(
        says="its mean lies above its floor",
        null=f"mean <= {found.floor!r}",
        method=method,
        limit_method=method,
        numbers=_passes(short, lone) if method == "clopper-pearson" else _shifted(short, method, lone.high),
        over="every answer, a missing one counted as the worst" if lone.unscored else "every answer",
        limit=lone.high - width,
        shown=found.status == Status.PASS,
    )


def _below(asked: _Asked, lone: Lone, over: Summary, found: FloorResult) -> Claim:
    width, method = room(asked.verdict.rule.kind, over, lone, asked.alpha)
    return Claim(
        says="its mean lies below its floor",
        null=f"mean >= {found.floor!r}",
        method=method,
        limit_method=method,
        numbers=_passes(over, lone) if method == "clopper-pearson" else _shifted(over, method, lone.low),
        over="the answers that were scored" if lone.unscored else "every answer",
        limit=lone.low + width,
        shown=found.status == Status.REGRESSION,
    )


def _passes(found: Summary, lone: Lone) -> Numbers:
    """Passes, or scores as shares of the scale: what lies above the worst value, or does not fall short of the best."""
    units, n = found.grouped or found, found.n if found.grouped is None else found.grouped.effective
    k = units.gain / lone.size if found is lone.over else n - units.loss / lone.size
    return {"n": n, "k": k, "low": lone.low, "R": lone.size}


def _shifted(found: Summary, method: str, end: float) -> Numbers:
    """The numbers of a mean that was measured from one end of the scale."""
    names = _SAMPLES if found.grouped is None else _CLUSTERS
    values = {name: getattr(found.grouped or found, name) for name in names[method]}
    return values | {"mean": end + values["mean"]}


def _never(lone: Lone, found: NeverResult) -> Claim:
    return Claim(
        says="it never happened",
        null=f"it happens more often than in a share of {found.rate_upper!r}",
        method="clopper-pearson",
        limit_method="clopper-pearson",
        numbers={
            "violations": found.violations,
            "unscored": found.unscored,
            "n": lone.n,
            "worth": worth(lone),
        },
        over="every answer, one that was not scored counted as a violation",
        limit=found.rate_upper,
        shown=found.status == Status.PASS,
    )
