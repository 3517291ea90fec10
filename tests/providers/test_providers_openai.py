"""The OpenAI provider against a server that answers well, badly, half and never."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import (
    ConfigError,
    Malformed,
    Overloaded,
    ProviderError,
    Refused,
    Truncated,
    Unreachable,
)
from promptops.messages import Completion, Message, Request, ToolCall, ToolSpec, Usage
from promptops.providers.answers import completion_from_response
from promptops.providers.asking import Asker, open_asker
from promptops.providers.openai import Chat
from promptops.providers.sse import Event

KEY = "sk-a-very-secret-key-0123456789"
REQUEST = Request(model="tiny", messages=(Message(role="user", content="hi"),))
DONE = "data: [DONE]\n\n"


def ask(serving: Any, request: Request = REQUEST, *, times: int = 1, **options: Any) -> list[Completion]:
    async def run() -> list[Completion]:
        async with serving as server, open_asker(Chat(), server.url, KEY, at_once=4, **options) as provider:
            try:
                return [await provider.complete(request) for _ in range(times)]
            finally:
                seen.update(bodies=server.bodies, heads=server.heads, connections=server.connections)

    seen.clear()
    return asyncio.run(run())


seen: dict[str, Any] = {}


def failure(serving: Any, request: Request = REQUEST, **options: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask(serving, request, **options)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 420
    return caught.value


def test_an_answer_becomes_a_completion(serve, reply, chat) -> None:
    [answer] = ask(serve(reply(chat("hello"))))
    assert (answer.text, answer.finish_reason, answer.model) == ("hello", "stop", "tiny-2026-01-01")
    assert answer.usage == Usage(input_tokens=9, output_tokens=4, cached_tokens=3, reasoning_tokens=2)
    assert answer.seconds is not None
    assert answer.seconds > 0
    assert answer.first_token_seconds is None


def test_the_request_is_sent_as_written(serve, reply, chat) -> None:
    call = ToolCall(id="c1", name="look", arguments='{"at": 1}')
    request = Request(
        model="tiny",
        messages=(
            Message(role="system", content="be brief \ud800 \x00"),
            Message(role="assistant", content=None, tool_calls=(call,)),
            Message(role="tool", content="seen", tool_call_id="c1"),
            Message(role="user", content=({"type": "text", "text": "and?"},), name="anna"),
        ),
        parameters={"temperature": 0, "max_tokens": 5},
        tools=(ToolSpec(name="look", description="Look", parameters={"type": "object"}),),
        response_format={"type": "json_object"},
    )
    ask(serve(reply(chat())), request)
    assert seen["bodies"] == [
        {
            "model": "tiny",
            "temperature": 0,
            "max_tokens": 5,
            "messages": [
                {"role": "system", "content": "be brief \ud800 \x00"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "look", "arguments": '{"at": 1}'},
                        }
                    ],
                },
                {"role": "tool", "content": "seen", "tool_call_id": "c1"},
                {"role": "user", "content": [{"type": "text", "text": "and?"}], "name": "anna"},
            ],
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "look", "description": "Look", "parameters": {"type": "object"}},
                }
            ],
            "response_format": {"type": "json_object"},
        }
    ]
    assert f"Bearer {KEY}" in seen["heads"][0]
    assert seen["heads"][0].startswith("POST /v1/chat/completions HTTP/1.1")


def test_null_content_beside_tool_calls_is_normal(serve, reply, chat) -> None:
    calls = [{"id": "", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
    [answer] = ask(serve(reply(chat(None, finish="tool_calls", tool_calls=calls))))
    assert answer.text is None
    assert answer.tool_calls == (ToolCall(id="", name="look", arguments="{}"),)


@pytest.mark.parametrize("text", ["", None])
def test_empty_text_with_stop_is_an_answer(serve, reply, chat, text) -> None:
    assert ask(serve(reply(chat(text))))[0].text == ""


def test_text_in_parts_is_joined_and_a_refusal_is_an_answer(serve, reply, chat) -> None:
    parts = [
        {"type": "thinking", "thinking": "…"},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]
    assert ask(serve(reply(chat(parts))))[0].text == "ab"
    [refused] = ask(serve(reply(chat(None, refusal="I will not"))))
    assert (refused.text, refused.finish_reason) == ("I will not", "refusal")


def test_an_answer_of_ten_megabytes_and_strange_signs_comes_whole(serve, reply, chat) -> None:
    text = "\ud800\x00\x1b[31m::set-output name=a::b\u2028" + "x" * 10_000_000
    assert ask(serve(reply(chat(text))))[0].text == text


@pytest.mark.parametrize(
    ("status", "kind", "only_this"),
    [
        ("400 Bad Request", Refused, True),
        ("401 Unauthorized", Refused, False),
        ("402 Payment Required", Refused, False),
        ("403 Forbidden", Refused, False),
        ("404 Not Found", Refused, False),
        ("413 Too Large", Refused, True),
        ("422 Unprocessable", Refused, True),
        ("307 Temporary Redirect", Refused, False),
        ("408 Timeout", Overloaded, None),
        ("409 Conflict", Overloaded, None),
        ("429 Too Many", Overloaded, None),
        ("500 Broken", Overloaded, None),
        ("502 Bad Gateway", Overloaded, None),
        ("503 Unavailable", Overloaded, None),
        ("529 Overloaded", Overloaded, None),
        ("202 Accepted", Malformed, None),
    ],
)
def test_a_status_says_whether_trying_again_can_help(serve, reply, status, kind, only_this) -> None:
    error = failure(serve(reply({"error": {"message": f"no: {KEY}"}}, status)))
    assert type(error) is kind
    assert getattr(error, "only_this", None) == only_this
    assert status[:3] in str(error)
    assert "no: [key]" in str(error)


def test_an_empty_account_is_refused_although_it_comes_as_429(serve, reply) -> None:
    error = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    assert type(failure(serve(reply(error, "429 Too Many Requests")))) is Refused


@pytest.mark.parametrize(
    "said",
    [
        "API key not valid. Please pass a valid API key.",
        "Your credit balance is too low to access the Anthropic API.",
        "You have reached your specified API usage limits.",
    ],
)
def test_a_bad_request_that_every_call_would_be_is_no_matter_of_this_one(serve, reply, said) -> None:
    error = failure(serve(reply({"error": {"code": 400, "message": said}}, "400 Bad Request")))
    assert type(error) is Refused
    assert not error.only_this


@pytest.mark.parametrize(
    ("details", "seconds"),
    [
        ([{"@type": "type.googleapis.com/google.rpc.Help"}, {"retryDelay": "57.25s"}], 57.25),
        ([{"retryDelay": "soon"}, 5, {"retryDelay": 7}], None),
        ({"retryDelay": "1s"}, None),
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_google_says_in_the_body_when_to_come_back(serve, reply, details, seconds, listed) -> None:
    error = {"error": {"code": 429, "message": "Resource exhausted", "details": details}}
    body = json.dumps([error] if listed else error).encode()
    told = failure(serve(reply(body, "429 Too Many Requests")))
    assert isinstance(told, Overloaded)
    assert told.retry_after == seconds
    assert str(told).endswith("answered 429: Resource exhausted")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 1", 1.0),
        ("Retry-After: 3600", 3600.0),
        ("Retry-After: Thu, 01 Jan 1970 00:20:00 GMT", 200.0),
        ("Retry-After: Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("retry-after-ms: 1500\r\nRetry-After: 2", 1.5),
        ("Retry-After: soon", None),
        ("Retry-After: nan", None),
        ("X-Other: 1", None),
    ],
)
def test_the_server_says_when_to_come_back(serve, reply, header, seconds) -> None:
    async def run() -> None:
        async with (
            serve(reply(b"{}", "429 Too Many", more=header + "\r\n")) as server,
            open_asker(Chat(), server.url, KEY, at_once=1) as opened,
        ):
            provider = Asker(Chat(), server.url, KEY, opened._client, now=lambda: 1000.0)
            await provider.complete(REQUEST)

    with pytest.raises(Overloaded) as caught:
        asyncio.run(run())
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("stream", [True, False])
def test_a_key_that_is_quoted_reaches_neither_an_answer_nor_an_error(serve, reply, chat, sse, stream) -> None:
    text = f"{'x' * 190} {KEY} and {KEY}"
    good = sse(delta("stop", content=text), DONE) if stream else reply(chat(text))
    assert ask(serve(good), stream=stream)[0].text == f"{'x' * 190} [key] and [key]"
    for wrong in ({"error": text}, {"choices": 5, "text": text}, {"choices": text}, [text], text):
        body = json.dumps(wrong).encode()
        error = failure(serve(sse(f"data: {body.decode()}\n\n") if stream else reply(body)), stream=stream)
        assert KEY[:8] not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Bad gateway</body></html>",
        b'{"choices": [{"message": {"content": "hel',
        b"",
        b"\xff\xfe\xfd",
        b"[1]",
        b"null",
        b'{"error": {"message": "overloaded"}}',
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [null]}',
        b'{"choices": [{"finish_reason": "stop"}]}',
        b'{"choices": [{"finish_reason": "stop", "message": {"content": 5}}]}',
        b'{"choices": [{"finish_reason": "stop", "message": {"content": null, "tool_calls": [{}]}}]}',
        b'{"choices": [{"finish_reason": "stop", "message": {"tool_calls": 5}}]}',
        b'{"choices": [{"finish_reason": "error", "error": {"message": "no"}}]}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_answer_is_malformed(serve, reply, body) -> None:
    assert type(failure(serve(reply(body)))) is Malformed


def test_a_finish_reason_is_never_invented(serve, reply, chat) -> None:
    assert type(failure(serve(reply(chat("hel", finish=None))))) is Truncated


@pytest.mark.parametrize(
    ("theirs", "ours"), [("function_call", "tool_calls"), ("model_length", "length"), ("eos", "eos")]
)
def test_finish_reasons_of_older_servers_are_told_in_the_words_used_everywhere(
    serve, reply, chat, theirs, ours
) -> None:
    assert ask(serve(reply(chat("hel", finish=theirs))))[0].finish_reason == ours


def test_a_cut_body_is_malformed(serve, reply, chat) -> None:
    whole = reply(chat("hello"))

    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(whole[:-20])
        await writer.drain()

    assert type(failure(serve(cut))) is Malformed


def test_a_body_beyond_the_limit_is_malformed(serve, reply, chat) -> None:
    async def run() -> None:
        async with (
            serve(reply(chat("x" * 2000))) as server,
            open_asker(Chat(), server.url, KEY, at_once=1) as opened,
        ):
            await Asker(Chat(), server.url, KEY, opened._client, max_bytes=1000).complete(REQUEST)

    with pytest.raises(Malformed, match="longer than 1000 bytes"):
        asyncio.run(run())


def test_garbage_instead_of_http_is_an_error(serve) -> None:
    async def garbage(writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01 garbage\r\n\r\n")
        await writer.drain()

    assert type(failure(serve(garbage))) is Malformed


def test_a_closed_connection_is_unreachable(serve) -> None:
    async def close(writer: asyncio.StreamWriter) -> None:
        writer.close()

    assert failure(serve(close)).kind == "unreachable.lost"


def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def run() -> None:
        async with open_asker(Chat(), f"http://127.0.0.1:{port}/v1", KEY, at_once=1) as provider:
            await provider.complete(REQUEST)

    with pytest.raises(Unreachable, match="cannot connect") as caught:
        asyncio.run(run())
    assert caught.value.kind == "unreachable.refused"


def test_a_host_that_does_not_exist_is_unreachable() -> None:
    async def run() -> None:
        async with open_asker(Chat(), "http://nowhere.invalid/v1", KEY, at_once=1) as provider:
            await provider.complete(REQUEST)

    with pytest.raises(Unreachable, match=r"nowhere\.invalid") as caught:
        asyncio.run(run())
    assert caught.value.kind == "unreachable.dns"


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make a certificate")
def test_a_certificate_nobody_signed_is_refused_and_never_retried(serve, reply, chat, tmp_path) -> None:
    pem = tmp_path / "both.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-days",
        "9",
    ]
    subprocess.run([*made, "-keyout", pem, "-out", tmp_path / "cert.pem"], check=True, capture_output=True)
    pem.write_text(pem.read_text() + (tmp_path / "cert.pem").read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    async def run() -> None:
        async with serve(reply(chat()), tls=context) as server:
            url = server.url.replace("http:", "https:")
            async with open_asker(Chat(), url, KEY, at_once=1) as provider:
                await provider.complete(REQUEST)

    with pytest.raises(Refused, match=r"is not trusted: self-signed certificate; .* ca_file") as caught:
        asyncio.run(run())
    assert caught.value.kind == "refused.certificate"


def test_a_proxy_named_in_the_environment_is_used(serve, reply, chat, monkeypatch) -> None:
    async def run() -> str:
        async with serve(reply(chat())) as proxy:
            monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
            async with open_asker(Chat(), "http://models.invalid/v1", KEY, at_once=1) as provider:
                await provider.complete(REQUEST)
            return proxy.heads[0]

    assert asyncio.run(run()).startswith("POST http://models.invalid/v1/chat/completions ")


@pytest.mark.parametrize("url", ["", "api.openai.com/v1", "ftp://x/v1", "https://", "http://me:pw@host/v1"])
def test_an_address_that_is_none_is_refused_at_once(url) -> None:
    async def run() -> None:
        async with open_asker(Chat(), url, KEY, at_once=1):
            pass

    with pytest.raises(ConfigError) as caught:
        asyncio.run(run())
    assert "pw" not in str(caught.value)


def test_a_query_stays_behind_the_path(serve, reply, chat) -> None:
    async def run() -> str:
        async with serve(reply(chat())) as server:
            url = server.url + "/?api-version=1"
            async with open_asker(Chat(), url, None, at_once=1, headers={"api-key": KEY}) as provider:
                await provider.complete(REQUEST)
            return server.heads[0]

    head = asyncio.run(run())
    assert head.startswith("POST /v1/chat/completions?api-version=1 ")
    assert "authorization" not in head.lower()


def test_a_parameter_without_a_json_form_is_refused_before_it_is_sent(serve, reply, chat) -> None:
    request = Request(model="tiny", messages=REQUEST.messages, parameters={"temperature": float("nan")})
    assert type(failure(serve(reply(chat())), request)) is Refused
    assert seen["heads"] == []


def delta(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"model": "tiny-2026", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}


def test_a_stream_is_put_together_and_its_first_token_timed(serve, sse) -> None:
    stream = sse(
        ": hello\n\n",
        delta(role="assistant"),
        delta(content="hel"),
        delta(content="lo\u2028"),
        delta("stop"),
        USAGE,
        DONE,
    )
    ticks = count()

    async def run() -> tuple[Completion, Any]:
        async with serve(stream) as server, open_asker(Chat(), server.url, KEY, at_once=1) as opened:
            provider = Asker(
                Chat(), server.url, KEY, opened._client, stream=True, clock=lambda: float(next(ticks))
            )
            return await provider.complete(REQUEST), server.bodies

    answer, bodies = asyncio.run(run())
    assert (answer.text, answer.finish_reason, answer.model) == ("hello\u2028", "stop", "tiny-2026")
    assert (answer.first_token_seconds, answer.seconds) == (1.0, 2.0)
    assert answer.usage == Usage(input_tokens=7, output_tokens=2)
    assert bodies[0]["stream"] is True
    assert bodies[0]["stream_options"] == {"include_usage": True}


def test_a_streamed_connection_is_used_again(serve, sse) -> None:
    ask(serve(sse(delta("stop", content="a"), DONE)), times=3, stream=True)
    assert seen["connections"] == 1


def test_streamed_tool_calls_are_put_together_by_index(serve, sse) -> None:
    def part(index: int, arguments: str, **more: Any) -> dict[str, Any]:
        name = {"name": more.pop("name")} if "name" in more else {}
        return delta(tool_calls=[{"index": index, **more, "function": {**name, "arguments": arguments}}])

    stream = sse(
        part(0, "", id="a", name="look"),
        part(0, '{"at":'),
        part(1, "{}", id="b", name="go"),
        part(0, " 1}"),
        delta("tool_calls"),
        DONE,
    )
    [answer] = ask(serve(stream), stream=True)
    assert answer.text is None
    assert answer.tool_calls == (
        ToolCall(id="a", name="look", arguments='{"at": 1}'),
        ToolCall(id="b", name="go", arguments="{}"),
    )


@pytest.mark.parametrize("asked", [True, False])
def test_the_parameter_asks_for_a_stream_and_an_ordinary_answer_to_it_is_read(
    serve, reply, chat, asked
) -> None:
    request = Request(model="tiny", messages=REQUEST.messages, parameters={"stream": asked})
    assert ask(serve(reply(chat("whole"))), request)[0].text == "whole"
    assert ("stream_options" in seen["bodies"][0]) is asked


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize(
    "parts",
    [
        [delta(content="hel")],
        [delta("stop", content="hello")],
        [delta(content="hello"), DONE],
        [delta("stop", content="hello"), "data: [DONE]"],
        [": wait\n\n"],
        [],
    ],
)
def test_a_stream_without_its_end_is_truncated(serve, sse, parts, end) -> None:
    assert type(failure(serve(sse(*parts, end=end)), stream=True)) is Truncated


@pytest.mark.parametrize(
    "part",
    [
        {"error": {"message": "engine on fire"}},
        'event: error\ndata: {"message": "engine on fire"}\n\n',
        "data: {cut\n\n",
        "data: 5\n\n",
        {"choices": [{"delta": [1]}]},
        {"choices": [5]},
        {"choices": [{"delta": {"tool_calls": [5]}}]},
        {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": {}}}]}}, {"delta": 5}]},
    ],
)
def test_an_error_in_a_stream_is_an_error(serve, sse, part) -> None:
    error = failure(serve(sse(delta(content="hel"), part, delta("stop"), DONE)), stream=True)
    assert type(error) is Malformed


@pytest.mark.parametrize("drip", [b": wait\n\n", b"x"])
def test_a_dripping_server_is_left_at_the_callers_deadline(serve, drip) -> None:
    async def dripping(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while True:
            writer.write(drip)
            await writer.drain()
            await asyncio.sleep(0.01)

    async def run() -> int:
        async with (
            serve(dripping) as server,
            open_asker(Chat(), server.url, KEY, at_once=1, stream=True) as provider,
        ):
            before = len(asyncio.all_tasks())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await provider.complete(REQUEST)
            await asyncio.sleep(0)
            return len(asyncio.all_tasks()) - before

    assert asyncio.run(run()) <= 1  # the server's own handler of this connection


WIRE = Path(__file__).parents[3] / "shared/data/formats/openai_chat/wire_log.jsonl"


@pytest.mark.skipif(not WIRE.exists(), reason="recorded wire logs are not here")
def test_real_answers_are_read_whole() -> None:
    read = streams = 0
    for line in WIRE.read_text(encoding="utf-8").splitlines():
        record: dict[str, Any] = json.loads(line)
        body: Any = record["response"]
        if isinstance(body, str) and body.startswith("data:"):
            deltas = Chat().deltas(asked_model="x")
            for data in body.encode().split(b"\n\n")[:-1]:
                deltas.add(Event(name="message", data=data.removeprefix(b"data: ")))
            told = deltas.completion()
            assert deltas.has_begun
            assert told.usage.output_tokens
            assert told.finish_reason == ("tool_calls" if told.tool_calls else "stop")
            streams += 1
            continue
        if record["status"] != 200 or not isinstance(body, dict) or "choices" not in body:
            with pytest.raises(ProviderError):
                completion_from_response(body, asked_model="x")
            continue
        message = body["choices"][0]["message"]
        answer = completion_from_response(body, asked_model="x")
        assert answer.model == body["model"]
        assert answer.finish_reason == body["choices"][0]["finish_reason"]
        assert answer.text == message.get("content")
        assert [call.name for call in answer.tool_calls] == [
            call["function"]["name"] for call in message.get("tool_calls") or []
        ]
        assert answer.usage.input_tokens == body["usage"]["prompt_tokens"]
        read += 1
    assert read > 15
    assert streams == 2
