"""A gate's answer as the Markdown of a job's summary: the comment's rows and every table, explanations folded."""

from __future__ import annotations

from collections.abc import Iterator

from promptops.gated import GatedPrompt, GateReport
from promptops.report import cut
from promptops.reports.escape import markdown as literal
from promptops.reports.fitting import Section, fitted
from promptops.reports.gatecomment import first_lines, foot, sayings, table, title, way, wrong_files
from promptops.reports.gateview import LONG, ordered
from promptops.reports.markdown import markdown


def summary(report: GateReport, *, limit: int = 1_048_576) -> str:
    """Return the summary, at most `limit` bytes of UTF-8, ending in a line feed."""
    return fitted(
        [
            first_lines(report, share=0.1),
            title(report),
            wrong_files(report, share=0.1),
            table(report, share=0.3),
            Section(
                rows=[_whole(prompt) for prompt in ordered(report.prompts)],
                share=0.9,
                head="\n",
                cut=lambda left: f"\n{left} more prompts had no room here.\n",
            ),
            sayings(report, share=0.5),
            foot(report),
        ],
        limit,
    )


def _whole(prompt: GatedPrompt) -> Iterator[str]:
    if prompt.report is not None:
        yield markdown([prompt.report])
    lines = [f"### {literal(cut(prompt.id, 80))}", ""]
    lines += [f"- {literal(cut(text, LONG))}" for text in prompt.said[:10]]
    yield "\n".join([*lines, "", *way(prompt), ""])
