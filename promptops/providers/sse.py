"""Server-sent events, as far as chat streams use them: data and errors; comments and ids are passed over.

Lines are split at line feeds only. A line splitter that knows Unicode would cut the JSON of an answer that
holds U+2028.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from dataclasses import dataclass

from promptops.errors import Malformed


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event; `name` is `message` unless the server says otherwise."""

    name: str
    data: bytes


async def events(chunks: AsyncIterable[bytes], *, max_bytes: int) -> AsyncGenerator[Event, None]:
    """Yield each complete event; what the end cuts off is no event.

    Raises:
        Malformed: more than `max_bytes` have come, comments counted.
    """
    name, data = b"message", list[bytes]()
    async with aclosing(_lines(chunks, max_bytes=max_bytes)) as lines:
        async for line in lines:
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if not line:
                if data:
                    yield Event(name=name.decode("utf-8", "replace"), data=b"\n".join(data))
                name, data = b"message", []
            elif field == b"data":
                data.append(value)
            elif field == b"event":
                name = value


async def _lines(chunks: AsyncIterable[bytes], *, max_bytes: int) -> AsyncGenerator[bytes, None]:
    rest, seen = bytearray(), 0
    async for chunk in chunks:
        seen += len(chunk)
        if seen > max_bytes:
            raise Malformed(f"the stream is longer than {max_bytes} bytes")
        rest += chunk
        if b"\n" not in chunk:
            continue
        *whole, last = rest.split(b"\n")
        rest = last
        for line in whole:
            yield bytes(line.removesuffix(b"\r"))
