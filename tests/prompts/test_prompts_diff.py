# ruff: noqa: E501  (one case a line)
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_texts import FULL, SMALL, read

from promptops.messages import Message, Request, ToolCall
from promptops.prompts.diff import TextDiff, diff, diff_requests
from promptops.prompts.narrowing import narrowings
from promptops.prompts.words import compare_words, marked


def changes(old: str, new: str, text: str = FULL) -> list[str]:
    assert old in text
    found = diff(read(text), read(text.replace(old, new, 1)))
    return [f"{change.label} {change.area}: {change.sentence}" for change in found.changes]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("gpt-4o-mini", "gpt-4o", ["behaviour model: openai/gpt-4o-mini → openai/gpt-4o"]),
        ("temperature: 0", "temperature: 1", ["behaviour parameters: temperature: 0 → 1"]),
        (", max_tokens: 200", "", ["behaviour parameters: max_tokens: 200 → not set"]),
        ("You route", "You always route", ["behaviour messages: messages[0] (system) +1 −0 words"]),
        ("content: |\n", "content: |-\n", ["behaviour messages: messages[0] (system) differs in whitespace"]),
        ("role: system", "role: developer",
         ["behaviour messages: a message of the system removed", "behaviour messages: a message of the developer added"]),
        ("template: jinja2", "template: simple",
         ["behaviour template: templates are read as simple, were read as jinja2",
          "behaviour partials: partials/tone.md removed"]),
        ("maxLength: 4000", "maxLength: 100", ["breaking inputs: message maxLength is now 100, was 4000"]),
        ("maxLength: 4000", "maxLength: 5000", ["behaviour inputs: the schema changed, and takes all that it took"]),
        ("type: string, maxLength", "type: integer, maxLength", ["breaking inputs: message no longer takes string"]),
        ("required: [message]", "required: [message, lang]", ["breaking inputs: lang is now required"]),
        ("{message: {type: string, maxLength: 4000}}",
         "{message: {type: string, maxLength: 4000}, lang: {}}", ["behaviour inputs: lang is a new input, not required"]),
        ("required: [order_id, amount]", "required: [order_id, amount, why]",
         ["breaking tools: issue_refund: why is now required"]),
        ("order_id: {type: string}", "order_id: {type: [string, integer]}",
         ["behaviour tools: issue_refund: the schema changed, and takes all that it took"]),
        ("Refund an order", "Refund", ["behaviour tools: issue_refund: description changed"]),
        ("risk: irreversible ", "risk: write ", ["behaviour tools: issue_refund: risk: irreversible → write"]),
        ("name: issue_refund", "name: refund",
         ["breaking tools: issue_refund removed", "behaviour tools: refund added (irreversible)"]),
        ("[billing, technical, account]", "[billing, technical]",
         ["behaviour response_format: the schema changed, and its answers fit the old one"]),
        ("[billing, technical, account]", "[billing, technical, account, other]",
         ["breaking response_format: answers may be what they were not: queue could not be other"]),
        ("required: [queue]", "required: []",
         ["breaking response_format: answers may be what they were not: queue was always there"]),
        ("Sends a support", "Sends the support", ["cosmetic metadata: description changed"]),
        ("max_drop: 0.02", "max_drop: 0.2", ["cosmetic scorers: valid changed"]),
        ("  words: {length: {max: 80, unit: words}, observe: true}\n", "", ["cosmetic scorers: words removed"]),
        ("alpha: 0.05", "alpha: 0.1", ["cosmetic gate: limits or gate changed"]),
        ("# PROVIDER", "#", ["cosmetic metadata: comments or layout changed"]),
        ("id: support-triage", "id: triage", ["cosmetic metadata: id: support-triage → triage"]),
    ],
)  # fmt: skip
def test_every_change_has_one_sentence_and_its_label(old: str, new: str, expected: list[str]):
    assert changes(old, new) == expected


def test_the_gravest_change_stands_first():
    candidate = (
        FULL.replace("max_drop: 0.02", "max_drop: 0.2").replace("You route", "Route").replace("4000", "9")
    )
    found = diff(read(FULL), read(candidate))
    assert [change.label for change in found.changes] == ["breaking", "behaviour", "cosmetic"]
    assert found.label == "breaking"
    assert diff(read(FULL), read(FULL)).label is None


def test_an_input_that_the_template_no_longer_asks_for_is_breaking_only_when_gone():
    assert changes("{{ message }}", "{{ text }}", SMALL) == [
        "breaking inputs: message is no longer an input",
        "breaking inputs: text is now required",
        "behaviour messages: messages[1] (user) +1 −1 words",
    ]


