"""A gate's answer as JUnit XML: one suite a prompt, one case a metric or problem.

What stands in the way is a failure, what could not be tried an error, what was not run skipped. Times are left out:
the same answer is the same document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

from promptops.gated import GatedPrompt, GateReport, Note
from promptops.report import Arm, Change, cut
from promptops.reports.escape import one_line, xml
from promptops.reports.gateview import (
    LONG,
    broke_most,
    examples,
    figures,
    ordered,
    place,
    remarks,
    sentences,
    to_merge,
)
from promptops.reports.view import Row, view

_FAILED = ("REGRESSION", "WORSE", "INCONCLUSIVE", "NOT SHOWN")
_NOT_RUN = ("unchanged", "removed")
SHOWN_SENTENCES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case; `end` is what it ended in, nothing where it passed; `lines` are printed below it."""

    name: str
    end: Literal["", "failure", "error", "skipped"] = ""
    type: str = ""
    message: str = ""
    lines: Sequence[str] = ()


def junit(report: GateReport) -> str:
    """Return the document, ending in a line feed; it validates against the schema that Jenkins publishes."""
    root = ElementTree.Element("testsuites", {"name": "promptops gate"})
    for name, cases in _suites(report):
        _add_suite(root, name, cases)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suites(report: GateReport) -> Iterator[tuple[str, list[Case]]]:
    """The prompts, and before and after them what belongs to none."""
    if report.first:
        yield "read this first", [Case(name=line, end="skipped", message=line) for line in report.first]
    if report.integrity:
        yield "release files", [_remark(note) for note in report.integrity]
    notes = _by_path(remarks(report))
    for prompt in ordered(report.prompts):
        yield prompt.id, [*_cases(prompt), *map(_remark, notes.pop(prompt.path, ()))]
    others = [_remark(note) for found in notes.values() for note in found]
    if others:
        yield "other files", others


def _by_path(notes: Sequence[Note]) -> dict[str, list[Note]]:
    found: dict[str, list[Note]] = {}
    for note in notes:
        found.setdefault(note.path, []).append(note)
    return found


def _cases(prompt: GatedPrompt) -> Iterator[Case]:
    yield _verdict(prompt)
    if prompt.report is not None:
        rows = view(prompt.report).rows
        yield from (_metric(row, in_the_way=prompt.exit_code != 0) for row in rows)


def _verdict(prompt: GatedPrompt) -> Case:
    if prompt.exit_code:
        end: Literal["failure", "error"] = "error" if prompt.status in ("broken", "stopped") else "failure"
        return Case(name="verdict", end=end, type=prompt.status, message=figures(prompt), lines=_said(prompt))
    if prompt.status in _NOT_RUN:
        return Case(name="verdict", end="skipped", message=figures(prompt))
    return Case(name="verdict", lines=[figures(prompt), *_said(prompt)])


def _said(prompt: GatedPrompt) -> list[str]:
    lines = sentences(prompt, SHOWN_SENTENCES)
    if prompt.report is not None and prompt.exit_code:
        most = broke_most(prompt.report)
        lines += [f"What broke most: {most}"] if most else []
        lines += [_example(change) for change in examples(prompt.report)]
    text, commands = to_merge(prompt)
    return [*lines, *([f"{text} {' or '.join(commands)}".rstrip()] if text else [])]


def _example(change: Change) -> str:
    return f'{change.sample_id} "{change.input}": {_answer(change.baseline)} → {_answer(change.candidate)}'


def _answer(arm: Arm | None) -> str:
    return "–" if arm is None else f'"{arm.text}"'


def _metric(row: Row, *, in_the_way: bool) -> Case:
    allowed = f", allowed {row.allowed}" if row.allowed else ""
    detail = f"; {row.detail}" if row.detail else ""
    said = f"{row.status}: {row.baseline} → {row.candidate} ({row.change}{allowed}){detail}"
    if in_the_way and row.status in _FAILED:
        return Case(name=row.name, end="failure", type=row.status, message=said)
    return Case(name=row.name, lines=[said])


def _remark(note: Note) -> Case:
    message = cut(note.message, LONG)
    if note.level == "error":
        return Case(name=place(note), end="failure", type="error", message=message)
    return Case(name=place(note), lines=[f"{note.level}: {message}"])


def _add_suite(root: ElementTree.Element, name: str, cases: Sequence[Case]) -> None:
    counts = {
        word: str(sum(case.end == end for case in cases))
        for word, end in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    shown = _word(name)
    given = {"name": shown, "tests": str(len(cases)), **counts}
    suite = ElementTree.SubElement(root, "testsuite", given)
    for case in cases:
        _add_case(suite, f"promptops.{shown}", case)


def _add_case(suite: ElementTree.Element, place: str, case: Case) -> None:
    added = ElementTree.SubElement(suite, "testcase", {"name": _word(case.name), "classname": place})
    text = "\n".join(xml(one_line(line)) for line in case.lines)
    if not case.end:
        if text:
            ElementTree.SubElement(added, "system-out").text = text
        return
    kind = {"type": _word(case.type)} if case.type else {}
    ended = ElementTree.SubElement(added, case.end, {**kind, "message": _word(case.message, 4 * LONG)})
    ended.text = text or None


def _word(text: str, limit: int = LONG) -> str:
    return xml(one_line(cut(text, limit)))
