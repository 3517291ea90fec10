"""`promptops test` on the real local model, eight calls in flight: none is lost, every answer is the recorded one."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cli_help import Run, git

from promptops.providers.weights import SMOLLM2_135M, is_here, models_folder

# Looked up before the tests get a home of their own; the weights are never fetched here.
MODELS = models_folder()
EXAMPLES = Path(__file__).parents[2] / "examples"
PROMPT = "prompts/language-id.prompt.yaml"
N = 182
pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(find_spec("xllamacpp") is None, reason="needs the extra local"),
    pytest.mark.skipif(not is_here(SMOLLM2_135M, folder=MODELS), reason="the weights are not here"),
]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example's first version committed, its third in the work tree, eight in flight."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(MODELS.parent.parent))
    (tmp_path / "prompts").mkdir()
    for name in (PROMPT, "prompts/language-id.samples.jsonl"):
        shutil.copyfile(EXAMPLES / name, tmp_path / name)
    (tmp_path / "promptops.yaml").write_text("promptops: 1\nprompts: [prompts]\nlimits: {concurrency: 8}\n")
    (tmp_path / ".gitignore").write_text(".promptops/\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "Add a prompt and its samples")
    shutil.copyfile(EXAMPLES / "demo/language-id.v3.yaml", tmp_path / PROMPT)
    return tmp_path


def answers(file: Path) -> dict[str, dict[str, Any]]:
    """What each question got, by its key; the first line of the file says only what it is."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()[1:]]
    return {line["key"]: line["answer"] for line in lines}


def test_eight_in_flight_get_the_recorded_answers_and_lose_none(repository: Path, run_in: Run) -> None:
    said = run_in(repository, "test", "--against", "HEAD", "--json")
    assert said.code == 0, said
    assert run_in(repository, "cache", "export", "answers.jsonl").code == 0
    got, recorded = answers(repository / "answers.jsonl"), answers(EXAMPLES / "recorded/language-id.jsonl")
    assert len(got) == 2 * N
    assert {key: answer["text"] for key, answer in got.items()} == {key: recorded[key]["text"] for key in got}
    (file,) = repository.glob(".promptops/runs/*/spend.json")
    spent = json.loads(file.read_text(encoding="utf-8"))
    assert (spent["calls"], spent["failures"], spent["cached"]) == (2 * N, 0, 0)
    assert {answer["attempts"] for answer in got.values()} == {1}
    assert [line["answers"] for line in spent["lines"]] == [N, N]
    assert not spent["usd"]  # nobody is paid for a model of one's own
