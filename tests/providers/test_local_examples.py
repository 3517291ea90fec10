"""The examples: every file reads and renders, and the sentences are what the README says of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from promptops.prompts.model import Prompt
from promptops.prompts.parse import parse_prompt
from promptops.prompts.render import render_sample
from promptops.samples import Sample

EXAMPLES = Path(__file__).parents[2] / "examples"
PROMPTS = sorted(EXAMPLES.glob("prompts/*.prompt.y*ml"))
STEPS = sorted(EXAMPLES.glob("demo/language-id.v*.yaml"))
SAMPLES = EXAMPLES / "prompts/language-id.samples.jsonl"
CHOOSING = EXAMPLES / "demo/language-id.choosing.jsonl"


def read(file: Path, path: str = "") -> Prompt:
    def partial(name: str) -> str | None:
        place = EXAMPLES / name
        return place.read_text(encoding="utf-8") if place.is_file() else None

    path = path or file.relative_to(EXAMPLES).as_posix()
    return parse_prompt(file.read_text(encoding="utf-8"), path=path, read_partial=partial, root="prompts")


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def sentences(*files: Path) -> list[str]:
    return [row["inputs"]["text"] for file in files for row in rows(file)]


@pytest.mark.parametrize("file", PROMPTS, ids=lambda file: file.name)
def test_every_sample_of_every_prompt_can_be_asked(file: Path) -> None:
    prompt = read(file)
    beside = file.with_name(f"{prompt.id}.samples.jsonl")
    written = rows(beside) if beside.exists() else [{"inputs": dict(row)} for row in prompt.rows]
    assert len(written) >= 5
    for row in written:
        request = render_sample(prompt, Sample.model_validate(row))
        assert all(value in str(request.messages[-1].content) for value in _asked(row))


def _asked(row: dict[str, Any]) -> list[str]:
    return [value for name, value in row["inputs"].items() if name != "expected"]


def test_the_live_prompt_is_the_first_step_of_the_demo_and_the_steps_all_differ() -> None:
    live = EXAMPLES / "prompts/language-id.prompt.yaml"
    assert live.read_bytes() == STEPS[0].read_bytes()
    assert len({read(step, "prompts/language-id.prompt.yaml").digest for step in STEPS}) == len(STEPS) == 3


def test_the_steps_differ_in_their_messages_only() -> None:
    bodies = [dict(read(step, "prompts/language-id.prompt.yaml").body) for step in STEPS]
    for body in bodies:
        del body["messages"]
    assert bodies[0] == bodies[1] == bodies[2]


def test_every_language_has_as_many_sentences_and_one_right_answer() -> None:
    counts = Counter(row["expected"]["language"] for row in rows(SAMPLES))
    assert counts == dict.fromkeys(
        ("English", "German", "French", "Spanish", "Italian", "Portuguese", "Dutch"), 26
    )
    assert all(row["slices"] == row["expected"] for row in rows(SAMPLES))


def test_no_two_sentences_say_nearly_the_same() -> None:
    """At most two thirds of the shorter sentence's words stand in the other, short ones excepted."""
    for one, other in combinations(sentences(SAMPLES, CHOOSING), 2):
        shared = words(one) & words(other)
        shorter = min(len(words(one)), len(words(other)))
        assert len(shared) <= max(3, shorter * 2 / 3), (one, other)


def test_what_a_prompt_shows_the_model_is_in_no_sample() -> None:
    shown = {
        text for step in STEPS for text in re.findall(r'What language is "([^"{]+)"', step.read_text("utf-8"))
    }
    assert len(shown) == 7
    for example in shown:
        for sentence in sentences(SAMPLES, CHOOSING):
            assert len(words(example) & words(sentence)) < 0.75 * len(words(example)), (example, sentence)
