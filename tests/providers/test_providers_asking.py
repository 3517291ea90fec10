"""One call over HTTP, whatever its dialect: deadlines of its parts, headers, addresses."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptops.errors import ConfigError, Refused, TimedOut
from promptops.messages import Message, Request
from promptops.providers.asking import Patience, open_asker
from promptops.providers.openai import Chat

REQUEST = Request(model="tiny", messages=(Message(role="user", content="hi"),))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
TOKEN = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'
END = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


def dripping(*parts: bytes, then: bytes = b"", every: float = 0.01) -> Any:
    async def drip(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
        while True:
            await asyncio.sleep(every)
            writer.write(then)
            await writer.drain()

    return drip


def ask(serve: Any, behaviour: Any, patience: Patience, *, stream: bool, scheme: str = "http") -> Any:
    async def run() -> Any:
        async with serve(behaviour) as server:
            url = server.url.replace("http", scheme, 1)
            async with open_asker(Chat(), url, None, at_once=1, stream=stream, patience=patience) as provider:
                return await provider.complete(REQUEST)

    return asyncio.run(run())


@pytest.mark.parametrize("said", [b"", b": wait\n\n", b'data: {"choices": []}\n\n'])
def test_a_stream_without_a_first_token_is_left(serve, said) -> None:
    with pytest.raises(TimedOut, match=r"no token within 0\.1 s") as caught:
        ask(serve, dripping(HEAD, then=said), Patience(first_token=0.1), stream=True)
    assert caught.value.kind == "timeout.first_token"


def test_a_server_that_says_nothing_at_all_sends_no_first_token(serve) -> None:
    with pytest.raises(TimedOut) as caught:
        ask(serve, dripping(), Patience(first_token=0.1), stream=True)
    assert caught.value.kind == "timeout.first_token"


@pytest.mark.parametrize("said", [b"", b": wait\n\n", b"event: ping\ndata: {}\n\n"])
def test_a_stream_that_stands_still_is_left(serve, said) -> None:
    with pytest.raises(TimedOut, match=r"stood still for 0\.1 s") as caught:
        ask(serve, dripping(HEAD, TOKEN, then=said), Patience(idle=0.1), stream=True)
    assert caught.value.kind == "timeout.idle"


def test_a_stream_may_last_longer_than_any_of_its_pauses(serve) -> None:
    async def slowly(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        for part in (*[TOKEN] * 13, END):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.05)

    answer = ask(serve, slowly, Patience(first_token=0.5, idle=0.5), stream=True)
    assert answer.text == "a" * 13


def test_a_stream_that_stays_open_after_its_end_is_an_answer(serve) -> None:
    stays_open = dripping(HEAD, TOKEN, END, then=b"", every=5)
    answer = ask(serve, stays_open, Patience(idle=0.045), stream=True)
    assert answer.text == "a"


def test_an_ordinary_answer_has_no_first_token_to_wait_for(serve, reply, chat) -> None:
    async def late(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        writer.write(reply(chat("late")))
        await writer.drain()

    assert ask(serve, late, Patience(first_token=0.05, idle=0.05), stream=False).text == "late"


def test_a_server_that_accepts_and_never_greets_is_left(serve) -> None:
    with pytest.raises(TimedOut, match=r"no connection to https://127\.0\.0\.1") as caught:
        ask(serve, dripping(), Patience(connect=0.1), stream=False, scheme="https")
    assert caught.value.kind == "timeout.connect"


def test_a_header_that_cannot_be_sent_is_refused_and_not_shown() -> None:
    async def run() -> None:
        async with open_asker(
            Chat(), "http://127.0.0.1:1/v1", None, at_once=1, headers={"X-Key": "abc\ndef"}
        ):
            pass

    with pytest.raises(ConfigError, match="the header x-key holds signs") as caught:
        asyncio.run(run())
    assert "abc" not in str(caught.value)


def test_a_header_of_the_users_own_stands_in_place_of_ours(serve, reply, chat) -> None:
    async def run() -> str:
        async with serve(reply(chat())) as server:
            headers = {"Authorization": "Basic abcdef"}
            async with open_asker(Chat(), server.url, "sk-unused", at_once=1, headers=headers) as provider:
                await provider.complete(REQUEST)
            return server.heads[0].lower()

    head = asyncio.run(run())
    assert head.count("authorization:") == 1
    assert "authorization: basic abcdef" in head


def test_a_host_that_cannot_be_looked_up_is_refused() -> None:
    async def run() -> None:
        async with open_asker(Chat(), "http://\u2603.example/v1", None, at_once=1) as provider:
            await provider.complete(REQUEST)

    with pytest.raises(Refused, match="no usable address"):
        asyncio.run(run())


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X-Api-Key": "Bearer quite-secret"}},
        {"headers": {"X-Team": "Bearer quite-secret"}, "secrets": ["Bearer quite-secret"]},
    ],
)
def test_the_value_of_a_header_is_shown_neither_in_an_error_nor_in_an_answer(
    serve, reply, chat, options
) -> None:
    async def run(behaviour: bytes) -> Any:
        async with (
            serve(behaviour) as server,
            open_asker(Chat(), server.url, None, at_once=1, **options) as provider,
        ):
            return await provider.complete(REQUEST)

    assert asyncio.run(run(reply(chat("Bearer of what is quite-secret")))).text == "Bearer of what is [key]"
    with pytest.raises(Refused, match=r"\[key\] is no good") as caught:
        asyncio.run(run(reply({"error": {"message": "quite-secret is no good"}}, "401 Unauthorized")))
    assert "quite-secret" not in str(caught.value)
