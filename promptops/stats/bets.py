"""What bets say of one metric: the same results as everywhere, with claims that hold at whatever moment they are read.

From `Bets` alone, a few numbers, every claim of a sequential test can be checked again. Refuses the limits and
p-values of a test of fixed size: those would be wrong at a moment that the data chose.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from promptops.stats.betting import log_mean_exp
from promptops.stats.results import FloorResult, MetricResult, Status
from promptops.stats.summary import as_numbers

METHOD = "betting"
WAITS = "decided_at_the_end"  # the reason why a metric without a range has no claim yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Bet:
    """One e-process when it reached its threshold, or at the end of the run.

    It was played against "the mean is at most `null`" (`rising`), or at least; `logs` are the logarithms of its ten
    capitals after `units` observations, samples or whole clusters. A bet that has reached its threshold is over.
    """

    null: float
    rising: bool
    threshold: float
    units: int
    logs: tuple[float, ...]

    @property
    def log_e(self) -> float:
        return log_mean_exp(self.logs)

    @property
    def reached(self) -> bool:
        return self.log_e >= math.log(self.threshold)

    @property
    def pvalue(self) -> float:
        """One over the e-value: a p-value however the moment was chosen."""
        return math.exp(min(0.0, -self.log_e))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bets:
    """The bets on one rule by what they would show; those on `seen` leave pairs out that lack an answer.

    "noninferiority", "noninferiority_seen", "harm" and "superiority" compare; "floor" and "missed" look at the
    candidate alone. The limits are those of the confidence sequence, on the metric's own scale. `largest` bounds a
    unit's weight. `waits`: a metric without a range (latency, cost, tokens) is tested once, at the end that was
    declared, and it is not there yet.
    """

    units: int
    largest: float = 1.0
    claims: Mapping[str, Bet] = field(default_factory=dict)
    lower: float | None = None
    upper: float | None = None
    floor_lower: float | None = None
    floor_upper: float | None = None
    waits: bool = False

    def shows(self, claim: str) -> bool:
        return claim in self.claims and self.claims[claim].reached

    def pvalue(self, claim: str) -> float | None:
        return self.claims[claim].pvalue if claim in self.claims else None

    def as_json(self) -> dict[str, Any]:
        claims = {name: as_numbers(bet) | {"logs": list(bet.logs)} for name, bet in self.claims.items()}
        return as_numbers(self) | {"claims": claims}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read back what `as_json` wrote.

        Raises:
            TypeError, KeyError: it is something else.
        """
        claims = {name: Bet(**{**bet, "logs": tuple(bet["logs"])}) for name, bet in values["claims"].items()}
        return cls(**{**values, "claims": claims})


def compared_by_bets(found: MetricResult, bets: Bets) -> MetricResult:
    """Replace the claims of a test of fixed size by those of the bets; the descriptive numbers stay."""
    if bets.waits:
        return _without_claims(found)
    passable = not _too_much_missing(found)
    mean = found.difference
    beyond = mean is None or mean <= -found.margin
    return replace(
        _without_claims(found),
        method=METHOD,
        lower=_not_above(bets.lower, mean),
        upper=_not_below(bets.upper, mean),
        passable=passable,
        noninferior=bets.shows("noninferiority") and passable and not beyond,
        noninferior_seen=bets.shows("noninferiority_seen"),
        p_noninferior=bets.pvalue("noninferiority"),
        p_harm=bets.pvalue("harm"),
        p_superior=bets.pvalue("superiority"),
        reason="not_shown" if passable and found.n_complete else "missing",
    )


def floor_by_bets(found: FloorResult, bets: Bets) -> FloorResult:
    """Replace the limits and the status of a floor by those of its bets."""
    too_many = found.unscored * 5 > found.n
    held = bets.shows("floor") and not too_many and found.mean is not None and found.mean > found.floor
    status = Status.PASS if held else Status.REGRESSION if bets.shows("missed") else Status.INCONCLUSIVE
    return replace(
        found,
        status=status,
        lower=_not_above(bets.floor_lower, found.mean),
        upper=_not_below(bets.floor_upper, found.mean),
        method=METHOD,
        reason=("missing" if too_many else "not_shown") if status == Status.INCONCLUSIVE else "",
    )


def _without_claims(found: MetricResult) -> MetricResult:
    return replace(
        found,
        lower=None,
        upper=None,
        noninferior=False,
        noninferior_seen=False,
        passable=False,
        p_noninferior=None,
        p_exact=None,
        p_harm=None,
        p_superior=None,
        n_required=None,
        n_additional=None,
        reason=WAITS,
        notes=(),
    )


def _too_much_missing(found: MetricResult) -> bool:
    """More than 20 % of the pairs touched, or arms that differ by more than 5 points."""
    gap = abs(found.dropped_baseline_missing - found.candidate_unscored)
    return (found.n - found.n_complete) * 5 > found.n or gap * 20 > found.n


def _not_above(limit: float | None, mean: float | None) -> float | None:
    return limit if limit is None or mean is None else min(limit, mean)


def _not_below(limit: float | None, mean: float | None) -> float | None:
    return limit if limit is None or mean is None else max(limit, mean)
