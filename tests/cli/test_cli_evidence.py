"""What a release leaves behind is enough to reach its verdict again: nothing else is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cli_help import ID, SAMPLES, N, Project, sample

from promptops.basis import Basis
from promptops.evaluation.lines import metric_lines

FOLDER = f"prompts/releases/{ID}"


def evidence_of(project: Project) -> list[Mapping[str, Any]]:
    """All evidence of the work tree, in the order of the samples' releases."""
    read = [json.loads(path.read_text()) for path in (project.path / FOLDER / "evidence").iterdir()]
    return sorted(read, key=lambda one: one["at"])


def reached_again(evidence: Mapping[str, Any]) -> None:
    """Recompute the verdict from the evidence's own numbers, and hold every line of it to what was written."""
    verdict = Basis.from_json(evidence["basis"]).verdict()
    assert verdict.outcome.value == evidence["verdict"]
    assert list(verdict.reasons) == evidence["reasons"]
    lines = [line.model_dump(mode="json", exclude_defaults=True) for line in metric_lines(verdict)]
    assert lines == evidence["metrics"]
    assert verdict.alpha == evidence["alpha"]


def test_the_verdict_of_a_first_release_comes_out_of_its_evidence(project: Project) -> None:
    (first,) = evidence_of(project)
    assert first["baseline"] is None
    reached_again(first)


@pytest.mark.parametrize("word", ["thorough", "quick"])
def test_the_verdict_of_a_comparison_comes_out_of_its_evidence(project: Project, word: str) -> None:
    project.reword(word)
    project.commit()
    said = project.run("promote", ID, "--force", "-m", "to be seen")
    assert said.code == 0
    compared = next(one for one in evidence_of(project) if one["baseline"])
    assert compared["verdict"] == {"thorough": "pass", "quick": "regression"}[word]
    reached_again(compared)


def test_conversations_and_weights_are_in_the_evidence_too(project: Project) -> None:
    rows = [
        sample(number)
        | {"cluster": {"conversation_id": f"c{number // 3}"}, "inclusion_prob": 0.5 if number % 2 else 0.1}
        for number in range(N)
    ]
    project.write(SAMPLES, "".join(json.dumps(row) + "\n" for row in rows))
    project.reword("quick")
    project.commit()
    assert project.run("promote", ID, "--force", "-m", "to be seen").code == 0
    compared = next(one for one in evidence_of(project) if one["baseline"])
    found = [one["compared"] for one in compared["basis"]["findings"].values()]
    grouped = [one["seen"]["grouped"] for one in found if one["n"]]
    assert {one["clusters"] for one in grouped} == {N // 3}
    assert {one["weighted"] for one in grouped} == {True}
    reached_again(compared)
