"""What a verdict claims of the candidate alone: its floors, and what must never happen."""

from __future__ import annotations

from collections.abc import Iterator

from promptops.reports.claim import ABOVE, BELOW, Asked, Claim, Numbers, shifted
from promptops.stats.floors import Lone, room, worth
from promptops.stats.results import FloorResult, NeverResult, Status
from promptops.stats.summary import Summary


def claims_alone(asked: Asked, lone: Lone) -> Iterator[Claim]:
    floor, never = asked.verdict.floor, asked.verdict.never
    if floor is not None and lone.short is not None and lone.over is not None:
        yield _above(asked, lone, lone.short, floor)
        yield _below(asked, lone, lone.over, floor)
    if never is not None:
        yield never_claim(lone, never)


def _above(asked: Asked, lone: Lone, short: Summary, found: FloorResult) -> Claim:
    width, method = room(asked.verdict.rule.kind, short.mirrored(), lone, asked.alpha)
    return Claim(
        says=ABOVE,
        null=f"mean <= {found.floor!r}",
        method=method,
        limit_method=method,
        numbers=_passes(short, lone) if method == "clopper-pearson" else shifted(short, method, lone.high),
        over="every answer, a missing one counted as the worst" if lone.unscored else "every answer",
        limit=lone.high - width,
        shown=found.status == Status.PASS,
    )


def _below(asked: Asked, lone: Lone, over: Summary, found: FloorResult) -> Claim:
    width, method = room(asked.verdict.rule.kind, over, lone, asked.alpha)
    return Claim(
        says=BELOW,
        null=f"mean >= {found.floor!r}",
        method=method,
        limit_method=method,
        numbers=_passes(over, lone) if method == "clopper-pearson" else shifted(over, method, lone.low),
        over="the answers that were scored" if lone.unscored else "every answer",
        limit=lone.low + width,
        shown=found.status == Status.REGRESSION,
    )


def _passes(found: Summary, lone: Lone) -> Numbers:
    """Passes, or scores as shares of the scale: what lies above the worst value, or does not fall short of the best."""
    units, n = found.grouped or found, found.n if found.grouped is None else found.grouped.effective
    k = units.gain / lone.size if found is lone.over else n - units.loss / lone.size
    return {"n": n, "k": k, "low": lone.low, "R": lone.size}


def never_claim(lone: Lone, found: NeverResult) -> Claim:
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
