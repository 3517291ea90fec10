"""What is asked of one metric, and both sides of the answer: how far it may have fallen or risen.

The side that speaks for a PASS sees every pair, with missing values counted against the candidate; the side
that speaks for a REGRESSION sees only the pairs with both values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from promptops.stats.binary import mcnemar_test, paired_proportion_noninferiority, tango_limits
from promptops.stats.columns import Floats, Pairs, scale_of
from promptops.stats.paired import Side, lower_side, sign_counts, upper_side
from promptops.stats.ratios import ratio_side
from promptops.stats.results import BadNumbers, Kind, Role, check_alpha

EXACT_UP_TO = 2000  # pairs; beyond, the score test's size is at its nominal level
DEFAULT_SHARE = 0.05  # of the range a metric may fall when nothing else is declared
DEFAULT_RISE = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of one metric's data; build it with `ask`. `margin` is on the metric's own scale."""

    kind: Kind
    scale: tuple[float, float] | None
    margin: float
    margin_is_default: bool
    role: Role
    alpha: float
    higher_is_better: bool
    targets: int

    @property
    def gating(self) -> bool:
        return self.role in ("guardrail", "both")

    @property
    def reach(self) -> float | None:
        """The size of the range; None for a ratio."""
        return None if self.scale is None else self.scale[1] - self.scale[0]

    @property
    def oriented_margin(self) -> float:
        """The margin on the scale of the differences: a log for ratios."""
        return math.log1p(self.margin) if self.kind == "ratio" else self.margin


def ask(
    kind: Kind,
    *,
    margin: float | None,
    value_range: tuple[float, float] | None = None,
    role: Role = "guardrail",
    alpha: float = 0.05,
    higher_is_better: bool | None = None,
    targets: int = 1,
) -> Question:
    """Check a question; the arguments are those of `metric.evaluate_metric`.

    Raises:
        BadNumbers: an unknown kind, no range, a margin not positive or as wide as the scale, a bad alpha.
    """
    check_alpha(alpha)
    scale = scale_of(kind, value_range)
    if kind == "ratio" and higher_is_better:
        raise BadNumbers("bad_orientation", "a ratio metric is one where less is better")
    return Question(
        kind=kind,
        scale=scale,
        margin=_margin(margin, scale),
        margin_is_default=margin is None,
        role=role,
        alpha=alpha,
        higher_is_better=higher_is_better is not False,
        targets=targets,
    )


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


def _margin(margin: float | None, scale: tuple[float, float] | None) -> float:
    if scale is None:
        allowed = DEFAULT_RISE if margin is None else margin
    else:
        allowed = DEFAULT_SHARE * (scale[1] - scale[0]) if margin is None else margin
    if not (math.isfinite(allowed) and allowed > 0):
        raise BadNumbers("bad_margin", f"a margin is positive, got {allowed!r}")
    if scale is not None and allowed >= scale[1] - scale[0]:
        raise BadNumbers("bad_margin", f"a margin of {allowed:g} allows everything on this scale")
    return float(allowed)


def both_sides(question: Question, pairs: Pairs) -> Sides:
    if pairs.seen.size == 0:
        return Sides(low=None, low_seen=None, high=None)
    low_seen = _low(question, pairs.seen)
    low = low_seen if pairs.touched == 0 else _low(question, pairs.against) if pairs.against_known else None
    return Sides(low=low, low_seen=low_seen, high=_high(question, pairs.seen))


def _low(question: Question, values: Floats) -> Side:
    margin, alpha = question.oriented_margin, question.alpha
    if question.kind == "binary":
        return _binary_low(question, *sign_counts(values, 1.0), values.size)
    if question.reach is None:
        return ratio_side(values, margin=margin, alpha=alpha)
    return lower_side(values, margin=margin, alpha=alpha, value_range=question.reach)


def _high(question: Question, values: Floats) -> Side:
    margin, alpha = question.oriented_margin, question.alpha
    if question.kind == "binary":
        return _binary_high(question, *sign_counts(values, 1.0), values.size)
    if question.reach is None:
        side = ratio_side(-values, margin=margin, alpha=alpha)
        return Side(limit=-side.limit, p_margin=side.p_margin, p_zero=side.p_zero, method=side.method)
    return upper_side(values, margin=margin, alpha=alpha, value_range=question.reach)


def is_exact(question: Question, n: int) -> bool:
    """Whether non-inferiority of `n` pairs is tested exactly."""
    return question.kind == "binary" and question.gating and n <= EXACT_UP_TO


def _binary_low(question: Question, fixed: int, broken: int, n: int) -> Side:
    exact = is_exact(question, n)
    p_margin = 1.0
    if question.gating:
        p_margin = paired_proportion_noninferiority(
            fixed, broken, n, margin=question.margin, method="exact" if exact else "score"
        ).pvalue
    limit, _ = tango_limits(fixed, broken, n, alpha=question.alpha)
    better = mcnemar_test(fixed, broken, alternative="greater").pvalue
    method = "exact-unconditional" if exact else "tango"
    return Side(limit=limit, p_margin=p_margin, p_zero=better, method=method)


def _binary_high(question: Question, fixed: int, broken: int, n: int) -> Side:
    _, limit = tango_limits(fixed, broken, n, alpha=question.alpha)
    worse = mcnemar_test(fixed, broken, alternative="less").pvalue
    return Side(limit=limit, p_margin=1.0, p_zero=worse, method="tango")
