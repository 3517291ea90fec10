"""A gate's answer as JUnit XML: one suite a prompt, one case a metric or problem."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from promptops.gated import GatedPrompt, GateReport, Note
from promptops.report import cut
from promptops.reports.escape import xml
from promptops.reports.gateview import LONG, figures, ordered
from promptops.reports.view import view

_FAILED = ("REGRESSION", "WORSE", "INCONCLUSIVE", "NOT_SHOWN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case; `kind` is what it ended in besides passing."""

    name: str
    kind: str = ""
    type: str = ""
    message: str = ""


def junit(report: GateReport) -> str:
    """Return the XML document, ending in a line feed; it validates against the schema that Jenkins publishes."""
    root = ElementTree.Element("testsuites", name="promptops gate")
    suites = [("release files", [_of_note(note) for note in report.integrity])] if report.integrity else []
    suites += [(prompt.id, list(_cases(prompt))) for prompt in ordered(report.prompts)]
    for name, cases in suites:
        _add_suite(root, name, cases)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _add_suite(root: ElementTree.Element, name: str, cases: list[Case]) -> None:
    counts = {kind: str(sum(case.kind == kind for case in cases)) for kind in ("failure", "error", "skipped")}
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=xml(cut(name, 80)),
        tests=str(len(cases)),
        failures=counts["failure"],
        errors=counts["error"],
        skipped=counts["skipped"],
    )
    for case in cases:
        added = ElementTree.SubElement(
            suite, "testcase", name=xml(cut(case.name, 200)), classname=xml(f"promptops.{cut(name, 80)}")
        )
        if case.kind == "skipped":
            ElementTree.SubElement(added, case.kind, message=xml(cut(case.message, LONG)))
        elif case.kind:
            ElementTree.SubElement(added, case.kind, type=case.type, message=xml(cut(case.message, LONG)))


def _cases(prompt: GatedPrompt) -> Iterator[Case]:
    kind = "error" if prompt.exit_code in (2, 7) else "failure" if prompt.exit_code else ""
    yield Case(name="verdict", kind=kind, type=prompt.status, message=figures(prompt))
    if prompt.report is None:
        return
    for line, row in zip(prompt.report.metrics, view(prompt.report).rows, strict=True):
        failed = line.status in _FAILED
        said = f"{row.baseline} → {row.candidate} ({row.change}; allowed {row.allowed or '–'}) {row.detail}"
        yield Case(name=line.name, kind="failure" if failed else "", type=line.status, message=said)


def _of_note(note: Note) -> Case:
    return Case(
        name=f"{note.path}:{note.line}" if note.line else note.path,
        kind="failure" if note.level == "error" else "",
        type="integrity",
        message=note.message,
    )
