"""Gemini's `generateContent`: how a request is written.

System messages go out of the conversation into `systemInstruction`. The parameters that OpenAI's chat completions
share are translated (`max_tokens`, `stop`, `top_p`, `tool_choice`, …); every other one is passed on as it is, into
`generationConfig` unless it is one of the request's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from promptops.errors import Refused
from promptops.messages import Message, Request, ToolSpec
from promptops.providers.shapes import (
    arguments_object,
    as_list,
    image_of,
    inline_data,
    short,
    system_text,
    turns,
    wanted_format,
)

_NAMES = {
    "max_tokens": "maxOutputTokens",
    "max_completion_tokens": "maxOutputTokens",
    "stop": "stopSequences",
    "top_p": "topP",
    "top_k": "topK",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
# What stands beside `generationConfig`, not in it.
_OWN = frozenset({"safetySettings", "toolConfig", "cachedContent", "labels", "serviceTier"})
# Gemini 3 wants the first call of a turn signed; this is what Google documents for one that it did not make.
_NOT_OURS = "skip_thought_signature_validator"
_CHOICES = {"auto": "AUTO", "required": "ANY", "none": "NONE"}


def generate_body(request: Request) -> dict[str, Any]:
    """Return the body of a call; it is the same for a stream.

    Raises:
        Refused: the API has no way to say what is asked.
    """
    body: dict[str, Any] = {
        "contents": list(_turns(request.messages, signed=_wants_signatures(request.model)))
    }
    if system := system_text(request.messages):
        body["systemInstruction"] = {"parts": [{"text": system}]}
    if request.tools:
        body["tools"] = [{"functionDeclarations": [_tool(tool) for tool in request.tools]}]
    config: dict[str, Any] = {}
    for name, value in request.parameters.items():
        if name == "tool_choice":
            body["toolConfig"] = {"functionCallingConfig": _tool_choice(value)}
        elif name == "generationConfig" and isinstance(value, Mapping):
            config |= value
        elif name in _OWN:
            body[name] = value
        elif name not in ("stream", "stream_options"):
            config[_NAMES.get(name, name)] = as_list(value) if name == "stop" else value
    config |= _format(request)
    if config:
        body["generationConfig"] = config
    return body


def _format(request: Request) -> dict[str, Any]:
    if (wanted := wanted_format(request)) is None:
        return {}
    schema = {} if wanted.schema is None else {"responseJsonSchema": wanted.schema}
    return {"responseMimeType": "application/json", **schema}


def _tool_choice(written: Any) -> Mapping[str, Any]:
    if isinstance(written, str) and written in _CHOICES:
        return {"mode": _CHOICES[written]}
    if isinstance(written, Mapping) and isinstance(written.get("function"), Mapping):
        return {"mode": "ANY", "allowedFunctionNames": [written["function"].get("name")]}
    raise Refused(f"tool_choice: expected auto, required, none or a function, got {short(written)}")


def _tool(tool: ToolSpec) -> dict[str, Any]:
    described: dict[str, Any] = {"name": tool.name}
    if tool.description:
        described["description"] = tool.description
    if tool.parameters:
        described["parametersJsonSchema"] = tool.parameters
    return described


def _wants_signatures(model: str) -> bool:
    return re.match(r"gemini-([3-9]|\d\d)", model.rpartition("/")[2]) is not None


def _turns(messages: tuple[Message, ...], *, signed: bool) -> Iterator[dict[str, Any]]:
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    parts_of = partial(_parts, names=names, signed=signed)
    return turns(messages, answerer="model", held="parts", parts_of=parts_of)


def _parts(message: Message, *, names: Mapping[str, str], signed: bool) -> Iterator[Mapping[str, Any]]:
    if message.role == "tool":
        yield {"functionResponse": _result(message, names)}
        return
    yield from _said(message)
    for number, call in enumerate(message.tool_calls):
        told = {"name": call.name, "args": arguments_object(call)} | ({"id": call.id} if call.id else {})
        signature = {"thoughtSignature": _NOT_OURS} if signed and number == 0 else {}
        yield {"functionCall": told, **signature}


def _said(message: Message) -> list[Mapping[str, Any]]:
    if isinstance(message.content, str):
        return [{"text": message.content}] if message.content or not message.tool_calls else []
    return [_part(part) for part in message.content or ()]


def _result(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    """Return what a tool gave back; this API wants an object, and the name of the tool beside the call's id."""
    name = message.name or names.get(message.tool_call_id or "")
    if not name:
        raise Refused("a tool message that answers no call of this conversation", only_this=True)
    text = message.content if isinstance(message.content, str) else json.dumps(message.content)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    result = {"name": name, "response": value if isinstance(value, dict) else {"result": text}}
    return result | ({"id": message.tool_call_id} if message.tool_call_id else {})


def _part(part: Mapping[str, Any]) -> Mapping[str, Any]:
    if part.get("type") == "text":
        return {"text": part.get("text")}
    url = image_of(part)
    if url is None:
        return part
    data = inline_data(url)
    if data is None:
        return {"fileData": {"fileUri": url}}
    return {"inlineData": {"mimeType": data[0], "data": data[1]}}
