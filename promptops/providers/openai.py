"""Any server that speaks OpenAI's chat completions, ordinary or streamed.

An answer without its end (no finish reason, no `[DONE]`) is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from promptops.errors import Malformed
from promptops.messages import Completion, Request, Usage
from promptops.providers.answers import (
    chat_body,
    completion_from_message,
    completion_from_response,
    text_from,
    usage_from,
)
from promptops.providers.dialect import event_value, stopped_early
from promptops.providers.sse import Event


class Chat:
    """The dialect: `POST /chat/completions`."""

    def path(self, request: Request, *, stream: bool) -> str:
        """Return the path; it is the same for a stream."""
        return "/chat/completions"

    def headers(self, api_key: str | None) -> Mapping[str, str]:
        """Return the key's header."""
        return {"authorization": f"Bearer {api_key}"} if api_key else {}

    def body(self, request: Request, *, stream: bool) -> Mapping[str, Any]:
        """Return the request, and ask a stream to tell how many tokens it took."""
        body = chat_body(request)
        if stream:
            body["stream"] = True
            body.setdefault("stream_options", {"include_usage": True})
        return body

    def completion(self, value: Any, *, asked_model: str) -> Completion:
        """Read a whole answer."""
        return completion_from_response(value, asked_model=asked_model)

    def counted(self, value: Any) -> Usage:
        """Return what the provider counted of a whole answer."""
        return usage_from(value.get("usage") if isinstance(value, dict) else None)

    def deltas(self, *, asked_model: str) -> Deltas:
        """Return what takes in a stream."""
        return Deltas(model=asked_model)


@dataclass(slots=True, kw_only=True)
class Deltas:
    """What a stream has said so far; lives inside one call."""

    model: str
    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: dict[object, dict[str, Any]] = field(default_factory=dict)
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    has_ended: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether anything of the answer itself has come; thinking aloud is not it."""
        return bool(self.text or self.calls or self.refusal)

    @property
    def counted(self) -> Usage:
        """What the provider counted; it does so after the answer."""
        return self.usage

    def add(self, event: Event) -> None:
        """Take one event; one without choices carries the usage."""
        if event.data.strip() == b"[DONE]":
            self.has_ended = True
            return
        chunk = event_value(event)
        self.model = chunk.get("model") or self.model
        if chunk.get("usage"):
            self.usage = usage_from(chunk["usage"])
        choices = chunk.get("choices") or ()
        if not isinstance(choices, list | tuple) or not all(isinstance(choice, dict) for choice in choices):
            raise Malformed("an event of the stream has no list of choices")
        for choice in choices:
            if not choice.get("index"):
                self._add_choice(choice)

    def _add_choice(self, choice: Mapping[str, Any]) -> None:
        delta = choice.get("delta") or {}
        if not isinstance(delta, dict):
            raise Malformed("an event of the stream has no delta")
        if text := text_from(delta.get("content")):
            self.text.append(text)
        if refusal := text_from(delta.get("refusal")):
            self.refusal.append(refusal)
        calls = delta.get("tool_calls") or []
        if not isinstance(calls, list):
            raise Malformed("an event of the stream has no list of tool calls")
        for call in calls:
            self._add_call(call)
        self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def _add_call(self, part: Any) -> None:
        if not isinstance(part, dict) or not isinstance(part.get("function") or {}, dict):
            raise Malformed("an event of the stream holds a tool call that is none")
        # Servers without an index send each call whole, with an id of its own.
        slot = part["index"] if "index" in part else part.get("id") or len(self.calls)
        if not isinstance(slot, int | str | None):
            raise Malformed("an event of the stream holds a tool call without a place")
        call = self.calls.setdefault(slot, {"id": "", "function": {"name": None, "arguments": ""}})
        call["id"] = part.get("id") or call["id"]
        function = part.get("function") or {}
        call["function"]["name"] = function.get("name") or call["function"]["name"]
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            raise Malformed("an event of the stream holds arguments that are no text")
        call["function"]["arguments"] += arguments

    def completion(self) -> Completion:
        """Return the whole answer.

        Raises:
            Truncated: no finish reason came, or no end.
        """
        if not self.has_ended:
            raise stopped_early("[DONE]")
        message = {
            "content": "".join(self.text) if self.text else None,
            "refusal": "".join(self.refusal),
            "tool_calls": list(self.calls.values()),
        }
        return completion_from_message(
            message, finish_reason=self.finish_reason, model=self.model, usage=self.usage
        )
