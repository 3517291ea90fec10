"""One column as it grows: its sums by unit, the bets on its mean, and the limits that follow.

Refuses to take back what was shown: a bet that has reached its threshold is over and stays as it was.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable

from promptops.stats.bets import Bet
from promptops.stats.betting import Bettor, lower_limit, upper_limit


class Track:
    """The values of one column within `value_range`, unit by unit; 16 bytes a unit and ten numbers a bet.

    `largest` bounds the weight of one unit: 1 for single samples.
    """

    __slots__ = ("_alpha", "_largest", "_range", "_sizes", "_streams", "_total", "_totals", "_weight")

    def __init__(self, value_range: tuple[float, float], *, alpha: float, largest: float) -> None:
        self._range, self._alpha, self._largest = value_range, alpha, largest
        self._totals, self._sizes = array("d"), array("d")
        self._total = self._weight = 0.0
        self._streams: dict[str, _Stream] = {}

    def bet(self, name: str, null: float, *, rising: bool = True, shared_by: int = 1) -> None:
        """Begin to bet against a mean of at most `null` (or at least); `shared_by` claims share the level."""
        bettor = Bettor(null, value_range=self._range, rising=rising, largest=self._largest)
        self._streams[name] = _Stream(bettor, null, rising, shared_by / self._alpha)

    def take(self, values: Iterable[tuple[float, float]]) -> None:
        """Count one unit of (weight, value); a NaN is left out."""
        total = size = 0.0
        for weight, value in values:
            if value == value:
                total += weight * value
                size += weight
        self._totals.append(total)
        self._sizes.append(size)
        self._total += total
        self._weight += size
        for stream in self._streams.values():
            stream.take(total, size)

    @property
    def units(self) -> int:
        return len(self._totals)

    def __contains__(self, name: str) -> bool:
        return name in self._streams

    def reached(self, name: str) -> bool:
        return name in self._streams and self._streams[name].reached

    @property
    def mean(self) -> float | None:
        return self._total / self._weight if self._weight else None

    def bets(self) -> dict[str, Bet]:
        return {name: stream.bet() for name, stream in self._streams.items()}

    def lower(self, null: float, *, claim: str) -> float | None:
        """The lower limit now; where that takes back what was claimed, the one of the moment of the claim."""
        limit = self._lower(null, self.units)
        if self.reached(claim) and limit is not None and limit <= null:
            return self._lower(null, self._streams[claim].units)
        return limit

    def upper(self, around: float, *, shared_by: int = 1) -> float | None:
        """The upper limit now; None before there is a value. `shared_by` claims share the level."""
        if not self._weight:
            return None
        return upper_limit(
            self._totals,
            self._sizes,
            value_range=self._range,
            alpha=self._alpha / shared_by,
            largest=self._largest,
            around=around,
        )

    def _lower(self, around: float, units: int) -> float | None:
        if not self._weight:
            return None
        return lower_limit(
            self._totals[:units],
            self._sizes[:units],
            value_range=self._range,
            alpha=self._alpha,
            largest=self._largest,
            around=around,
        )


class _Stream:
    __slots__ = ("_bettor", "_log_threshold", "_null", "_rising", "_threshold", "reached", "units")

    def __init__(self, bettor: Bettor, null: float, rising: bool, threshold: float) -> None:
        self._bettor, self._null, self._rising = bettor, null, rising
        self._threshold, self._log_threshold = threshold, math.log(threshold)
        self.units, self.reached = 0, False

    def take(self, total: float, size: float) -> None:
        if self.reached:
            return
        self.units += 1
        self._bettor.update(total, size)
        self.reached = self._bettor.reached(self._log_threshold)

    def bet(self) -> Bet:
        return Bet(
            null=self._null,
            rising=self._rising,
            threshold=self._threshold,
            units=self.units,
            logs=tuple(self._bettor.logs),
        )