def test_a_change_in_a_partial_is_named_and_shown():
    found = diff(read(FULL), read(FULL, files={"prompts/partials/tone.md": "Be very kind.\n"}))
    assert [change.sentence for change in found.changes] == ["partials/tone.md changed"]
    (text,) = [one for one in found.texts if one.changed]
    assert text.title == "partial partials/tone.md"
    assert [(token.kind, token.text) for token in text.tokens] == [
        ("same", "Be"),
        ("added", " very"),
        ("same", " kind."),
    ]


def test_messages_are_matched_by_their_text():
    added = SMALL.replace(
        "  - {role: user",
        "  - {role: user, content: 'Example'}\n  - {role: assistant, content: 'x'}\n  - {role: user",
    )
    found = diff(read(SMALL), read(added))
    assert [change.sentence for change in found.changes] == [
        "a message of the user added",
        "a message of the assistant added",
    ]
    assert [(text.title, text.changed) for text in found.texts] == [
        ("messages[0] system", False),
        ("messages[1] user", True),
        ("messages[2] assistant", True),
        ("messages[3] user", False),
    ]


def test_rendered_requests_are_compared_word_by_word():
    one = Request(model="a", messages=(Message(role="user", content="say hi now"),), parameters={"t": 1})
    call = ToolCall(id="1", name="f", arguments="{}")
    other = Request(
        model="b", messages=(Message(role="user", content="say ho now", tool_calls=(call,)),), parameters={}
    )
    found = diff_requests(one, other)
    assert [change.sentence for change in found.changes] == [
        "messages[0] (user) +2 −1 words",
        "a → b",
        "t: 1 → not set",
    ]
    assert diff_requests(one, one).changes == ()


@given(st.text(max_size=40), st.text(max_size=40))
@settings(deadline=None)
def test_the_pieces_make_up_both_texts(old: str, new: str):
    tokens = compare_words(old, new)
    assert "".join(token.text for token in tokens if token.kind != "added") == old
    assert "".join(token.text for token in tokens if token.kind != "removed") == new
    assert all(token.text for token in tokens)


def test_long_texts_are_compared_by_lines_or_as_one():
    lines = "".join(f"line {n} of a long text\n" for n in range(1500))
    tokens = compare_words(lines, lines.replace("line 700 ", "row 700 "))
    assert [token.kind for token in tokens] == ["same", "removed", "added", "same"]
    one, other = "\n" * 3000 + "a", "b" + "\n" * 3000
    assert [token.kind for token in compare_words(one, other)][:1] != []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {"type": "string"}, ["no longer takes every type"]),
        ({"type": "integer"}, {"type": "number"}, []),
        ({"type": "number"}, {"type": "integer"}, ["no longer takes number"]),
        ({"enum": [1, 2]}, {"enum": [2, 1, 3]}, []),
        ({}, {"const": 1}, ["now takes only 1"]),
        ({"properties": {"a": {}}}, {"properties": {}, "additionalProperties": False},
         ["no longer takes further keys", "a is no longer taken"]),
        ({"items": {"type": "string"}}, {"items": {"type": "string", "minLength": 2}}, ["[] minLength is now 2"]),
        ({"pattern": "a"}, {}, []),
        ({}, {"format": "date"}, ["format is now date"]),
        ({"anyOf": [{}]}, {"anyOf": [{"type": "null"}]}, ["anyOf changed, which is not compared further"]),
        ({"properties": {"a": {"properties": {"b": {"maximum": 5}}}}},
         {"properties": {"a": {"properties": {"b": {"maximum": 4}}}}}, ["a.b maximum is now 4, was 5"]),
        (True, False, ["not changed, which is not compared further"]),
        ({"additionalProperties": True}, {"additionalProperties": {"type": "string"}},
         ["* no longer takes every type"]),
    ],
)  # fmt: skip
def test_a_schema_is_narrowed_only_by_taking_less(old: Any, new: Any, expected: list[str]):
    assert list(narrowings(old, new)) == expected


def test_marked_words_keep_the_ends_of_long_runs_around_them() -> None:
    tokens = compare_words(f"{'a ' * 100}old {'b ' * 100}", f"{'a ' * 100}new {'b ' * 100}")
    assert marked(tokens, around=6) == "a a a  … a a a [-old-]{+new+} b b b … b b b "
    assert marked(tokens[1:2], around=0) == "[-old-]"


def test_lines_near_a_change_are_told_from_those_left_out() -> None:
    text = TextDiff(title="x", tokens=compare_words("1\n2\n3\n4\n5\n6", "1\n2\n3\n4\n5\nsix"))
    assert [None if line is None else marked(line, around=60) for line in text.near_changes()] == [
        None,
        "5",
        "[-6-]{+six+}",
    ]
