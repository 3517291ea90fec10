"""Good answers in the shape of whichever API was asked, whole or streamed: what a fault is made from.

Which API was asked is read from the path, as the APIs themselves have it; a stream from the body, or from the path.
Everything here is written by hand from the vendors' documents and needs nothing of promptops.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_MESSAGES_WORDS: Mapping[str | None, str] = {"stop": "end_turn", "length": "max_tokens"}
_GEMINI_WORDS: Mapping[str | None, str] = {"stop": "STOP", "length": "MAX_TOKENS"}
_STATES: Mapping[str | None, str] = {"stop": "completed", "length": "incomplete", None: "in_progress"}


class Api(StrEnum):
    """The APIs that are spoken: OpenAI's two, Anthropic's and Gemini's."""

    CHAT = "chat"
    RESPONSES = "responses"
    MESSAGES = "messages"
    GEMINI = "gemini"


class Role(StrEnum):
    """What an event of a stream is for; a stream that lacks FINISH or END has not come to its end."""

    BEGIN = "begin"
    TEXT = "text"
    FINISH = "finish"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One server-sent event: `data` is an object, or a text that is sent as it is."""

    role: Role
    data: Mapping[str, Any] | str
    name: str = ""

    def encoded(self, *, escaped: bool = True) -> bytes:
        """Return the event as it is sent."""
        data = self.data if isinstance(self.data, str) else to_json(self.data, escaped=escaped).decode(*_LONE)
        name = f"event: {self.name}\n" if self.name else ""
        return f"{name}data: {data}\n\n".encode(*_LONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """An answer; `finish_reason` is `stop` or `length`, in OpenAI's words, None where it is missing."""

    text: str = "hello"
    finish_reason: str | None = "stop"
    model: str = "model-1"
    input_tokens: int = 9
    output_tokens: int = 4

    @property
    def halves(self) -> tuple[str, str]:
        """The text in two pieces, for a stream."""
        middle = (len(self.text) + 1) // 2
        return self.text[:middle], self.text[middle:]


_LONE = ("utf-8", "surrogatepass")


def to_json(value: Any, *, escaped: bool = True) -> bytes:
    """Return JSON in ASCII, or with every character as it is: lone surrogates too."""
    return json.dumps(value, ensure_ascii=escaped).encode(*_LONE)


def api_of(path: str) -> Api:
    """Return which API has this path; what is not known is taken for chat completions."""
    place = path.partition("?")[0]
    if place.endswith("/messages"):
        return Api.MESSAGES
    if place.endswith("/responses"):
        return Api.RESPONSES
    return Api.GEMINI if place.endswith((":generateContent", ":streamGenerateContent")) else Api.CHAT


def whole(api: Api, good: Good) -> Mapping[str, Any]:
    """Return the body of an ordinary answer."""
    match api:
        case Api.CHAT:
            message = {"role": "assistant", "content": good.text}
            choice = {"index": 0, "message": message, "finish_reason": good.finish_reason}
            usage = _chat_usage(good)
            return {
                "id": "c-1",
                "object": "chat.completion",
                "model": good.model,
                "choices": [choice],
            } | usage
        case Api.RESPONSES:
            return _response(good)
        case Api.MESSAGES:
            content = [{"type": "text", "text": good.text}]
            usage = {"input_tokens": good.input_tokens, "output_tokens": good.output_tokens}
            return _message(good) | {
                "content": content,
                "stop_reason": _MESSAGES_WORDS.get(good.finish_reason, good.finish_reason),
                "usage": usage,
            }
        case Api.GEMINI:
            return _candidate(good, good.text) | _gemini_end(good)


def nothing(api: Api) -> Mapping[str, Any]:
    """Return an ordinary body in which the answer itself is missing."""
    empty: Mapping[Api, Mapping[str, Any]] = {
        Api.CHAT: {"object": "chat.completion", "model": "model-1", "choices": []},
        Api.RESPONSES: {"object": "response", "status": "completed", "output": None},
        Api.MESSAGES: {"type": "message", "role": "assistant", "stop_reason": "end_turn", "content": None},
        Api.GEMINI: {"candidates": [], "modelVersion": "model-1"},
    }
    return empty[api]


def events(api: Api, good: Good) -> Sequence[Event]:
    """Return the events of a stream, in order."""
    match api:
        case Api.CHAT:
            return _chat_events(good)
        case Api.RESPONSES:
            return _response_events(good)
        case Api.MESSAGES:
            return _message_events(good)
        case Api.GEMINI:
            return _gemini_events(good)


