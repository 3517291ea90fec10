"""A server on loopback that misbehaves as told: raw bytes, to lie about lengths and cut bodies."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

Behaviour = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Faulty:
    """What the server saw, and what it does for each request in turn (the last behaviour stays)."""

    behaviours: list[Behaviour]
    port: int = 0
    bodies: list[Any] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
        length = next(
            (
                int(line.split(":")[1])
                for line in head.split("\r\n")
                if line.lower().startswith("content-length")
            ),
            0,
        )
        self.heads.append(head)
        self.bodies.append(json.loads(await reader.readexactly(length) or "null"))
        behaviour = self.behaviours[min(len(self.heads), len(self.behaviours)) - 1]
        if not isinstance(behaviour, bytes):
            await behaviour(writer)
            return False
        writer.write(behaviour)
        await writer.drain()
        return b"Content-Length" in behaviour or b"\r\n0\r\n\r\n" in behaviour


@asynccontextmanager
async def _serve(*behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Faulty]:
    faulty = Faulty(list(behaviours))
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        handlers.add(task)
        try:
            await faulty.handle(reader, writer)
        except asyncio.CancelledError:
            pass  # the server is closing; on Python 3.11 asyncio would log it as an error
        finally:
            handlers.discard(task)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    faulty.port = server.sockets[0].getsockname()[1]
    try:
        yield faulty
    finally:
        server.close()
        for task in tuple(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await server.wait_closed()


@pytest.fixture
def serve() -> Callable[..., Any]:
    return _serve


def _http(
    body: bytes | dict[str, Any], status: str = "200 OK", *, kind: str = "application/json", more: str = ""
) -> bytes:
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n{more}\r\n"
    return head.encode() + data


@pytest.fixture
def reply() -> Callable[..., bytes]:
    return _http


def _chat(text: str | None = "hello", *, finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    return {
        "model": "tiny-2026-01-01",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": text, **message},
            }
        ],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 4,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    }


@pytest.fixture
def chat() -> Callable[..., dict[str, Any]]:
    return _chat


def _sse(*parts: object, end: bool = True) -> bytes:
    """A chunked event stream; `end` False closes the connection without the last chunk."""
    out = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    for part in parts:
        text = part if isinstance(part, str) else f"data: {json.dumps(part)}\n\n"
        data = text.encode()
        out += b"%x\r\n%s\r\n" % (len(data), data)
    return out + (b"0\r\n\r\n" if end else b"")


@pytest.fixture
def sse() -> Callable[..., bytes]:
    return _sse
