"""OpenAI's responses API: how requests are written and how answers, good and bad, are read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import Malformed, ProviderError, Refused, Truncated
from promptops.messages import Completion, Message, Request, ToolCall, ToolSpec, Usage
from promptops.providers.asking import open_asker
from promptops.providers.responses import Responses, completion_from_output, responses_body
from promptops.providers.sse import Event

KEY = "sk-a-very-secret-key-0123456789"
HI = (Message(role="user", content="hi"),)
REQUEST = Request(model="tiny", messages=HI)


def text(said: str) -> dict[str, Any]:
    return {"type": "output_text", "text": said, "annotations": []}


def said(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "status": "completed", "content": list(content)}


def call(name: str, arguments: str) -> dict[str, Any]:
    return {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": name, "arguments": arguments}


def response(*output: dict[str, Any], status: str | None = "completed", **more: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": "tiny-2026-01-01",
        "output": list(output),
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 3},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 2},
        },
        **more,
    }


def read(value: Any) -> Completion:
    return completion_from_output(value, asked_model="asked")


def ask(serving: Any, request: Request = REQUEST, **options: Any) -> tuple[Completion, Any]:
    async def run() -> tuple[Completion, Any]:
        async with (
            serving as server,
            open_asker(Responses(), server.url, KEY, at_once=1, **options) as provider,
        ):
            return await provider.complete(request), server

    return asyncio.run(run())


def failure(serving: Any, **options: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask(serving, **options)
    assert KEY not in str(caught.value)
    return caught.value


def test_an_answer_becomes_a_completion(serve, reply) -> None:
    thinking = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    answer, server = ask(serve(reply(response(thinking, said(text("hel"), text("lo"))))))
    assert (answer.text, answer.finish_reason, answer.model) == ("hello", "stop", "tiny-2026-01-01")
    assert answer.usage == Usage(input_tokens=9, output_tokens=4, cached_tokens=3, reasoning_tokens=2)
    assert answer.seconds is not None
    assert server.heads[0].startswith("POST /v1/responses HTTP/1.1")
    assert f"Bearer {KEY}" in server.heads[0]
    assert server.bodies == [
        {"model": "tiny", "input": [{"role": "user", "content": "hi"}], "stream": False, "store": False}
    ]


def test_calls_are_read_and_the_finish_reason_says_so() -> None:
    answer = read(response(call("look", '{"at": 1}')))
    assert (answer.text, answer.finish_reason) == (None, "tool_calls")
    assert answer.tool_calls == (ToolCall(id="c1", name="look", arguments='{"at": 1}'),)


def test_a_refusal_is_an_answer() -> None:
    answer = read(response(said({"type": "refusal", "refusal": "I will not"})))
    assert (answer.text, answer.finish_reason) == ("I will not", "refusal")


def test_an_empty_answer_is_one() -> None:
    assert read(response()).text == ""
    assert read(response(said())).text == ""


@pytest.mark.parametrize(
    ("reason", "told"),
    [("max_output_tokens", "length"), ("content_filter", "content_filter"), ("tired", "tired")],
)
def test_an_answer_that_was_stopped_says_by_what(reason, told) -> None:
    stopped = response(said(text("hel")), status="incomplete", incomplete_details={"reason": reason})
    assert (read(stopped).text, read(stopped).finish_reason) == ("hel", told)


@pytest.mark.parametrize("status", [None, "", "queued", "in_progress", "cancelled", "incomplete"])
def test_a_finish_reason_is_never_invented(status) -> None:
    with pytest.raises(Truncated, match="status"):
        read(response(said(text("hel")), status=status))


@pytest.mark.parametrize(
    "value",
    [
        [],
        5,
        {},
        {"object": "response.input_tokens", "input_tokens": 16},
        response(status="failed"),
        response(status="failed", error={"code": "server_error", "message": "no"}),
        {"error": {"message": "overloaded"}},
        response(output=None),
        response(output=[5]),
        response(said()) | {"output": [{"type": "message", "content": "text"}]},
        response(said({"type": "output_text", "text": 5})),
        response(said({"type": "refusal"})),
        response({"type": "function_call", "name": "a"}),
    ],
)
def test_a_body_that_is_no_answer_is_malformed(value) -> None:
    with pytest.raises(Malformed):
        read(value)


def test_a_conversation_is_written_item_by_item() -> None:
    look = ToolCall(id="c1", name="look", arguments='{"at": 1}')
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    request = Request(
        model="m",
        messages=(
            Message(role="system", content="be brief"),
            Message(role="user", content=({"type": "text", "text": "see"}, image)),
            Message(role="assistant", content=None, tool_calls=(look,)),
            Message(role="tool", content="seen", tool_call_id="c1"),
            Message(role="assistant", content=({"type": "text", "text": "I see"},)),
            Message(role="user", content=""),
        ),
    )
    assert responses_body(request, stream=True)["input"] == [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "https://example.com/a.png"},
            ],
        },
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at": 1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "seen"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "I see"}]},
        {"role": "user", "content": ""},
    ]


def test_parameters_written_for_chat_completions_say_the_same_here() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    request = Request(
        model="m",
        messages=HI,
        parameters={
            "max_tokens": 9,
            "temperature": 0,
            "reasoning_effort": "low",
            "stream_options": {"include_usage": True},
            "store": True,
            "text": {"verbosity": "low"},
            "tool_choice": {"type": "function", "function": {"name": "look"}},
        },
        tools=(ToolSpec(name="look", description="Look", parameters=schema), ToolSpec(name="go")),
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "a", "schema": schema, "strict": True},
        },
    )
    assert responses_body(request, stream=False) == {
        "model": "m",
        "input": [{"role": "user", "content": "hi"}],
        "stream": False,
        "store": True,
        "max_output_tokens": 9,
        "temperature": 0,
        "reasoning": {"effort": "low"},
        "tool_choice": {"type": "function", "name": "look"},
        "tools": [
            {
                "type": "function",
                "name": "look",
                "description": "Look",
                "parameters": schema,
                "strict": False,
            },
            {
                "type": "function",
                "name": "go",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            },
        ],
        "text": {
            "verbosity": "low",
            "format": {"type": "json_schema", "name": "a", "schema": schema, "strict": True},
        },
    }


@pytest.mark.parametrize("kind", ["text", "json_object"])
def test_a_format_without_a_schema_is_written(kind) -> None:
    request = Request(model="m", messages=HI, response_format={"type": kind})
    assert responses_body(request, stream=False)["text"] == {"format": {"type": kind}}


def test_a_format_that_is_none_is_refused() -> None:
    request = Request(model="m", messages=HI, response_format={"type": "grammar"})
    with pytest.raises(Refused, match="response_format"):
        responses_body(request, stream=False)


def event(kind: str, **more: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n"


CREATED = event("response.created", response=response(status="in_progress"))
HELLO = event("response.output_text.delta", delta="hello")
END = event("response.completed", response=response(said(text("hello\u2028"))))


def test_a_stream_ends_with_the_whole_answer_and_its_first_token_is_timed(serve, sse) -> None:
    thought = event("response.reasoning_summary_text.delta", delta="hm")
    stream = sse(CREATED, thought, HELLO, event("response.something_new"), END)
    ticks = iter(range(99))
    answer, server = ask(serve(stream), stream=True, clock=lambda: float(next(ticks)))
    assert (answer.text, answer.finish_reason) == ("hello\u2028", "stop")
    assert (answer.first_token_seconds, answer.seconds) == (1.0, 2.0)
    assert answer.usage.output_tokens == 4
    assert server.bodies[0]["stream"] is True


def test_a_stream_that_was_stopped_says_by_what(serve, sse) -> None:
    whole = response(
        said(text("hel")), status="incomplete", incomplete_details={"reason": "max_output_tokens"}
    )
    answer, _ = ask(serve(sse(CREATED, event("response.incomplete", response=whole))), stream=True)
    assert (answer.text, answer.finish_reason) == ("hel", "length")


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("parts", [[], [CREATED], [CREATED, HELLO], [CREATED, HELLO, END[:-2]]])
def test_a_stream_without_its_end_is_truncated(serve, sse, parts, end) -> None:
    assert type(failure(serve(sse(*parts, end=end)), stream=True)) is Truncated


@pytest.mark.parametrize(
    "part",
    [
        event("error", code="server_error", message="engine on fire"),
        event("response.failed", response=response(status="failed", error={"message": "engine on fire"})),
        event("response.completed"),
        "data: {cut\n\n",
        "data: 5\n\n",
    ],
)
def test_an_error_in_a_stream_is_an_error(serve, sse, part) -> None:
    assert type(failure(serve(sse(CREATED, HELLO, part, END)), stream=True)) is Malformed


WIRE = Path(__file__).parents[3] / "shared/data/formats/openai_responses/wire_log.jsonl"


def streamed(body: str) -> Completion:
    told = Responses().deltas(asked_model="x")
    for part in body.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in part.splitlines() if ": " in line)
        if "data" in fields and not told.has_ended:
            told.add(Event(name=fields.get("event", "message"), data=fields["data"].encode()))
    assert told.has_begun
    return told.completion()


@pytest.mark.skipif(not WIRE.exists(), reason="recorded wire logs are not here")
def test_real_answers_are_read_whole() -> None:
    counted = {"whole": 0, "streamed": 0, "no answer": 0}
    for line in WIRE.read_text(encoding="utf-8").splitlines():
        body = json.loads(line)["response"]
        if isinstance(body, str):
            assert streamed(body).usage.output_tokens
            counted["streamed"] += 1
            continue
        if body.get("status") not in ("completed", "complete"):
            with pytest.raises(ProviderError):
                read(body)
            counted["no answer"] += 1
            continue
        answer = read(body)
        parts = [part for item in body["output"] if item["type"] == "message" for part in item["content"]]
        assert (answer.text or "") == "".join(part.get("text", "") for part in parts)
        called = [item["name"] for item in body["output"] if item["type"] == "function_call"]
        assert [one.name for one in answer.tool_calls] == called
        assert answer.finish_reason == ("tool_calls" if called else "stop")
        if body.get("usage"):
            assert answer.usage.input_tokens == body["usage"]["input_tokens"]
        counted["whole"] += 1
    assert counted == {"whole": 55, "streamed": 7, "no answer": 7}
