"""Annotations: ten at most, the gravest first, on the lines of the change, by GitHub's own rules of escaping."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from gateworlds import EVERYTHING, NOTHING, ONE_WORSE, gate, prompt

from promptops.gated import Note
from promptops.reports.annotations import annotations
from promptops.reports.escape import command_message, command_property


def test_annotations_show_a_gate(golden: Callable[[str, str], None]) -> None:
    golden("gate-everything.annotations", "\n".join(annotations(EVERYTHING)) + "\n")


def test_where_nothing_is_affected_nothing_is_annotated() -> None:
    assert annotations(NOTHING) == []


def test_there_are_ten_at_most_and_the_last_counts_the_rest() -> None:
    notes = [Note(level="warning", path="a", line=place, message=f"m{place}") for place in range(1, 30)]
    found = annotations(gate(notes=notes))
    assert len(found) == 10
    assert found[-1] == "::notice title=promptops::20 more remarks stand in the job's summary"
    assert len(annotations(gate(notes=notes[:10]))) == 10
    assert len(annotations(gate(notes=notes), most=3)) == 3


def test_wrong_release_files_come_first_and_notices_last() -> None:
    notes = [Note(level=level, path="a", message=level) for level in ("notice", "warning", "error")]
    wrong = Note(level="error", path="r", message="wrong")
    found = annotations(gate(prompt("x", "inconclusive"), notes=notes, integrity=[wrong], first=["looser"]))
    assert [line.split(" ")[0] for line in found] == [
        "::error",
        "::warning",
        "::error",
        "::warning",
        "::warning",
        "::notice",
    ]
    assert found[0].endswith("::wrong")
    assert found[1].endswith("::read this first: looser")


def test_a_verdict_stands_on_the_first_line_of_its_prompt_that_changed() -> None:
    (alone,) = annotations(ONE_WORSE)
    assert alone.startswith("::error file=prompts/support-triage.prompt.yaml,line=1,title=promptops::")
    (verdict,) = annotations(gate(prompt("x", "regression", line=7)))
    assert verdict.startswith("::error file=prompts/x.prompt.yaml,line=7,title=promptops::x: regression: ")


def test_of_a_broken_prompt_the_remark_that_says_why_is_enough() -> None:
    found = [line for line in annotations(EVERYTHING) if "torn" in line]
    assert found == [
        "::error file=prompts/torn.prompt.yaml,line=3,col=5,title=promptops::expected a number, got 'hot'"
    ]


def test_the_same_remark_is_made_once() -> None:
    note = Note(level="warning", path="a", message="m")
    assert len(annotations(gate(notes=[note, note]))) == 1


@pytest.mark.parametrize(
    ("text", "message", "value"),
    [
        ("94 %", "94 %25", "94 %25"),
        ("%0A", "%250A", "%250A"),
        ("a\r\nb", "a␍⏎b", "a␍⏎b"),
        ("a:b,c", "a:b,c", "a%3Ab%2Cc"),
        ("::error::x", "\\u{3a}:error::x", "\\u{3a}%3Aerror%3A%3Ax"),
    ],
)
def test_messages_and_properties_are_escaped_by_githubs_rules(text: str, message: str, value: str) -> None:
    assert command_message(text) == message
    assert command_property(text) == value
