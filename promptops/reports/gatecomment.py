"""A gate's answer as the Markdown of one comment, which is updated and never written twice (`MARKER`)."""

from __future__ import annotations

from collections.abc import Iterator

from promptops.gated import GatedPrompt, GateReport
from promptops.report import Arm, Change, cut
from promptops.reports.escape import markdown as literal
from promptops.reports.fitting import Section, fitted
from promptops.reports.gateparts import (
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
    broke_most,
    examples,
    needs_words,
    ordered,
    remark,
    remarks,
    sentences,
    to_merge,
)

MARKER = "<!-- promptops-gate -->"
SHOWN_SENTENCES = 3
SHOWN_DIFF = 40


def comment(report: GateReport, *, limit: int = 65_536) -> str:
    """Return the comment, at most `limit` bytes of UTF-8 (8,192 are the least that makes sense).

    What takes no effect here, a loosened policy or easier samples, stands above every verdict.
    """
    head = f"{MARKER}\n"
    sections = [
        first_lines(report, share=0.2),
        title(report),
        wrong_files(report, share=0.2),
        table(report, share=0.4),
        sayings(report, share=0.3),
        _details(report, share=0.8),
        _remarks(report, share=1.0),
        foot(report),
    ]
    return head + fitted(sections, limit - len(head))


def _remarks(report: GateReport, *, share: float) -> Section:
    shown = [remark(note) for note in remarks(report) if note.level != "notice"]
    return bullets(shown, share=share, label="Remarks on the change:")


def _details(report: GateReport, *, share: float) -> Section:
    told = [prompt for prompt in ordered(report.prompts) if needs_words(prompt)]
    return Section(
        rows=[_detail(prompt) for prompt in told],
        share=share,
        cut=lambda left: f"\n{left} more of these had no room here; the job's summary has more.\n",
    )


def _detail(prompt: GatedPrompt) -> Iterator[str]:
    """The whole, without what could be long, and the least."""
    head = f"\n#### {literal(cut(prompt.id, 80))}\n\n"
    told = "".join(f"- {literal(text)}\n" for text in sentences(prompt, SHOWN_SENTENCES))
    told += _broken(prompt)
    diff = "" if prompt.report is not None else folded("What changed", shown_diff(prompt, SHOWN_DIFF))
    gap = "\n" if told else ""
    yield f"{head}{told}{gap}{way(*to_merge(prompt))}{diff}"
    yield f"{head}{told}{gap}{way(*to_merge(prompt))}"
    yield f"{head}{way(*to_merge(prompt))}"


def _broken(prompt: GatedPrompt) -> str:
    if prompt.report is None or not prompt.exit_code:
        return ""
    most = broke_most(prompt.report)
    lines = [f"What broke most: {literal(most)}"] if most else []
    lines += [_example(change) for change in examples(prompt.report)]
    return "".join(f"- {line}\n" for line in lines)


def _example(change: Change) -> str:
    # In words: an arrow between two answers in Hebrew or Arabic would seem to lead from the second to the first.
    return f"“{literal(change.input)}”: before {_answer(change.baseline)}, after {_answer(change.candidate)}"


def _answer(arm: Arm | None) -> str:
    if arm is None:
        return "–"
    good = arm.value is not None and arm.value > 0
    return f"<code>{literal(arm.text)}</code> {'✓' if good else '✗'}"
