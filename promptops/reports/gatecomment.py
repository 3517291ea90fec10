"""A gate's answer as the Markdown of one comment, which is updated and never written twice (`MARKER`)."""

from __future__ import annotations

from collections.abc import Iterator

from promptops.gated import GatedPrompt, GateReport, Note, Status
from promptops.report import Arm, Change, cut
from promptops.reports.escape import code
from promptops.reports.escape import markdown as literal
from promptops.reports.fitting import Section, fitted
from promptops.reports.gateview import (
    LONG,
    SHORT,
    WORDS,
    broke_most,
    examples,
    figures,
    headline,
    ordered,
    sides,
    to_merge,
)

MARKER = "<!-- promptops-gate -->"
CANDIDATE = "PR"
SIGNS: dict[Status, str] = {
    "broken": "❌",
    "regression": "❌",
    "stopped": "⏹️",
    "inconclusive": "❔",
    "released": "⚠️",
    "new": "🆕",
    "pass": "✅",
    "removed": "➖",
    "unchanged": "➖",
}
_CODES = {0: "✅", 4: "❔", 7: "⏹️"}
_TABLE = "| prompt | verdict | what decided |\n| --- | --- | --- |\n"


def comment(report: GateReport, *, limit: int = 65_536) -> str:
    """Return the comment, at most `limit` bytes of UTF-8 (no less than 8,192 makes sense), ending in a line feed.

    What takes no effect here, a loosened policy or easier samples, stands above every verdict.
    """
    head = f"{MARKER}\n"
    return head + fitted(
        [
            first_lines(report, share=0.2),
            title(report),
            wrong_files(report, share=0.2),
            table(report, share=0.5),
            Section(
                rows=[_detail(prompt) for prompt in ordered(report.prompts) if _has_detail(prompt)],
                share=0.9,
                cut=lambda left: f"\n{left} more of these in the job's summary.\n",
            ),
            sayings(report, share=0.5),
            foot(report),
        ],
        limit - len(head),
    )


def first_lines(report: GateReport, *, share: float) -> Section:
    """What people must see before any verdict."""
    return Section(
        rows=[[f"> - {literal(cut(line, LONG))}\n"] for line in report.first],
        share=share,
        head="> [!WARNING]\n> Read this first; it takes no effect here, the base decides:\n>\n",
        cut=lambda left: f"> - and {left} more\n",
        tail="",
    )


def title(report: GateReport) -> Section:
    sign = _CODES.get(report.exit_code(), "❌")
    return Section(
        rows=[[""]], share=0.0, head=f"\n### {sign} promptops: {literal(headline(report))}\n\n", cut=str
    )


def wrong_files(report: GateReport, *, share: float) -> Section:
    return Section(
        rows=[[f"- ❌ {_note(note)}\n"] for note in report.integrity],
        share=share,
        cut=lambda left: f"- and {left} more\n",
        tail="\n",
    )


def table(report: GateReport, *, share: float) -> Section:
    """One row a prompt, the gravest first."""
    return Section(
        rows=[[_row(prompt)] for prompt in ordered(report.prompts)],
        share=share,
        head=_TABLE,
        cut=lambda left: f"\n{left} more prompts had no room here.\n",
    )


def sayings(report: GateReport, *, share: float) -> Section:
    return Section(
        rows=[[f"- {literal(cut(text, LONG))}\n"] for text in report.said],
        share=share,
        head="\n",
        cut=lambda left: f"- and {left} more\n",
    )


def foot(report: GateReport) -> Section:
    commits = f"{literal(cut(report.base, 12))} → {literal(cut(report.head, 12))}"
    version = f", promptops {literal(cut(report.tool_version, 40))}" if report.tool_version else ""
    return Section(rows=[[""]], share=0.0, head=f"\n<sub>{commits}{version}</sub>\n", cut=str)


def _row(prompt: GatedPrompt) -> str:
    name = f"{literal(cut(prompt.id, 80))} {literal(sides(prompt, CANDIDATE))}"
    return f"| {name} | {SIGNS[prompt.status]} {WORDS[prompt.status]} | {literal(figures(prompt))} |\n"


def _note(note: Note) -> str:
    place = f"{note.path}:{note.line}" if note.line else note.path
    return f"{literal(cut(place, SHORT))}: {literal(cut(note.message, LONG))}"


def _has_detail(prompt: GatedPrompt) -> bool:
    return bool(to_merge(prompt)[0]) or len(prompt.said) > 1


def _detail(prompt: GatedPrompt) -> Iterator[str]:
    yield _text(prompt, with_examples=True)
    yield _text(prompt, with_examples=False)


def _text(prompt: GatedPrompt, *, with_examples: bool) -> str:
    lines = ["", f"**{literal(cut(prompt.id, 80))}**", ""]
    lines += [f"- {literal(cut(text, LONG))}" for text in prompt.said[:3]] if with_examples else []
    if with_examples and prompt.report is not None:
        most = broke_most(prompt.report)
        lines += [f"- What broke most: {literal(most)}"] if most else []
        lines += [f"- {_example(change)}" for change in examples(prompt.report)]
    return "\n".join([*lines, "", *way(prompt), ""])


def way(prompt: GatedPrompt) -> list[str]:
    """What must happen for it to be merged."""
    text, commands = to_merge(prompt)
    if not commands:
        return [f"{text}."] if text else []
    return [f"{text}{'' if text.startswith('To') else ':'} {' or '.join(map(code, commands))}"]


def _example(change: Change) -> str:
    return f"“{literal(change.input)}” {_answer(change.baseline)} → {_answer(change.candidate)}"


def _answer(arm: Arm | None) -> str:
    if arm is None:
        return "–"
    good = arm.value is not None and arm.value > 0
    return f"<code>{literal(arm.text)}</code> {'✓' if good else '✗'}"
