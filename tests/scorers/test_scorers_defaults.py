"""What is scored when nobody said what."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from promptops.messages import Completion
from promptops.samples import Sample
from promptops.scorers.build import build_scorer
from promptops.scorers.defaults import default_scorers

FORMAT = {"type": "json_schema", "json_schema": {"name": "r", "schema": {"type": "object"}}}
PROSE = "I am sorry to hear that your order has not arrived yet."


def samples(*expected: Any) -> list[Sample]:
    return [Sample(inputs={}, expected=value) for value in expected]


@pytest.mark.parametrize(
    ("expected", "names", "said"),
    [
        (["billing", "account access problem"], ["equals"], "so: the answer equals expected"),
        ([1, True], ["equals"], "so: the answer equals expected"),
        ([["a", "b"]], ["equals"], "so: the answer equals expected"),
        (["billing", None], ["equals"], "(1 of the first 2 samples have an expected)"),
        ([{"queue": "a", "n": 1}], ["queue", "n"], "each of queue, n in the JSON answer equals"),
        ([{"a b": 1}], ["a b"], "each of a b in the JSON answer"),
        ([{"q": "a", "x": 1}, {"q": "b"}], ["q"], "not compared: x (not in every sample, or prose)"),
        ([{"q": "a", "why": PROSE}], ["q"], "not compared: why"),
        ([{"why": PROSE}], [], "not compared: why (not in every sample, or prose); nothing here says"),
        ([PROSE, "a"], [], "expected is prose; nothing here says what is right"),
        (["line\nline"], [], "expected is prose; nothing here says"),
        ([{"q": 1}, "a"], [], "expected is an object in some samples and not in others"),
        ([None], [], "nothing here says what is right; add to the prompt file:\nscorers:\n  right:"),
        ([], [], "nothing here says what is right"),
    ],
)
def test_the_default_is_what_the_samples_say(expected: list[Any], names: list[str], said: str) -> None:
    chosen = default_scorers(samples(*expected), None)
    assert list(chosen.scorers) == names
    assert said in chosen.said


def test_a_response_schema_is_also_checked() -> None:
    assert list(default_scorers(samples("a"), FORMAT).scorers) == ["equals", "valid"]
    assert list(default_scorers(samples(), FORMAT).scorers) == ["valid"]
    assert list(default_scorers(samples({"valid": 1}), FORMAT).scorers) == ["valid", "valid_"]


def test_only_the_first_samples_are_looked_at() -> None:
    def endless() -> Iterator[Sample]:
        for number in count():
            assert number < 200
            yield Sample(inputs={}, expected="a")

    assert default_scorers(endless(), None).scorers


def test_the_defaults_can_be_built_and_score(tmp_path: Path) -> None:
    sample = Sample(inputs={}, expected={"a b": "x", "n": 2})
    answer = Completion(text='{"a b": "x", "n": 3}', finish_reason="stop", model="m")
    found = {
        name: build_scorer(name, spec, response_format=None, root=tmp_path).score(sample, answer)
        for name, spec in default_scorers([sample], None).scorers.items()
    }
    assert {name: score.value for name, score in found.items()} == {"a b": 1.0, "n": 0.0}
    assert found["n"].reason == "expected 2, got 3"
