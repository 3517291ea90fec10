"""Anthropic's messages API as a dialect, and its stream put together block by block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from promptops.errors import Malformed, Overloaded
from promptops.messages import Completion, Request, ToolCall, Usage
from promptops.providers.anthropic import (
    VERSION,
    completion_from_message,
    finish_reason_from,
    messages_body,
    text_of,
    usage_from,
)
from promptops.providers.dialect import event_value, stopped_early
from promptops.providers.http import parse_json
from promptops.providers.shapes import error_text, whole
from promptops.providers.sse import Event

# A stream that began has status 200, whatever happens after; this is what it would have had.
_STATUSES = {"rate_limit_error": 429, "overloaded_error": 529, "api_error": 500, "timeout_error": 504}


class Messages:
    """The dialect: `POST /messages`."""

    def path(self, request: Request, *, stream: bool) -> str:
        """Return the path; it is the same for a stream."""
        return "/messages"

    def headers(self, api_key: str | None) -> Mapping[str, str]:
        """Return the version of the API and the key's header."""
        return {"anthropic-version": VERSION} | ({"x-api-key": api_key} if api_key else {})

    def body(self, request: Request, *, stream: bool) -> Mapping[str, Any]:
        """Return the request."""
        return messages_body(request, stream=stream)

    def completion(self, value: Any, *, asked_model: str) -> Completion:
        """Read a whole answer."""
        return completion_from_message(value, asked_model=asked_model)

    def counted(self, value: Any) -> Usage:
        """Return what the provider counted of a whole answer."""
        return usage_from(value.get("usage") if isinstance(value, dict) else None)

    def deltas(self, *, asked_model: str) -> Blocks:
        """Return what takes in a stream."""
        return Blocks(model=asked_model)


@dataclass(slots=True, kw_only=True)
class _Block:
    """One block that is still being written."""

    text: list[str] = field(default_factory=list)
    call: Mapping[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class Blocks:
    """What a stream has said so far; lives inside one call."""

    model: str
    blocks: dict[str, _Block] = field(default_factory=dict)
    stop_reason: Any = None
    usage: dict[str, Any] = field(default_factory=dict)
    has_ended: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether anything of the answer itself has come; thinking is not it."""
        return any(block.text or block.call is not None for block in self.blocks.values())

    @property
    def counted(self) -> Usage:
        """What the provider counted, once it has told why the answer stopped: before, only what it has read."""
        return Usage() if self.stop_reason is None else usage_from(self.usage)

    def add(self, event: Event) -> None:
        """Take one event; kinds that are new are passed over."""
        if event.name == "error":
            raise _reported(parse_json(event.data))
        value = event_value(event)
        match value.get("type"):
            case "message_start":
                message = _object(value, "message")
                self.model = message.get("model") or self.model
                self._count(message.get("usage"))
            case "content_block_start":
                self._start(str(value.get("index")), _object(value, "content_block"))
            case "content_block_delta":
                self._extend(str(value.get("index")), _object(value, "delta"))
            case "message_delta":
                self.stop_reason = _object(value, "delta").get("stop_reason") or self.stop_reason
                self._count(value.get("usage"))
            case "message_stop":
                self.has_ended = True

    def _count(self, usage: Any) -> None:
        """Later counts are totals and stand in place of the earlier ones."""
        if isinstance(usage, dict):
            self.usage |= {name: value for name, value in usage.items() if value is not None}

    def _start(self, index: str, block: Mapping[str, Any]) -> None:
        if block.get("type") == "tool_use":
            self.blocks[index] = _Block(call=block)
        elif block.get("type") == "text":
            text = text_of(block)
            self.blocks[index] = _Block(text=[text] if text else [])

    def _extend(self, index: str, delta: Mapping[str, Any]) -> None:
        name = {"text_delta": "text", "input_json_delta": "partial_json"}.get(str(delta.get("type")))
        block = self.blocks.get(index)
        if name is None or block is None:
            return
        if not isinstance(delta.get(name), str):
            raise Malformed("an event of the stream holds a text that is none")
        if delta[name]:
            block.text.append(delta[name])

    def completion(self) -> Completion:
        """Return the whole answer.

        Raises:
            Truncated: the end has not come, or no stop reason.
        """
        if not self.has_ended:
            raise stopped_early("message_stop")
        texts = (block.text for block in self.blocks.values() if block.call is None)
        return whole(
            text="".join("".join(text) for text in texts),
            calls=[_call(block) for block in self.blocks.values() if block.call is not None],
            finish_reason=finish_reason_from(self.stop_reason),
            model=str(self.model),
            usage=usage_from(self.usage),
        )


def _call(block: _Block) -> ToolCall:
    call = block.call or {}
    if not isinstance(call.get("name"), str):
        raise Malformed("the stream holds a tool call without a name")
    return ToolCall(id=str(call.get("id") or ""), name=call["name"], arguments="".join(block.text) or "{}")


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise Malformed(f"an event of the stream has no {name}")
    return found


def _reported(value: Any) -> Malformed | Overloaded:
    error = value.get("error") if isinstance(value, dict) else value
    message = f"the stream reports an error: {error_text(error or value)}"
    status = _STATUSES.get(str(error.get("type"))) if isinstance(error, dict) else None
    return Malformed(message) if status is None else Overloaded(message, status=status)
