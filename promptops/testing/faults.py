"""What a server can do to a request: answers, refusals, silences and lies, for promptops.testing.faulty_server.

Every behaviour speaks the API that was asked (OpenAI's chat completions and responses, Anthropic's messages,
Gemini), and an ordinary answer or a stream as the request wants it; so one script serves every test. Seconds are
real ones.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Literal

from promptops.testing.faulty_server import Behaviour, Seen
from promptops.testing.shapes import Event, Good, Role, events, lacking, nothing, to_json, whole
from promptops.testing.wire import JSON, LAST_CHUNK, chunk, head, reason, reply_bytes, stream_head


def answer(
    text: str = "hello",
    *,
    finish_reason: str = "stop",
    model: str = "model-1",
    escaped: bool = True,
    after: float = 0.0,
    pause: float = 0.0,
) -> Behaviour:
    """A good answer, after so many seconds; in a stream with a pause before every event but the first.

    Unless it is `escaped`, the JSON holds every character as it is, NULs aside: lone surrogates, too.
    """
    good = Good(text=text, finish_reason=finish_reason, model=model)

    async def behave(seen: Seen) -> AsyncGenerator[bytes, None]:
        await asyncio.sleep(after)
        if not seen.streamed:
            yield reply_bytes(to_json(whole(seen.api, good), escaped=escaped))
            return
        yield stream_head(stays=True)
        for number, event in enumerate(events(seen.api, good)):
            await asyncio.sleep(pause if number else 0)
            yield chunk(event.encoded(escaped=escaped))
        yield LAST_CHUNK

    return behave


def reply(
    body: bytes | str | Mapping[str, Any],
    status: int = 200,
    *,
    content_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> Behaviour:
    """Any body at all, whole, with any status."""
    if isinstance(body, Mapping):
        body = to_json(body)
    data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    sent = reply_bytes(data, status, content_type=content_type, headers=headers)
    return raw(sent)


def status(
    code: int,
    message: str = "",
    *,
    kind: str = "error",
    retry_after: float | datetime | str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Behaviour:
    """A status with an error in the body, `kind` its type and code; `retry_after` in seconds or as a date."""
    said = message or reason(code).lower()
    body = {"type": "error", "error": {"message": said, "type": kind, "code": kind}}
    asked = {} if retry_after is None else {"Retry-After": _when(retry_after)}
    return reply(body, code, headers={**asked, **(headers or {})})


def _when(retry_after: float | datetime | str) -> str:
    if isinstance(retry_after, datetime):
        return format_datetime(retry_after.astimezone(UTC), usegmt=True)
    return retry_after if isinstance(retry_after, str) else f"{retry_after:g}"


def silence() -> Behaviour:
    """Takes the request and never says anything."""

    async def behave(seen: Seen) -> AsyncGenerator[bytes, None]:
        await asyncio.Event().wait()
        yield b""

    return behave


def hang_up() -> Behaviour:
    """Takes the request and closes the connection."""
    return raw()


def garbage() -> Behaviour:
    """Answers what is not HTTP."""
    return raw(b"\x00\x01 garbage\r\n\r\n")


def drip(text: str = "hello", *, every: float = 0.5) -> Behaviour:
    """A good answer, one byte at a time, so many seconds apart."""
    good = Good(text=text)

    async def behave(seen: Seen) -> AsyncGenerator[bytes, None]:
        body = _encoded(seen, good)
        yield stream_head() if seen.streamed else head(length=len(body))
        for number in range(len(body)):
            await asyncio.sleep(every)
            piece = body[number : number + 1]
            yield chunk(piece) if seen.streamed else piece

    return behave


def comments(*, every: float = 0.5, first: bool = False) -> Behaviour:
    """A stream of comments, such as keep a connection alive, for ever; an ordinary call gets it, too.

    With `first`, the answer begins before them.
    """

    async def behave(seen: Seen) -> AsyncGenerator[bytes, None]:
        yield stream_head()
        if first:
            yield chunk(_encoded_events(_begun(seen)))
        while True:
            yield chunk(b": keep-alive\n\n")
            await asyncio.sleep(every)

    return behave


def stall(*, first: bool = True) -> Behaviour:
    """Says half of a good answer and then nothing, for ever; without `first` nothing but the head."""

    async def behave(seen: Seen) -> AsyncGenerator[bytes, None]:
        body = to_json(whole(seen.api, Good()))
        yield stream_head() if seen.streamed else head(length=len(body))
        if first:
            yield chunk(_encoded_events(_begun(seen))) if seen.streamed else body[: len(body) // 2]
        await asyncio.Event().wait()

    return behave


def cut() -> Behaviour:
    """Closes the connection in the middle of a good answer."""

    async def behave(seen: Seen) -> AsyncGenerator[bytes, None]:
        body = _encoded(seen, Good())
        if seen.streamed:
            yield stream_head()
            yield chunk(body)[: len(body) // 2]
        else:
            yield head(length=len(body)) + body[: len(body) // 2]

    return behave


def cut_json() -> Behaviour:
    """A body, or an event of a stream, that ends well and holds half of its JSON."""

    async def behave(seen: Seen) -> AsyncGenerator[bytes, None]:
        if not seen.streamed:
            body = to_json(whole(seen.api, Good()))
            yield reply_bytes(body[: len(body) // 2])
            return
        first = _begun(seen)[0].encoded().rstrip(b"\n")
        yield stream_head(stays=True) + chunk(first[: len(first) // 2] + b"\n\n") + LAST_CHUNK

    return behave


def html() -> Behaviour:
    """A page with status 200, as proxies have it."""
    return reply("<html><body><h1>Bad gateway</h1></body></html>", content_type="text/html")


def error_inside(message: str = "something broke", *, kind: str = "invalid_request_error") -> Behaviour:
    """An error with status 200; in a stream after the answer began."""
    error = {"type": "error", "error": {"type": kind, "code": kind, "message": message}}

    async def behave(seen: Seen) -> AsyncGenerator[bytes, None]:
        if not seen.streamed:
            yield reply_bytes(to_json(error))
            return
        told = Event(role=Role.TEXT, name="error", data=error)
        yield stream_head(stays=True) + chunk(_encoded_events([*_begun(seen), told])) + LAST_CHUNK

    return behave


def nothing_inside() -> Behaviour:
    """`choices: []`, or what that is in the API that was asked; a whole body even where a stream was wanted."""

    async def behave(seen: Seen) -> AsyncGenerator[bytes, None]:
        yield reply_bytes(to_json(nothing(seen.api)))

    return behave


def unfinished(
    *, lacks: Literal["end", "finish", "everything"] = "end", close: Literal["clean", "cut"] = "clean"
) -> Behaviour:
    """A stream that stops before its end: without its last event (`[DONE]`), its finish reason, or all but its head.

    The body ends as HTTP has it, or the connection is cut. An ordinary answer lacks its finish reason.
    """

    async def behave(seen: Seen) -> AsyncGenerator[bytes, None]:
        if not seen.streamed:
            yield reply_bytes(to_json(whole(seen.api, Good(finish_reason=None))))
            return
        told = events(seen.api, Good())
        left = [] if lacks == "everything" else lacking(told, Role(lacks))
        yield stream_head(stays=close == "clean") + b"".join(chunk(event.encoded()) for event in left)
        if close == "clean":
            yield LAST_CHUNK

    return behave


def flood(*, piece: int = 2**16) -> Behaviour:
    """An answer without an end, as fast as it is read; in a stream, one long text after the other."""

    async def behave(seen: Seen) -> AsyncGenerator[bytes, None]:
        if not seen.streamed:
            yield head(headers={"transfer-encoding": "chunked"}) + chunk(b'{"text": "')
            while True:
                yield chunk(b"x" * piece)
        yield stream_head()
        text = next(event for event in events(seen.api, Good(text="x" * piece)) if event.role == Role.TEXT)
        while True:
            yield chunk(text.encoded())

    return behave


def packed(data: bytes, *, content_type: str = JSON) -> Behaviour:
    """A body that says that it is packed with gzip; `data` is sent as it is."""
    return reply(data, content_type=content_type, headers={"Content-Encoding": "gzip"})


def bomb(size: int = 10**9) -> Behaviour:
    """A body of a few bytes that unpacks to `size` spaces."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    block = b" " * 2**20
    pieces = [packer.compress(block) for _ in range(size // len(block))]
    return packed(b"".join([*pieces, packer.flush()]))


def raw(*pieces: bytes) -> Behaviour:
    """These bytes as they are, and then the end of the connection, unless a head among them says otherwise."""

    async def behave(seen: Seen) -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            yield piece

    return behave


def _encoded(seen: Seen, good: Good) -> bytes:
    if seen.streamed:
        return _encoded_events(events(seen.api, good))
    return to_json(whole(seen.api, good))


def _encoded_events(told: Iterable[Event]) -> bytes:
    return b"".join(event.encoded() for event in told)


def _begun(seen: Seen) -> list[Event]:
    """Return the events up to the first piece of text."""
    told = events(seen.api, Good())
    first = next(number for number, event in enumerate(told) if event.role == Role.TEXT)
    return list(told[: first + 1])
