"""What the statistics hand back: values with their method, never a bare number and never NaN.

Errors about the numbers themselves are `BadNumbers`, a ValueError with a code; degenerate but legal input
(one pair, all ties, nothing scored) is a result with a reason instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar, Literal

from promptops.errors import InvalidInput

Kind = Literal["binary", "bounded", "ratio"]
Role = Literal["guardrail", "target", "both", "observe"]
Alternative = Literal["two-sided", "greater", "less"]


class BadNumbers(InvalidInput, ValueError):
    """Numbers that no test can use; `code` is stable, the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Status(StrEnum):
    """What is known of one metric: the first three for guardrails, then targets, then what never gates."""

    PASS = "PASS"
    REGRESSION = "REGRESSION"
    INCONCLUSIVE = "INCONCLUSIVE"
    BETTER = "BETTER"
    WORSE = "WORSE"
    NOT_SHOWN = "NOT_SHOWN"
    OBSERVED = "OBSERVED"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """A hypothesis test; `statistic` is None for tests that have none."""

    __test__: ClassVar[bool] = False  # pytest would take the name for a test class

    pvalue: float
    statistic: float | None = None
    method: str
    alternative: Alternative = "greater"
    n: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with two-sided limits; limits are None where there are none (a warning says why)."""

    estimate: float
    lower: float | None
    upper: float | None
    confidence: float
    method: str
    n: int
    se: float | None = None
    df: float | None = None
    n_clusters: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricResult:
    """One metric, compared between baseline and candidate.

    binary and bounded: `difference`, `lower`, `upper` are oriented, positive is better, on the metric's own
    scale; the metric is within its margin where `lower > -margin`. ratio: they are relative changes (-0.08 is
    8 % less), *less* is better, within the margin where `upper < margin`; the means are geometric and `se` is
    that of the mean log ratio.

    When values are missing, the means, `difference`, `fixed`/`broken`, `wins`/`ties`/`losses`, `se`, `p_harm`
    and the favourable limit come from the `n_complete` pairs with both values; the unfavourable limit,
    `p_noninferior` and `p_superior` come from all `n` pairs with every missing value counted against the
    candidate. So the interval is never narrower than the claim it carries, and PASS never contradicts it.
    `noninferior` is the claim for a PASS; `noninferior_seen`, from complete pairs alone, rules out a
    REGRESSION that only missing answers would have made.

    With repeats, `within_baseline` and `within_candidate` are the variance between the answers to one sample and
    `between` that of the true differences between samples (ratio: of their logs); `best_repeats` is how many
    answers to each sample they are worth (repeats.best_repeats). None where nothing tells.
    """

    status: Status
    kind: Kind
    method: str
    n: int
    n_complete: int
    n_clusters: int | None = None
    repeats: int = 1
    difference: float | None = None
    baseline_mean: float | None = None
    candidate_mean: float | None = None
    se: float | None = None
    df: float | None = None
    deff: float | None = None
    icc: float | None = None
    within_baseline: float | None = None
    within_candidate: float | None = None
    between: float | None = None
    best_repeats: int | None = None
    lower: float | None = None
    upper: float | None = None
    confidence: float
    margin: float
    noninferior: bool = False
    noninferior_seen: bool = False
    passable: bool = True
    fixed: int | None = None
    broken: int | None = None
    discordant: int | None = None
    wins: int | None = None
    ties: int | None = None
    losses: int | None = None
    p_noninferior: float | None = None
    p_exact: float | None = None
    p_harm: float | None = None
    p_superior: float | None = None
    n_required: int | None = None
    n_additional: int | None = None
    dropped_baseline_missing: int = 0
    candidate_unscored: int = 0
    reason: str = ""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def mean(self) -> float | None:
        return self.difference

    @property
    def hopeful_limit(self) -> float | None:
        """The limit that favours the candidate, oriented (positive is better) for every kind."""
        if self.kind != "ratio":
            return self.upper
        return None if self.lower is None else -self.lower

    def as_json(self) -> dict[str, Any]:
        return as_json(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorResult:
    """A floor under the candidate's mean: PASS above it, REGRESSION shown below it, else INCONCLUSIVE.

    `lower` counts missing answers as the worst value, `upper` leaves them out; both one-sided at 1 - alpha.
    """

    status: Status
    floor: float
    mean: float | None
    lower: float | None
    upper: float | None
    n: int
    unscored: int
    method: str
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return as_json(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverResult:
    """Violations among the candidate's answers, and the one-sided upper limit of their rate at 1 - alpha."""

    status: Status
    violations: int
    n: int
    unscored: int
    rate_upper: float
    confidence: float
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return as_json(self)


def as_json(value: Any) -> dict[str, Any]:
    """Return a result's fields as plain JSON: no NaN, no infinity, null instead."""
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def check_alpha(alpha: float) -> None:
    if not 0 < alpha < 0.5:
        raise BadNumbers("bad_alpha", f"alpha must lie between 0 and 0.5, got {alpha!r}")


def check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise BadNumbers("bad_confidence", f"confidence must lie between 0 and 1, got {confidence!r}")
