"""A route over real connections: another provider may answer for the same model, another model never does in a test."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from reliability_help import CHAT, STREAMED, Time, Way, request

from promptops.errors import RunStopped
from promptops.evaluation.arms import open_endpoints
from promptops.messages import Answer
from promptops.testing import faults
from promptops.testing.faults import answer, status
from promptops.testing.faulty_server import Behaviour, FaultyServer, serve
from promptops.workspace import open_workspace


def asked_by_route(
    folder: Path,
    order: str,
    first: FaultyServer,
    second: FaultyServer,
    *,
    way: Way = CHAT,
    times: int = 1,
    stand_ins: bool = False,
) -> list[Answer | RunStopped]:
    """Ask `any/tiny`, a route over two providers, one call after the other."""
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / "promptops.yaml").write_text(
        f"providers: {{first: {way.entry(first.url)}, second: {way.entry(second.url)}}}\n"
        f"routes: {{any: {{order: [{order}], on: [overloaded, timeout, unreachable]}}}}\n"
        "limits: {attempts: 2}\n"
    )

    async def main() -> list[Answer | RunStopped]:
        told: list[Answer | RunStopped] = []
        async with open_endpoints(
            open_workspace(folder, {}),
            ["any/tiny"],
            budget=None,
            recorded=False,
            say=print,
            stand_ins=stand_ins,
            tools=Time().tools,
        ) as endpoints:
            for _ in range(times):
                try:
                    told.append(await endpoints["any/tiny"].paced.answer(request()))
                except RunStopped as stop:
                    told.append(stop)
        return told

    return asyncio.run(main())


@pytest.mark.parametrize("way", [CHAT, *STREAMED], ids=str)
def test_the_same_model_at_another_provider_answers_and_every_attempt_is_counted(tmp_path, way) -> None:
    with serve(status(503)) as down, serve(answer("x", model="tiny-2026")) as up:
        (one,) = asked_by_route(tmp_path, "first/tiny, second/tiny", down, up, way=way)
        counts = (down.count, up.count)
    assert (one.text, one.model, one.attempts) == ("x", "tiny-2026", 3)
    assert counts == (2, 1)


@pytest.mark.parametrize("fault", [faults.hang_up(), status(429, retry_after=3600)], ids=["lost", "an hour"])
def test_what_the_route_names_leads_on(tmp_path, fault: Behaviour) -> None:
    with serve(fault) as down, serve(answer("x")) as up:
        (one,) = asked_by_route(tmp_path, "first/tiny, second/tiny", down, up)
    assert getattr(one, "text", None) == "x"


@pytest.mark.parametrize("fault", [faults.html(), status(400)], ids=["malformed", "refused"])
def test_what_it_does_not_name_does_not(tmp_path, fault: Behaviour) -> None:
    with serve(fault) as down, serve(answer("x")) as up:
        (one,) = asked_by_route(tmp_path, "first/tiny, second/tiny", down, up)
        assert up.count == 0
    assert getattr(one, "kind", None) in ("malformed", "refused")


def test_in_a_test_another_models_answer_never_stands_for_the_firsts(tmp_path, capsys) -> None:
    with serve(status(503)) as down, serve(answer("x")) as up:
        (one,) = asked_by_route(tmp_path, "first/tiny, second/large", down, up)
        assert (down.count, up.count) == (2, 0)
    assert getattr(one, "kind", None) == "overloaded", "as without the route"
    assert "not asked: second/large" in capsys.readouterr().out


def test_where_nothing_is_tested_another_model_may_answer_and_is_named(tmp_path) -> None:
    with serve(status(503)) as down, serve(answer("x", model="large-2026")) as up:
        (one,) = asked_by_route(tmp_path, "first/tiny, second/large", down, up, stand_ins=True)
        assert up.requests[0].json["model"] == "large"
    assert getattr(one, "model", None) == "large-2026"


def test_a_provider_that_is_down_is_passed_over_until_it_may_be_back(tmp_path) -> None:
    with serve(answer("first"), status(503)) as down, serve(answer("second")) as up:
        told = asked_by_route(tmp_path, "first/tiny, second/tiny", down, up, times=30)
        assert down.count <= 1 + 8 * 2 + 2
    assert [getattr(one, "text", None) for one in told] == ["first"] + ["second"] * 29
