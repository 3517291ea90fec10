# ruff: noqa: E501  (one case a line)
from __future__ import annotations

import pytest
from prompt_texts import FULL, SMALL, read

from promptops.prompts.lint import lint

M = 'owners: ["@a"]\nmodel: openai/x\n'


def said(text: str, rows: list[dict[str, object]] | None = None) -> list[str]:
    return [str(finding).removeprefix("prompts/a.prompt.yaml:") for finding in lint(read(text), rows)]


def user(content: str, head: str = "") -> str:
    return f"{M}{head}messages:\n  - role: user\n    content: |\n      first\n      {content}\n"


def test_the_prompt_of_the_documentation_has_nothing_to_say():
    assert said(FULL, [{"message": "x"}]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SMALL, ['1:1: info: nobody owns this prompt; write owners: ["@team"] [no-owners]']),
        (
            user("{{ mesage }}", "inputs: {type: object, properties: {message: {}}}\n"),
            [
                "3:37: warning: input message is declared and never used; did you mean mesage? [unused-input]",
                "8:10: error: mesage is used and not declared under inputs; did you mean message? "
                "[undefined-variable]",
            ],
        ),
        (
            M + "messages: [{role: user, content: ' '}]\n",
            ["3:34: warning: the message of the user is empty [empty-message]"],
        ),
        (
            user("hi {# you #}"),
            [
                "7:10: warning: {# begins a comment, which is not sent in jinja2; to send it, write {{ '{#' }} [braces]"
            ],
        ),
        (
            user("{{ a|upper }} {{b}} {{ c }} {% if x %}", "template: simple\n"),
            [
                "8:7: warning: {{ a|upper }} is sent as it stands: template is simple, not jinja2 [literal-syntax]",
                "8:35: warning: {% if x %} is sent as it stands: template is simple, not jinja2 [literal-syntax]",
            ],
        ),
        (
            user("{{ a }}", "template: none\n"),
            ["8:7: warning: {{ a }} is sent as it stands: template is none, not jinja2 [literal-syntax]"],
        ),
        (
            user("x")
            + "tools:\n  - {name: a, description: b}\n  - {name: c, risk: irreversible, approval: none}\n"
            "  - {name: d, description: e, risk: read}\n",
            [
                "9:5: warning: a is irreversible and says nothing of approval; write required or none [tool-approval]",
                "9:5: warning: a has no risk, so it counts as irreversible; write read, write or irreversible [tool-risk]",
                "10:5: warning: c has no description to choose it by [tool-description]",
                "10:45: info: c runs without approval [tool-approval]",
            ],
        ),
    ],
)
def test_what_is_probably_not_meant_is_named_at_its_place(text: str, expected: list[str]):
    assert said(text) == expected


def test_samples_that_lack_an_input_are_counted():
    assert said(user("{{ a }}{{ b|default(1) }}"), [{"a": 1}, {}, {"b": 1}]) == [
        "7:10: error: 2 of 3 samples have no input a [missing-input]"
    ]
    assert said(user("{{ a }}"), []) == []
