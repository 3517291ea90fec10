"""Both sides of the answer to one question: how far a metric may have fallen or risen.

The side that speaks for a PASS sees every pair, with missing values counted against the candidate; the side
that speaks for a REGRESSION sees only the pairs with both values.
"""

from __future__ import annotations

from dataclasses import dataclass

from promptops.stats.binary import mcnemar_test, paired_proportion_noninferiority, tango_limits
from promptops.stats.facts import Facts
from promptops.stats.paired import Side, lower_side, upper_side
from promptops.stats.question import Question
from promptops.stats.ratios import ratio_side
from promptops.stats.summary import Summary

EXACT_UP_TO = 2000  # pairs; beyond, the score test's size is at its nominal level


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both sides of the comparison; one is None when the data cannot give it.

    `low` counts missing values against the candidate, `low_seen` leaves their pairs out, as `high` does.
    """

    low: Side | None
    low_seen: Side | None
    high: Side | None

    @property
    def method(self) -> str:
        names = [side.method for side in (self.low, self.high) if side is not None]
        return " / ".join(dict.fromkeys(names)) or "none"


def both_sides(question: Question, facts: Facts) -> Sides:
    if facts.seen is None:
        return Sides(low=None, low_seen=None, high=None)
    counted = question.kind == "binary" and facts.repeats == 1
    low_seen = _low(question, facts.seen, counted)
    low = low_seen if facts.touched == 0 else None
    if facts.against is not None:
        low = _low(question, facts.against, counted)
    return Sides(low=low, low_seen=low_seen, high=_high(question, facts.seen, counted))


def is_exact(question: Question, facts: Facts) -> bool:
    """Whether non-inferiority is tested exactly: pass/fail scores of independent samples, asked once."""
    single = facts.repeats == 1 and facts.seen is not None and facts.seen.grouped is None
    return question.kind == "binary" and question.gating and single and facts.n <= EXACT_UP_TO


def _low(question: Question, found: Summary, counted: bool) -> Side:
    margin, alpha = question.oriented_margin, question.alpha
    if counted and found.grouped is None:
        return _binary_low(question, found)
    if question.reach is None:
        return ratio_side(found, margin=margin, alpha=alpha)
    return lower_side(found, margin=margin, alpha=alpha, value_range=question.reach)


def _high(question: Question, found: Summary, counted: bool) -> Side:
    margin, alpha = question.oriented_margin, question.alpha
    if counted and found.grouped is None:
        return _binary_high(question, found)
    if question.reach is None:
        side = ratio_side(found.mirrored(), margin=margin, alpha=alpha)
        return Side(limit=-side.limit, p_margin=side.p_margin, p_zero=side.p_zero, method=side.method)
    return upper_side(found, margin=margin, alpha=alpha, value_range=question.reach)


def _binary_low(question: Question, found: Summary) -> Side:
    exact, fixed, broken = found.n <= EXACT_UP_TO, found.ups, found.downs
    p_margin = 1.0
    if question.gating:
        p_margin = paired_proportion_noninferiority(
            fixed, broken, found.n, margin=question.margin, method="exact" if exact else "score"
        ).pvalue
    limit, _ = tango_limits(fixed, broken, found.n, alpha=question.alpha)
    better = mcnemar_test(fixed, broken, alternative="greater").pvalue
    method = "exact-unconditional" if exact and question.gating else "tango"
    return Side(limit=limit, p_margin=p_margin, p_zero=better, method=method)


def _binary_high(question: Question, found: Summary) -> Side:
    _, limit = tango_limits(found.ups, found.downs, found.n, alpha=question.alpha)
    worse = mcnemar_test(found.ups, found.downs, alternative="less").pvalue
    return Side(limit=limit, p_margin=1.0, p_zero=worse, method="tango")
