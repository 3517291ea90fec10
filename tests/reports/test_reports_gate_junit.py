"""JUnit XML: one suite a prompt, one case a metric or problem, valid whatever stands in it."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from gateworlds import (
    ATTACK,
    EVERYTHING,
    FAILED,
    FORK,
    NOTHING,
    ONE_WORSE,
    PASSES,
    WRONG,
    gate,
    hostile,
    prompt,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.gated import GateReport, Note
from promptops.reports.escape import xml
from promptops.reports.junit import junit

# What the schema that Jenkins publishes (junit-10.xsd) allows of what is written here: attributes, then children.
SCHEMA = {
    "testsuites": ({"name"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped"}, {"testcase"}),
    "testcase": ({"name", "classname"}, {"failure", "error", "skipped", "system-out"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "skipped": ({"message"}, set()),
    "system-out": (set(), set()),
}


def parsed(found: GateReport) -> ElementTree.Element:
    """Parse as a strict parser does, from bytes, and check every element."""
    root = ElementTree.fromstring(junit(found).encode("utf-8"))
    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, children = SCHEMA[element.tag]
        assert set(element.attrib) <= attributes
        assert {child.tag for child in element} <= children
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)
    for suite in root:
        cases = list(suite)
        assert suite.get("tests") == str(len(cases))
        for word, end in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.get(word) == str(sum(case.find(end) is not None for case in cases))
        assert all(case.get("classname") == f"promptops.{suite.get('name')}" for case in cases)
    return root


def test_junit_shows_a_gate(golden: Callable[[str, str], None]) -> None:
    golden("gate-everything.xml", junit(EVERYTHING))


@pytest.mark.parametrize(
    "found", [EVERYTHING, FAILED, ONE_WORSE, FORK, PASSES, WRONG, NOTHING, hostile(ATTACK)]
)
def test_a_document_is_what_the_schema_allows(found: GateReport) -> None:
    parsed(found)


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(), max_size=30))
def test_no_text_makes_a_document_that_is_none(text: str) -> None:
    parsed(hostile(text))


@pytest.mark.parametrize("char", ["\x00", "\x0b", "\ud800", "\ufffe", "\uffff"])
def test_what_xml_cannot_hold_is_made_visible(char: str) -> None:
    assert xml(f"a{char}b") == f"a\\u{{{ord(char):x}}}b"


def test_each_prompt_is_a_suite_and_each_metric_a_case() -> None:
    suites = {suite.get("name"): suite for suite in parsed(ONE_WORSE)}
    assert list(suites) == ["support-triage", "refund-reply"]
    assert [case.get("name") for case in suites["support-triage"]] == ["verdict", "queue", "answered", "cost"]
    assert suites["support-triage"].get("failures") == "2"
    assert suites["refund-reply"].get("failures") == "0"


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("broken", "error"),
        ("stopped", "error"),
        ("regression", "failure"),
        ("inconclusive", "failure"),
        ("unchanged", "skipped"),
        ("removed", "skipped"),
        ("pass", None),
        ("new", None),
        ("released", None),
    ],
)
def test_how_a_verdict_ends(status: str, end: str | None) -> None:
    suite = parsed(gate(prompt("x", status)))[-1]
    ends = [element.tag for element in suite[0] if element.tag != "system-out"]
    assert ends == ([end] if end else [])


def test_a_target_that_was_not_shown_fails_nothing_where_the_prompt_passes() -> None:
    shown = ONE_WORSE.prompts[1].model_copy(update={"status": "pass"})
    (suite,) = parsed(gate(shown))
    assert suite.get("failures") == "0"


def test_a_remark_belongs_to_its_prompt_and_the_rest_to_other_files() -> None:
    suites = {suite.get("name"): suite for suite in parsed(EVERYTHING)}
    assert [case.get("name") for case in suites["torn"]] == ["verdict", "prompts/torn.prompt.yaml:3"]
    assert suites["release files"].get("failures") == "1"
    assert suites["read this first"].get("skipped") == "2"
    elsewhere = EVERYTHING.model_copy(update={"prompts": []})
    assert len({suite.get("name"): suite for suite in parsed(elsewhere)}["other files"]) == 2


def test_the_same_answer_is_the_same_document() -> None:
    turned = EVERYTHING.model_copy(update={"prompts": list(reversed(EVERYTHING.prompts))})
    assert junit(turned) == junit(EVERYTHING)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (NOTHING, "no prompt is affected"),
        (gate(prompt("x", "unchanged"), first=["looser"]), "1 prompt is unchanged"),
    ],
)
def test_a_report_in_which_nothing_ran_has_a_case_that_passes(found: GateReport, said: str) -> None:
    suite = parsed(found)[0]
    assert [(case.get("name"), case[0].tag, case[0].text) for case in suite] == [
        ("verdict", "system-out", said)
    ]


def test_two_remarks_on_one_line_have_two_names() -> None:
    notes = [Note(level="error", path="a", line=3, message=message) for message in ("one", "two", "one")]
    (suite,) = parsed(gate(notes=notes))
    assert [case.get("name") for case in suite] == ["a:3", "a:3 (2)", "a:3 (3)"]


def test_two_prompts_of_one_name_are_one_suite_with_both_verdicts() -> None:
    (suite,) = parsed(gate(prompt("x", "broken", path="a"), prompt("x", "regression", path="b")))
    assert [(case.get("name"), case[0].tag) for case in suite] == [
        ("verdict", "error"),
        ("verdict (2)", "failure"),
    ]


def test_what_a_case_ended_in_is_told_in_its_text_too() -> None:
    for case in parsed(EVERYTHING).iter("testcase"):
        if case[0].tag != "system-out":
            assert (case[0].text or "").split("\n")[0] == case[0].get("message")


@pytest.mark.parametrize("name", ["ATTACHMENT", "attachment"])
def test_no_text_attaches_a_file_of_the_build_server(name: str) -> None:
    evil = f"[[{name}|/home/jenkins/.netrc]]"
    shown = junit(hostile(evil))
    assert f"[[{name}" not in shown
    assert f"\\u{{5b}}[{name}|/home/jenkins/.netrc]]" in shown


def crowd(number: int) -> GateReport:
    worse, better = ONE_WORSE.prompts[1], ONE_WORSE.prompts[0]
    pairs = [(f"{place:05}", one) for place in range(number) for one in (better, worse)]
    return gate(*(one.model_copy(update={"id": f"{one.id}-{place}"}) for place, one in pairs))


def test_a_thousand_prompts_have_room() -> None:
    shown = junit(crowd(500))
    assert "no room" not in shown
    assert shown.count("<testsuite ") == 1000


@pytest.mark.parametrize("limit", [1_024, 10_000, 100_000])
@pytest.mark.parametrize("text", ["", "\U0010ffff" * 400, "&" * 400])
def test_a_document_never_exceeds_its_limit(limit: int, text: str) -> None:
    many = crowd(150)
    found = many.model_copy(
        update={"first": [text] * 9, "prompts": [*many.prompts, *hostile(text or "a").prompts]}
    )
    shown = junit(found, limit=limit)
    assert len(shown.encode()) <= limit
    assert "more cases had no room here" in shown
    ElementTree.fromstring(shown.encode())


def test_what_passes_is_left_out_first_and_counted() -> None:
    whole = junit(crowd(100)).count("<testcase ")
    root = ElementTree.fromstring(junit(crowd(100), limit=150_000).encode())
    kept = list(root.iter("testcase"))
    assert [case[0].tag for case in kept].count("failure") == 200
    assert "system-out" in {case[0].tag for case in kept}
    (cut,) = root[-1]
    assert (root[-1].get("name"), cut[0].tag) == ("not shown", "skipped")
    assert cut.get("name") == f"{whole - len(kept) + 1} more cases had no room here"
