"""A real HTTP server on loopback that misbehaves as told, for tests of whatever asks models.

    from promptops.testing.faults import answer, status
    from promptops.testing.faulty_server import serve

    with serve(status(429, retry_after=1), answer("hello")) as server:
        ...                                # ask server.url, of which the first request gets 429
    assert server.count == 2

It listens on 127.0.0.1 only, in a thread with an event loop of its own; so what is tested may be synchronous,
asynchronous or another program. Nothing here checks keys or keeps a conversation, and it is no server to be
left alone with a network. Standard library only.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from promptops.testing.shapes import Api, api_of

_LONGEST_HEAD = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it came; names of `headers` are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The value of the body.

        Raises:
            ValueError: it is no JSON.
        """
        return json.loads(self.body or b"null")

    @property
    def api(self) -> Api:
        """Which API was asked, by the path."""
        return api_of(self.path)

    @property
    def streamed(self) -> bool:
        """Whether a stream is asked for, in the body or by the path."""
        if ":streamGenerateContent" in self.path:
            return True
        with suppress(ValueError):
            value = self.json
            return isinstance(value, dict) and value.get("stream") is True
        return False


Behaviour = Callable[[Seen], AsyncGenerator[bytes, None]]
"""What one request gets: bytes, in pieces, whenever they come. What it yields first is the status line.

After the last piece the connection is closed, unless the head said `connection: keep-alive`. A behaviour of one's
own is an async generator of the bytes that go over the wire; see promptops.testing.faults for those that are here.
"""


class FaultyServer:
    """What the server saw. `most_at_once` is how many requests were under way together."""

    def __init__(self, behaviours: tuple[Behaviour, ...]) -> None:
        self._behaviours = behaviours
        self.port = 0
        self.scheme = "http"
        self.requests: list[Seen] = []
        self.connections = 0
        self.most_at_once = 0
        self._now = 0
        self._handlers: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The base URL of its API."""
        return f"{self.scheme}://127.0.0.1:{self.port}/v1"

    @property
    def count(self) -> int:
        """How many requests came."""
        return len(self.requests)

    async def run(self, ready: Future[Callable[[], None]], *, tls: ssl.SSLContext | None) -> None:
        """Serve until what `ready` was given is called, from any thread."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            listening = await asyncio.start_server(
                self._connected, "127.0.0.1", 0, ssl=tls, limit=_LONGEST_HEAD, backlog=1024
            )
        except OSError as error:
            ready.set_exception(error)
            return
        self.port, self.scheme = listening.sockets[0].getsockname()[1], "https" if tls else "http"

        def end() -> None:
            loop.call_soon_threadsafe(stop.set)

        ready.set_result(end)
        await stop.wait()
        listening.close()
        for task in tuple(self._handlers):
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        await listening.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the client left, or the server is closing
        finally:
            self._handlers.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection stays open."""
        seen = await _read(reader)
        self.requests.append(seen)
        behave = self._behaviours[min(self.count, len(self._behaviours)) - 1]
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            return await _send(behave(seen), writer)
        finally:
            self._now -= 1


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(path=first.split(" ")[1], headers=headers, body=body)


async def _send(pieces: AsyncGenerator[bytes, None], writer: asyncio.StreamWriter) -> bool:
    stays: bool | None = None
    async with aclosing(pieces):
        async for piece in pieces:
            if stays is None:
                stays = b"\r\nconnection: keep-alive\r\n" in piece.partition(b"\r\n\r\n")[0] + b"\r\n"
            writer.write(piece)
            await writer.drain()
    return bool(stays)


@contextmanager
def serve(*behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[FaultyServer]:
    """Start a server on a free port and stop it at the end.

    Each request gets the next behaviour, the last one stays. With `tls` it speaks HTTPS with that certificate.

    Raises:
        ValueError: no behaviour is given.
        OSError: no socket can be had.
    """
    if not behaviours:
        raise ValueError("serve() takes at least one behaviour, such as promptops.testing.faults.answer()")
    server = FaultyServer(behaviours)
    ready: Future[Callable[[], None]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(server.run(ready, tls=tls)), name="faulty server")
    thread.start()
    try:
        stop = ready.result()
    except BaseException:
        thread.join()
        raise
    try:
        yield server
    finally:
        stop()
        thread.join()
