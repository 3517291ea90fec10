"""Attempts that no answer came to: what their provider counted is paid, and what nobody knows is said."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
from reliability_help import CHAT, CHAT_STREAMED, WAYS, Way, ask, request, write_project

from promptops.errors import RunStopped
from promptops.evaluation.arms import open_endpoints
from promptops.messages import NOTHING_LOST, Failure, Lost
from promptops.runs.budget import Budget
from promptops.testing import faults
from promptops.testing.faults import answer, status
from promptops.testing.faulty_server import Behaviour, Seen, serve
from promptops.testing.shapes import Api, Event, Good, Role, events, whole
from promptops.testing.wire import LAST_CHUNK, chunk, stream_head
from promptops.workspace import open_workspace

PRICES = ", prices: {tiny: {input: 1000, output: 10000}, model-1: {input: 1000, output: 10000}}"
EACH = (9 * 1000 + 4 * 10000) / 1_000_000  # of the 9 and 4 tokens that the server counts
COUNTS = {Api.GEMINI: "usageMetadata"}


def spoiled() -> Behaviour:
    """An answer that is none, of which the tokens are counted; in a stream it breaks off after they were."""

    async def behave(seen: Seen) -> AsyncGenerator[bytes, None]:
        if not seen.streamed:
            name = COUNTS.get(seen.api, "usage")
            body = {name: whole(seen.api, Good())[name], "object": "nothing that is known"}
            async for part in faults.reply(json.dumps(body))(seen):
                yield part
            return
        told = [event for event in events(seen.api, Good()) if event.role != Role.END]
        if seen.api is Api.RESPONSES:  # its last event counts
            told = [*told, _nothing_but_counted()]
        yield stream_head(stays=True)
        for event in told:
            yield chunk(event.encoded())
        yield LAST_CHUNK

    return behave


def _nothing_but_counted() -> Event:
    last = events(Api.RESPONSES, Good())[-1]
    assert isinstance(last.data, dict)
    return replace(last, data={**last.data, "response": {**last.data["response"], "output": None}})


# Gemini's stream has no end of its own: what is counted and has a reason to stop is an answer.
@pytest.mark.parametrize("way", [way for way in WAYS if str(way) != "gemini streamed"], ids=str)
def test_an_attempt_that_was_counted_and_is_no_answer_is_paid(tmp_path, way: Way) -> None:
    asked = ask(tmp_path, serve(spoiled(), answer()), way, more=PRICES)
    (found,) = asked.answers
    assert (found.text, found.attempts, found.cost) == ("hello", 2, pytest.approx(EACH))
    assert (found.lost.usd, found.lost.unknown) == (pytest.approx(EACH), 0)


@pytest.mark.parametrize(
    ("fault", "way"),
    [
        (faults.cut(), CHAT),
        (faults.cut(), CHAT_STREAMED),
        (faults.hang_up(), CHAT),
        (faults.html(), CHAT),
        (faults.nothing_inside(), CHAT),
        (faults.unfinished(lacks="everything"), CHAT_STREAMED),
        (faults.unfinished(lacks="finish"), Way("anthropic", "", True)),
        (faults.unfinished(lacks="finish"), Way("gemini", "", True)),
    ],
)
def test_what_nobody_counted_is_of_unknown_cost(tmp_path, fault: Behaviour, way: Way) -> None:
    (found,) = ask(tmp_path, serve(fault, answer()), way, more=PRICES).answers
    assert (found.text, found.lost) == ("hello", Lost(unknown=1))


def test_what_was_turned_away_costs_nothing(tmp_path) -> None:
    asked = ask(tmp_path, serve(status(429), status(503), answer()), more=PRICES)
    assert (asked.answers[0].attempts, asked.answers[0].lost) == (3, NOTHING_LOST)


def test_a_call_that_never_was_answered_tells_what_it_cost(tmp_path) -> None:
    (found,) = ask(tmp_path, serve(spoiled()), more=PRICES, limits="attempts: 3").answers
    assert isinstance(found, Failure)
    assert (found.attempts, found.lost.usd) == (3, pytest.approx(3 * EACH))


def test_the_budget_sees_what_was_paid_for_nothing(tmp_path: Path) -> None:
    budget = Budget(0.75)
    with serve(spoiled()) as server:
        subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
        entry = CHAT.entry(server.url, PRICES)
        (tmp_path / "promptops.yaml").write_text(f"providers: {{it: {entry}}}\nlimits: {{attempts: 1}}\n")

        async def main() -> None:
            async with open_endpoints(
                open_workspace(tmp_path, {}), ["it/tiny"], budget=budget, recorded=False, say=print
            ) as endpoints:
                for _ in range(9):
                    await endpoints["it/tiny"].paced.answer(request())

        with pytest.raises(RunStopped, match=r"the budget of .* is reached"):
            asyncio.run(main())
    assert 2 <= server.count <= 5, "a request can cost 0.5 for its max_tokens and a little for its bytes"
    assert budget.spent == pytest.approx(server.count * EACH)


@pytest.mark.parametrize("how", ["refused", "ctrl-c", "terminated", "terminated in the background"])
def test_what_ends_a_run_in_the_middle_of_a_call_is_in_its_ledger(tmp_path: Path, how: str) -> None:
    last = status(401, "wrong key") if how == "refused" else faults.silence()
    with serve(*[answer()] * 3, faults.cut(), last) as server:
        write_project(tmp_path, CHAT.entry(server.url, PRICES), samples=9, limits="concurrency: 1")
        command = [sys.executable, "-P", "-m", "promptops", "test", "support"]
        ignored = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"] if "background" in how else []
        test = subprocess.Popen([*ignored, *command], cwd=tmp_path, stdout=subprocess.DEVNULL)
        while server.count < 5:
            assert test.poll() is None
            time.sleep(0.01)
        if how != "refused":
            test.send_signal(signal.SIGINT if how == "ctrl-c" else signal.SIGTERM)
        test.wait()
        assert server.count == 5
    assert test.returncode == (7 if how == "refused" else 130)
    (file,) = tmp_path.glob(".promptops/runs/*/spend.json")
    ledger = json.loads(file.read_text(encoding="utf-8"))
    assert (ledger["calls"], ledger["failures"], ledger["usd"]) == (5, 1, pytest.approx(3 * EACH))
    assert ledger["unknown_attempts"] == (1 if how == "refused" else 2), (
        "of what was cut off nobody knows the cost"
    )
