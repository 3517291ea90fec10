"""What one request can cost at most, where that can be known before it is asked.

No token is shorter than a byte, and an answer is no longer than `max_tokens`: with a price, that is a limit. It is
no estimate, and several times what a call will cost. A request without `max_tokens`, or with anything but text, has
none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from promptops.messages import Request, Usage

MAX_TOKENS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
# What a chat format adds to every message and request: role, name, separators.
_BETWEEN = 16
# What a vendor adds of its own where there are tools, or a form of the answer: some hundred tokens at Anthropic.
_EXPLAINED = 1000


def most_tokens(request: Request) -> int | None:
    """Return how many tokens an answer has at most, thinking included; None where the request does not say."""
    named = [request.parameters.get(name) for name in MAX_TOKENS]
    known = [one for one in named if type(one) is int and one > 0]
    choices = request.parameters.get("n", 1)
    return max(known) * max(choices, 1) if known and type(choices) is int else None


def ceiling(request: Request, price: Callable[[str, Usage], float | None]) -> float | None:
    """Return the US dollars that one attempt can cost at most, None where nobody can know."""
    written, text = most_tokens(request), sent_text(request)
    if written is None or text is None:
        return None
    read = len(text.encode("utf-8", "surrogatepass")) + _BETWEEN * (len(request.messages) + 1)
    read += _EXPLAINED if request.tools or request.response_format is not None else 0
    return price(request.model, Usage(input_tokens=read, output_tokens=written))


def sent_text(request: Request) -> str | None:
    """Return all that a model is sent as one text; None where some of it is no text."""
    if not all(message.content is None or isinstance(message.content, str) for message in request.messages):
        return None
    parts: list[Any] = [
        [message.role, message.content, message.name, message.tool_call_id, *_calls(message.tool_calls)]
        for message in request.messages
    ]
    parts += [[tool.name, tool.description, _plain(tool.parameters)] for tool in request.tools]
    parts.append(_plain(request.response_format))
    # Escapes would only make it longer.
    return json.dumps(parts, ensure_ascii=False, default=str)


def _calls(calls: Any) -> list[Any]:
    return [[call.id, call.name, call.arguments] for call in calls]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
