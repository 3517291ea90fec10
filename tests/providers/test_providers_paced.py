"""The provider with patience around it, over a real connection: what the server sees is in the ledger."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from promptops.errors import RunStopped
from promptops.messages import Completion, Failure, Lost, Message, Request
from promptops.providers.asking import open_asker
from promptops.providers.openai import Chat
from promptops.runs.pacing import Paced

REQUEST = Request(model="tiny", messages=(Message(role="user", content="hi"),))


class Outcome:
    def __init__(self, answers: list[Any], requests: int, slept: list[float]) -> None:
        self.answers, self.requests, self.slept = answers, requests, slept


def ask(serving: Any, *, times: int = 1, stream: bool = False, **more: Any) -> Outcome:
    async def run() -> Outcome:
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        async with (
            serving as server,
            open_asker(Chat(), server.url, "k" * 20, at_once=64, stream=stream) as provider,
        ):
            paced = Paced(provider, **{"name": "it", "sleep": sleep, "random": lambda: 0.5, **more})
            calls = (paced.answer(REQUEST) for _ in range(times))
            answers = await asyncio.gather(*calls, return_exceptions=True)
            await asyncio.sleep(0)
            return Outcome(answers, len(server.heads), slept)

    return asyncio.run(run())


def ledger(outcome: Outcome) -> int:
    return sum(answer.attempts for answer in outcome.answers)


def test_a_server_that_is_busy_for_a_second_is_asked_again(serve, reply, chat) -> None:
    busy = reply({"error": {"message": "slow down"}}, "429 Too Many Requests", more="Retry-After: 1\r\n")
    outcome = ask(serve(busy, busy, reply(chat("x"))))
    assert outcome.answers[0].text == "x"
    assert ledger(outcome) == outcome.requests == 3
    assert all(seconds >= 1 for seconds in outcome.slept)


def test_a_server_that_is_busy_for_an_hour_is_left_at_once(serve, reply) -> None:
    outcome = ask(serve(reply(b"{}", "429 Too Many Requests", more="Retry-After: 3600\r\n")))
    assert outcome.answers[0].kind == "overloaded"
    assert "asks to wait 3600 s" in outcome.answers[0].message
    assert (outcome.requests, outcome.slept) == (1, [])


@pytest.mark.parametrize("status", ["500 Broken", "502 Bad Gateway", "503 Unavailable", "529 Overloaded"])
def test_errors_for_ever_stop_the_run_after_bounded_attempts(serve, reply, status) -> None:
    outcome = ask(serve(reply(b"oh no", status)), times=50, at_once=1, attempts=3)
    failures = [answer for answer in outcome.answers if isinstance(answer, Failure)]
    assert (len(failures), outcome.requests) == (9, 29), "8 calls of 3 attempts, then 5 probes"
    assert all(isinstance(answer, RunStopped) for answer in outcome.answers[9:])
    assert "is down: 8 calls in a row" in str(outcome.answers[-1])


@pytest.mark.parametrize(
    "status", ["401 Unauthorized", "402 Payment Required", "403 Forbidden", "404 Not Found"]
)
def test_a_refusal_is_asked_once_and_said_in_one_line(serve, reply, status) -> None:
    outcome = ask(serve(reply({"error": {"message": "no such model"}}, status)), times=20, at_once=1)
    assert outcome.requests == 1
    messages = {str(answer) for answer in outcome.answers}
    assert len(messages) == 1
    assert f"answered {status[:3]}: no such model; what was finished is kept" in messages.pop()


@pytest.mark.parametrize(
    ("body", "kind"), [(b"<html>", "malformed"), (b'{"choices": []}', "malformed"), (b'{"cho', "malformed")]
)
def test_bodies_that_are_no_answer_are_failures(serve, reply, body, kind) -> None:
    outcome = ask(serve(reply(body)), times=3)
    assert [answer.kind for answer in outcome.answers] == [kind] * 3
    assert ledger(outcome) == outcome.requests == 12


def test_streams_without_their_end_are_failures(serve, sse) -> None:
    begun = {"choices": [{"delta": {"content": "hel"}, "finish_reason": None}]}
    outcome = ask(serve(sse(begun)), stream=True, attempts=2)
    assert outcome.answers[0].kind == "truncated"
    assert ledger(outcome) == outcome.requests == 2


@pytest.mark.parametrize("chunk", [b": keep-alive\n\n", b'data: {"choices": []}\n\n', b" ", b""])
def test_a_server_that_drips_or_stalls_is_left_at_the_deadline(serve, chunk) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while True:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0.01)

    outcome = ask(serve(drip), deadline=0.15, stream=True)
    assert outcome.answers == [
        Failure(
            kind="timeout.total", message="it gave no answer within 0.15 s", attempts=1, lost=Lost(unknown=1)
        )
    ]
    assert outcome.requests <= 1


def test_a_server_that_never_answers_is_left_at_the_deadline(serve) -> None:
    async def never(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    outcome = ask(serve(never), deadline=0.1, times=64, at_once=64)
    assert {answer.kind for answer in outcome.answers} == {"timeout.total"}
    assert ledger(outcome) == 64
    assert outcome.requests <= 64


def test_errors_in_between_change_no_answer(serve, reply, chat) -> None:
    good, bad = reply(chat("fine")), reply(json.dumps({}).encode(), "503 Unavailable")
    outcome = ask(serve(*[good, bad] * 100, good), times=100, attempts=50)
    assert all(isinstance(answer, Completion) for answer in outcome.answers)
    assert ledger(outcome) == outcome.requests
