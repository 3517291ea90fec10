"""OpenAI's responses API, ordinary or streamed.

The whole conversation is sent with every call and nothing is kept there: `store` is false unless a prompt's
parameters say otherwise. `max_tokens`, `max_completion_tokens`, `reasoning_effort` and `tool_choice` may be written
as for chat completions; every other parameter is passed on as it is. Of an answer the text, the refusal and the
calls of our own tools count; reasoning and what the server's own tools did are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from promptops.errors import Malformed, Truncated
from promptops.messages import Completion, Message, Request, ToolCall, ToolSpec, Usage
from promptops.providers.dialect import event_value, stopped_early
from promptops.providers.shapes import answer_object, count, image_of, reported, short, wanted_format, whole
from promptops.providers.sse import Event

_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}
_BEGINS = frozenset(
    {"response.output_text.delta", "response.refusal.delta", "response.function_call_arguments.delta"}
)
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})


class Responses:
    """The dialect: `POST /responses`."""

    def path(self, request: Request, *, stream: bool) -> str:
        """Return the path; it is the same for a stream."""
        return "/responses"

    def headers(self, api_key: str | None) -> Mapping[str, str]:
        """Return the key's header."""
        return {"authorization": f"Bearer {api_key}"} if api_key else {}

    def body(self, request: Request, *, stream: bool) -> Mapping[str, Any]:
        """Return the request."""
        return responses_body(request, stream=stream)

    def completion(self, value: Any, *, asked_model: str) -> Completion:
        """Read a whole answer."""
        return completion_from_output(value, asked_model=asked_model)

    def counted(self, value: Any) -> Usage:
        """Return what the provider counted of a whole answer."""
        return usage_from(value.get("usage") if isinstance(value, dict) else None)

    def deltas(self, *, asked_model: str) -> Told:
        """Return what takes in a stream."""
        return Told(asked_model=asked_model)


def responses_body(request: Request, *, stream: bool) -> dict[str, Any]:
    """Return the body of a call.

    Raises:
        Refused: the API has no way to say what is asked.
    """
    body = {"store": False, **_parameters(request.parameters)}
    body |= {
        "model": request.model,
        "input": [item for message in request.messages for item in _items(message)],
        "stream": stream,
    }
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.response_format is not None:
        body["text"] = {**body.get("text", {}), "format": _format(request)}
    return body


def _parameters(written: Mapping[str, Any]) -> dict[str, Any]:
    body = {name: value for name, value in written.items() if name not in ("stream", "stream_options")}
    for name in ("max_tokens", "max_completion_tokens"):
        if name in body:
            body["max_output_tokens"] = body.pop(name)
    if "reasoning_effort" in body:
        body["reasoning"] = {"effort": body.pop("reasoning_effort"), **body.get("reasoning", {})}
    choice = body.get("tool_choice")
    if isinstance(choice, Mapping) and isinstance(choice.get("function"), Mapping):
        body["tool_choice"] = {"type": "function", "name": choice["function"].get("name")}
    return body


def _format(request: Request) -> dict[str, Any]:
    wanted = wanted_format(request)
    if wanted is None:
        return {"type": "text"}
    if wanted.schema is None:
        return {"type": "json_object"}
    strict = {} if wanted.strict is None else {"strict": wanted.strict}
    return {"type": "json_schema", "name": wanted.name, "schema": wanted.schema, **strict}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    """Return a tool; without `strict` this API would change its schema, which chat completions does not."""
    description = {"description": tool.description} if tool.description else {}
    parameters = tool.parameters or {"type": "object", "properties": {}}
    return {"type": "function", "name": tool.name, **description, "parameters": parameters, "strict": False}


def _items(message: Message) -> Iterator[dict[str, Any]]:
    content = _content(message)
    if message.role == "tool":
        yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": content or ""}
        return
    if content or not message.tool_calls:
        yield {"role": message.role, "content": content or ""}
    for call in message.tool_calls:
        yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


def _content(message: Message) -> str | list[Mapping[str, Any]] | None:
    if message.content is None or isinstance(message.content, str):
        return message.content
    return [_part(part, answered=message.role == "assistant") for part in message.content]


