"""Gemini's `generateContent` as a dialect: how an answer is read, whole or streamed.

The text and the calls of our own tools count; thoughts are left out. A prompt that Gemini blocks is an answer that
refuses, without text. A stream has no last event of its own: it is whole when a finish reason came and the body
ended well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from promptops.errors import Malformed, Refused, Truncated
from promptops.messages import Completion, Request, ToolCall, Usage
from promptops.providers.dialect import event_value
from promptops.providers.gemini import generate_body
from promptops.providers.shapes import answer_object, arguments_text, count, short, whole
from promptops.providers.sse import Event

_NO_STEPS = frozenset({"", ".", ".."})
_FINISH_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
}


class Generate:
    """The dialect: `POST /models/MODEL:generateContent`."""

    def path(self, request: Request, *, stream: bool) -> str:
        """Return the path; the model is in it, and whether the answer is streamed.

        Raises:
            Refused: the model's name would lead out of the API.
        """
        if not _NO_STEPS.isdisjoint(request.model.split("/")):
            raise Refused(f"{short(request.model)} is no name of a model")
        model = request.model if "/" in request.model else f"models/{request.model}"
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"/{quote(model, safe='/@.-_')}:{verb}"

    def headers(self, api_key: str | None) -> Mapping[str, str]:
        """Return the key's header."""
        return {"x-goog-api-key": api_key} if api_key else {}

    def body(self, request: Request, *, stream: bool) -> Mapping[str, Any]:
        """Return the request."""
        return generate_body(request)

    def completion(self, value: Any, *, asked_model: str) -> Completion:
        """Read a whole answer."""
        return completion_from_candidates(value, asked_model=asked_model)

    def counted(self, value: Any) -> Usage:
        """Return what the provider counted of a whole answer."""
        return usage_from(value.get("usageMetadata") if isinstance(value, dict) else None)

    def deltas(self, *, asked_model: str) -> Parts:
        """Return what takes in a stream."""
        return Parts(model=asked_model)


@dataclass(slots=True, kw_only=True)
class Parts:
    """What a stream has said so far; lives inside one call."""

    model: str
    parts: list[Mapping[str, Any]] = field(default_factory=list)
    finish_reason: Any = None
    usage: Any = None
    blocked: str | None = None
    has_begun: bool = False
    has_ended: bool = False

    @property
    def counted(self) -> Usage:
        """What the provider counted, once it has told why the answer stopped: before, of a part of it."""
        return Usage() if self.finish_reason is None else usage_from(self.usage)

    def add(self, event: Event) -> None:
        """Take one event: the same shape as a whole answer, with a part of its text."""
        value = event_value(event)
        self.model = value.get("modelVersion") or self.model
        self.usage = value.get("usageMetadata") or self.usage
        self.blocked = _block_reason(value) or self.blocked
        candidate = _first_candidate(value)
        if candidate is None:
            return
        parts = _parts_of(candidate)
        self.parts += parts
        self.finish_reason = candidate.get("finishReason") or self.finish_reason
        self.has_begun = self.has_begun or any(_speaks(part) for part in parts)

    def completion(self) -> Completion:
        """Return the whole answer.

        Raises:
            Truncated: no finish reason came.
        """
        model, usage = str(self.model), usage_from(self.usage)
        if self.blocked and not self.parts and self.finish_reason is None:
            return whole(text="", calls=(), finish_reason="refusal", model=model, usage=usage)
        return completion_from_parts(self.parts, finish_reason=self.finish_reason, model=model, usage=usage)


def _speaks(part: Mapping[str, Any]) -> bool:
    return not part.get("thought") and bool(_text_of(part) or part.get("functionCall"))


def completion_from_candidates(value: Any, *, asked_model: str) -> Completion:
    """Read the body of an answer; of several candidates the first is the answer.

    Raises:
        Malformed: it is none, or reports an error. Truncated: it has no finish reason.
    """
    value = answer_object(value)
    model = str(value.get("modelVersion") or asked_model)
    usage = usage_from(value.get("usageMetadata"))
    if not value.get("candidates") and _block_reason(value):
        return whole(text="", calls=(), finish_reason="refusal", model=model, usage=usage)
    candidate = _first_candidate(value)
    if candidate is None:
        raise Malformed(f"the answer has no candidates: {short(value)}")
    return completion_from_parts(
        _parts_of(candidate), finish_reason=candidate.get("finishReason"), model=model, usage=usage
    )


def _block_reason(value: Mapping[str, Any]) -> str | None:
    """Return why the prompt was blocked, None where it was not."""
    feedback = value.get("promptFeedback")
    reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
    return str(reason) if reason else None


def _first_candidate(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first candidate, None where there is none.

    Raises:
        Malformed: there is something else in its place.
    """
    candidates = value.get("candidates")
    if not candidates:
        return None
    if not isinstance(candidates, list) or not all(isinstance(one, dict) for one in candidates):
        raise Malformed(f"the answer has no list of candidates: {short(value)}")
    return next((one for one in candidates if not one.get("index")), None)


def _parts_of(candidate: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the parts of a candidate; one that was filtered has none.

    Raises:
        Malformed: they are no list of objects.
    """
    content = candidate.get("content") or {}
    parts = content.get("parts") or [] if isinstance(content, dict) else content
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise Malformed(f"the answer has no list of parts: {short(candidate)}")
    return parts


def completion_from_parts(
    parts: Iterable[Mapping[str, Any]], *, finish_reason: Any, model: str, usage: Usage
) -> Completion:
    """Put the parts of an answer together.

    Raises:
        Malformed: one is none. Truncated: there is no finish reason.
    """
    if not isinstance(finish_reason, str) or finish_reason in ("", "FINISH_REASON_UNSPECIFIED"):
        raise Truncated("the answer has no finishReason: it stopped before its end")
    spoken = [part for part in parts if not part.get("thought")]
    calls = [_call(part["functionCall"]) for part in spoken if part.get("functionCall") is not None]
    told = _FINISH_REASONS.get(finish_reason, finish_reason)
    return whole(
        text="".join(_text_of(part) for part in spoken),
        calls=calls,
        finish_reason="tool_calls" if calls and told == "stop" else told,
        model=model,
        usage=usage,
    )


def _text_of(part: Mapping[str, Any]) -> str:
    """Return the text of a part, nothing where it is of another kind.

    Raises:
        Malformed: its text is none.
    """
    text = part.get("text", "")
    if not isinstance(text, str):
        raise Malformed(f"the answer holds a text that is none: {short(part)}")
    return text


def _call(call: Any) -> ToolCall:
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise Malformed(f"a tool call without a name: {short(call)}")
    arguments = arguments_text(call.get("args") or {}, call["name"])
    return ToolCall(id=str(call.get("id") or ""), name=call["name"], arguments=arguments)


def usage_from(usage: Any) -> Usage:
    """Return the token counts. Thoughts are counted apart and paid as output; a count of zero is left out."""
    asked, total = count(usage, "promptTokenCount"), count(usage, "totalTokenCount")
    tools = count(usage, "toolUsePromptTokenCount") or 0
    spoken, thoughts = count(usage, "candidatesTokenCount"), count(usage, "thoughtsTokenCount")
    if asked is None:
        return Usage()
    known = spoken is not None or thoughts is not None
    rest = None if total is None else max(0, total - asked - tools)
    return Usage(
        input_tokens=asked + tools,
        output_tokens=(spoken or 0) + (thoughts or 0) if known else rest,
        cached_tokens=count(usage, "cachedContentTokenCount"),
        reasoning_tokens=thoughts,
    )
