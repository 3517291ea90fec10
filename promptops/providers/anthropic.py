"""Anthropic's messages API, ordinary or streamed.

System messages go out of the conversation into `system`, wherever they stood. `max_tokens` has to be among the
prompt's parameters: the API wants it, so the production call has it too, and a default of ours would be tested
instead. Of an answer the text and the calls of our own tools count; thinking and what the server's own tools did
are left out. `stop`, `max_completion_tokens`, `tool_choice` and `parallel_tool_calls` may be written as for
OpenAI; every other parameter is passed on as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from promptops.errors import Malformed, Refused, Truncated
from promptops.messages import Completion, Message, Request, ToolCall, ToolSpec, Usage
from promptops.providers.shapes import (
    answer_object,
    arguments_object,
    arguments_text,
    as_list,
    count,
    image_of,
    inline_data,
    short,
    system_text,
    turns,
    wanted_format,
    whole,
)

VERSION = "2023-06-01"
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
}
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}


def messages_body(request: Request, *, stream: bool) -> dict[str, Any]:
    """Return the body of a messages call.

    Raises:
        Refused: there is no max_tokens, or the API has no way to say what is asked.
    """
    body = _parameters(request.parameters)
    if "max_tokens" not in body:
        raise Refused(
            f"anthropic needs max_tokens for {request.model}: add it to the prompt's parameters,"
            " as the call in production has it"
        )
    said = list(turns(request.messages, answerer="assistant", held="content", parts_of=_blocks))
    body |= {"model": request.model, "messages": said, "stream": stream}
    if system := system_text(request.messages):
        body["system"] = system
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if (wanted := wanted_format(request)) is not None:
        if wanted.schema is None:
            raise Refused("anthropic has no response_format json_object; write a json_schema")
        format_ = {"type": "json_schema", "schema": wanted.schema}
        body["output_config"] = {**body.get("output_config", {}), "format": format_}
    return body


def _parameters(written: Mapping[str, Any]) -> dict[str, Any]:
    body = {name: value for name, value in written.items() if name != "stream"}
    if "max_completion_tokens" in body:
        body["max_tokens"] = body.pop("max_completion_tokens")
    if "stop" in body:
        body["stop_sequences"] = as_list(body.pop("stop"))
    if "tool_choice" in body:
        body["tool_choice"] = _tool_choice(body["tool_choice"])
    if "parallel_tool_calls" in body:
        single = not body.pop("parallel_tool_calls")
        body["tool_choice"] = {
            **body.get("tool_choice", {"type": "auto"}),
            "disable_parallel_tool_use": single,
        }
    return body


def _tool_choice(written: Any) -> Mapping[str, Any]:
    if isinstance(written, str) and written in _CHOICES:
        return {"type": _CHOICES[written]}
    if isinstance(written, Mapping) and isinstance(written.get("function"), Mapping):
        return {"type": "tool", "name": written["function"].get("name")}
    if isinstance(written, Mapping):
        return written
    raise Refused(f"tool_choice: expected auto, required, none or a function, got {short(written)}")


def _tool(tool: ToolSpec) -> dict[str, Any]:
    description = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **description, "input_schema": tool.parameters or {"type": "object"}}


def _blocks(message: Message) -> Iterator[Mapping[str, Any]]:
    said = list(_content(message.content))
    if message.role == "tool":
        yield {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": said}
        return
    yield from said
    for call in message.tool_calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_object(call)}


def _content(content: str | tuple[Mapping[str, Any], ...] | None) -> Iterator[Mapping[str, Any]]:
    if isinstance(content, str):
        if content:  # the API takes no empty text, and an empty list is the same
            yield {"type": "text", "text": content}
        return
    for part in content or ():
        url = image_of(part)
        yield part if url is None else {"type": "image", "source": _source(url)}


def _source(url: str) -> Mapping[str, Any]:
    data = inline_data(url)
    if data is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": data[0], "data": data[1]}


def completion_from_message(value: Any, *, asked_model: str) -> Completion:
    """Read the body of an answer.

    Raises:
        Malformed: it is none, or reports an error. Truncated: it has no stop reason.
    """
    value = answer_object(value)
    content = value.get("content")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise Malformed(f"the answer has no list of content: {short(value)}")
    return whole(
        text="".join(text_of(block) for block in content),
        calls=[_call(block) for block in content if block.get("type") == "tool_use"],
        finish_reason=finish_reason_from(value.get("stop_reason")),
        model=str(value.get("model") or asked_model),
        usage=usage_from(value.get("usage")),
    )


def text_of(block: Mapping[str, Any]) -> str:
    """Return the text of a block, nothing where it is of another type.

    Raises:
        Malformed: its text is none.
    """
    if block.get("type") != "text":
        return ""
    if not isinstance(block.get("text"), str):
        raise Malformed(f"the answer holds a text that is none: {short(block)}")
    return str(block["text"])


def _call(block: Mapping[str, Any]) -> ToolCall:
    name = block.get("name")
    if not isinstance(name, str):
        raise Malformed(f"a tool call without a name: {short(block)}")
    return ToolCall(
        id=str(block.get("id") or ""), name=name, arguments=arguments_text(block.get("input"), name)
    )


def finish_reason_from(stop_reason: Any) -> str:
    """Return the finish reason in the words used everywhere.

    Raises:
        Truncated: there is none.
    """
    if not isinstance(stop_reason, str) or not stop_reason:
        raise Truncated("the answer has no stop_reason: it stopped before its end")
    return _FINISH_REASONS.get(stop_reason, stop_reason)


def usage_from(usage: Any) -> Usage:
    """Return the token counts. The API counts what it read from and wrote to its cache apart; all are input."""
    read = count(usage, "cache_read_input_tokens")
    fresh = count(usage, "input_tokens")
    written = count(usage, "cache_creation_input_tokens") or 0
    details = usage.get("output_tokens_details") if isinstance(usage, dict) else None
    return Usage(
        input_tokens=None if fresh is None else fresh + written + (read or 0),
        output_tokens=count(usage, "output_tokens"),
        cached_tokens=read,
        reasoning_tokens=count(details, "thinking_tokens"),
    )
