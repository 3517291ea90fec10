"""Responses as they go over the wire: what a behaviour of promptops.testing.faulty_server yields."""

from __future__ import annotations

from collections.abc import Mapping

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    529: "Overloaded",
}
JSON, _STREAM = "application/json", "text/event-stream"
LAST_CHUNK = b"0\r\n\r\n"


def reason(code: int) -> str:
    """Return the words beside a status."""
    return _REASONS.get(code, "Odd")


def head(
    code: int = 200,
    *,
    length: int | None = None,
    content_type: str = JSON,
    headers: Mapping[str, str] | None = None,
    stays: bool = False,
) -> bytes:
    """Return a response's head; `stays` keeps the connection open after it."""
    lines = [f"HTTP/1.1 {code} {reason(code)}", f"content-type: {content_type}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines += [] if length is None else [f"content-length: {length}"]
    lines += ["connection: keep-alive"] if stays else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def stream_head(*, stays: bool = False) -> bytes:
    """Return the head of a stream in chunks; `stays` where they come to their end."""
    return head(content_type=_STREAM, headers={"transfer-encoding": "chunked"}, stays=stays)


def chunk(data: bytes) -> bytes:
    """Return one chunk of a body in chunks."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def reply_bytes(
    body: bytes,
    code: int = 200,
    *,
    content_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a whole response, after which the connection stays open."""
    return head(code, length=len(body), content_type=content_type, headers=headers, stays=True) + body
