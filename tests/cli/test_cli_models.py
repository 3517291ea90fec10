"""A server that changes the model behind a name: whoever compares two versions is answered by one model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from cli_help import PATH, Project

from promptops.testing import faults
from promptops.testing.faulty_server import FaultyServer, Seen, serve

N = 24


@dataclass
class Endpoint:
    """Answers right, by the model of the day; `changes_at` is the request that the other model is the first to get."""

    model: str = "small-2026"
    changes_at: int | None = None
    server: FaultyServer | None = None
    asked: Counter[str] = field(default_factory=Counter)

    async def __call__(self, seen: Seen) -> AsyncGenerator[bytes, None]:
        if self.changes_at is not None and sum(self.asked.values()) >= self.changes_at:
            self.model = "small-2027"
        messages = seen.json["messages"]
        self.asked["live" if "careful" in messages[0]["content"] else "new"] += 1
        async for part in faults.answer(messages[-1]["content"].split()[-1], model=self.model)(seen):
            yield part


@pytest.fixture
def endpoint(project: Project) -> Iterator[Endpoint]:
    endpoint = Endpoint()
    with serve(endpoint) as server:
        entry = f"providers: {{bot: {{kind: openai, base_url: '{server.url}'}}}}"
        project.write("promptops.yaml", f"promptops: 1\n{entry}\nlimits: {{concurrency: 4, attempts: 1}}\n")
        project.keep_samples(N)
        project.forget()
        yield endpoint


def header(project: Project) -> Any:
    newest = max(
        project.path.glob(".promptops/runs/*/run.json"), key=lambda path: (path.stat().st_mtime_ns, path)
    )
    return json.loads(newest.read_text(encoding="utf-8"))


def test_a_cached_answer_of_the_model_before_is_asked_again_beside_a_fresh_one(
    project: Project, endpoint: Endpoint
) -> None:
    project.reword("polite")
    assert project.run("test").code in (0, 4)
    project.edit("polite", "friendly")
    assert project.run("test").code in (0, 4)
    assert endpoint.asked == {"live": N, "new": 2 * N}, "the same model: what is cached stands"
    endpoint.model = "small-2027"
    project.edit("friendly", "quiet")
    said = project.run("test")
    assert said.code in (0, 4)
    assert "others answered" not in said.err
    assert endpoint.asked == {"live": 2 * N, "new": 3 * N}
    assert header(project)["answered_by"] == {"baseline": ["small-2027"], "candidate": ["small-2027"]}
    project.edit("quiet", "calm")
    assert project.run("test").code in (0, 4)
    assert endpoint.asked == {"live": 2 * N, "new": 4 * N}, "from then on the newer answers stand"


def test_after_a_change_while_both_were_asked_the_same_command_goes_on(
    project: Project, endpoint: Endpoint
) -> None:
    project.edit("bot/small", "bot/small\nparameters: {temperature: 0}", name=PATH)
    project.reword("polite")
    endpoint.changes_at = 2 * N - 1
    stopped = project.run("test")
    assert stopped.code == 7
    assert "run again to ask anew for the pairs that two models answered" in stopped.err
    assert sum(endpoint.asked.values()) == 2 * N
    assert project.run("test").code in (0, 4)
    assert sum(endpoint.asked.values()) == 2 * N + 1, "of the last pair the half that the model before gave"
    assert header(project)["asks_mixed_pairs_again"] is False
    assert project.run("test").code in (0, 4)
    assert sum(endpoint.asked.values()) == 2 * N + 1


def test_recorded_answers_of_two_models_are_no_comparison_and_nobody_is_asked(
    project: Project, endpoint: Endpoint
) -> None:
    project.reword("polite")
    endpoint.changes_at = 2 * N - 1
    assert project.run("test").code == 7
    asked = endpoint.asked.total()
    said = project.run("test", "--recorded")
    assert said.code == 7
    assert "is not the prompt's: record the answers anew" in said.err
    assert endpoint.asked.total() == asked
