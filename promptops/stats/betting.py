"""Tests by betting: valid however often one looks, so a run may stop the moment it is decided.

A gambler bets against the null hypothesis with money that is worth nothing more on average while the hypothesis
is true; so the chance that the capital ever reaches 1/alpha is at most alpha (Ville 1939). Ten gamblers with
constant stakes share one unit of money (Waudby-Smith & Ramdas 2024, JRSSB 86:1, the "diversified" bet): their mean
capital is the e-process, and because constant stakes multiply, it does not depend on the order of what was seen.

Assumes that every observation has the same mean given those before it: pairs, or whole clusters, in an order that
does not look at the answers. Refuses values outside the declared range, on which the bound rests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import log1p
from typing import Any, Literal

import numpy as np

from promptops.stats.columns import SLACK, Floats, column
from promptops.stats.results import BadNumbers, Interval, check_alpha, check_confidence

Direction = Literal["noninferiority", "harm", "superiority"]

STAKES = 10
SMALLEST_STAKE = 0.05
LARGEST_SHARE = 0.95  # of the stake that one observation could lose whole
_HALVINGS = 50


class Bettor:
    """One e-process against "the mean is at most `null`" (`rising`), or at least (not `rising`).

    `logs` are the logarithms of the ten capitals and the whole state: whoever keeps them can check a crossing.
    An update is O(1), in plain floats. With clusters an observation is one of them: the sum of its values and how
    many they are (or their weights), of which `largest` is the bound; so the mean stays that of the single values.
    """

    __slots__ = ("_null", "_scale", "_stakes", "logs")

    def __init__(
        self,
        null: float,
        *,
        value_range: tuple[float, float],
        rising: bool = True,
        largest: float = 1.0,
        logs: Sequence[float] | None = None,
    ) -> None:
        low, high = value_range
        span = high - low
        self._null = null
        self._scale = (1 if rising else -1) / (span * largest)
        self._stakes = stakes(((null - low) if rising else (high - null)) / span)
        self.logs = [0.0] * STAKES if logs is None else list(logs)

    def update(self, total: float, size: float = 1.0) -> None:
        """Take one observation: the sum of `size` values, each within the range, `size` at most `largest`."""
        gain = self._scale * (total - self._null * size)
        self.logs = [log + log1p(stake * gain) for log, stake in zip(self.logs, self._stakes, strict=True)]

    @property
    def log_e(self) -> float:
        """The logarithm of the e-value, the mean of the ten capitals."""
        return log_mean_exp(self.logs)

    def reached(self, log_threshold: float) -> bool:
        """Whether the e-value has reached the threshold; cheap where not one capital has."""
        return max(self.logs) >= log_threshold and self.log_e >= log_threshold


def stakes(null_share: float) -> list[float]:
    """The ten constant stakes against a null mean that lies at `null_share` of the range (0 to 1)."""
    ratio = (LARGEST_SHARE / null_share / SMALLEST_STAKE) ** (1 / (STAKES - 1))
    return [SMALLEST_STAKE * ratio**power for power in range(STAKES)]


def log_mean_exp(logs: Sequence[float]) -> float:
    """The logarithm of the mean capital, from the logarithms of the capitals."""
    top = max(logs)
    return top + math.log(sum(math.exp(log - top) for log in logs) / len(logs))


@dataclass(frozen=True, slots=True, kw_only=True)
class EPath:
    """The logarithm of the e-process after each observation, in their order; `max` is the highest it ever was."""

    log_e: Floats
    final: float
    max: float
    direction: Direction
    null: float
    n: int


def e_process(
    diffs: Any,
    *,
    margin: float | None = None,
    value_range: tuple[float, float] = (-1.0, 1.0),
    direction: Direction = "noninferiority",
) -> EPath:
    """Bet on paired differences (higher is better) as they come; the claim holds where log E reaches log(1/alpha).

    "noninferiority" bets against H0: mean <= -margin; "superiority" against mean <= 0; "harm" against mean >= 0.
    `value_range` is the range of the differences. NaN or None is a pair without an answer: the worst of the range
    where the claim would favour the candidate, left out (no change of E) for harm.

    Raises:
        BadNumbers: no pair, infinities, values outside the range, a margin not positive or as wide as the range.
    """
    values = _checked(diffs, value_range)
    null, rising = _null(direction, margin, value_range), direction != "harm"
    low, high = value_range
    share = ((null - low) if rising else (high - null)) / (high - low)
    missing = null if direction == "harm" else low
    gains = (1 if rising else -1) * (np.where(np.isnan(values), missing, values) - null) / (high - low)
    path = np.full(gains.shape, -np.inf)
    for stake in stakes(share):
        path = np.logaddexp(path, np.cumsum(np.log1p(stake * gains)))
    path -= math.log(STAKES)
    return EPath(
        log_e=path,
        final=float(path[-1]),
        max=float(path.max()),
        direction=direction,
        null=null,
        n=path.size,
    )


def confidence_sequence(
    values: Any, *, value_range: tuple[float, float] = (-1.0, 1.0), confidence: float = 0.90
) -> Interval:
    """Limits of a bounded mean that hold at every moment at once, here at the last one.

    All means D0 that neither one-sided e-process has refuted at (1 - confidence) / 2. NaN or None is missing: the
    worst of the range for the lower limit, left out of the estimate and of the upper limit.

    Raises:
        BadNumbers: no value, infinities, values outside the range, a confidence outside 0 to 1.
    """
    check_confidence(confidence)
    read = _checked(values, value_range)
    seen = read[~np.isnan(read)]
    if seen.size == 0:
        raise BadNumbers("no_pairs", "every value is missing: there is nothing to estimate")
    against = np.where(np.isnan(read), value_range[0], read)
    alpha = (1 - confidence) / 2
    return Interval(
        estimate=float(seen.mean()),
        lower=lower_limit(against, value_range=value_range, alpha=alpha),
        upper=upper_limit(seen, value_range=value_range, alpha=alpha),
        confidence=confidence,
        method="betting",
        n=read.size,
    )


def lower_limit(
    totals: Any,
    sizes: Any = None,
    *,
    value_range: tuple[float, float],
    alpha: float,
    largest: float = 1.0,
    around: float | None = None,
) -> float:
    """The least mean that the rising e-process has not refuted at one-sided `alpha`.

    `totals` and `sizes` are the observations of `Bettor.update`. E falls in the mean that is asked about (every
    factor does), so halving finds the limit; `around` is tried first, so that a limit agrees exactly with a test there.
    """
    check_alpha(alpha)
    low, high = value_range
    sums = np.asarray(totals, dtype=np.float64)
    counts = np.ones(sums.size) if sizes is None else np.asarray(sizes, dtype=np.float64)
    rows, times = np.unique(np.column_stack([sums, counts]), axis=0, return_counts=True)
    scale, threshold = 1 / ((high - low) * largest), -math.log(alpha)

    def refuted(mean: float) -> bool:
        gains = scale * (rows[:, 0] - mean * rows[:, 1])
        logs = [float(times @ np.log1p(stake * gains)) for stake in stakes((mean - low) / (high - low))]
        return log_mean_exp(logs) >= threshold

    below, above = low, high
    for step in range(_HALVINGS if sums.size else 0):
        middle = around if step == 0 and around is not None else (below + above) / 2
        below, above = (middle, above) if refuted(middle) else (below, middle)
    return above if below > low else low


def upper_limit(
    totals: Any,
    sizes: Any = None,
    *,
    value_range: tuple[float, float],
    alpha: float,
    largest: float = 1.0,
    around: float | None = None,
) -> float:
    """The largest mean that the falling e-process has not refuted: the lower limit of the mirrored values."""
    mirrored = lower_limit(
        -np.asarray(totals, dtype=np.float64),
        sizes,
        value_range=(-value_range[1], -value_range[0]),
        alpha=alpha,
        largest=largest,
        around=None if around is None else -around,
    )
    return -mirrored


def _null(direction: Direction, margin: float | None, value_range: tuple[float, float]) -> float:
    if direction in ("harm", "superiority"):
        null = 0.0
    elif direction != "noninferiority":
        raise BadNumbers(
            "unknown_direction", f"unknown direction {direction!r}: noninferiority, harm, superiority"
        )
    elif margin is None or not (math.isfinite(margin) and margin > 0):
        raise BadNumbers("bad_margin", f"a margin is positive, got {margin!r}")
    else:
        null = -margin
    if not value_range[0] < null < value_range[1]:
        raise BadNumbers(
            "bad_margin", f"{null:g} does not lie within the range {value_range[0]:g} to {value_range[1]:g}"
        )
    return null


def _checked(values: Any, value_range: tuple[float, float]) -> Floats:
    read = column(values)
    if read.size == 0:
        raise BadNumbers("no_pairs", "there is no pair to bet on")
    low, high = value_range
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise BadNumbers("bad_range", f"a bet needs a range, low before high; got {value_range!r}")
    slack = SLACK * (high - low)
    known = read[~np.isnan(read)]
    outside = known[(known < low - slack) | (known > high + slack)]
    if outside.size:
        raise BadNumbers("outside_range", f"{float(outside[0])!r} lies outside the range {low:g} to {high:g}")
    return np.clip(read, low, high)
