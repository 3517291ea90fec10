"""equals, contains, starts_with, ends_with."""

from __future__ import annotations

from typing import Any

import pytest

LONG = "x" * 10_000


@pytest.mark.parametrize(
    ("written", "answer", "expected", "why"),
    [
        ({"equals": "billing"}, "billing", None, ""),
        ({"equals": "billing"}, "  billing\n", None, ""),
        ({"equals": "billing", "trim": False}, "billing\n", None, "expected 'billing', got 'billing\\n'"),
        ({"equals": "billing"}, "Billing", None, "expected 'billing', got 'Billing'"),
        ({"equals": "billing", "ignore_case": True}, "BILLING", None, ""),
        ({"equals": "straße", "ignore_case": True}, "STRASSE", None, ""),
        ({"equals": "café"}, "cafe\u0301", None, ""),
        ({"equals": "a\nb"}, "a\r\nb", None, ""),
        ({"equals": "{{ expected }}"}, "technical", "billing", "expected 'billing', got 'technical'"),
        ({"equals": "{{expected}}"}, "billing", "billing", ""),
        ({"equals": "{{ expected.queue }}"}, "billing", {"queue": "billing"}, ""),
        ({"equals": "{{ expected['a b'][1] }}"}, "y", {"a b": ["x", "y"]}, ""),
        ({"equals": "queue: {{ expected.queue }}"}, "queue: billing", {"queue": "billing"}, ""),
        ({"equals": "{{ expected | upper }}"}, "BILLING", "billing", ""),
        ({"equals": ""}, "", None, ""),
        ({"equals": "5"}, "5", None, ""),
        ({"equals": "5"}, "5.0", None, "expected '5', got '5.0'"),
        ({"equals": "x"}, LONG, None, f"expected 'x', got '{'x' * 69}…'"),
    ],
)
def test_equals_compares_the_whole_text(
    ask: Any, written: dict[str, Any], answer: str, expected: Any, why: str
) -> None:
    score = ask(written, answer, expected=expected)
    assert (score.value, score.reason) == (0.0 if why else 1.0, why)


@pytest.mark.parametrize(
    ("expected", "answer", "why"),
    [
        (5, "5", ""),
        (1, "1.0", ""),
        (1.0, " 1 ", ""),
        (1, "true", "expected 1, got true"),
        (True, "1", "expected true, got 1"),
        (True, "true", ""),
        (5, '"5"', "expected 5, got '5'"),
        (5, "five", "expected 5, got 'five'"),
        ({"a": 1}, "five", "not JSON: Expecting value at 1:1"),
        (["a", "b"], '["a","b"]', ""),
        (["a", "b"], '["b","a"]', """expected ["a","b"], got ["b","a"]"""),
        ([], "[]", ""),
        ({"a": 1, "b": [True, None]}, '{"b": [true, null], "a": 1.0}', ""),
        ({"a": 1}, '{"a": 1, "b": 2}', 'expected {"a":1}, got {"a":1,"b":2}'),
        ({"a": " x "}, '{"a": "x"}', ""),
        ({"a": 1}, "```json\n{}\n```", "not JSON: the answer is in a ``` fence; ask for bare JSON"),
        ({"a": 1}, '{"a": 1, "a": 1}', "not JSON: key 'a' is there twice"),
    ],
)
def test_a_template_that_is_one_name_keeps_the_type_of_the_value(
    ask: Any, expected: Any, answer: str, why: str
) -> None:
    score = ask({"equals": "{{ expected }}"}, answer, expected=expected)
    assert (score.value, score.reason) == (0.0 if why else 1.0, why)


def test_templates_inside_an_object_are_filled(ask: Any) -> None:
    written = {"equals": {"queue": "{{ expected }}", "id": "{{ inputs.id }}", "n": ["{{ id }}", 2]}}
    assert ask(written, '{"queue":"q","id":7,"n":[7,2]}', expected="q", inputs={"id": 7}).value == 1.0


def test_the_names_of_a_simple_template_are_the_keys_of_the_row(ask: Any) -> None:
    row = {"a.b": "x", "my-name": "y", "expected": "z"}
    for written, answer in [
        ("{{a.b}}", "x"),
        ("{{my-name}}", "y"),
        ("{{ expected }}", "z"),
        ("={{a.b}}", "=x"),
    ]:
        score = ask({"equals": written}, answer, inputs=row, expected="z", template="simple")
        assert (score.value, score.reason) == (1.0, "")


def test_text_from_a_sample_is_never_read_as_a_template(ask: Any) -> None:
    hostile = "{{ expected.__class__ }}{% for i in range(10**9) %}x{% endfor %}"
    assert ask({"equals": "{{ expected }}"}, hostile, expected=hostile).value == 1.0
    assert ask({"equals": "={{ expected }}="}, f"={hostile}=", expected=hostile).value == 1.0


