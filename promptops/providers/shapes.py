"""What several dialects share: the parts of a request in the chat shape, and what is common to their answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeGuard

from promptops.errors import Malformed, Refused
from promptops.messages import MOST_TOKENS, Completion, Message, Request, ToolCall, Usage
from promptops.providers.keys import one_line

_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)
SYSTEM = frozenset({"system", "developer"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """What a `response_format` asks for: JSON of any kind where `schema` is None."""

    name: str
    schema: Mapping[str, Any] | None
    strict: bool | None


def wanted_format(request: Request) -> Format | None:
    """Return what form the answer has to have; None is text of any form.

    Raises:
        Refused: the format is none that is known.
    """
    written = request.response_format or {"type": "text"}
    match written.get("type"):
        case "text":
            return None
        case "json_object":
            return Format(name="answer", schema=None, strict=None)
        case "json_schema" if isinstance(inner := written.get("json_schema"), Mapping):
            schema = inner.get("schema")
            if isinstance(schema, Mapping):
                return Format(name=inner.get("name") or "answer", schema=schema, strict=inner.get("strict"))
    raise Refused("response_format: expected type text, json_object or json_schema with json_schema.schema")


def system_text(messages: Iterable[Message]) -> str:
    """Return the system's and the developer's words, for an API that keeps them apart from the messages."""
    return "\n\n".join(plain_text(message) for message in messages if message.role in SYSTEM)


def turns(
    messages: Iterable[Message],
    *,
    answerer: str,
    held: str,
    parts_of: Callable[[Message], Iterable[Mapping[str, Any]]],
) -> Iterator[dict[str, Any]]:
    """Yield the turns for an API whose two sides alternate; `answerer` is what it calls the model's side.

    What one side says in several messages is one turn, results of calls above all; who says nothing has none.
    """
    spoken = (message for message in messages if message.role not in SYSTEM)
    for role, said in groupby(spoken, key=lambda one: answerer if one.role == "assistant" else "user"):
        if parts := [part for message in said for part in parts_of(message)]:
            yield {"role": role, held: parts}


def plain_text(message: Message) -> str:
    """Return the text of a message that may hold nothing else.

    Raises:
        Refused: it holds an image or another part that is no text.
    """
    if message.content is None or isinstance(message.content, str):
        return message.content or ""
    texts = [part.get("text") for part in message.content]
    if not all(isinstance(text, str) for text in texts):
        raise Refused(f"a {message.role} message may hold nothing but text here", only_this=True)
    return "".join(str(text) for text in texts)


def image_of(part: Mapping[str, Any]) -> str | None:
    """Return the address of an image part in the chat shape, None for any other part."""
    if part.get("type") != "image_url":
        return None
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, Mapping) else image
    if not isinstance(url, str):
        raise Refused("an image_url part without a url", only_this=True)
    return url


def inline_data(url: str) -> tuple[str, str] | None:
    """Return media type and base64 data of a data URI, None for any other address."""
    found = _DATA_URI.fullmatch(url)
    return (found[1], found[2]) if found else None


def arguments_object(call: ToolCall) -> Mapping[str, Any]:
    """Return the arguments of a recorded call, for an API that takes an object and not its text.

    Raises:
        Refused: they are no JSON object.
    """
    try:
        value = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise Refused(f"the call of {call.name} has arguments that are no JSON", only_this=True) from error
    if not isinstance(value, dict):
        raise Refused(f"the call of {call.name} has arguments that are no JSON object", only_this=True)
    return value


def arguments_text(arguments: Any, name: str) -> str:
    """Return arguments that came as an object as the text that everything after this reads.

    Raises:
        Malformed: they are no object.
    """
    if not isinstance(arguments, dict):
        raise Malformed(f"the call of {one_line(name, limit=60)} has arguments that are no object")
    return json.dumps(arguments, ensure_ascii=False)


def as_list(value: Any) -> list[Any]:
    """Return the list that a single value stands for: a stop sequence may be written without brackets."""
    return list(value) if isinstance(value, list | tuple) else [value]


def answer_object(body: Any) -> Mapping[str, Any]:
    """Return the object that the body of every API's answer has to be.

    Raises:
        Malformed: it is none, or reports an error.
    """
    if not isinstance(body, dict):
        raise Malformed(f"expected a JSON object, got {short(body)}")
    if body.get("error"):
        raise reported(body["error"])
    return body


def reported(error: Any) -> Malformed:
    """Return the error that an answer reports of itself; it need not give a reason."""
    return Malformed(f"the answer reports an error: {error_text(error or 'no reason given')}")


def whole(
    *, text: str, calls: Iterable[ToolCall], finish_reason: str, model: str, usage: Usage
) -> Completion:
    """Return a completion; text is None only beside tool calls."""
    made = tuple(calls)
    return Completion(
        text=text or (None if made else ""),
        finish_reason=finish_reason,
        model=model,
        tool_calls=made,
        usage=usage,
    )


def count(counts: Any, name: str) -> int | None:
    """Return a count of tokens; what is none is unknown."""
    value = counts.get(name) if isinstance(counts, dict) else None
    return value if is_count(value) else None


def is_count(value: Any) -> TypeGuard[int]:
    """Whether a value is a count of tokens: a whole number that is not beyond all measure."""
    return type(value) is int and 0 <= value <= MOST_TOKENS


def error_text(error: Any, *, secrets: Iterable[str] = ()) -> str:
    """Return the one line that says most of an API's `error` value."""
    if isinstance(error, dict) and isinstance(error.get("message"), str) and error["message"].strip():
        error = error["message"]
    return one_line(error if isinstance(error, str) else json.dumps(error, default=repr), secrets=secrets)


def short(value: Any) -> str:
    """Return the start of a foreign value, fit for an error message."""
    return one_line(json.dumps(value, default=repr), limit=200)