def _part(part: Mapping[str, Any], *, answered: bool) -> Mapping[str, Any]:
    if part.get("type") == "text":
        return {"type": "output_text" if answered else "input_text", "text": part.get("text")}
    url = image_of(part)
    return part if url is None else {"type": "input_image", "image_url": url}


def completion_from_output(value: Any, *, asked_model: str) -> Completion:
    """Read the body of an answer.

    Raises:
        Malformed: it is none, or reports an error. Truncated: it has not come to its end.
    """
    value = answer_object(value)
    if value.get("status") == "failed":
        raise reported(value.get("error"))
    output = value.get("output")
    if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
        raise Malformed(f"the answer has no list of output: {short(value)}")
    parts = [part for item in output if item.get("type") == "message" for part in _parts(item)]
    calls = [_call(item) for item in output if item.get("type") == "function_call"]
    finish_reason = _finish_reason(value, called=bool(calls))
    if refusal := _joined(parts, "refusal", "refusal"):
        calls, finish_reason = [], "refusal"
    return whole(
        text=refusal or _joined(parts, "output_text", "text"),
        calls=calls,
        finish_reason=finish_reason,
        model=str(value.get("model") or asked_model),
        usage=usage_from(value.get("usage")),
    )


def _parts(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = item.get("content")
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise Malformed(f"the answer has a message without content: {short(item)}")
    return content


def _joined(parts: list[Mapping[str, Any]], kind: str, name: str) -> str:
    texts = [part.get(name) for part in parts if part.get("type") == kind]
    if not all(isinstance(text, str) for text in texts):
        raise Malformed(f"the answer holds a {name} that is no text")
    return "".join(str(text) for text in texts)


def _call(item: Mapping[str, Any]) -> ToolCall:
    name, arguments = item.get("name"), item.get("arguments")
    if not isinstance(name, str) or not isinstance(arguments, str):
        raise Malformed(f"a tool call without a name or arguments: {short(item)}")
    return ToolCall(id=str(item.get("call_id") or item.get("id") or ""), name=name, arguments=arguments)


def _finish_reason(value: Mapping[str, Any], *, called: bool) -> str:
    """Return the finish reason in the words used everywhere; this API tells a state and what stopped it."""
    status = value.get("status")
    if status in ("completed", "complete"):
        return "tool_calls" if called else "stop"
    details = value.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    if status == "incomplete" and isinstance(reason, str) and reason:
        return _INCOMPLETE.get(reason, reason)
    raise Truncated(f"the answer stopped before its end: its status is {short(status)}")


def usage_from(usage: Any) -> Usage:
    """Return the token counts; what the server did not count stays unknown."""
    if not isinstance(usage, dict):
        return Usage()
    return Usage(
        input_tokens=count(usage, "input_tokens"),
        output_tokens=count(usage, "output_tokens"),
        cached_tokens=count(usage.get("input_tokens_details"), "cached_tokens"),
        reasoning_tokens=count(usage.get("output_tokens_details"), "reasoning_tokens"),
    )


@dataclass(slots=True, kw_only=True)
class Told:
    """What a stream has said so far: its last event repeats the whole answer, so nothing is put together here."""

    asked_model: str
    response: Any = None
    has_begun: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether the event that holds the whole answer has come."""
        return self.response is not None

    @property
    def counted(self) -> Usage:
        """What the provider counted; it does so with the last event."""
        return usage_from(self.response.get("usage") if isinstance(self.response, dict) else None)

    def add(self, event: Event) -> None:
        """Take one event; kinds that are new are passed over."""
        value = event_value(event)
        kind = str(value.get("type"))
        self.has_begun = self.has_begun or (kind in _BEGINS and bool(value.get("delta")))
        if kind in _ENDS:
            self.response = value.get("response") or {}

    def completion(self) -> Completion:
        """Return the whole answer.

        Raises:
            Truncated: the end has not come.
        """
        if self.response is None:
            raise stopped_early("response.completed")
        return completion_from_output(self.response, asked_model=self.asked_model)
