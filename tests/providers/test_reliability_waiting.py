"""Servers that are busy, broken or refuse, over real connections: who waits, how long, and who stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reliability_help import CHAT, WAYS, Ask, Way, ask, in_turn, request

from promptops.messages import Completion, Failure
from promptops.testing.faults import answer, error_inside, status
from promptops.testing.faulty_server import FaultyServer, Seen, serve

REFUSALS = {
    401: "invalid key",
    402: "pay first",
    403: "not allowed",
    404: "the model `tiny` does not exist",
}
PRICES = ", prices: {model-1: {input: 1000000, output: 2000000}}"


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_server_that_asks_for_a_second_gets_it(tmp_path, way) -> None:
    busy = status(429, retry_after=1)
    asked = ask(tmp_path, serve(busy, busy, answer("x")), way, more=PRICES)
    (one,) = asked.answers
    assert (one.text, one.attempts, asked.server.count) == ("x", 3, 3)
    assert len(asked.slept) == 2
    assert all(1 <= seconds < 4 for seconds in asked.slept), "at least as long, and jitter besides"
    assert one.cost == pytest.approx(9 * 1 + 4 * 2)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_date_to_come_back_at_is_read(tmp_path, way) -> None:
    asked = ask(
        tmp_path, serve(status(503, retry_after=datetime.now(UTC) + timedelta(seconds=30)), answer("x")), way
    )
    assert asked.answers[0].attempts == 2
    assert 15 < asked.slept[0] < 32


@pytest.mark.parametrize(("way", "when"), in_turn(WAYS, ["a date", "an hour", "an hour"]), ids=str)
def test_an_hour_is_longer_than_anybody_waits(tmp_path, way, when) -> None:
    hour: Any = 3600 if when == "an hour" else datetime.now(UTC) + timedelta(hours=1)
    asked = ask(tmp_path, serve(status(429, "come back later", retry_after=hour)), way)
    (one,) = asked.answers
    assert isinstance(one, Failure)
    assert (one.kind, one.attempts, asked.server.count, asked.slept) == ("overloaded", 1, 1, [])
    assert "come back later; it asks to wait 3" in one.message
    assert "the deadline is 60 s" in one.message


def test_waiting_is_part_of_the_deadline(tmp_path) -> None:
    asked = ask(tmp_path, serve(status(429, retry_after=4)), limits="deadline: 10, attempts: 20")
    assert sum(asked.slept) < 10
    assert asked.answers[0].attempts == asked.server.count == len(asked.slept) + 1 == 3


@pytest.mark.parametrize(("way", "code"), in_turn(WAYS, (500, 502, 503, 529)), ids=str)
def test_a_server_that_fails_for_ever_gets_bounded_attempts_and_then_the_run_stops(
    tmp_path, way, code
) -> None:
    async def one_after_the_other(one: Ask, server: FaultyServer) -> None:
        for _ in range(20):
            await one(request())

    asked = ask(tmp_path, serve(status(code)), way, limits="attempts: 3", course=one_after_the_other)
    failed = [one for one in asked.answers if isinstance(one, Failure)]
    # 8 calls of 3 attempts open the breaker; 5 attempts, further and further apart, ask whether it is back.
    assert asked.server.count == 8 * 3 + 5
    assert {one.kind for one in failed} == {"overloaded"}
    assert len(asked.stops) >= 10
    assert "is down: " in asked.stops[-1]
    assert "what was finished is kept; run again to resume" in asked.stops[-1]
    pauses = asked.slept[:16]
    assert pauses == [0.5, 1.0] * 8, "back-off doubles, with jitter of all of it"


@pytest.mark.parametrize("way", [CHAT, Way("anthropic", "", True)], ids=str)
def test_of_fifty_calls_one_asks_whether_the_server_is_back_and_all_go_on(tmp_path, way) -> None:
    counted: list[int] = []

    async def probe(seen: Seen) -> AsyncGenerator[bytes, None]:
        await asyncio.sleep(0.1)  # 49 others have the time to come, if anybody lets them
        counted.append(server.count)
        async for piece in answer()(seen):
            yield piece

    async def course(one: Ask, server: FaultyServer) -> None:
        await one(request())
        for _ in range(8):
            await one(request())
        await asyncio.gather(*(one(request()) for _ in range(50)))

    with serve(answer(), *[status(503)] * 8, probe, answer()) as server:
        asked = ask(tmp_path, nullcontext(server), way, limits="attempts: 1, concurrency: 64", course=course)
    assert counted == [1 + 8 + 1]
    assert server.count == 1 + 8 + 50
    assert sum(isinstance(one, Completion) for one in asked.answers) == 51
    assert asked.stops == []


@pytest.mark.parametrize(("way", "code"), in_turn(WAYS, REFUSALS), ids=str)
def test_a_refusal_is_asked_once_and_ends_the_run_in_one_line(tmp_path, way, code) -> None:
    said = REFUSALS[code]

    async def one_after_the_other(one: Ask, server: FaultyServer) -> None:
        for _ in range(20):
            await one(request())

    asked = ask(tmp_path, serve(status(code, said)), way, course=one_after_the_other)
    assert asked.server.count == 1
    assert len(asked.stops) == 20
    (line,) = set(asked.stops)
    assert "\n" not in line
    assert f"answered {code}: {said}; what was finished is kept" in line


def test_a_refusal_that_concerns_one_request_is_that_requests_failure(tmp_path) -> None:
    asked = ask(tmp_path, serve(status(400, "too long"), answer("x")), times=2, limits="concurrency: 1")
    assert [getattr(one, "kind", "answered") for one in asked.answers] == ["refused", "answered"]
    assert asked.server.count == 2


def test_an_account_without_money_is_not_waited_for(tmp_path) -> None:
    asked = ask(tmp_path, serve(status(429, "no credit", kind="insufficient_quota")), times=3)
    assert asked.slept == []
    assert len(asked.stops) == 3


def test_a_stream_that_began_and_is_overloaded_is_asked_again(tmp_path) -> None:
    serving = serve(error_inside("busy", kind="overloaded_error"), answer("x"))
    asked = ask(tmp_path, serving, Way("anthropic", "", True))
    assert (asked.answers[0].text, asked.server.count) == ("x", 2)
