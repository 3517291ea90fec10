"""Whatever stands anywhere in an answer, reading it gives a completion or an error of the provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from promptops.errors import Malformed, ProviderError
from promptops.messages import Completion, Usage
from promptops.providers.anthropicstream import Messages
from promptops.providers.dialect import Dialect
from promptops.providers.geminianswers import Generate
from promptops.providers.openai import Chat
from promptops.providers.responses import Responses
from promptops.providers.sse import Event
from promptops.providers.statuses import status_error
from promptops.providers.values import completion_from_value

WRONG = (None, True, -1, 1.5, 10**400, "", "\ud800\x00", [], [None], [[]], {}, {"type": {}}, {"a": [1]})
USAGE = {
    "input_tokens": 1,
    "output_tokens": 2,
    "cache_read_input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens_details": {"reasoning_tokens": 5, "thinking_tokens": 6},
}
WHOLE: list[tuple[Dialect, Any]] = [
    (
        Chat(),
        {
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {
                        "content": [{"type": "text", "text": "a"}],
                        "refusal": None,
                        "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
                        "function_call": {"name": "f", "arguments": "{}"},
                    },
                }
            ],
            "usage": {"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 1}},
        },
    ),
    (
        Responses(),
        {
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
            "error": None,
            "output": [
                {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
                {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            ],
            "usage": USAGE,
        },
    ),
    (
        Messages(),
        {
            "content": [
                {"type": "text", "text": "a"},
                {"type": "tool_use", "id": "c", "name": "f", "input": {"x": 1}},
            ],
            "stop_reason": "end_turn",
            "model": "m",
            "usage": USAGE,
        },
    ),
    (
        Generate(),
        {
            "candidates": [
                {
                    "index": 0,
                    "finishReason": "STOP",
                    "content": {
                        "parts": [
                            {"text": "a", "thought": False},
                            {"functionCall": {"id": "c", "name": "f", "args": {"x": 1}}},
                        ]
                    },
                }
            ],
            "promptFeedback": {"blockReason": "SAFETY"},
            "modelVersion": "m",
            "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 3, "thoughtsTokenCount": 1},
        },
    ),
]
STREAMS: list[tuple[Dialect, list[Any]]] = [
    (
        Chat(),
        [
            {"model": "m", "choices": [{"index": 0, "delta": {"content": "a", "refusal": ""}}]},
            {
                "choices": [
                    {
                        "index": 0,
                        "delta": {
                            "tool_calls": [
                                {"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}
                            ]
                        },
                        "finish_reason": "stop",
                    }
                ]
            },
            {"choices": [], "usage": {"prompt_tokens": 1}},
        ],
    ),
    (
        Responses(),
        [
            {"type": "response.output_text.delta", "delta": "a"},
            {"type": "response.completed", "response": WHOLE[1][1]},
        ],
    ),
    (
        Messages(),
        [
            {"type": "message_start", "message": {"model": "m", "usage": USAGE}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
            {
                "type": "content_block_start",
                "index": 1,
                "content_block": {"type": "tool_use", "id": "c", "name": "f"},
            },
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {"type": "input_json_delta", "partial_json": "{}"},
            },
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
            {"type": "message_stop"},
        ],
    ),
    (Generate(), [{"candidates": [{"content": {"parts": [{"text": "a"}]}}]}, WHOLE[3][1]]),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield from places(child, (*path, key))


def mutated(value: Any) -> Iterator[Any]:
    """Yield the value with each of its places wrong in each way, and with each of its keys left out."""
    for path in places(value):
        for wrong in WRONG:
            if not path:
                yield wrong
                continue
            changed = deepcopy(value)
            parent = changed
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]] = wrong
            yield changed
        if path and isinstance(path[-1], str):
            del parent[path[-1]]
            yield changed


def read(dialect: Dialect, value: Any) -> None:
    try:
        answer = dialect.completion(value, asked_model="asked")
    except ProviderError:
        return
    check(answer)


def check(answer: Completion) -> None:
    assert isinstance(answer.text, str) or (answer.text is None and answer.tool_calls)
    assert answer.finish_reason
    assert isinstance(answer.finish_reason, str)
    assert isinstance(answer.model, str)
    for call in answer.tool_calls:
        assert all(isinstance(one, str) for one in (call.id, call.name, call.arguments))
    for name in Usage.__slots__:
        count = getattr(answer.usage, name)
        assert count is None or (type(count) is int and 0 <= count < 2**55)


def stream(dialect: Dialect, events: list[Any]) -> None:
    deltas = dialect.deltas(asked_model="asked")
    try:
        for event in events:
            deltas.add(Event(name="message", data=json.dumps(event).encode()))
            assert deltas.has_begun in (True, False)
        deltas.add(Event(name="message", data=b"[DONE]"))
        answer = deltas.completion()
    except ProviderError:
        return
    check(answer)


@pytest.mark.parametrize(("dialect", "value"), WHOLE)
def test_an_answer_that_is_wrong_anywhere_is_an_answer_or_an_error(dialect, value) -> None:
    check(dialect.completion(value, asked_model="asked"))
    for changed in mutated(value):
        read(dialect, changed)


@pytest.mark.parametrize(("dialect", "events"), STREAMS)
def test_a_stream_that_is_wrong_anywhere_is_an_answer_or_an_error(dialect, events) -> None:
    for number, event in enumerate(events):
        for changed in mutated(event):
            stream(dialect, [*events[:number], changed, *events[number + 1 :]])


@pytest.mark.parametrize(
    "value",
    [
        {
            "text": "a",
            "finish_reason": "stop",
            "model": "m",
            "usage": {"input_tokens": 1, "output_tokens": 2},
        },
        {"content": [{"type": "text", "text": "a"}], "tool_calls": [{"id": "c", "function": {"name": "f"}}]},
        WHOLE[0][1],
    ],
)
def test_what_a_function_gives_back_is_an_answer_or_an_error(value) -> None:
    for changed in mutated(value):
        try:
            answer = completion_from_value(changed, asked_model="asked")
        except ProviderError:
            continue
        check(answer)


@pytest.mark.parametrize("status", [202, 307, 400, 401, 429, 503])
def test_a_status_has_a_meaning_whatever_its_body_says(status) -> None:
    body = {
        "error": {
            "message": "no",
            "code": "insufficient_quota",
            "type": "x",
            "details": [{"retryDelay": "1s"}],
        }
    }
    for changed in (*mutated(body), [body], "text"):
        error = status_error(status, {}, json.dumps(changed), url="http://h/v1?key=a", secrets=(), now=0.0)
        assert isinstance(error, ProviderError)
        assert "\n" not in str(error)
        assert "key=a" not in str(error)


@pytest.mark.parametrize(("dialect", "value"), WHOLE)
@pytest.mark.parametrize("error", ["no", {"message": "no"}, {"message": {}}, [1], True])
def test_an_answer_that_reports_an_error_is_never_one(dialect, value, error) -> None:
    with pytest.raises(Malformed):
        dialect.completion({**value, "error": error}, asked_model="asked")
