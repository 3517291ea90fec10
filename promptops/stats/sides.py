"""What is asked of one metric, and both sides of the answer: how far it may have fallen or risen.

The side that speaks for a PASS sees every pair, with missing values counted against the candidate; the side
that speaks for a REGRESSION sees only the pairs with both values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from promptops.stats.binary import mcnemar_test, paired_proportion_noninferiority, tango_limits
from promptops.stats.columns import Pairs, scale_of
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
    """Both sides of the comparison; one is None when the data cannot give it."""

    low: Side | None
    high: Side | None
    p_exact: float | None = None

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
        return Sides(low=None, high=None)
    if question.kind == "binary":
        return _binary_sides(question, pairs)
    margin, alpha = question.oriented_margin, question.alpha
    if question.reach is None:
        low = ratio_side(pairs.against, margin=margin, alpha=alpha) if pairs.against_known else None
        return Sides(low=low, high=_mirrored(ratio_side(-pairs.seen, margin=margin, alpha=alpha)))
    return Sides(
        low=lower_side(pairs.against, margin=margin, alpha=alpha, value_range=question.reach),
        high=upper_side(pairs.seen, margin=margin, alpha=alpha, value_range=question.reach),
    )


def _binary_sides(question: Question, pairs: Pairs) -> Sides:
    fixed, broken = sign_counts(pairs.against, 1.0)
    seen_fixed, seen_broken = sign_counts(pairs.seen, 1.0)
    p_margin, exact = 1.0, pairs.n <= EXACT_UP_TO
    if question.gating:
        p_margin = paired_proportion_noninferiority(
            fixed, broken, pairs.n, margin=question.margin, method="exact" if exact else "score"
        ).pvalue
    lower, _ = tango_limits(fixed, broken, pairs.n, alpha=question.alpha)
    _, upper = tango_limits(seen_fixed, seen_broken, pairs.seen.size, alpha=question.alpha)
    better = mcnemar_test(fixed, broken, alternative="greater").pvalue
    worse = mcnemar_test(seen_fixed, seen_broken, alternative="less").pvalue
    method = "exact-unconditional" if exact and question.gating else "tango"
    return Sides(
        low=Side(limit=lower, p_margin=p_margin, p_zero=better, method=method),
        high=Side(limit=upper, p_margin=1.0, p_zero=worse, method=method),
        p_exact=p_margin if exact and question.gating else None,
    )


def _mirrored(side: Side) -> Side:
    return Side(limit=-side.limit, p_margin=side.p_margin, p_zero=side.p_zero, method=side.method)
