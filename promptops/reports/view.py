"""A report as plain rows: what to say and in which order, without any markup.

Terminal and Markdown show the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptops.nextsteps import NextStep, Situation, next_steps
from promptops.report import Change, MetricLine, Report
from promptops.reports.money import money
from promptops.reports.numbers import change, dollars, interval, mean, p_value, scaled
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
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way on: what to type, and why or at what price; nothing where the command says it all."""

    command: str
    remark: str


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
        more_worst=max(0, max(report.changed.broken, len(report.broken)) - SHOWN_BROKEN),
        warnings=(*_stopped(report), *report.warnings, *_metric_warnings(report)),
        ways=_ways(report),
    )


def _ways(report: Report) -> tuple[Way, ...]:
    steps = _next_steps(report)
    if report.verdict != "inconclusive":
        return tuple(Way(command=step.command, remark="") for step in steps)
    return tuple(_way(step) for step in steps)


def _next_steps(report: Report) -> Sequence[NextStep]:
    """The ways on, as they were worked out with the verdict; a report of before that was done has the simplest."""
    if report.next_steps:
        return report.next_steps
    now = Situation(
        prompt=report.prompt.id,
        verdict=report.verdict,
        samples=report.samples.n,
        unanswered=report.unscored.baseline + report.unscored.candidate if report.unfinished else 0,
        inconclusive=report.inconclusive,
    )
    return next_steps(now)


def _way(step: NextStep) -> Way:
    price = f", about {dollars(step.usd)}" if step.usd else ""
    calls = f"; {step.calls} calls{price}" if step.calls else ""
    return Way(command=step.command, remark=f"{step.text}{calls}")


def _facts(report: Report) -> tuple[str, ...]:
    spend = report.cost
    asked = f"{spend.calls} calls" + (f", {spend.cached} from cache" if spend.cached else "")
    return (_samples(report), *_tried(report), asked, money(spend))


def _tried(report: Report) -> tuple[str, ...]:
    """The best of many candidates looks good by luck: say how many these samples have seen."""
    tried = report.candidates_tried
    return (f"{tried} candidates tried on them",) if tried is not None and tried > 1 else ()


def _samples(report: Report) -> str:
    """How many samples there are, and of how many clusters: that is what the statistics count."""
    found = report.samples
    each = f", {found.repeats} answers each" if found.repeats > 1 else ""
    of = f" of {report.sequential.of}" if report.sequential is not None else ""
    text = f"{found.n}{of} samples" + each + (", weighted" if found.weighted else "")
    if found.clusters == found.n:
        return text
    kinds = [f"{kind}s" for kind in ("conversation", "trace") if kind in found.unit_kinds]
    return f"{text} in {found.clusters} {' or '.join(kinds) or 'clusters'}"


def _stopped(report: Report) -> tuple[str, ...]:
    """What stopping early has saved, beside a test whose size is fixed beforehand."""
    found = report.sequential
    if found is None:
        return ()
    if not found.decided:
        return ("not decided yet: this test goes on when samples are added",) if found.open_end else ()
    saved = f", {found.calls_saved} calls more" if found.calls_saved else ""
    return (
        f"stopped as soon as it was decided; a test of fixed size would take {found.planned} samples{saved}",
    )


def _level(report: Report) -> str:
    levels = {line.confidence for line in report.metrics if line.confidence is not None}
    level = levels.pop() if len(levels) == 1 else 1 - 2 * report.alpha
    text = f"{level * 100:.3g}"
    # After many looks the level rounds to all there is, which no interval covers.
    return f"{text if float(text) < 100 else f'{level * 100:.12g}'} %"


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
