"""A gate's answer as workflow commands of GitHub, which show it on the lines of the change.

GitHub shows ten of a step and drops the rest, so the gravest come first and the last says how many are elsewhere.
"""

# No `annotations` of `__future__` here: it is the name of the function.
from collections.abc import Iterator

from promptops.gated import GatedPrompt, GateReport, Note
from promptops.report import cut
from promptops.reports.escape import command_message, command_property
from promptops.reports.gateview import LONG, WORDS, figures, headline, ordered, to_merge

_LEVELS = ("error", "warning", "notice")
_TITLE = "promptops"
_PATH = 4096  # a longer one names no file
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
    if report.failed:
        yield Note(level="error", path="", message=": ".join([headline(report), *report.said]))
    yield from _sorted(report.integrity)
    if report.first:
        yield Note(level="warning", path="", message=_first(report.first))
    yield from _sorted([*_verdicts(report), *report.notes])


def _verdicts(report: GateReport) -> Iterator[Note]:
    """One for each prompt that stands in the way, on its first line that changed.

    Of a file that cannot be read, the remark that says why is enough.
    """
    explained = {note.path for note in report.notes if note.level == "error"}
    for prompt in ordered(report.prompts):
        explains_itself = prompt.status == "broken" and prompt.path in explained
        if (prompt.exit_code or prompt.status == "released") and not explains_itself:
            level = "warning" if prompt.status in ("inconclusive", "released") else "error"
            yield Note(level=level, path=prompt.path, line=prompt.line or 1, message=_verdict(prompt))


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
    places = {"file": cut(note.path, _PATH), "line": note.line, "col": note.column} if note.path else {}
    given = {**{name: str(value) for name, value in places.items() if value}, "title": _TITLE}
    properties = ",".join(f"{name}={command_property(value)}" for name, value in given.items())
    return f"::{note.level} {properties}::{command_message(cut(note.message, 4 * LONG))}"
