"""A report as GitHub Markdown; every text that came from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable

from promptops.report import Change, Report
from promptops.reports.escape import markdown as literal
from promptops.reports.slices import Slices
from promptops.reports.view import Row, View, view

SIGNS = {"PASS": "✅", "REGRESSION": "❌", "INCONCLUSIVE": "❔"}


def markdown(reports: Iterable[Report]) -> str:
    """Return one section per report, ending in a line feed."""
    return "\n".join(_section(report) for report in reports)


def _section(report: Report) -> str:
    shown = view(report)
    heading = f"### {SIGNS[shown.verdict]} {literal(report.prompt.id)}: {shown.verdict.lower()}"
    return "\n".join([heading, "", *_found(report, shown), "", *_ways(shown), ""])


def findings(report: Report) -> str:
    """Return what a test found, without heading and next steps, ending in a line feed."""
    return "\n".join([*_found(report, view(report)), ""])


def _found(report: Report, shown: View) -> list[str]:
    lines = [
        f"**{literal(shown.sentence)}** ({literal(', '.join((shown.title, *shown.facts)))})",
        "",
        f"| {' | '.join(map(literal, shown.columns))} | verdict | |",
        f"| --- |{' ---: |' * (len(shown.columns) - 1)} --- | --- |",
        *map(_metric, shown.rows),
        "",
        *_slices(shown.slices),
        *(f"- {literal(reason)}" for reason in (*shown.more_reasons, *shown.warnings)),
    ]
    if shown.worst:
        lines += ["", f"<details><summary>What broke ({len(shown.worst) + shown.more_worst})</summary>", ""]
        lines += ["| sample | input | before | after |", "| --- | --- | --- | --- |"]
        lines += [_broken(change) for change in report.broken[:20]]
        lines += ["", "</details>"]
    return lines


def _ways(shown: View) -> list[str]:
    """One line where there is one way on, else a list, the cheapest first."""
    ways = [f"`{way.command}`" + (f" ({literal(way.remark)})" if way.remark else "") for way in shown.ways]
    return (
        [f"Next: {ways[0]}"]
        if len(ways) == 1
        else ["Next:", "", *(f"{n}. {way}" for n, way in enumerate(ways, 1))]
    )


def _metric(row: Row) -> str:
    cells = (
        row.name,
        row.baseline,
        row.candidate,
        row.change,
        row.interval,
        row.allowed,
        row.status,
        row.detail,
    )
    return f"| {' | '.join(map(literal, cells))} |"


def _slices(slices: Slices) -> list[str]:
    if not slices.sentence:
        return []
    head = f"Slices {literal(slices.sentence)}"
    if not slices.rows:
        return [head, ""]
    table = ["| slice | metric | change | interval | | |", "| --- | --- | ---: | ---: | --- | --- |"]
    return [head, "", *table, *(f"| {' | '.join(map(literal, row.cells))} |" for row in slices.rows), ""]


def _broken(change: Change) -> str:
    before = change.baseline.text if change.baseline else ""
    after = change.candidate.text if change.candidate else ""
    cells = (change.sample_id, change.input, before, after)
    return f"| {' | '.join(literal(cell) for cell in cells)} |"
