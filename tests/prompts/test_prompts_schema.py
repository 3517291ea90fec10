from __future__ import annotations

import pytest
import yaml
from jsonschema import Draft7Validator
from prompt_texts import FULL, SMALL

from promptops.prompts.schema import json_schema

VALIDATOR = Draft7Validator(json_schema())


def test_the_schema_for_editors_is_one_and_takes_what_is_documented():
    Draft7Validator.check_schema(json_schema())
    for text in (SMALL, FULL):
        assert [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "model: gpt-4o\nmessages: [{role: user, content: x}]\n",
        "model: openai/x\nmessages: []\n",
        "model: openai/x\nmessages: [{role: user, contents: x}]\n",
        SMALL + "temprature: 1\n",
        SMALL + "scorers: {a: {equals: x, max_drop: lots}}\n",
        SMALL + "tools: [{name: a, risk: low}]\n",
    ],
)
def test_the_schema_for_editors_marks_mistakes(text: str):
    assert list(VALIDATOR.iter_errors(yaml.safe_load(text)))


def test_the_schema_names_nothing_of_a_later_draft():
    text = str(json_schema())
    assert "$defs" not in text
    assert "prefixItems" not in text
