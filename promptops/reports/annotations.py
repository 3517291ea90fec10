"""A gate's answer as workflow commands of GitHub, which show it on the lines of the change.

GitHub shows ten of a step and drops the rest, so the gravest come first and the last says how many are elsewhere.
"""

# No `annotations` of `__future__` here: it is the name of the function.
from collections.abc import Iterator

from promptops.gated import GatedPrompt, GateReport, Note
from promptops.report import cut
from promptops.reports.escape import command_message, command_property
from promptops.reports.gateview import LONG, WORDS, figures, ordered, to_merge

_LEVELS = ("error", "warning", "notice")
_TITLE = "promptops"
_SHOWN_FIRST = 5


def annotations(report: GateReport, *, most: int = 10) -> list[str]:
    """Return at most `most` workflow commands, each a whole line without its end, the gravest first."""
    notes = list(dict.fromkeys(_notes(report)))
    if len(notes) > most:
        left = len(notes) - most + 1
        more = Note(level="notice", path="", message=f"{left} more remarks stand in the job's summary")
        notes = [*notes[: most - 1], more]
    return [_command(note) for note in notes]


def _notes(report: GateReport) -> Iterator[Note]:
    lines = {note.path: note.line for note in reversed(report.notes) if note.line}
    yield from _sorted(report.integrity)
    if report.first:
        yield Note(level="warning", path="", message=_first(report.first))
    for prompt in ordered(report.prompts):
        if prompt.exit_code:
            level = "warning" if prompt.status == "inconclusive" else "error"
            line = lines.get(prompt.path, 1)
            yield Note(level=level, path=prompt.path, line=line, message=_verdict(prompt))
    yield from _sorted(report.notes)


def _sorted(notes: list[Note]) -> list[Note]:
    return sorted(notes, key=lambda note: _LEVELS.index(note.level))


def _first(lines: list[str]) -> str:
    more = [f"{len(lines) - _SHOWN_FIRST} more"] if len(lines) > _SHOWN_FIRST else []
    return f"read this first: {'; '.join([*(cut(line, LONG) for line in lines[:_SHOWN_FIRST]), *more])}"


def _verdict(prompt: GatedPrompt) -> str:
    text, commands = to_merge(prompt)
    way = f"{text} {' or '.join(commands[:2])}".rstrip()
    return f"{cut(prompt.id, 80)}: {WORDS[prompt.status].lower()}: {figures(prompt)}. {way}".rstrip(". ")


def _command(note: Note) -> str:
    places = {"file": note.path, "line": note.line, "col": note.column} if note.path else {}
    given = {**{name: str(value) for name, value in places.items() if value}, "title": _TITLE}
    properties = ",".join(f"{name}={command_property(value)}" for name, value in given.items())
    return f"::{note.level} {properties}::{command_message(cut(note.message, 4 * LONG))}"
