"""Gemini's generateContent: how requests are written and how answers, good and bad, are read."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from promptops.errors import Malformed, ProviderError, Refused, Truncated
from promptops.messages import Completion, Message, Request, ToolCall, ToolSpec, Usage
from promptops.providers.asking import open_asker
from promptops.providers.gemini import generate_body
from promptops.providers.geminianswers import Generate, completion_from_candidates

KEY = "AIzaAVerySecretKey0123456789abcdefghijk"
HI = (Message(role="user", content="hi"),)
REQUEST = Request(model="gemini-tiny", messages=HI)
USAGE = {
    "promptTokenCount": 30,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 4,
    "cachedContentTokenCount": 20,
    "toolUsePromptTokenCount": 1,
    "totalTokenCount": 40,
}


def answer(*parts: dict[str, Any], finish: str | None = "STOP", **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "modelVersion": "gemini-tiny-001",
        "usageMetadata": USAGE,
        **more,
    }


def read(value: Any) -> Completion:
    return completion_from_candidates(value, asked_model="asked")


def ask(serving: Any, request: Request = REQUEST, **options: Any) -> tuple[Completion, Any]:
    async def run() -> tuple[Completion, Any]:
        async with (
            serving as server,
            open_asker(Generate(), server.url, KEY, at_once=1, **options) as provider,
        ):
            return await provider.complete(request), server

    return asyncio.run(run())


def failure(serving: Any, **options: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask(serving, **options)
    assert KEY not in str(caught.value)
    return caught.value


def test_an_answer_becomes_a_completion(serve, reply) -> None:
    thought = {"text": "hm", "thought": True, "thoughtSignature": "x"}
    told, server = ask(serve(reply(answer(thought, {"text": "hel"}, {"text": "lo"}))))
    assert (told.text, told.finish_reason, told.model) == ("hello", "stop", "gemini-tiny-001")
    assert told.usage == Usage(input_tokens=31, output_tokens=9, cached_tokens=20, reasoning_tokens=4)
    assert told.seconds is not None
    head = server.heads[0]
    assert head.startswith("POST /v1/models/gemini-tiny:generateContent HTTP/1.1")
    assert f"x-goog-api-key: {KEY}" in head.lower().replace(KEY.lower(), KEY)
    assert "authorization" not in head.lower()
    assert server.bodies == [{"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"),
        ("OTHER", "OTHER"),
    ],
)
def test_finish_reasons_are_told_in_the_words_used_everywhere(theirs, ours) -> None:
    assert read(answer({"text": "a"}, finish=theirs)).finish_reason == ours


def test_a_filtered_answer_without_content_is_an_answer() -> None:
    told = read({"candidates": [{"finishReason": "SAFETY", "index": 0}]})
    assert (told.text, told.finish_reason, told.model) == ("", "content_filter", "asked")


def test_a_blocked_prompt_is_an_answer_that_refuses(serve, sse) -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}
    told = read(blocked)
    assert (told.text, told.finish_reason) == ("", "refusal")
    assert told.usage.input_tokens == 3
    streamed, _ = ask(serve(sse(blocked)), stream=True)
    assert (streamed.text, streamed.finish_reason) == ("", "refusal")


def test_calls_are_read_and_the_finish_reason_says_so() -> None:
    call = {"functionCall": {"id": "f1", "name": "look", "args": {"at": "ö"}}, "thoughtSignature": "x"}
    told = read(answer(call, {"functionCall": {"name": "go"}}))
    assert told.text is None
    assert told.finish_reason == "tool_calls"
    assert told.tool_calls == (
        ToolCall(id="f1", name="look", arguments='{"at": "ö"}'),
        ToolCall(id="", name="go", arguments="{}"),
    )


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({}, Usage()),
        ({"promptTokenCount": 7, "totalTokenCount": 7}, Usage(input_tokens=7, output_tokens=0)),
        ({"promptTokenCount": 7, "totalTokenCount": 9}, Usage(input_tokens=7, output_tokens=2)),
        ({"promptTokenCount": 7}, Usage(input_tokens=7)),
        (
            {"promptTokenCount": 34, "candidatesTokenCount": 418, "thoughtsTokenCount": 438},
            Usage(input_tokens=34, output_tokens=856, reasoning_tokens=438),
        ),
        ({"promptTokenCount": "7", "totalTokenCount": True}, Usage()),
    ],
)
def test_thoughts_are_paid_and_what_was_not_counted_is_unknown(usage, counted) -> None:
    assert read(answer({"text": "a"}, usageMetadata=usage)).usage == counted


def test_a_conversation_is_written_in_turns() -> None:
    look = ToolCall(id="c1", name="look", arguments='{"at": 1}')
    go = ToolCall(id="", name="go", arguments="")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    linked = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    request = Request(
        model="m",
        messages=(
            Message(role="system", content="be brief"),
            Message(role="user", content=({"type": "text", "text": "see"}, image, linked)),
            Message(role="assistant", content=None, tool_calls=(look, go)),
            Message(role="tool", content='{"seen": true}', tool_call_id="c1"),
            Message(role="tool", content="gone", name="go"),
            Message(role="developer", content="still brief"),
            Message(role="user", content="and?"),
        ),
    )
    assert generate_body(request) == {
        "systemInstruction": {"parts": [{"text": "be brief\n\nstill brief"}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "see"},
                    {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
                    {"fileData": {"fileUri": "https://example.com/a.png"}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"functionCall": {"id": "c1", "name": "look", "args": {"at": 1}}},
                    {"functionCall": {"name": "go", "args": {}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"id": "c1", "name": "look", "response": {"seen": True}}},
                    {"functionResponse": {"name": "go", "response": {"result": "gone"}}},
                    {"text": "and?"},
                ],
            },
        ],
    }


@pytest.mark.parametrize(
    ("model", "signed"),
    [("gemini-3-pro", True), ("models/gemini-3.1-flash", True), ("gemini-2.5-pro", False)],
)
def test_recorded_calls_are_marked_as_not_ones_own_where_that_is_asked_for(model, signed) -> None:
    calls = tuple(ToolCall(id=name, name=name, arguments="{}") for name in ("look", "go"))
    request = Request(model=model, messages=(Message(role="assistant", content=None, tool_calls=calls),))
    first, second = generate_body(request)["contents"][0]["parts"]
    assert first.get("thoughtSignature") == ("skip_thought_signature_validator" if signed else None)
    assert "thoughtSignature" not in second


def test_parameters_written_for_openai_say_the_same_here() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    request = Request(
        model="m",
        messages=HI,
        parameters={
            "max_tokens": 9,
            "temperature": 0,
            "top_p": 0.5,
            "stop": "END",
            "stream": True,
            "tool_choice": "required",
            "thinkingConfig": {"thinkingBudget": 0},
            "generationConfig": {"seed": 7},
            "safetySettings": [],
        },
        tools=(ToolSpec(name="look", description="Look", parameters=schema), ToolSpec(name="go")),
        response_format={"type": "json_schema", "json_schema": {"schema": schema}},
    )
    body = generate_body(request)
    assert body["generationConfig"] == {
        "maxOutputTokens": 9,
        "temperature": 0,
        "topP": 0.5,
        "stopSequences": ["END"],
        "thinkingConfig": {"thinkingBudget": 0},
        "seed": 7,
        "responseMimeType": "application/json",
        "responseJsonSchema": schema,
    }
    assert body["safetySettings"] == []
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "look", "description": "Look", "parametersJsonSchema": schema},
                {"name": "go"},
            ]
        }
    ]
    named = Request(
        model="m",
        messages=HI,
        parameters={"tool_choice": {"type": "function", "function": {"name": "look"}}},
        response_format={"type": "json_object"},
    )
    body = generate_body(named)
    assert body["generationConfig"] == {"responseMimeType": "application/json"}
    assert body["toolConfig"]["functionCallingConfig"] == {"mode": "ANY", "allowedFunctionNames": ["look"]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parameters": {"tool_choice": "perhaps"}}, "tool_choice: expected auto"),
        ({"response_format": {"type": "json_schema"}}, "response_format: expected type text"),
        ({"messages": (Message(role="tool", content="x", tool_call_id="lost"),)}, "answers no call"),
        (
            {
                "messages": (
                    Message(
                        role="assistant", content="", tool_calls=(ToolCall(id="", name="go", arguments="5"),)
                    ),
                )
            },
            "the call of go has arguments that are no JSON object",
        ),
    ],
)
def test_what_the_api_cannot_be_asked_is_refused_before_it_is_sent(change, said) -> None:
    with pytest.raises(Refused, match=said):
        generate_body(Request(**{"model": "m", "messages": HI, **change}))


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-pro", "/models/gemini-2.5-pro:generateContent"),
        ("tunedModels/mine", "/tunedModels/mine:generateContent"),
        ("a?b=c#d", "/models/a%3Fb%3Dc%23d:generateContent"),
    ],
)
def test_the_model_is_in_the_path_and_cannot_lead_elsewhere(model, path) -> None:
    assert Generate().path(Request(model=model, messages=HI), stream=False) == path


@pytest.mark.parametrize("model", ["../files", "a/../../b", "models//a", "."])
def test_a_model_that_leads_out_of_the_api_is_refused(model) -> None:
    with pytest.raises(Refused, match="no name of a model"):
        Generate().path(Request(model=model, messages=HI), stream=False)


@pytest.mark.parametrize(
    "body",
    [
        b"<html></html>",
        b"[]",
        b"{}",
        b'{"candidates": []}',
        b'{"candidates": 5}',
        b'{"candidates": [5]}',
        b'{"candidates": [{"finishReason": "STOP", "content": 5}]}',
        b'{"candidates": [{"finishReason": "STOP", "content": {"parts": [5]}}]}',
        b'{"candidates": [{"finishReason": "STOP", "content": {"parts": [{"text": 5}]}}]}',
        b'{"candidates": [{"finishReason": "STOP", "content": {"parts": [{"functionCall": {}}]}}]}',
        b'{"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}',
        b'{"promptFeedback": {}}',
    ],
)
def test_a_body_that_is_no_answer_is_malformed(serve, reply, body) -> None:
    assert type(failure(serve(reply(body)))) is Malformed


@pytest.mark.parametrize("finish", [None, "", "FINISH_REASON_UNSPECIFIED"])
def test_a_finish_reason_is_never_invented(serve, reply, finish) -> None:
    assert type(failure(serve(reply(answer({"text": "hel"}, finish=finish))))) is Truncated


def test_an_error_status_is_told_in_the_servers_words(serve, reply) -> None:
    error = {"error": {"code": 400, "message": f"API key not valid: {KEY}", "status": "INVALID_ARGUMENT"}}
    told = failure(serve(reply(error, "400 Bad Request")))
    assert told.kind == "refused"
    assert "answered 400: API key not valid: [key]" in str(told)


def part(text: str, *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return answer({"text": text, **more}, finish=finish)


def test_a_stream_is_put_together_and_its_first_token_timed(serve, sse) -> None:
    stream = sse(
        part("hm", thought=True),
        part("hel"),
        part("lo\u2028"),
        {**part("", finish="STOP"), "usageMetadata": {**USAGE, "candidatesTokenCount": 6}},
    )
    ticks = iter(range(99))
    told, server = ask(serve(stream), stream=True, clock=lambda: float(next(ticks)))
    assert (told.text, told.finish_reason, told.model) == ("hello\u2028", "stop", "gemini-tiny-001")
    assert (told.first_token_seconds, told.seconds) == (1.0, 2.0)
    assert told.usage.output_tokens == 10
    assert "/models/gemini-tiny:streamGenerateContent?alt=sse HTTP" in server.heads[0]
    assert "stream" not in server.bodies[0]


@pytest.mark.parametrize(
    ("parts", "end"),
    [
        ([], True),
        ([part("hel")], True),
        ([part("hel")], False),
        ([part("hello", finish="STOP")], False),
        ([": wait\n\n"], True),
        ([f"data: {json.dumps(part('hello', finish='STOP'))}"], True),
    ],
)
def test_a_stream_without_its_end_is_truncated(serve, sse, parts, end) -> None:
    assert type(failure(serve(sse(*parts, end=end)), stream=True)) is Truncated


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"code": 503, "message": "overloaded"}},
        "data: {cut\n\n",
        "data: 5\n\n",
        {"candidates": [5]},
        {"candidates": [{"content": {"parts": [{"text": 5}]}}]},
    ],
)
def test_an_error_in_a_stream_is_an_error(serve, sse, event) -> None:
    stream = sse(part("hel"), event, part("lo", finish="STOP"))
    assert type(failure(serve(stream), stream=True)) is Malformed
