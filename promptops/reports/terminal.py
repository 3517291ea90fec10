"""A report for a terminal: one word, one sentence, the table, the broken samples, the ways on."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from promptops.report import Arm, Change, Report
from promptops.reports.escape import one_line
from promptops.reports.slices import SliceRow, Slices
from promptops.reports.view import Row, View, Way, view
from promptops.reports.wrapping import print_line

GAP = "   "
NUMBERS_END = 6  # the columns between the name and the status
COLOURS = {
    "PASS": "bold green",
    "BETTER": "bold green",
    "REGRESSION": "bold red",
    "WORSE": "bold red",
    "INCONCLUSIVE": "bold yellow",
    "NOT SHOWN": "yellow",
}


def print_report(report: Report, console: Console, *, next_step: bool = True) -> None:
    """Print the whole answer of one test."""
    shown = view(report)
    _print(console, "", _title(report, shown))
    _print(console, "  ", Text.assemble(_status(shown.verdict), "   ", one_line(shown.sentence)))
    for reason in shown.more_reasons:
        _print(console, "  ", Text.assemble(" " * len(shown.verdict), "   ", one_line(reason)))
    for line in _table(shown):
        _print(console, "  ", line, hang=console.width)
    for line in _slices(shown.slices):
        _print(console, "  ", line)
    for warning in shown.warnings:
        _print(console, "  ", Text.assemble(("note: ", "yellow"), one_line(warning)))
    for number, change in enumerate(shown.worst):
        _print(console, "  ", _broken(change, "Broken: " if number == 0 else "        "))
    if shown.more_worst:
        _print(console, "  ", Text(f"        and {shown.more_worst} more", style="dim"))
    for number, way in enumerate(shown.ways if next_step else ()):
        # In one piece, to be copied.
        console.print(_way(way, "  Next:   " if number == 0 else "     or   "), soft_wrap=True)


def _way(way: Way, label: str) -> Text:
    remark = (f"   ({one_line(way.remark)})", "dim") if way.remark else ""
    return Text.assemble((label, "bold"), one_line(way.command), remark)


def _print(console: Console, indent: str, text: Text, *, hang: int = 10) -> None:
    print_line(console, Text.assemble(indent, text), hang=hang)


def _title(report: Report, shown: View) -> Text:
    return Text.assemble((one_line(report.prompt.id), "bold"), "   ", "   ".join((shown.title, *shown.facts)))


def _status(status: str) -> tuple[str, str]:
    return (status, COLOURS.get(status, "dim"))


def _table(shown: View) -> list[Text]:
    """Align the rows; nothing is padded at the end, so that a narrow terminal wraps no blanks."""
    header = [*(Text(name, style="dim") for name in shown.columns), Text(""), Text("")]
    rows = [header, *(_cells(row) for row in shown.rows)]
    widths = [max(row[place].cell_len for row in rows) for place in range(len(header))]
    return [_aligned(row, widths) for row in rows]


def _aligned(row: list[Text], widths: list[int]) -> Text:
    """Join the cells; numbers stand to the right, the name, the status and what follows it to the left."""
    line = Text("")
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        blank = " " * (width - cell.cell_len)
        line += Text.assemble(blank, cell) if 0 < place < NUMBERS_END else Text.assemble(cell, blank)
        line.append(GAP)
    line.rstrip()
    return line


def _cells(row: Row) -> list[Text]:
    texts = (row.name, row.baseline, row.candidate, row.change, row.interval, row.allowed)
    return [
        *(Text(one_line(text)) for text in texts),
        Text(*_status(row.status)),
        Text(one_line(row.detail), style="dim"),
    ]


def _slices(slices: Slices) -> list[Text]:
    """The sentence about all slices, and a few of them below it."""
    if not slices.sentence:
        return []
    cells = [[*(Text(one_line(text)) for text in row.cells[:-1]), _opinion(row)] for row in slices.rows]
    widths = [max(row[place].cell_len for row in cells) for place in range(len(cells[0]))] if cells else []
    head = Text.assemble(("Slices ", "bold"), one_line(slices.sentence))
    return [head, *(Text.assemble("  ", _padded(row, widths)) for row in cells)]


def _opinion(row: SliceRow) -> Text:
    return Text(one_line(row.said), style="yellow" if row.worse else "dim")


def _padded(row: list[Text], widths: list[int]) -> Text:
    line = Text(GAP).join(
        Text.assemble(cell, " " * (width - cell.cell_len)) for cell, width in zip(row, widths, strict=True)
    )
    line.rstrip()
    return line


def _broken(change: Change, label: str) -> Text:
    return Text.assemble(
        (label, "bold"),
        (one_line(change.sample_id), "cyan"),
        f' "{one_line(change.input)}"   before ',
        _answer(change.baseline),
        "   after ",
        _answer(change.candidate),
    )


def _answer(arm: Arm | None) -> Text:
    if arm is None:
        return Text("–")
    good = arm.value is not None and arm.value > 0
    return Text.assemble(one_line(arm.text), (" ✓", "green") if good else (" ✗", "red"))
