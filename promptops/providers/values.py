"""What a user's own function or command may answer: text, a message in the OpenAI shape, or a whole response.

A finish reason that is left out is `stop` (or `tool_calls`): a function that returned has come to its end,
other than a stream that merely ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from promptops.errors import Malformed
from promptops.messages import Completion, Usage
from promptops.providers.answers import completion_from_message, completion_from_response, usage_from

_USAGE_NAMES = frozenset(field.name for field in fields(Usage))


def completion_from_value(value: Any, *, asked_model: str) -> Completion:
    """Return the completion that `value` stands for.

    Taken are a text, a `Completion`, `{"text": …}`, an assistant message `{"content": …, "tool_calls": […]}`
    (beside either: `finish_reason`, `model`, `usage`) and a response `{"choices": […]}`.

    Raises:
        Malformed: it is none of these. Truncated: a response without a finish reason.
    """
    if isinstance(value, Completion):
        return value
    if isinstance(value, str):
        return Completion(text=value, finish_reason="stop", model=asked_model)
    if not isinstance(value, Mapping):
        raise Malformed(f"expected text, a message or a Completion, got {type(value).__name__}")
    if "choices" in value:
        return completion_from_response(dict(value), asked_model=asked_model)
    return _from_message(value, asked_model=asked_model)


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
    if not isinstance(usage, Mapping) or not _USAGE_NAMES & usage.keys():
        return usage_from(usage)
    counts = {name: usage.get(name) for name in _USAGE_NAMES}
    if any(count is not None and (type(count) is not int or count < 0) for count in counts.values()):
        raise Malformed("usage holds a count that is no whole number")
    return Usage(**counts)
