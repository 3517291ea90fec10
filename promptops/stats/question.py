"""What is asked of one metric: its kind and scale, the margin, and at which level."""

from __future__ import annotations

import math
from dataclasses import dataclass

from promptops.stats.columns import scale_of
from promptops.stats.results import BadNumbers, Kind, Role, check_alpha

DEFAULT_SHARE = 0.05  # of the range a metric may fall when nothing else is declared
DEFAULT_RISE = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of one metric's data; build it with `ask`. `margin` is on the metric's own scale.

    `targets` share the level of improvement; `guardrails` have to hold together, which only planning looks at.
    """

    kind: Kind
    scale: tuple[float, float] | None
    margin: float
    margin_is_default: bool
    role: Role
    alpha: float
    higher_is_better: bool
    targets: int
    guardrails: int = 1

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
    guardrails: int = 1,
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
        guardrails=guardrails,
    )


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
