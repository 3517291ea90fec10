"""Anthropic's messages API: how requests are written and how answers, good and bad, are read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import Malformed, Overloaded, ProviderError, Refused, Truncated
from promptops.messages import Completion, Message, Request, ToolCall, ToolSpec, Usage
from promptops.providers.anthropic import completion_from_message, messages_body
from promptops.providers.anthropicstream import Messages
from promptops.providers.asking import open_asker
from promptops.providers.sse import Event

KEY = "sk-ant-a-very-secret-key-0123456789"
HI = (Message(role="user", content="hi"),)
REQUEST = Request(model="claude-tiny", messages=HI, parameters={"max_tokens": 100})
USAGE = {
    "input_tokens": 7,
    "output_tokens": 5,
    "cache_read_input_tokens": 20,
    "cache_creation_input_tokens": 3,
    "output_tokens_details": {"thinking_tokens": 2},
}


def message(*content: dict[str, Any], stop: str | None = "end_turn", **more: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-tiny-2026-01-01",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": USAGE,
        **more,
    }


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def ask(serving: Any, request: Request = REQUEST, **options: Any) -> tuple[Completion, Any]:
    async def run() -> tuple[Completion, Any]:
        async with (
            serving as server,
            open_asker(Messages(), server.url, KEY, at_once=1, **options) as provider,
        ):
            return await provider.complete(request), server

    return asyncio.run(run())


def failure(serving: Any, **options: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask(serving, **options)
    assert KEY not in str(caught.value)
    return caught.value


def test_an_answer_becomes_a_completion(serve, reply) -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "x"}
    answer, server = ask(serve(reply(message(thinking, text("hel"), text("lo")))))
    assert (answer.text, answer.finish_reason, answer.model) == ("hello", "stop", "claude-tiny-2026-01-01")
    assert answer.usage == Usage(input_tokens=30, output_tokens=5, cached_tokens=20, reasoning_tokens=2)
    assert answer.seconds is not None
    head = server.heads[0].lower()
    assert head.startswith("post /v1/messages http/1.1")
    assert f"x-api-key: {KEY}" in head
    assert "anthropic-version: 2023-06-01" in head
    assert "authorization" not in head
    assert server.bodies == [
        {
            "model": "claude-tiny",
            "max_tokens": 100,
            "stream": False,
            "messages": [{"role": "user", "content": [text("hi")]}],
        }
    ]


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "refusal"),
        ("pause_turn", "pause_turn"),
    ],
)
def test_stop_reasons_are_told_in_the_words_used_everywhere(stop_reason, finish_reason) -> None:
    answer = completion_from_message(message(text("a"), stop=stop_reason), asked_model="x")
    assert answer.finish_reason == finish_reason


def test_an_empty_answer_is_one_and_text_is_null_beside_calls_only() -> None:
    assert completion_from_message(message(), asked_model="x").text == ""
    use = {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "ö"}}
    answer = completion_from_message(message(use, stop="tool_use"), asked_model="x")
    assert answer.text is None
    assert answer.tool_calls == (ToolCall(id="t1", name="look", arguments='{"at": "ö"}'),)


def test_what_was_not_counted_is_unknown() -> None:
    assert completion_from_message(message(usage={"output_tokens": -1}), asked_model="x").usage == Usage()
    assert completion_from_message(message(usage=None), asked_model="x").usage == Usage()


def test_a_conversation_is_written_in_turns() -> None:
    look = ToolCall(id="c1", name="look", arguments='{"at": 1}')
    go = ToolCall(id="c2", name="go", arguments="")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    linked = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    request = Request(
        model="m",
        messages=(
            Message(role="system", content="be brief"),
            Message(role="user", content=({"type": "text", "text": "see"}, image, linked)),
            Message(role="assistant", content="let me", tool_calls=(look, go)),
            Message(role="tool", content="seen", tool_call_id="c1"),
            Message(role="tool", content="", tool_call_id="c2"),
            Message(role="developer", content="still brief"),
            Message(role="user", content="and?"),
        ),
        parameters={"max_tokens": 5},
    )
    body = messages_body(request, stream=True)
    assert body["system"] == "be brief\n\nstill brief"
    assert body["stream"] is True
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                text("see"),
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                text("let me"),
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}},
                {"type": "tool_use", "id": "c2", "name": "go", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [text("seen")]},
                {"type": "tool_result", "tool_use_id": "c2", "content": []},
                text("and?"),
            ],
        },
    ]


def test_parameters_written_for_openai_say_the_same_here() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    request = Request(
        model="m",
        messages=HI,
        parameters={
            "max_completion_tokens": 9,
            "temperature": 0,
            "stop": "END",
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "output_config": {"effort": "low"},
        },
        tools=(ToolSpec(name="look", description="Look", parameters=schema), ToolSpec(name="go")),
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    )
    body = messages_body(request, stream=False)
    assert body["max_tokens"] == 9
    assert body["temperature"] == 0
    assert body["stop_sequences"] == ["END"]
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert body["tools"] == [
        {"name": "look", "description": "Look", "input_schema": schema},
        {"name": "go", "input_schema": {"type": "object"}},
    ]
    assert body["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": schema}}
    assert not {"stop", "max_completion_tokens", "parallel_tool_calls"} & body.keys()


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ({"type": "function", "function": {"name": "look"}}, {"type": "tool", "name": "look"}),
        ({"type": "any"}, {"type": "any"}),
    ],
)
def test_the_choice_of_a_tool_is_translated(written, sent) -> None:
    request = Request(model="m", messages=HI, parameters={"max_tokens": 5, "tool_choice": written})
    assert messages_body(request, stream=False)["tool_choice"] == sent


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parameters": {}}, "anthropic needs max_tokens for m: add it to the prompt's parameters"),
        ({"parameters": {"max_tokens": 5, "tool_choice": "perhaps"}}, "tool_choice: expected auto"),
        ({"response_format": {"type": "json_object"}}, "write a json_schema"),
        ({"response_format": {"type": "grammar"}}, "response_format: expected type text"),
        (
            {
                "messages": (
                    Message(
                        role="assistant",
                        content=None,
                        tool_calls=(ToolCall(id="", name="go", arguments="[1"),),
                    ),
                )
            },
            "the call of go has arguments that are no JSON",
        ),
        (
            {"messages": (Message(role="system", content=({"type": "image_url", "image_url": "x"},)),)},
            "a system message may hold nothing but text",
        ),
    ],
)
def test_what_the_api_cannot_be_asked_is_refused_before_it_is_sent(change, said) -> None:
    request = Request(**{"model": "m", "messages": HI, "parameters": {"max_tokens": 5}, **change})
    with pytest.raises(Refused, match=said):
        messages_body(request, stream=False)


@pytest.mark.parametrize(
    "body",
    [
        b"<html></html>",
        b"[]",
        b"{}",
        b'{"type": "error", "error": {"type": "overloaded_error", "message": "no"}}',
        b'{"content": null, "stop_reason": "end_turn"}',
        b'{"content": [5], "stop_reason": "end_turn"}',
        b'{"content": [{"type": "text"}], "stop_reason": "end_turn"}',
        b'{"content": [{"type": "tool_use", "id": "a"}], "stop_reason": "tool_use"}',
        b'{"content": [{"type": "tool_use", "name": "a", "input": "{}"}], "stop_reason": "tool_use"}',
    ],
)
def test_a_body_that_is_no_answer_is_malformed(serve, reply, body) -> None:
    assert failure(serve(reply(body))).kind == "malformed"


def test_a_finish_reason_is_never_invented(serve, reply) -> None:
    assert type(failure(serve(reply(message(text("hel"), stop=None))))) is Truncated


def test_an_error_status_is_told_in_the_servers_words(serve, reply) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": f"Overloaded {KEY}"}}
    told = failure(serve(reply(error, "529 Overloaded")))
    assert told.kind == "overloaded"
    assert "answered 529: Overloaded [key]" in str(told)


def event(kind: str, **more: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n"


def start(index: int, block: dict[str, Any]) -> str:
    return event("content_block_start", index=index, content_block=block)


def delta(index: int, kind: str, **more: Any) -> str:
    return event("content_block_delta", index=index, delta={"type": kind, **more})


BEGIN = event(
    "message_start",
    message={"model": "claude-tiny-2026", "content": [], "usage": {**USAGE, "output_tokens": 1}},
)
FINISH = event(
    "message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9, "input_tokens": None}
)
STOP = event("message_stop")
HELLO = start(0, text("")) + delta(0, "text_delta", text="hello")


def test_a_stream_is_put_together_and_its_first_token_timed(serve, sse) -> None:
    stream = sse(
        BEGIN,
        start(0, {"type": "thinking", "thinking": ""}),
        delta(0, "thinking_delta", thinking="hm"),
        event("content_block_stop", index=0),
        event("ping"),
        start(1, text("")),
        delta(1, "text_delta", text="hel"),
        delta(1, "text_delta", text="lo\u2028"),
        event("something_new"),
        FINISH,
        STOP,
    )
    ticks = iter(range(99))
    answer, server = ask(serve(stream), stream=True, clock=lambda: float(next(ticks)))
    assert (answer.text, answer.finish_reason, answer.model) == ("hello\u2028", "stop", "claude-tiny-2026")
    assert (answer.first_token_seconds, answer.seconds) == (1.0, 2.0)
    assert answer.usage == Usage(input_tokens=30, output_tokens=9, cached_tokens=20, reasoning_tokens=2)
    assert server.bodies[0]["stream"] is True


def test_streamed_calls_are_put_together_by_block(serve, sse) -> None:
    use = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
    stream = sse(
        BEGIN,
        start(0, use),
        start(1, {**use, "id": "t2", "name": "go"}),
        delta(0, "input_json_delta", partial_json='{"at":'),
        delta(0, "input_json_delta", partial_json=" 1}"),
        event("message_delta", delta={"stop_reason": "tool_use"}),
        STOP,
    )
    answer, _ = ask(serve(stream), stream=True)
    assert answer.text is None
    assert answer.finish_reason == "tool_calls"
    assert answer.tool_calls == (
        ToolCall(id="t1", name="look", arguments='{"at": 1}'),
        ToolCall(id="t2", name="go", arguments="{}"),
    )


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize(
    "parts", [[], [BEGIN], [BEGIN, HELLO], [BEGIN, HELLO, FINISH], [BEGIN, HELLO, STOP], [": wait\n\n"]]
)
def test_a_stream_without_its_end_is_truncated(serve, sse, parts, end) -> None:
    assert type(failure(serve(sse(*parts, end=end)), stream=True)) is Truncated


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (event("error", error={"type": "overloaded_error", "message": "busy"}), Overloaded),
        (event("error", error={"type": {}}), Malformed),
        (event("error", error={"type": "invalid_request_error", "message": "no"}), Malformed),
        ("event: error\ndata: 5\n\n", Malformed),
        ("data: {cut\n\n", Malformed),
        ("data: 5\n\n", Malformed),
        (event("content_block_start", index=0), Malformed),
        (start(0, {"type": "text", "text": 5}), Malformed),
        (delta(0, "text_delta"), Malformed),
        (start(1, {"type": "tool_use"}), Malformed),
    ],
)
def test_an_error_in_a_stream_is_an_error(serve, sse, part, kind) -> None:
    error = failure(serve(sse(BEGIN, HELLO, part, FINISH, STOP)), stream=True)
    assert type(error) is kind


def test_an_overload_in_a_stream_has_the_status_it_would_have_had(serve, sse) -> None:
    limited = event("error", error={"type": "rate_limit_error", "message": "slower"})
    error = failure(serve(sse(BEGIN, HELLO, limited)), stream=True)
    assert isinstance(error, Overloaded)
    assert error.status == 429


WIRE = Path(__file__).parents[3] / "shared/data/formats/anthropic_messages/wire_log.jsonl"


def streamed(body: str) -> Completion:
    blocks = Messages().deltas(asked_model="x")
    for part in body.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in part.splitlines() if ": " in line)
        if "data" in fields:
            blocks.add(Event(name=fields.get("event", "message"), data=fields["data"].encode()))
    return blocks.completion()


@pytest.mark.skipif(not WIRE.exists(), reason="recorded wire logs are not here")
def test_real_answers_are_read_whole() -> None:
    read: dict[Callable[..., Any], int] = {completion_from_message: 0, streamed: 0}
    for line in WIRE.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        body = record["response"]
        if isinstance(body, str):
            answer = streamed(body)
            assert answer.text
            assert answer.usage.input_tokens
            read[streamed] += 1
            continue
        if record["status"] != 200 or "content" not in body:
            with pytest.raises(ProviderError):
                completion_from_message(body, asked_model="x")
            continue
        answer = completion_from_message(body, asked_model="x")
        texts = [block["text"] for block in body["content"] if block["type"] == "text"]
        assert (answer.text or "") == "".join(texts)
        assert [json.loads(call.arguments) for call in answer.tool_calls] == [
            block["input"] for block in body["content"] if block["type"] == "tool_use"
        ]
        assert answer.usage.output_tokens == body["usage"]["output_tokens"]
        assert answer.finish_reason in {"stop", "tool_calls"}
        read[completion_from_message] += 1
    assert read == {completion_from_message: 44, streamed: 2}


@pytest.mark.skipif(not WIRE.exists(), reason="recorded wire logs are not here")
def test_a_real_conversation_is_written_as_its_own_client_wrote_it() -> None:
    records = [json.loads(line) for line in WIRE.read_text(encoding="utf-8").splitlines()]
    [asked] = [
        record["request"]
        for record in records
        if record["source"].endswith("test_multiple_parallel_tool_calls.yaml") and record["seq"] == 1
    ]
    user, assistant, results = asked["messages"]
    calls = tuple(
        ToolCall(id=block["id"], name=block["name"], arguments=json.dumps(block["input"]))
        for block in assistant["content"]
        if block["type"] == "tool_use"
    )
    told = tuple(
        Message(role="tool", content=block["content"], tool_call_id=block["tool_use_id"])
        for block in results["content"]
    )
    request = Request(
        model=asked["model"],
        messages=(
            Message(role="user", content=user["content"][0]["text"]),
            Message(role="assistant", content=assistant["content"][0]["text"], tool_calls=calls),
            *told,
        ),
        parameters={"max_tokens": asked["max_tokens"]},
    )
    body = messages_body(request, stream=False)
    assert body["messages"][:2] == [user, assistant]
    ids = [block["tool_use_id"] for block in body["messages"][2]["content"]]
    assert ids == [block["tool_use_id"] for block in results["content"]]
