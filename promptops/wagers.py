"""The bets on one rule: fed a unit at a time, they know what is shown of it and what keeps it open.

A missing answer counts as the worst value where a claim favours the candidate, and is left out where one accuses it,
as in the test of fixed size. Refuses to take back what was shown: a bet that has reached its threshold is over.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from promptops.rules import Policy, Rule, question_of
from promptops.stats.bets import Bets
from promptops.stats.track import Track

EDGE = 1e-9  # of the range: what floating point leaves of the worst and the best value


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One sample: the values of both arms by metric, NaN where one is missing; a metric that does not apply is absent.

    `weight` is one over the sample's chance of being in the set.
    """

    values: Mapping[str, tuple[float, float]]
    weight: float = 1.0
    slices: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the rules of a policy share: the level, how many may be accused or improve, and the bound of a unit."""

    alpha: float
    accused: int
    targets: int
    largest: float = 1.0
    compared: bool = True

    def track(self, value_range: tuple[float, float]) -> Track:
        return Track(value_range, alpha=self.alpha, largest=self.largest)


class Wagers:
    """Everything that is bet on one rule, and the few sums that a PASS needs besides."""

    def __init__(self, rule: Rule, policy: Policy, terms: Terms) -> None:
        self.rule, self._terms = rule, terms
        question = question_of(rule, policy)
        self._margin, self._scale = question.margin, question.scale
        low, high = question.scale or (0.0, 1.0)
        between = (low - high, high - low)
        self._seen, self._against = terms.track(between), terms.track(between)
        self._scored, self._filled = terms.track((low, high)), terms.track((low, high))
        self._counts = _Counts()
        if question.scale is not None:
            self._open(guards=question.gating)

    def _open(self, *, guards: bool) -> None:
        rule, terms = self.rule, self._terms
        if terms.compared and guards:
            self._against.bet("noninferiority", -self._margin)
            self._seen.bet("noninferiority_seen", -self._margin)
        if terms.compared and rule.role != "observe":
            self._seen.bet("harm", 0.0, rising=False, shared_by=terms.accused)
        if terms.compared and rule.target:
            self._against.bet("superiority", 0.0, shared_by=terms.targets)
        if rule.floor is not None:
            self._filled.bet("floor", rule.floor)
            self._scored.bet("missed", rule.floor, rising=False, shared_by=terms.accused)

    def take(self, unit: Sequence[Row]) -> None:
        """Count one unit; the samples outside of the rule's slice say nothing of it."""
        name, part = self.rule.metric, self.rule.slice
        rows = [
            (row.weight, *row.values[name])
            for row in unit
            if name in row.values and (part is None or part in row.slices)
        ]
        if not rows or self._scale is None:
            return
        low, high = self._scale
        self._counts.add(rows, self._scale)
        if self._terms.compared:
            self._seen.take((weight, after - before) for weight, before, after in rows)
            self._against.take(
                (weight, (low if math.isnan(after) else after) - (high if math.isnan(before) else before))
                for weight, before, after in rows
            )
        if self.rule.floor is not None:
            self._scored.take((weight, after) for weight, _, after in rows)
            self._filled.take((weight, low if math.isnan(after) else after) for weight, _, after in rows)

    @property
    def fails(self) -> bool:
        """Whether it is shown that the candidate does harm here."""
        guarded = "noninferiority" in self._against
        held = self._against.reached("noninferiority") or self._seen.reached("noninferiority_seen")
        accused = self._seen.reached("harm") and (self.rule.target or (guarded and not held))
        violated = self.rule.never and self._counts.violations > 0
        return accused or violated or self._scored.reached("missed")

    @property
    def holds(self) -> bool:
        """Whether nothing that this rule asks keeps a PASS away; what only all samples can tell does."""
        if self.rule.never or self._scale is None or self._counts.all_fail(self._scale):
            return False
        return self._stays_within() and self._keeps_floor()

    def _stays_within(self) -> bool:
        if "noninferiority" not in self._against:
            return True
        drift, mean = self.rule.drift, self._seen.mean
        if drift is not None and drift.is_too_far(self.rule.kind, mean, self._margin):
            return False
        shown = self._against.reached("noninferiority") and self._counts.passable
        # What was shown stays shown; but nobody would believe it of an estimate beyond the margin.
        return shown and mean is not None and mean > -self._margin

    def _keeps_floor(self) -> bool:
        floor, counts = self.rule.floor, self._counts
        if floor is None:
            return True
        mean = self._scored.mean
        shown = self._filled.reached("floor") and counts.unscored * 5 <= counts.n
        return shown and mean is not None and mean > floor

    @property
    def improves(self) -> bool:
        return self._against.reached("superiority") and self._counts.passable

    def bets(self) -> Bets:
        """What was bet, with the limits that follow."""
        units = max(track.units for track in (self._seen, self._filled))
        if self._scale is None:
            return Bets(units=units, largest=self._terms.largest, waits=True)
        tracks, floor = (self._seen, self._against, self._scored, self._filled), self.rule.floor
        null = -self._margin if "noninferiority" in self._against else 0.0
        return Bets(
            units=units,
            largest=self._terms.largest,
            claims={name: bet for track in tracks for name, bet in track.bets().items()},
            lower=self._against.lower(null, claim="noninferiority"),
            upper=self._seen.upper(0.0),
            floor_lower=None if floor is None else self._filled.lower(floor, claim="floor"),
            floor_upper=None if floor is None else self._scored.upper(floor, shared_by=self._terms.accused),
        )


class _Counts:
    """How many samples there were and what they lack."""

    __slots__ = ("_highest", "lost", "n", "touched", "unscored", "violations")

    def __init__(self) -> None:
        self.n = self.touched = self.lost = self.unscored = self.violations = 0
        self._highest = -math.inf

    def add(self, rows: Iterable[tuple[float, float, float]], scale: tuple[float, float]) -> None:
        below_best = scale[1] - EDGE * (scale[1] - scale[0])
        for _, before, after in rows:
            lost, unscored = math.isnan(before), math.isnan(after)
            self.n += 1
            self.lost += lost
            self.unscored += unscored
            self.touched += lost or unscored
            self.violations += after < below_best
            if not (lost or unscored):
                self._highest = max(self._highest, before, after)

    @property
    def passable(self) -> bool:
        """At most 20 % of the pairs touched, and arms that differ by at most 5 points."""
        return self.touched * 5 <= self.n and abs(self.lost - self.unscored) * 20 <= self.n

    def all_fail(self, scale: tuple[float, float]) -> bool:
        """Whether no answer of either arm, in any pair, was better than the worst."""
        return -math.inf < self._highest <= scale[0] + EDGE * (scale[1] - scale[0])
