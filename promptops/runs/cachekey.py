"""What makes two questions the same question: the exact request, where it goes, and which draw it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import rfc8785

from promptops.canonicaljson import canonical_json
from promptops.messages import Message, Request, ToolSpec


def cache_key(request: Request, *, kind: str, base_url: str, draw: int) -> str:
    """Return the SHA-256, in hex, of all that decides an answer; `draw` counts equal questions from 0."""
    question = {
        "kind": kind,
        "base_url": base_url,
        "draw": draw,
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "parameters": _plain(request.parameters),
        "tools": [_tool(tool) for tool in request.tools],
        "response_format": _plain(request.response_format),
    }
    return hashlib.sha256(_canonical(question)).hexdigest()


def _message(message: Message) -> dict[str, Any]:
    return {
        "role": message.role,
        "content": _plain(message.content),
        "name": message.name,
        "tool_calls": [[call.id, call.name, call.arguments] for call in message.tool_calls],
        "tool_call_id": message.tool_call_id,
    }


def _tool(tool: ToolSpec) -> dict[str, Any]:
    """Only what a model is told of; a changed risk does not change the answer."""
    return {"name": tool.name, "description": tool.description, "parameters": _plain(tool.parameters)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _canonical(value: Any) -> bytes:
    try:
        return canonical_json(value)
    except rfc8785.CanonicalizationError:
        # Lone surrogates and integers beyond 2**53 have no canonical form, but they have an exact one.
        return b"not canonical:" + json.dumps(value, sort_keys=True).encode("ascii")
