"""A gate's answer as workflow commands of GitHub, which show it on the lines of the change."""

from collections.abc import Iterator

from promptops.gated import GateReport, Note
from promptops.report import cut
from promptops.reports.escape import command_message, command_property
from promptops.reports.gateview import LONG, WORDS, figures, ordered

_LEVELS = ("error", "warning", "notice")


def annotations(report: GateReport, *, most: int = 10) -> list[str]:
    """Return at most `most` commands, one a line, the gravest first; the last one says how many had no room."""
    notes = list(dict.fromkeys(_notes(report)))
    if len(notes) <= most:
        return [_command(note) for note in notes]
    left = len(notes) - most + 1
    more = Note(level="notice", path="", message=f"{left} more remarks are in the job's summary")
    return [_command(note) for note in (*notes[: most - 1], more)][:most]


def _notes(report: GateReport) -> Iterator[Note]:
    yield from sorted(report.integrity, key=lambda note: _LEVELS.index(note.level))
    for prompt in ordered(report.prompts):
        if prompt.exit_code:
            level = "warning" if prompt.status in ("inconclusive", "stopped") else "error"
            said = f"{prompt.id}: {WORDS[prompt.status].lower()}: {figures(prompt)}"
            yield Note(level=level, path=prompt.path, line=1, message=said)
    yield from (Note(level="warning", path="", message=text) for text in report.first)
    yield from sorted(report.notes, key=lambda note: _LEVELS.index(note.level))


def _command(note: Note) -> str:
    places = {"file": note.path, "line": note.line or "", "col": note.column or ""}
    given = ",".join(f"{name}={command_property(str(value))}" for name, value in places.items() if value)
    return f"::{note.level}{' ' if given else ''}{given}::{command_message(cut(note.message, LONG))}"
