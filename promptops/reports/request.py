"""A rendered request for people and for programs."""

from __future__ import annotations

import json
from typing import Any

from promptops.messages import Message, Request, ToolCall


def request_lines(request: Request) -> list[str]:
    """Return the messages, each under its role; what goes along with them is named first."""
    facts = [f"model: {request.model}"]
    facts += [f"{name}: {json.dumps(value)}" for name, value in sorted(request.parameters.items())]
    facts += [f"tools: {', '.join(tool.name for tool in request.tools)}"] if request.tools else []
    facts += [f"response_format: {request.response_format.get('type')}"] if request.response_format else []
    lines = [" · ".join(facts)]
    for message in request.messages:
        lines += ["", f"── {message.role}", _content(message)]
    return lines


def _content(message: Message) -> str:
    text = message.content if isinstance(message.content, str) else json.dumps(message.content, default=dict)
    calls = [f"{call.name}({call.arguments})" for call in message.tool_calls]
    return "\n".join([*([text] if message.content is not None else []), *calls])


def request_json(request: Request) -> dict[str, Any]:
    """Return `promptops.request/1`."""
    return {
        "schema": "promptops.request/1",
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "parameters": dict(request.parameters),
        "tools": [
            {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
            for tool in request.tools
        ],
        "response_format": dict(request.response_format) if request.response_format else None,
    }


def _message(message: Message) -> dict[str, Any]:
    content = message.content
    found: dict[str, Any] = {
        "role": message.role,
        "content": [dict(part) for part in content] if isinstance(content, tuple) else content,
    }
    if message.tool_calls:
        found["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        found["tool_call_id"] = message.tool_call_id
    return found


def _call(call: ToolCall) -> dict[str, str]:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}
