"""Servers that say nothing, or never enough: every call ends when it was told to, and says what it waited for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from reliability_help import CHAT, CHAT_STREAMED, STREAMED, WAYS, Ask, Asked, ask, in_turn, request

from promptops.messages import Failure, Lost
from promptops.testing import faults
from promptops.testing.faults import answer
from promptops.testing.faulty_server import Behaviour, FaultyServer, serve

LONG = "a sentence that takes its time. " * 40
ENDLESS: dict[str, Behaviour] = {
    "silence": faults.silence(),
    "a slow drip": faults.drip(LONG, every=0.05),
    "comments for ever": faults.comments(every=0.02),
    "half an answer": faults.stall(),
    "a head": faults.stall(first=False),
}


def waited(tmp_path: Any, behaviour: Behaviour, way: Any, *, deadline: float, times: int = 1) -> Asked:
    limits = f"deadline: {deadline}, concurrency: 64"
    return ask(tmp_path, serve(behaviour), way, limits=limits, times=times, real_time=True)


@pytest.mark.parametrize("fault", ENDLESS)
@pytest.mark.parametrize("way", [CHAT, CHAT_STREAMED], ids=str)
def test_a_call_ends_at_its_deadline(tmp_path, way, fault) -> None:
    asked = waited(tmp_path, ENDLESS[fault], way, deadline=0.2)
    assert asked.answers == [
        Failure(
            kind="timeout.total", message="it gave no answer within 0.2 s", attempts=1, lost=Lost(unknown=1)
        )
    ]
    assert asked.server.count <= 1


@pytest.mark.parametrize(("way", "fault"), in_turn(WAYS, ENDLESS), ids=str)
def test_a_call_of_any_api_ends_at_its_deadline(tmp_path, way, fault) -> None:
    assert waited(tmp_path, ENDLESS[fault], way, deadline=0.2).kinds == {"timeout.total"}


@pytest.mark.parametrize("fault", ENDLESS)
def test_the_deadline_is_kept_within_a_fifth_of_a_second(tmp_path, fault) -> None:
    async def course(one: Ask, server: FaultyServer) -> None:
        for _ in range(8):  # a busy machine may be late once and again; that is not ours
            begun = asyncio.get_running_loop().time()
            await one(request())
            took.append(asyncio.get_running_loop().time() - begun)
            if took[-1] < 0.5:
                return

    took: list[float] = []
    ask(tmp_path, serve(ENDLESS[fault]), CHAT_STREAMED, limits="deadline: 0.3", real_time=True, course=course)
    assert 0.29 <= min(took) < 0.5


@pytest.mark.parametrize("way", [CHAT, CHAT_STREAMED], ids=str)
def test_sixty_four_calls_without_an_answer_leave_nothing_behind(tmp_path, way) -> None:
    asked = waited(tmp_path, faults.silence(), way, deadline=0.5, times=64)
    assert asked.kinds == {"timeout.total"}
    assert asked.attempts == 64
    assert asked.server.count <= 64


@pytest.mark.parametrize("way", STREAMED, ids=str)
@pytest.mark.parametrize(
    "fault",
    [faults.silence(), faults.stall(first=False), faults.comments(every=0.02)],
    ids=["silence", "a head", "comments"],
)
def test_a_stream_that_does_not_begin_says_so(tmp_path, way, fault) -> None:
    more = ", timeouts: {first_token: 0.2, idle: 20}"
    asked = ask(tmp_path, serve(fault), way, limits="attempts: 2", more=more)
    (one,) = asked.answers
    assert (one.kind, one.attempts) == ("timeout.first_token", 2)
    assert asked.server.count <= 2


@pytest.mark.parametrize("way", STREAMED, ids=str)
@pytest.mark.parametrize(
    "fault", [faults.stall(), faults.comments(every=0.02, first=True)], ids=["nothing more", "comments"]
)
def test_a_stream_that_stands_still_says_so(tmp_path, way, fault) -> None:
    more = ", timeouts: {first_token: 20, idle: 0.2}"
    asked = ask(tmp_path, serve(fault), way, limits="attempts: 2", more=more)
    (one,) = asked.answers
    assert (one.kind, one.attempts, asked.server.count) == ("timeout.idle", 2, 2)


def test_a_slow_stream_with_signs_of_life_is_read_to_its_end(tmp_path) -> None:
    asked = ask(
        tmp_path,
        serve(answer(LONG, pause=0.1)),
        CHAT_STREAMED,
        more=", timeouts: {first_token: 5, idle: 5}",
        real_time=True,
    )
    (one,) = asked.answers
    assert one.text == LONG
    assert 0.1 <= one.first_token_seconds < one.seconds


@pytest.mark.parametrize("way", [CHAT, CHAT_STREAMED], ids=str)
def test_a_connection_that_is_closed_without_an_answer_is_tried_again(tmp_path, way) -> None:
    asked = ask(tmp_path, serve(faults.hang_up(), answer("x")), way)
    (one,) = asked.answers
    assert (one.text, one.attempts, asked.server.count) == ("x", 2, 2)
