"""A gate's answer on a terminal: what to see first, one row a prompt, then each that stands in the way."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from promptops.gated import GateReport
from promptops.report import cut
from promptops.reports.columns import aligned
from promptops.reports.escape import one_line
from promptops.reports.gateview import (
    LONG,
    WORDS,
    figures,
    headline,
    is_empty,
    ordered,
    sides,
    to_merge,
)
from promptops.reports.terminal import print_report


def print_gate(report: GateReport, console: Console) -> None:
    """Print the answer; nothing where nothing is affected."""
    if is_empty(report):
        return
    for line in report.first:
        _print(console, Text.assemble(("first: ", "bold yellow"), one_line(cut(line, LONG))))
    _print(console, Text(headline(report), style="bold"))
    for note in report.integrity:
        place = f"{note.path}:{note.line}" if note.line else note.path
        _print(console, Text(one_line(f"{cut(place, LONG)}: {cut(note.message, LONG)}"), style="red"))
    prompts = ordered(report.prompts)
    rows = [(p.id, sides(p, "here"), WORDS[p.status].upper(), figures(p)) for p in prompts]
    for row in aligned([[one_line(cell) for cell in row] for row in rows]):
        _print(console, Text(f"  {row}"))
    for prompt in prompts:
        if prompt.report is not None and prompt.exit_code:
            console.print()
            print_report(prompt.report, console, next_step=False)
        text, commands = to_merge(prompt)
        if text:
            _print(console, Text(one_line(f"  {prompt.id}: {text} {' or '.join(commands)}".rstrip())))
    for said in report.said:
        _print(console, Text(one_line(cut(said, LONG))))


def _print(console: Console, text: Text) -> None:
    console.print(text, soft_wrap=True)
