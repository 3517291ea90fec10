"""What a user's own function or command may answer: text, a message in the OpenAI shape, or a whole response.

A finish reason that is left out is `stop` (or `tool_calls`): a function that returned has come to its end,
other than a stream that merely ended.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from promptops.errors import Malformed
from promptops.messages import NOTHING_LOST, Completion, ToolCall, Usage
from promptops.providers.answers import completion_from_message, completion_from_response, usage_from
from promptops.providers.shapes import is_count

_USAGE_NAMES = tuple(field.name for field in fields(Usage))


def completion_from_value(value: Any, *, asked_model: str) -> Completion:
    """Return the completion that `value` stands for.

    Taken are a text, a `Completion`, `{"text": …}`, an assistant message `{"content": …, "tool_calls": […]}`
    (beside either: `finish_reason`, `model`, `usage`) and a response `{"choices": […]}`.

    Raises:
        Malformed: it is none of these. Truncated: a response without a finish reason.
    """
    if isinstance(value, Completion):
        return _checked(value)
    if isinstance(value, str):
        return Completion(text=value, finish_reason="stop", model=asked_model)
    if not isinstance(value, Mapping):
        raise Malformed(f"expected text, a message or a Completion, got {type(value).__name__}")
    if "choices" in value:
        return completion_from_response(dict(value), asked_model=asked_model)
    return _from_message(value, asked_model=asked_model)


def _checked(answer: Completion) -> Completion:
    """Return a completion that somebody made; how often was asked and what came from elsewhere is ours to say.

    Raises:
        Malformed: a field holds what it cannot.
    """
    if wrong := next(_wrong_with(answer), None):
        raise Malformed(f"a Completion came whose {wrong}")
    return replace(answer, attempts=1, cached=False, imported=False, lost=NOTHING_LOST)


def _wrong_with(answer: Completion) -> Iterator[str]:
    texts = {"text": answer.text or "", "finish_reason": answer.finish_reason, "model": answer.model}
    yield from (f"{name} is no text" for name, text in texts.items() if not isinstance(text, str))
    if not isinstance(answer.tool_calls, tuple) or not all(map(_is_call, answer.tool_calls)):
        yield "tool_calls are no tuple of ToolCall with an id, a name and arguments as text"
    if not isinstance(answer.usage, Usage) or not _are_counts(answer.usage):
        yield "usage is no Usage with counts of tokens"
    amounts = {name: getattr(answer, name) for name in ("seconds", "first_token_seconds", "cost")}
    yield from (f"{name} is no amount" for name, amount in amounts.items() if not _is_amount(amount))


def _is_call(value: Any) -> bool:
    parts = (value.id, value.name, value.arguments) if isinstance(value, ToolCall) else (None,)
    return all(isinstance(part, str) for part in parts)


def _is_amount(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and 0 <= value <= sys.float_info.max)


def _are_counts(usage: Usage) -> bool:
    counts = (getattr(usage, name) for name in _USAGE_NAMES)
    return all(count is None or is_count(count) for count in counts)


def _from_message(value: Mapping[str, Any], *, asked_model: str) -> Completion:
    message = {"content": value["text"], **value} if "text" in value else dict(value)
    if not {"content", "tool_calls", "refusal"} & message.keys():
        raise Malformed(f"expected text or content or tool_calls, got the keys {sorted(map(str, value))}")
    finish_reason = value.get("finish_reason") or ("tool_calls" if message.get("tool_calls") else "stop")
    return completion_from_message(
        message,
        finish_reason=finish_reason,
        model=value.get("model") or asked_model,
        usage=_usage(value.get("usage")),
    )


def _usage(usage: Any) -> Usage:
    """Read counts under our names (input_tokens) or the API's (prompt_tokens)."""
    if not isinstance(usage, Mapping) or usage.keys().isdisjoint(_USAGE_NAMES):
        return usage_from(usage)
    read = Usage(**{name: usage.get(name) for name in _USAGE_NAMES})
    if not _are_counts(read):
        raise Malformed("usage holds a count that is no whole number")
    return read
