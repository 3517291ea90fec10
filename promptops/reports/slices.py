"""Slices in a report for people: those that look worse, the worst and the best, each with its interval.

A bounded number of lines, whatever the number of slices. Critical slices stand in the table of metrics; of slices
that are too small to judge only their number is said.
"""

from __future__ import annotations

from dataclasses import dataclass

from promptops.report import Report, SliceLine
from promptops.reports.numbers import change, interval, p_value

SHOWN = 5
_WORSE = ("regression", "flagged")


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceRow:
    """One metric in one slice: what changed with its interval, counts, and what to think of it."""

    name: str
    metric: str
    change: str
    interval: str
    counts: str
    said: str
    worse: bool

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.name, self.metric, self.change, self.interval, self.counts, self.said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slices:
    """One sentence about all slices that were looked at, and the rows to show; empty where there were none."""

    sentence: str = ""
    rows: tuple[SliceRow, ...] = ()


def slices_of(report: Report) -> Slices:
    """Choose what to show: what looks worse, up to a few, else the worst; and the best."""
    explored = [line for line in report.slices if not line.critical]
    judged = [line for line in explored if line.status != "too_small"]
    worse = [line for line in judged if line.status in _WORSE]
    others = [line for line in judged if line.status not in _WORSE]
    rows = [_row(line, _looks_worse(line, len(judged))) for line in worse[:SHOWN]]
    if others and not worse:
        rows.append(_row(others[0], f"the worst of {len(judged)}, not shown to be worse"))
    if others and len(judged) > 1:
        rows.append(_row(others[-1], f"the best of {len(judged)}"))
    return Slices(sentence=_sentence(explored, judged, worse) if explored else "", rows=tuple(rows))


def _row(line: SliceLine, said: str) -> SliceRow:
    words = ("broken", "fixed") if line.kind == "binary" else ("worse", "better")
    return SliceRow(
        name=line.slice,
        metric=line.metric,
        change=change(line.difference, line.unit),
        interval=interval(line.lower, line.upper, line.unit),
        counts=f"{line.broken or 0} {words[0]}, {line.fixed or 0} {words[1]} of {line.n}",
        said=said,
        worse=line.status in _WORSE,
    )


def _looks_worse(line: SliceLine, judged: int) -> str:
    if line.status == "regression" or line.p_adjusted is None:
        return "REGRESSION"
    among = f", adjusted for {judged} tests" if judged > 1 else ""
    return f"looks worse (p = {p_value(line.p_adjusted)}{among})"


def _sentence(explored: list[SliceLine], judged: list[SliceLine], worse: list[SliceLine]) -> str:
    keys = ", ".join(dict.fromkeys(sorted(line.slice.partition("=")[0] for line in explored)))
    small = len(explored) - len(judged)
    parts = [f"by {keys}: {len(judged)} tested"]
    if judged:
        look = "looks" if len(worse) == 1 else "look"
        parts.append(f"{len(worse)} {look} worse" if worse else "none looks worse")
    if small:
        verb = "is" if small == 1 else "are"
        parts.append(f"{small} {verb} too small to judge (fewer than 30 pairs, or 5 that differ)")
    more = f"; the worst {SHOWN} are shown" if len(worse) > SHOWN else ""
    return f"{', '.join(parts)}{more}"
