"""Answers and samples are hostile: whatever they are, there is a score or a reason, and no exception."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.messages import Completion
from promptops.prompts.model import ScorerSpec
from promptops.samples import Sample
from promptops.scorers.build import build_scorer
from promptops.scorers.jsonpath import parse_path

WRITTEN: list[dict[str, Any]] = [
    {"equals": "{{ expected }}"},
    {"equals": "{{ expected.queue }}", "path": "$.queue[*]", "ignore_case": True},
    {"equals": "is {{ inputs.x }}"},
    {"contains": "{{ expected }}", "ignore_case": True},
    {"starts_with": ["a", "{{ inputs.x }}"]},
    {"regex": "[a-z]+$"},
    {"json_schema": {"type": "object", "additionalProperties": {"type": "integer"}}},
    {"json_path": {"path": "$.a.b", "equals": {"x": "{{ inputs.x }}"}}},
    {"json_path": {"path": "$[*]", "exists": False}},
    {"length": {"max": 3, "unit": "words"}},
]
SCORERS = [
    build_scorer("it", ScorerSpec.model_validate(written), response_format=None, root=Path())
    for written in WRITTEN
]

text = st.text(alphabet=st.characters(), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text | st.just("queue"), inner, max_size=3),
    max_leaves=8,
)
answers = st.none() | text | values.map(json.dumps)


@pytest.mark.parametrize("scorer", SCORERS, ids=[next(iter(written)) for written in WRITTEN])
@settings(max_examples=60, deadline=None)
@given(answer=answers, expected=values, given=values)
def test_no_answer_and_no_sample_raises(scorer: Any, answer: str | None, expected: Any, given: Any) -> None:
    sample = Sample(inputs={"x": given}, expected=expected)
    score = scorer.score(sample, Completion(text=answer, finish_reason="stop", model="m"))
    assert score.value in (None, 0.0, 1.0)
    assert score.reason or score.value == 1.0
    assert len(score.reason) <= 200
    assert score.reason.isprintable()


@pytest.mark.parametrize(
    "answer", ["[" * 200_000, '{"a":' * 5_000, "\x00\ud800" * 50, "9" * 100_000, "a" * 3_000_000]
)
@pytest.mark.parametrize("scorer", SCORERS, ids=[next(iter(written)) for written in WRITTEN])
def test_a_huge_answer_is_a_score_too(scorer: Any, answer: str) -> None:
    sample = Sample(inputs={"x": "x"}, expected={"queue": "a"})
    score = scorer.score(sample, Completion(text=answer, finish_reason="stop", model="m"))
    assert score.value in (None, 0.0, 1.0)


@settings(max_examples=200)
@given(st.text(alphabet="$.[]*'\"ab0-1 \\", max_size=12))
def test_a_path_is_read_or_refused(written: str) -> None:
    with suppress(ValueError):
        assert isinstance(parse_path(written).find({"a": [1, {"b": 2}]}), list)