@pytest.mark.parametrize(
    ("written", "expected", "why"),
    [
        ("{{ expected }}", None, "the sample has no expected"),
        ("{{ expected.queue }}", None, "the sample has no expected"),
        ("is {{ expected.queue }}", None, "the sample has no expected"),
        ("{{ expected.queue }}", {"other": 1}, "the sample has no expected.queue"),
        ("{{ expected.queue }}", "text", "the sample has no expected.queue"),
        ("{{ nothing }}", "text", "the sample has no nothing"),
    ],
)
@pytest.mark.parametrize("answer", ["billing", "", None])
def test_a_sample_that_lacks_what_is_named_is_not_scored_whatever_the_answer(
    ask: Any, written: str, expected: Any, why: str, answer: str | None
) -> None:
    for path in ({}, {"path": "$.queue"}):
        score = ask({"equals": written, **path}, answer, expected=expected)
        assert (score.value, score.reason) == (None, why)


def test_a_template_that_does_not_render_is_no_score(ask: Any) -> None:
    score = ask({"equals": "a {{ nothing }}"}, "a", expected="x")
    assert score.value is None
    assert "does not render" in score.reason


@pytest.mark.parametrize(
    ("path", "answer", "why"),
    [
        ("$.queue", '{"queue": "billing"}', ""),
        ("$.queue", '{"queue": "x"}', "expected 'billing', got 'x'"),
        ("$.queue", '{"queue": 5}', "expected 'billing', got 5"),
        ("$.queue", "{}", "$.queue is missing"),
        ("$.queue", "[]", "$.queue is missing"),
        ("$.queue", "billing", "not JSON: Expecting value at 1:1"),
        ("$.queue", None, "the answer has no text"),
        ("$", '"billing"', ""),
        ("$.a[0]['b c'].d", '{"a": [{"b c": {"d": "billing"}}]}', ""),
        ("$[-1]", '["x", "billing"]', ""),
        ("$.tags[*]", '{"tags": ["x", "billing"]}', ""),
        ("$.*.q", '{"x": {"q": "billing"}}', ""),
        (
            "$.tags[*]",
            '{"tags": ["x", "y"]}',
            "none of 2 values fits; the first: expected 'billing', got 'x'",
        ),
        ("$.tags[*]", '{"tags": []}', "$.tags[*] is missing"),
    ],
)
def test_a_path_selects_from_the_json_answer(ask: Any, path: str, answer: str | None, why: str) -> None:
    score = ask({"equals": "{{ expected }}", "path": path}, answer, expected="billing")
    assert (score.value, score.reason) == (0.0 if why else 1.0, why)


@pytest.mark.parametrize(
    ("written", "answer", "why"),
    [
        ({"contains": "refund"}, "your refund is on its way", ""),
        ({"contains": "refund"}, "your Refund", "does not contain 'refund': 'your Refund'"),
        ({"contains": "refund", "ignore_case": True}, "your REFUND", ""),
        ({"contains": ["x", "refund"]}, "a refund", ""),
        ({"contains": ["x", "y"]}, "a refund", "does not contain any of 'x', 'y': 'a refund'"),
        ({"contains": "{{ expected.words }}"}, "b", ""),
        ({"contains": "{{ expected.number }}"}, "about 7 of them", ""),
        ({"contains": "b", "path": "$.tags"}, '{"tags": ["a","b"]}', ""),
        ({"starts_with": "Dear"}, "\n Dear you", ""),
        ({"starts_with": ["Hi", "Dear"]}, "Hello", "does not start with any of 'Hi', 'Dear': 'Hello'"),
        ({"ends_with": "."}, "Done.\n", ""),
        ({"ends_with": "."}, "Done", "does not end with '.': 'Done'"),
        ({"ends_with": ".\n", "trim": False}, "Done.\r\n", ""),
    ],
)
def test_a_part_of_the_answer_may_be_any_of_several_texts(
    ask: Any, written: dict[str, Any], answer: str, why: str
) -> None:
    score = ask(written, answer, expected={"words": ["a", "b"], "number": 7})
    assert (score.value, score.reason) == (0.0 if why else 1.0, why)


@pytest.mark.parametrize("expected", ["", " ", [], [""], {"a": 1}, [None]])
def test_nothing_to_look_for_is_no_score_instead_of_a_pass(ask: Any, expected: Any) -> None:
    assert ask({"contains": "{{ expected }}"}, "anything", expected=expected).value is None


def test_a_reason_is_one_short_printable_line(ask: Any) -> None:
    score = ask({"equals": "a"}, "\x1b[31m\u202e\ud800\n::set-output name=x::y\n" + LONG)
    assert score.reason.isprintable()
    assert len(score.reason) <= 200
    score.reason.encode()