def lacking(told: Sequence[Event], role: Role) -> list[Event]:
    """Return the events without those of a role; an API that says finish and end in one event lacks that one."""
    missing = {event.role for event in told} & {role} or {Role.FINISH, Role.END}
    return [event for event in told if event.role not in missing]


def _chat_usage(good: Good) -> dict[str, Any]:
    total = good.input_tokens + good.output_tokens
    counts = {"prompt_tokens": good.input_tokens, "completion_tokens": good.output_tokens}
    return {"usage": {**counts, "total_tokens": total}}


def _chat_events(good: Good) -> list[Event]:
    head = {"id": "c-1", "object": "chat.completion.chunk", "model": good.model}

    def chunk(delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}

    return [
        Event(role=Role.BEGIN, data=chunk({"role": "assistant", "content": ""})),
        *(Event(role=Role.TEXT, data=chunk({"content": half})) for half in good.halves),
        Event(role=Role.FINISH, data=chunk({}, good.finish_reason)),
        Event(role=Role.TEXT, data={**head, "choices": [], **_chat_usage(good)}),
        Event(role=Role.END, data="[DONE]"),
    ]


def _response(good: Good) -> dict[str, Any]:
    part = {"type": "output_text", "text": good.text, "annotations": []}
    item = {"type": "message", "id": "m-1", "role": "assistant", "status": "completed", "content": [part]}
    return {
        "id": "r-1",
        "object": "response",
        "model": good.model,
        "status": _STATES.get(good.finish_reason, "incomplete"),
        "incomplete_details": {"reason": "max_output_tokens"} if good.finish_reason == "length" else None,
        "output": [item],
        "usage": {"input_tokens": good.input_tokens, "output_tokens": good.output_tokens},
    }


def _response_events(good: Good) -> list[Event]:
    end = _response(good)
    begun = {**end, "status": "in_progress", "output": [], "usage": None}
    last = f"response.{end['status']}"

    def event(role: Role, name: str, data: Mapping[str, Any]) -> Event:
        return Event(role=role, name=name, data={"type": name, **data})

    return [
        event(Role.BEGIN, "response.created", {"response": begun}),
        *(event(Role.TEXT, "response.output_text.delta", {"delta": half}) for half in good.halves),
        event(Role.END, last, {"response": end}),
    ]


def _message(good: Good) -> dict[str, Any]:
    return {"id": "m-1", "type": "message", "role": "assistant", "model": good.model}


def _message_events(good: Good) -> list[Event]:
    begun = _message(good) | {
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": good.input_tokens},
    }
    reason = _MESSAGES_WORDS.get(good.finish_reason, good.finish_reason)
    stop = {"delta": {"stop_reason": reason}, "usage": {"output_tokens": good.output_tokens}}

    def event(role: Role, name: str, data: Mapping[str, Any]) -> Event:
        return Event(role=role, name=name, data={"type": name, **data})

    def delta(text: str) -> dict[str, Any]:
        return {"index": 0, "delta": {"type": "text_delta", "text": text}}

    return [
        event(Role.BEGIN, "message_start", {"message": begun}),
        event(Role.BEGIN, "content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        *(event(Role.TEXT, "content_block_delta", delta(half)) for half in good.halves),
        event(Role.TEXT, "content_block_stop", {"index": 0}),
        event(Role.FINISH, "message_delta", stop),
        event(Role.END, "message_stop", {}),
    ]


def _candidate(good: Good, text: str) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}]}
    return {"candidates": [{"index": 0, "content": content}], "modelVersion": good.model}


def _gemini_end(good: Good) -> dict[str, Any]:
    reason = _GEMINI_WORDS.get(good.finish_reason, good.finish_reason)
    counts = {"promptTokenCount": good.input_tokens, "candidatesTokenCount": good.output_tokens}
    candidate = {**_candidate(good, good.text)["candidates"][0], "finishReason": reason}
    return {"candidates": [candidate], "usageMetadata": counts}


def _gemini_events(good: Good) -> list[Event]:
    empty = Good(text="", finish_reason=good.finish_reason, model=good.model)
    return [
        *(Event(role=Role.TEXT, data=_candidate(good, half)) for half in good.halves),
        Event(role=Role.FINISH, data=_candidate(empty, "") | _gemini_end(empty)),
    ]
