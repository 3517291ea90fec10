"""The parts that a gate's comment and its job's summary share, as Markdown in which every foreign text is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptops.gated import GatedPrompt, GateReport, Status
from promptops.report import cut
from promptops.reports.escape import code, fence
from promptops.reports.escape import markdown as literal
from promptops.reports.fitting import Section
from promptops.reports.gateview import (
    LONG,
    WORDS,
    figures,
    headline,
    ordered,
    remark,
    sides,
    to_go_on,
    to_mend,
)

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
_FIRST = """> [!WARNING]
> **Read this first.** None of it counted here, where the base decides; merged, it will:
>
"""
_TABLE = "| prompt | verdict | what decided |\n| --- | --- | --- |\n"


def first_lines(report: GateReport, *, share: float) -> Section:
    """What people must see before any verdict."""
    return Section(
        rows=[_bullet("> - ", line) for line in report.first],
        share=share,
        head=_FIRST,
        cut=lambda left: f"> - and {left} more\n",
    )


def title(report: GateReport) -> Section:
    sign = _CODES.get(report.exit_code(), "❌")
    if any(prompt.status == "released" for prompt in report.prompts) and report.exit_code() == 0:
        sign = SIGNS["released"]
    return _constant(f"\n### {sign} promptops: {literal(headline(report))}\n\n")


def wrong_files(report: GateReport, *, share: float) -> Section:
    signs = {"error": "❌", "warning": "⚠️", "notice": "–"}
    return Section(
        rows=[_bullet(f"- {signs[note.level]} ", remark(note)) for note in report.integrity],
        share=share,
        cut=lambda left: f"- and {left} more\n",
        tail=_apart(way(*to_mend(report))) + "\n",
    )


def table(report: GateReport, *, share: float) -> Section:
    """One row a prompt, the gravest first."""
    return Section(
        rows=[_row(prompt) for prompt in ordered(report.prompts)],
        share=share,
        head=_TABLE,
        cut=lambda left: f"\n{_more(left)} had no room in this table.\n",
        tail=_apart(way(*to_go_on(report))),
    )


def sayings(report: GateReport, *, share: float) -> Section:
    return bullets(report.said, share=share)


def bullets(texts: Sequence[str], *, share: float, label: str = "") -> Section:
    return Section(
        rows=[_bullet("- ", text) for text in texts],
        share=share,
        head=f"\n{label}\n\n" if label else "\n",
        cut=lambda left: f"- and {left} more\n",
    )


def foot(report: GateReport) -> Section:
    facts = [f"{literal(report.base[:8])} → {literal(report.head[:8])}"] if report.head else []
    facts += ["from outside: nothing of it was trusted"] if report.untrusted else []
    facts += [f"promptops {literal(cut(report.tool_version, 40))}"] if report.tool_version else []
    return _constant(f"\n<sub>{' · '.join(facts)}</sub>\n")


def way(text: str, commands: Sequence[str]) -> str:
    """What must happen for a change to be merged, as `to_merge` and `to_mend` say it."""
    if not commands:
        return f"{text}.\n" if text else ""
    if len(commands) == 1:
        return f"{text} {code(commands[0])}\n"
    return f"{text} one of\n\n" + "".join(f"- {code(command)}\n" for command in commands)


def shown_diff(prompt: GatedPrompt, most: int) -> list[str]:
    """The change in the words of the prompt as a block of code, the first lines of it."""
    if not prompt.diff:
        return []
    lines = [cut(line, LONG) for line in prompt.diff[:most]]
    more = len(prompt.diff) - len(lines)
    return fence([*lines, *([f"… and {more} lines more"] if more else [])])


def folded(label: str, lines: Sequence[str]) -> str:
    """Lines that are shown when somebody asks for them; nothing where there are none."""
    if not lines:
        return ""
    text = "\n".join(lines)
    return f"\n<details><summary>{literal(label)}</summary>\n\n{text}\n\n</details>\n"


def _bullet(mark: str, text: str) -> Iterator[str]:
    yield f"{mark}{literal(cut(text, 2 * LONG))}\n"


def _row(prompt: GatedPrompt) -> Iterator[str]:
    name = f"{literal(cut(prompt.id, 80))} {literal(sides(prompt, CANDIDATE))}"
    yield f"| {name} | {SIGNS[prompt.status]} {WORDS[prompt.status]} | {literal(figures(prompt))} |\n"


def _apart(text: str) -> str:
    return f"\n{text}" if text else ""


def _more(left: int) -> str:
    return "1 more prompt" if left == 1 else f"{left} more prompts"


def _constant(text: str) -> Section:
    return Section(rows=[[""]], share=0.0, head=text, cut=str)
