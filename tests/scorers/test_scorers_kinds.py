"""regex, json_schema, json_path, length."""

from __future__ import annotations

from typing import Any

import pytest

from promptops.errors import ConfigError

SCHEMA = {"type": "object", "required": ["queue"], "properties": {"queue": {"enum": ["billing", "account"]}}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "route", "schema": SCHEMA}}


@pytest.mark.parametrize(
    ("written", "answer", "why"),
    [
        ({"regex": r"\d{4}"}, "order 1234", ""),
        ({"regex": r"^\d{4}$"}, " 1234\n", ""),
        ({"regex": r"^\d{4}$", "trim": False}, " 1234", "^\\d{4}$ is not in ' 1234'"),
        ({"regex": "a.b"}, "a\nb", "a.b is not in 'a\\nb'"),
        ({"regex": "ORDER", "ignore_case": True}, "order", ""),
        ({"regex": r"\bS\b", "ignore_case": False}, "s", "\\bS\\b is not in 's'"),
        ({"regex": "^b", "path": "$.q"}, '{"q": "billing"}', ""),
        ({"length": {"max": 3, "unit": "words"}}, "one two three", ""),
        ({"length": {"max": 2, "unit": "words"}}, "one  two\nthree", "3 words, at most 2"),
        ({"length": {"min": 2, "unit": "words"}}, "one", "1 word, at least 2"),
        ({"length": {"max": 5}}, " 12345\n", ""),
        ({"length": {"max": 5}, "trim": False}, "12345\n", "6 characters, at most 5"),
        ({"length": {"max": 1, "unit": "lines"}}, "a\r\nb", "2 lines, at most 1"),
        ({"length": {"min": 1, "unit": "lines"}}, "", "0 lines, at least 1"),
        ({"length": {"max": 1}, "path": "$.a"}, '{"a": "é"}', ""),
        ({"json_path": "$.queue"}, '{"queue": null}', ""),
        ({"json_path": "$.queue"}, "{}", "$.queue is missing"),
        ({"json_path": "$.queue"}, "hi", "not JSON: Expecting value at 1:1"),
        ({"json_path": {"path": "$.n", "equals": 1}}, '{"n": 1.0}', ""),
        ({"json_path": {"path": "$.n", "equals": None}}, '{"n": null}', ""),
        ({"json_path": {"path": "$.n", "equals": None}}, '{"n": 0}', "expected null, got 0"),
        ({"json_path": {"path": "$.n", "equals": "{{ inputs.n }}"}}, '{"n": 2}', "expected 1, got 2"),
        ({"json_path": {"path": "$.n", "exists": False}}, "{}", ""),
        ({"json_path": {"path": "$.n", "exists": False}}, '{"n": 2}', "$.n is there: 2"),
        ({"json_path": {"path": "$.n", "exists": False}}, "hi", "not JSON: Expecting value at 1:1"),
        ({"json_path": {"path": "$.n", "exists": False}}, None, "the answer has no text"),
        ({"json_schema": "response_format"}, '{"queue": "billing"}', ""),
        ({"json_schema": "response_format"}, "{}", "$: 'queue' is a required property"),
        (
            {"json_schema": "response_format"},
            '{"queue": "x"}',
            "$.queue: 'x' is not one of ['billing', 'account']",
        ),
        ({"json_schema": "response_format"}, "nope", "not JSON: Expecting value at 1:1"),
        ({"json_schema": {"type": "integer"}, "path": "$.n"}, '{"n": 1}', ""),
        (
            {"json_schema": {"maxLength": 3}},
            '"' + "x" * 500 + '"',
            f"$: '{'x' * 69}…' does not fit maxLength",
        ),
    ],
)
def test_every_kind_says_why_an_answer_is_wrong(
    ask: Any, written: dict[str, Any], answer: str | None, why: str
) -> None:
    score = ask(written, answer, inputs={"n": 1}, response_format=FORMAT)
    assert (score.value, score.reason) == (0.0 if why else 1.0, why)


def test_a_regex_is_not_tried_on_a_very_long_answer(ask: Any) -> None:
    score = ask({"regex": "a"}, "a" * 100_001)
    assert (score.value, score.reason) == (
        None,
        "the answer has 100,001 characters, a regex is tried on 100,000",
    )


def test_a_schema_that_points_nowhere_is_no_score(ask: Any) -> None:
    score = ask({"json_schema": {"$ref": "#/$defs/gone"}}, "1")
    assert score.value is None
    assert "points nowhere" in score.reason


def test_a_schema_that_never_ends_is_no_score(ask: Any) -> None:
    assert ask({"json_schema": {"$ref": "#"}}, "1").value is None


def test_json_mode_without_a_schema_wants_an_object(ask: Any) -> None:
    written = {"json_schema": "response_format"}
    assert ask(written, "{}", response_format={"type": "json_object"}).value == 1.0
    assert ask(written, "[]", response_format={"type": "json_object"}).value == 0.0


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"regex": "("}, "scorer 'it': the regex does not compile: missing ), unterminated subpattern"),
        ({"regex": "{{ expected }}"}, "a regex takes no template"),
        ({"json_schema": {"type": "strin"}}, "the schema is not valid at $.type"),
        ({"json_schema": {"$ref": "https://example.com/s.json"}}, "leaves the schema; nothing is fetched"),
        ({"json_schema": {"anyOf": [{"$ref": "file:///etc/passwd"}]}}, "leaves the schema"),
        ({"json_schema": "response_format"}, "the prompt has no response_format with a schema"),
        ({"json_schema": "schemas/x.json"}, "response_format or a schema written here"),
        ({"json_path": "queue"}, "a path starts with $, got 'queue'; write $.queue"),
        ({"json_path": "$..queue"}, "'..queue' in '$..queue' is not understood"),
        ({"json_path": "$.a[?(@.b)]"}, "is not understood"),
        ({"json_path": {"path": "$.a", "equals": 1, "exists": False}}, "both equals and exists: false"),
        ({"equals": "x", "path": "$[1:2]"}, "'[1:2]' in '$[1:2]' is not understood"),
        ({"length": {}}, "length needs min, max or both"),
        ({"length": {"min": 3, "max": 2}}, "min 3 above max 2"),
        ({"contains": ""}, "contains needs a text"),
        ({"ends_with": ["a", ""]}, "ends_with needs a text"),
        ({"starts_with": []}, "starts_with needs a text"),
        ({"judge": "rubrics/tone.md"}, "scorer 'it': judge is not available yet"),
        ({"similar": "x"}, "similar is not available yet"),
        ({"tool_calls": "valid", "never": True}, "tool_calls is not available yet"),
        ({"equals": "x", "range": [0, 1]}, "range does nothing with equals"),
        ({"json_schema": {}, "ignore_case": True}, "ignore_case does nothing with json_schema"),
        ({"json_path": "$.a", "path": "$.b"}, "path does nothing with json_path"),
        ({"equals": "x", "contains": "y"}, "exactly one kind is needed, got equals and contains"),
        ({"observe": True}, "exactly one kind is needed, got none"),
    ],
)
def test_a_mistake_is_found_before_anything_is_asked(ask: Any, written: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(written, "x")
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


def test_gate_words_are_nobodys_option(ask: Any) -> None:
    written = {"equals": "x", "must": "improve", "max_drop": 0.02, "min": 0.9, "never": True, "observe": True}
    assert ask(written, "x").value == 1.0
