"""A report as plain rows: what to say and in which order, without any markup.

Terminal and Markdown show the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from promptops.report import Change, MetricLine, Report
from promptops.reports.numbers import change, interval, mean, p_value, scaled
from promptops.reports.slices import Slices, slices_of

SHOWN_BROKEN = 3
_STATUS = {"OBSERVED": "observed", "NOT_SHOWN": "NOT SHOWN"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric: what stands in each column of the table."""

    name: str
    baseline: str
    candidate: str
    change: str
    interval: str
    allowed: str
    status: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    title: str
    facts: tuple[str, ...]
    verdict: str
    sentence: str
    more_reasons: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    slices: Slices
    worst: tuple[Change, ...]
    more_worst: int
    warnings: tuple[str, ...]
    next_step: str


def view(report: Report) -> View:
    """Arrange a report for people."""
    baseline, candidate = report.prompt.baseline, report.prompt.candidate
    title = f"{baseline.short} → {candidate.short}" if baseline else f"{candidate.short} (first release)"
    first, *others = report.reasons or [""]
    return View(
        title=title,
        facts=_facts(report),
        verdict=report.verdict.upper(),
        sentence=first,
        more_reasons=tuple(others),
        columns=(
            "metric",
            baseline.short if baseline else "–",
            "new",
            "change",
            f"{_level(report)} interval",
            "allowed",
        ),
        rows=tuple(_row(line) for line in report.metrics),
        slices=slices_of(report),
        worst=tuple(report.broken[:SHOWN_BROKEN]),
        more_worst=max(0, len(report.broken) - SHOWN_BROKEN),
        warnings=tuple(report.warnings) + tuple(_metric_warnings(report)),
        next_step=next_step(report),
    )


def next_step(report: Report) -> str:
    """The one command that helps most now."""
    prompt = report.prompt.id
    if report.verdict == "pass":
        return f"promptops promote {prompt}"
    if report.unfinished:
        return f"promptops test {prompt}   (asks only what has no answer yet)"
    if report.verdict == "regression":
        return f"promptops try {prompt} --failed"
    needed = [line.n_required for line in report.metrics if line.status == "INCONCLUSIVE" and line.n_required]
    if needed and max(needed) > report.samples.n:
        return (
            f"about {max(needed)} samples would decide ({report.samples.n} now), or a person does: "
            f'promptops promote {prompt} --accept -m "why"'
        )
    return f'promptops promote {prompt} --accept -m "why"'


def _facts(report: Report) -> tuple[str, ...]:
    spend = report.cost
    money = f"${spend.usd:.2f}" if spend.usd is not None else "cost unknown" if spend.calls else "no calls"
    asked = f"{spend.calls} calls" + (f", {spend.cached} from cache" if spend.cached else "")
    return (_samples(report), asked, money)


def _samples(report: Report) -> str:
    """How many samples there are, and of how many clusters: that is what the statistics count."""
    found = report.samples
    text = f"{found.n} samples" + (", weighted" if found.weighted else "")
    if found.clusters == found.n:
        return text
    kinds = [f"{kind}s" for kind in ("conversation", "trace") if kind in found.unit_kinds]
    return f"{text} in {found.clusters} {' or '.join(kinds) or 'clusters'}"


def _level(report: Report) -> str:
    levels = {line.confidence for line in report.metrics if line.confidence is not None}
    level = levels.pop() if len(levels) == 1 else 1 - 2 * report.alpha
    return f"{level * 100:.3g} %"


def _metric_warnings(report: Report) -> list[str]:
    return [f"{line.name}: {text}" for line in report.metrics for text in line.warnings]


def _row(line: MetricLine) -> Row:
    return Row(
        name=line.name,
        baseline=mean(line.baseline_mean, line.unit),
        candidate=mean(line.candidate_mean, line.unit),
        change=change(line.difference, line.unit),
        interval=interval(line.lower, line.upper, line.unit),
        allowed=_allowed(line),
        status=_STATUS.get(line.status, line.status),
        detail=_detail(line),
    )


def _allowed(line: MetricLine) -> str:
    parts = []
    if line.margin is not None:
        rises = line.unit in ("seconds", "dollars", "tokens")
        text = f"{scaled(line.margin if rises else -line.margin, line.unit)}{' %' if rises else ''}"
        parts.append(text + (" (default)" if line.margin_is_default else ""))
    if line.floor is not None:
        parts.append(f"≥ {mean(line.floor, line.unit)}")
    return ", ".join(parts)


def _detail(line: MetricLine) -> str:
    parts = []
    if line.broken or line.fixed:
        words = ("broken", "fixed") if line.kind == "binary" else ("worse", "better")
        parts.append(f"{line.broken or 0} {words[0]}, {line.fixed or 0} {words[1]}")
    if line.status in ("REGRESSION", "WORSE") and line.p_harm is not None:
        parts.append(f"p = {p_value(line.p_harm)} if nothing got worse")
    elif line.status == "PASS" and line.p_noninferior is not None:
        parts.append(f"p = {p_value(line.p_noninferior)} if it fell by the allowance")
    elif line.status == "BETTER" and line.p_superior is not None:
        parts.append(f"p = {p_value(line.p_superior)} if it were no better")
    return "; ".join(parts)
