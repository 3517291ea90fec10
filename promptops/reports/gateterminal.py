"""A gate's answer on a terminal: what to see first, one row a prompt, then each that stands in the way."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from promptops.gated import GatedPrompt, GateReport, Note, Status
from promptops.report import cut
from promptops.reports.escape import one_line
from promptops.reports.gateview import (
    LONG,
    SHORT,
    WORDS,
    broke_most,
    changed,
    figures,
    headline,
    needs_words,
    ordered,
    place,
    remarks,
    sides,
    to_go_on,
    to_mend,
    to_merge,
    untold,
)
from promptops.reports.terminal import print_report
from promptops.reports.wrapping import print_command, print_line

GAP = "   "
CANDIDATE = "change"
SHOWN_SENTENCES = 10
SHOWN_DIFF = 40
COLOURS: dict[Status, str] = {
    "broken": "bold red",
    "regression": "bold red",
    "stopped": "bold yellow",
    "inconclusive": "bold yellow",
    "released": "yellow",
    "pass": "bold green",
}
_LEVELS = {"error": "bold red", "warning": "yellow", "notice": "dim"}


def print_gate(report: GateReport, console: Console) -> None:
    """Print the answer; nothing where nothing is affected."""
    if not report.affects:
        return
    for line in report.first:
        print_line(console, Text.assemble(("first: ", "bold yellow"), one_line(cut(line, LONG))), hang=7)
    if report.first:
        print_line(
            console, Text("       none of it counted here, where the base decides", style="dim"), hang=7
        )
    code = report.exit_code()
    print_line(console, Text(headline(report), style="bold red" if code in (2, 3, 6) else "bold"))
    for note in report.integrity:
        print_line(console, _remark(note))
    _print_way(console, *to_mend(report))
    _print_table(console, ordered(report.prompts))
    _print_way(console, *to_go_on(report))
    for prompt in ordered(report.prompts):
        _print_one(prompt, console)
    for note in remarks(report):
        print_line(console, _remark(note))
    for said in report.said:
        print_line(console, Text.assemble(("note: ", "yellow"), one_line(cut(said, LONG))))


def _print_one(prompt: GatedPrompt, console: Console) -> None:
    if not needs_words(prompt):
        return
    console.print()
    if prompt.report is not None:
        print_report(prompt.report, console, next_step=False)
    else:
        about = changed(prompt)
        print_line(console, Text.assemble((one_line(prompt.id), "bold"), GAP, one_line(about)))
    for line in _lines(prompt):
        print_line(console, line)
    _print_way(console, *to_merge(prompt))


def _lines(prompt: GatedPrompt) -> Iterator[Text]:
    for said in untold(prompt, SHOWN_SENTENCES):
        yield Text(f"  {one_line(said)}")
    if prompt.report is not None and prompt.exit_code:
        most = broke_most(prompt.report)
        if most:
            yield Text.assemble(("  What broke most: ", "bold"), one_line(most))
    if prompt.report is None and prompt.exit_code:
        # The rule before them keeps a build server from taking a prompt's line for a command.
        yield from (
            Text.assemble(("  │ ", "dim"), one_line(cut(line, SHORT))) for line in prompt.diff[:SHOWN_DIFF]
        )


def _print_way(console: Console, text: str, commands: list[str]) -> None:
    if text:
        print_command(console, Text(f"  {text}", style="bold"), one_line(" or ".join(commands)))


def _print_table(console: Console, prompts: list[GatedPrompt]) -> None:
    rows = [
        [
            Text(one_line(cut(prompt.id, SHORT)), style="bold"),
            Text(one_line(sides(prompt, CANDIDATE))),
            Text(WORDS[prompt.status].upper(), style=COLOURS.get(prompt.status, "dim")),
            Text(one_line(figures(prompt))),
        ]
        for prompt in prompts
    ]
    widths = [max(row[column].cell_len for row in rows) for column in range(4)] if rows else []
    for row in rows:
        print_line(console, _aligned(row, widths), hang=2 + sum(widths[:3]) + 3 * len(GAP))


def _aligned(row: list[Text], widths: list[int]) -> Text:
    line = Text("  ")
    for cell, width in zip(row, widths, strict=True):
        line += Text.assemble(cell, " " * (width - cell.cell_len), GAP)
    line.rstrip()
    return line


def _remark(note: Note) -> Text:
    where = place(note)
    shown = f"{one_line(where)}: " if where else ""
    return Text.assemble(
        "  ", shown, (f"{note.level}: ", _LEVELS[note.level]), one_line(cut(note.message, LONG))
    )
