"""A gate's answer as the Markdown of a job's summary: the comment's rows and every table, explanations folded."""

from __future__ import annotations

from collections.abc import Iterator

from promptops.errors import InvalidInput
from promptops.gated import GatedPrompt, GateReport
from promptops.report import Arm, Change, MetricLine, Report, cut
from promptops.reports.escape import fence
from promptops.reports.escape import markdown as literal
from promptops.reports.explained import explained
from promptops.reports.fitting import Section, fitted
from promptops.reports.gateparts import (
    CANDIDATE,
    SIGNS,
    bullets,
    first_lines,
    folded,
    foot,
    sayings,
    shown_diff,
    table,
    title,
    way,
    wrong_files,
)
from promptops.reports.gateview import (
    LONG,
    SHORT,
    WORDS,
    broke_most,
    changed,
    figures,
    ordered,
    remark,
    remarks,
    sides,
    to_merge,
    untold,
)
from promptops.reports.markdown import findings

# Of a mebibyte, which is GitHub's limit; near it a summary is lost without a word.
LIMIT = 1_000_000
LEAST = 16_384
SHOWN_SENTENCES = 20
SHOWN_CHANGES = 20
SHOWN_DIFF = 400


def summary(report: GateReport, *, limit: int = LIMIT) -> str:
    """Return the summary, at most `limit` bytes of UTF-8 (`LEAST` are the least that makes sense)."""
    sections = [
        first_lines(report, share=0.1),
        title(report),
        wrong_files(report, share=0.1),
        table(report, share=0.25),
        sayings(report, share=0.1),
        Section(
            rows=[_whole(prompt) for prompt in ordered(report.prompts)],
            share=0.8,
            cut=lambda left: f"\n{left} more prompts had no room here; `--json` has all of them.\n",
        ),
        bullets([remark(note) for note in remarks(report)], share=1.0, label="Remarks on the change:"),
        foot(report),
    ]
    return fitted(sections, limit)


def _whole(prompt: GatedPrompt) -> Iterator[str]:
    """Everything, then without the explanation, without the diff, and the least."""
    head = _head(prompt)
    about = _about(prompt)
    tables = "" if prompt.report is None else f"\n{findings(_bounded(prompt.report))}"
    diff = folded("What changed in the prompt", shown_diff(prompt, SHOWN_DIFF))
    rest = f"{about}{tables}\n{way(*to_merge(prompt))}"
    if prompt.report is not None:
        yield f"{head}{rest}{diff}{folded('How this was reached', _explained(prompt.report))}"
    yield f"{head}{rest}{diff}"
    yield f"{head}{rest}"
    yield f"{head}\n{way(*to_merge(prompt))}"


def _head(prompt: GatedPrompt) -> str:
    name = f"{literal(cut(prompt.id, 80))} {literal(sides(prompt, CANDIDATE))}"
    return f"\n#### {SIGNS[prompt.status]} {name}: {WORDS[prompt.status].lower()}\n\n{literal(figures(prompt))}\n\n"


def _about(prompt: GatedPrompt) -> str:
    lines = [literal(text) for text in untold(prompt, SHOWN_SENTENCES)]
    if prompt.reasons:
        lines.append(f"Changed: {literal(changed(prompt))}")
    if prompt.evidence is not None:
        lines.append(f"Evidence: <code>{literal(cut(prompt.evidence, LONG))}</code>")
    most = broke_most(prompt.report) if prompt.report is not None else ""
    if most:
        lines.append(f"What broke most: {literal(most)}")
    return "".join(f"- {line}\n" for line in lines)


def _explained(report: Report) -> list[str]:
    if not report.basis:
        return []
    try:
        return fence("\n".join(explained(report)).strip("\n").split("\n"))
    except InvalidInput as error:
        return [literal(f"the numbers of this verdict cannot be read: {cut(str(error), LONG)}")]


def _bounded(report: Report) -> Report:
    """The report with texts of bounded length, and with no more samples than are shown."""
    short = {
        "metrics": [_bounded_metric(line) for line in report.metrics],
        "slices": [
            line.model_copy(update={"slice": cut(line.slice, SHORT), "metric": cut(line.metric, SHORT)})
            for line in report.slices
        ],
        "reasons": [cut(text, LONG) for text in report.reasons[:SHOWN_SENTENCES]],
        "warnings": [cut(text, LONG) for text in report.warnings[:SHOWN_SENTENCES]],
        "changes": [_bounded_change(change) for change in report.broken[:SHOWN_CHANGES]],
        "changed": report.changed.model_copy(
            update={"broken": max(report.changed.broken, len(report.broken))}
        ),
    }
    return report.model_copy(update=short)


def _bounded_metric(line: MetricLine) -> MetricLine:
    warnings = [cut(text, LONG) for text in line.warnings[:SHOWN_SENTENCES]]
    return line.model_copy(update={"name": cut(line.name, SHORT), "warnings": warnings})


def _bounded_change(change: Change) -> Change:
    short = {
        "sample_id": cut(change.sample_id, LONG),
        "input": cut(change.input, LONG),
        "baseline": _bounded_arm(change.baseline),
        "candidate": _bounded_arm(change.candidate),
    }
    return change.model_copy(update=short)


def _bounded_arm(arm: Arm | None) -> Arm | None:
    return None if arm is None else arm.model_copy(update={"text": cut(arm.text), "reason": cut(arm.reason)})
