"""A gate's answer as JUnit XML: one suite a prompt, one case a metric or problem.

What stands in the way is a failure, what could not be tried an error, what was not run skipped. Times are left out:
the same answer is the same document. No two cases have one name, because GitLab shows only the first of them, and of
what a case ended in it shows the text, not the message.
"""

from __future__ import annotations

from collections import Counter
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
    headline,
    ordered,
    place,
    sentences,
    to_merge,
)
from promptops.reports.view import Row, view

_FAILED = ("REGRESSION", "WORSE", "INCONCLUSIVE", "NOT SHOWN")
_NOT_RUN = ("unchanged", "removed")
_RANKS = {"failure": 0, "error": 0, "skipped": 1}
_COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}
_CUT = "not shown"
_HEAD = 700  # the document without cases, and the case that counts those left out
_AROUND = 100  # what indents an element, and a suite's counts
SHOWN_SENTENCES = 20
SHOWN_LINES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case; `end` is what it ended in, nothing where it passed; `lines` are printed below it."""

    name: str
    end: Literal["", "failure", "error", "skipped"] = ""
    type: str = ""
    message: str = ""
    lines: Sequence[str] = ()


def junit(report: GateReport, *, limit: int = 5_000_000) -> str:
    """Return the document, ending in a line feed; it validates against the schema that Jenkins publishes.

    It has at most `limit` bytes of UTF-8 (1,024 are the least that makes sense): whole cases are left out, those that
    pass before all others, and counted.
    """
    root = ElementTree.Element("testsuites", {"name": "promptops gate"})
    for name, cases in _fitted(_cases(report), limit).items():
        ends = [_end(case) for case in cases]
        counts = {word: str(ends.count(end)) for word, end in _COUNTED.items()}
        suite = ElementTree.SubElement(root, "testsuite", {"name": name, "tests": str(len(cases)), **counts})
        suite.extend(cases)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _cases(report: GateReport) -> list[tuple[str, ElementTree.Element]]:
    """Every case with the name of its suite."""
    seen: Counter[str] = Counter()
    suites = list(_suites(report))
    if all(case.end == "skipped" for _, cases in suites for case in cases):
        # Jenkins takes a report in which nothing ran for a failure.
        suites.insert(0, ("gate", [Case(name="verdict", lines=[headline(report)])]))
    named = ((_word(name), case) for name, cases in suites for case in cases)
    return [(name, _element(name, case, seen)) for name, case in named]


def _fitted(
    made: Sequence[tuple[str, ElementTree.Element]], limit: int
) -> dict[str, list[ElementTree.Element]]:
    """Return the cases that there is room for, by suite; the gravest are the last to be left out."""
    room, kept, suites = limit - _HEAD, list[int](), set[str]()
    for number in sorted(range(len(made)), key=lambda number: _RANKS.get(_end(made[number][1]), len(_RANKS))):
        name, case = made[number]
        room -= _size(case) + (
            0 if name in suites else _size(ElementTree.Element("testsuite", {"name": name}))
        )
        if room < 0:
            break
        suites.add(name)
        kept.append(number)
    found: dict[str, list[ElementTree.Element]] = {}
    for number in sorted(kept):
        name, case = made[number]
        found.setdefault(name, []).append(case)
    if left := len(made) - len(kept):
        words = f"{left} more cases had no room here"
        found[_CUT] = [_element(_CUT, Case(name=words, end="skipped", message=words), Counter())]
    return found


def _suites(report: GateReport) -> Iterator[tuple[str, list[Case]]]:
    """The prompts, and before and after them what belongs to none."""
    if report.failed:
        what = Case(name="verdict", end="error", type="failed", message=headline(report), lines=report.said)
        yield "gate", [what]
    if report.first:
        yield "read this first", [Case(name=line, end="skipped", message=line) for line in report.first]
    if report.integrity:
        yield "release files", [_remark(note) for note in report.integrity]
    notes = _by_path(report.notes)
    for prompt in ordered(report.prompts):
        yield prompt.id, [*_of_prompt(prompt), *map(_remark, notes.pop(prompt.path, ()))]
    others = [_remark(note) for found in notes.values() for note in found]
    if others:
        yield "other files", others


def _by_path(notes: Sequence[Note]) -> dict[str, list[Note]]:
    found: dict[str, list[Note]] = {}
    for note in notes:
        found.setdefault(note.path, []).append(note)
    return found


def _of_prompt(prompt: GatedPrompt) -> Iterator[Case]:
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
    return f'{change.sample_id} "{change.input}": before {_answer(change.baseline)}, after {_answer(change.candidate)}'


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


def _element(suite: str, case: Case, seen: Counter[str]) -> ElementTree.Element:
    classname, name = f"promptops.{suite}", _word(case.name)
    seen[f"{classname}\n{name}"] += 1
    if (times := seen[f"{classname}\n{name}"]) > 1:
        name += f" ({times})"
    made = ElementTree.Element("testcase", {"name": name, "classname": classname})
    lines = [case.message, *case.lines] if case.message else case.lines
    text = "\n".join(_word(line, 4 * LONG) for line in lines[:SHOWN_LINES])
    if case.end:
        kind = {"type": _word(case.type)} if case.type else {}
        message = {"message": _word(case.message, 4 * LONG)}
        ElementTree.SubElement(made, case.end, kind | message).text = text
    elif text:
        ElementTree.SubElement(made, "system-out").text = text
    return made


def _size(element: ElementTree.Element) -> int:
    return len(ElementTree.tostring(element, "utf-8")) + _AROUND


def _end(case: ElementTree.Element) -> str:
    return case[0].tag if len(case) else ""


def _word(text: str, limit: int = LONG) -> str:
    return xml(one_line(cut(text, limit)))
