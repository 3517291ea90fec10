"""Routes in the configuration: which providers may answer for a model, and how they are opened."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest

from promptops.config import Config, parse_config
from promptops.errors import ConfigError, InvalidFile, NotFound
from promptops.evaluation.arms import open_endpoints, provider_spec
from promptops.evaluation.routes import entries_of, left_out
from promptops.messages import Completion, Request
from promptops.runs.routing import Routed
from promptops.workspace import open_workspace

CONFIG = """
providers:
  main: {kind: python, target: "main_bot:answer"}
  spare: {kind: python, target: "spare_bot:answer", requests_per_minute: 600, tokens_per_minute: 9000}
routes:
  fast: {order: [main/small, spare/large, spare/small], on: [overloaded, timeout.idle]}
limits: {attempts: 1}
"""


def config(text: str = CONFIG) -> Config:
    return parse_config(text, path="promptops.yaml")


def test_in_a_test_only_the_same_model_answers_and_elsewhere_the_others_come_last() -> None:
    def named(**more: Any) -> list[str]:
        return [f"{one.provider}/{one.model}" for one in entries_of(config(), "fast/small", **more)]

    assert named() == ["main/small", "spare/small"]
    assert named(stand_ins=True) == ["main/small", "spare/small", "spare/large"]
    assert left_out(config(), "fast/small") == ("spare/large",)
    assert provider_spec(config(), "fast/large")[0] == "spare"
    assert left_out(config(), "main/small") == ()


def test_a_route_that_does_not_lead_to_the_model_and_a_name_that_is_none_are_said() -> None:
    with pytest.raises(ConfigError, match="the route fast does not lead to huge: main/small, spare/large"):
        entries_of(config(), "fast/huge")
    with pytest.raises(NotFound, match="no provider called 'fats'; did you mean fast"):
        entries_of(config(), "fats/small")


def test_every_model_that_a_route_leads_to_has_to_be_allowed() -> None:
    limited = config(CONFIG.replace("attempts: 1", "attempts: 1, models: ['main/*']"))
    with pytest.raises(ConfigError, match="'spare/small' is not allowed"):
        entries_of(limited, "fast/small")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("routes: {r: {order: []}}", "at least 1"),
        ("routes: {r: {order: [small]}}", "1:22: routes.r.order[0]: expected PROVIDER/MODEL"),
        ("routes: {r: {order: [openai/a, openai/a]}}", "openai/a stands twice"),
        ("routes: {r: {order: [opnai/a]}}", "routes.r: no provider called 'opnai'; did you mean openai?"),
        ("routes: {openai: {order: [openai/a]}}", "routes: openai is the name of a provider"),
        ("routes: {r: {order: [openai/a], on: [timout]}}", "called 'timout'; did you mean timeout?"),
        (
            "providers: {p: {kind: local, requests_per_minute: 0}}",
            "providers.p.requests_per_minute: expected a number",
        ),
    ],
)
def test_a_route_or_a_limit_that_cannot_work_is_refused_where_it_stands(written: str, said: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        config(written + "\n")
    assert said in str(caught.value)


def opened(tmp_path: Path, model: str, **more: Any) -> tuple[Any, list[str], Any]:
    (tmp_path / "main_bot.py").write_text(
        "from promptops.errors import Overloaded\ndef answer(request):\n    raise Overloaded('busy')\n"
    )
    (tmp_path / "spare_bot.py").write_text("def answer(request):\n    return request.model + ' of spare'\n")
    (tmp_path / "promptops.yaml").write_text(CONFIG)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    workspace = open_workspace(tmp_path, environ={})
    said: list[str] = []

    async def main() -> tuple[Any, Any]:
        async with open_endpoints(
            workspace, [model], budget=None, recorded=False, say=said.append, **more
        ) as endpoints:
            return endpoints[model], await endpoints[model].paced.answer(Request(model="small", messages=()))

    endpoint, answer = asyncio.run(main())
    return endpoint, said, answer


def test_a_route_is_opened_as_its_providers_and_answers_by_the_one_that_can(tmp_path: Path) -> None:
    endpoint, said, answer = opened(tmp_path, "fast/small")
    assert isinstance(endpoint.paced, Routed)
    assert isinstance(answer, Completion)
    assert (answer.text, answer.attempts) == ("small of spare", 2)
    assert said == ["fast/small: no other model stands in for it in a test; not asked: spare/large"]
    assert (endpoint.kind, endpoint.place) == (
        "route",
        "python main_bot:answer small | python spare_bot:answer small",
    )


def test_a_route_with_one_way_is_that_provider(tmp_path: Path) -> None:
    endpoint, _, _ = opened(tmp_path, "fast/large")
    assert not isinstance(endpoint.paced, Routed)
    assert (endpoint.kind, endpoint.place) == ("python", "spare_bot:answer")


def test_outside_a_test_another_model_may_stand_in(tmp_path: Path) -> None:
    endpoint, said, _ = opened(tmp_path, "fast/small", stand_ins=True)
    assert endpoint.place.endswith("| python spare_bot:answer large")
    assert said == []
