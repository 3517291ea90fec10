"""Messages in the OpenAI chat shape: written for a request, read from an answer.

What is missing in an answer is never invented: no choices, no message or no finish reason is an error, not an
empty answer. A good but empty text is an answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from promptops.errors import Malformed, Refused, Truncated
from promptops.messages import Completion, Message, Request, ToolCall, ToolSpec, Usage
from promptops.providers.shapes import answer_object, count, reported, short

# Older and other servers' words for what the rest of the house knows under one name.
_FINISH_REASONS = {"function_call": "tool_calls", "model_length": "length"}


def chat_body(request: Request) -> dict[str, Any]:
    """Return the body of a chat completions call; parameters are passed on as they are."""
    body: dict[str, Any] = {
        **request.parameters,
        "model": request.model,
        "messages": [message_to_chat(message) for message in request.messages],
    }
    if request.tools:
        body["tools"] = [tool_to_chat(tool) for tool in request.tools]
    if request.response_format is not None:
        body["response_format"] = request.response_format
    return body


def message_to_chat(message: Message) -> dict[str, Any]:
    """Return a message as the API takes it; what is not set is left out, except the content."""
    chat: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name is not None:
        chat["name"] = message.name
    if message.tool_calls:
        chat["tool_calls"] = [_tool_call_to_chat(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        chat["tool_call_id"] = message.tool_call_id
    return chat


def _tool_call_to_chat(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def tool_to_chat(tool: ToolSpec) -> dict[str, Any]:
    """Return a tool as a model is told of it; risk, approval and result stay with us."""
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters:
        function["parameters"] = tool.parameters
    return {"type": "function", "function": function}


def to_json(value: Any) -> bytes:
    """Return JSON of plain ASCII, so that lone surrogates and NULs arrive as they were written.

    Raises:
        Refused: the request holds something that has no JSON form, such as NaN.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"), default=_plain).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused(f"the request cannot be written as JSON: {error}", only_this=True) from error


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def completion_from_response(body: Any, *, asked_model: str) -> Completion:
    """Read the body of an answered chat completion; of several choices the first is the answer.

    Raises:
        Malformed: the body is no chat completion, or reports an error.
        Truncated: the answer has no finish reason.
    """
    body = answer_object(body)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Malformed(f"the answer has no choices: {short(body)}")
    choice = choices[0]
    if choice.get("error") or choice.get("finish_reason") == "error":
        raise reported(choice.get("error"))
    return completion_from_message(
        choice.get("message"),
        finish_reason=choice.get("finish_reason"),
        model=body.get("model") or asked_model,
        usage=usage_from(body.get("usage")),
    )


def completion_from_message(message: Any, *, finish_reason: Any, model: Any, usage: Usage) -> Completion:
    """Read one assistant message.

    Raises:
        Malformed: it is no message. Truncated: there is no finish reason.
    """
    if not isinstance(message, dict):
        raise Malformed(f"the answer has no message: {short(message)}")
    if not isinstance(finish_reason, str) or not finish_reason:
        raise Truncated("the answer has no finish_reason: it stopped before its end")
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return Completion(text=refusal, finish_reason="refusal", model=str(model), usage=usage)
    calls = tool_calls_from(message)
    text = text_from(message.get("content"))
    return Completion(
        text=text if text is not None or calls else "",
        finish_reason=_FINISH_REASONS.get(finish_reason, finish_reason),
        model=str(model),
        tool_calls=calls,
        usage=usage,
    )


def text_from(content: Any) -> str | None:
    """Return the text of a content: text, a list of parts of which only text is an answer, or null.

    Raises:
        Malformed: the content is something else.
    """
    if content is None or isinstance(content, str):
        return content
    if isinstance(content, Sequence) and all(isinstance(part, Mapping) for part in content):
        return "".join(part["text"] for part in content if isinstance(part.get("text"), str))
    raise Malformed(f"the answer's content is neither text nor parts: {short(content)}")


def tool_calls_from(message: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    """Return the tool calls of a message, the older single `function_call` among them.

    Raises:
        Malformed: a call has no function name.
    """
    calls = message.get("tool_calls") or ()
    if not isinstance(calls, Iterable) or isinstance(calls, str | Mapping):
        raise Malformed(f"tool_calls is no list: {short(calls)}")
    if not calls and message.get("function_call"):
        calls = ({"function": message["function_call"]},)
    return tuple(_tool_call_from(call) for call in calls)


def _tool_call_from(call: Any) -> ToolCall:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise Malformed(f"a tool call without a function name: {short(call)}")
    arguments = function.get("arguments")
    # Some servers send an object instead of its text; the text is what everything after this reads.
    written = arguments if isinstance(arguments, str) else "" if arguments is None else json.dumps(arguments)
    return ToolCall(id=str(call.get("id") or ""), name=function["name"], arguments=written)


def usage_from(usage: Any) -> Usage:
    """Return the token counts; what the server did not count stays unknown."""
    if not isinstance(usage, dict):
        return Usage()
    return Usage(
        input_tokens=count(usage, "prompt_tokens"),
        output_tokens=count(usage, "completion_tokens"),
        cached_tokens=count(usage.get("prompt_tokens_details"), "cached_tokens"),
        reasoning_tokens=count(usage.get("completion_tokens_details"), "reasoning_tokens"),
    )
