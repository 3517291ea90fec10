"""One POST over HTTP, its answer read with limits, and what each way of failing means.

No call here has a deadline of its own: library timeouts are per read and let a dripping server run for
ever, so the caller brings one total deadline and cancels. Nothing is retried here, no redirect is followed (a
key must not travel to another host), and no message holds a key.
"""

from __future__ import annotations

import asyncio
import errno
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from typing import Any

from promptops.errors import (
    Malformed,
    ProviderError,
    Refused,
    TimedOut,
    Truncated,
    Unreachable,
)
from promptops.providers.connecting import Client
from promptops.providers.keys import one_line
from promptops.providers.statuses import place, status_error
from promptops.providers.transport import aiohttp, httpx

MAX_BODY = 32 * 2**20
_MAX_ERROR_BODY = 64 * 2**10
_PACKED_PIECE = 16 * 2**10
# Seconds; a server may keep a stream open for ever after its last event.
_LAST_WORDS = 0.05

Response = aiohttp.ClientResponse
Url = str

# What every request says of what can be unpacked, and of who sends it.
HEADERS = {"accept-encoding": "gzip, deflate", "user-agent": "promptops"}


def target(url: str) -> Url:
    """Return an address that can be asked, read once for many calls.

    Raises:
        Refused: its host has no form that could be looked up.
    """
    try:
        return str(httpx.URL(url))
    except httpx.InvalidURL as error:
        raise Refused(f"{place(url)} is no usable address") from error


@asynccontextmanager
async def post(
    client: Client,
    url: Url,
    body: bytes,
    *,
    headers: Mapping[str, str],
    secrets: Iterable[str] = (),
    now: Callable[[], float] = time.time,
) -> AsyncIterator[Response]:
    """Send one POST and give its answer, with status 200, while the body is still to be read.

    Raises:
        ProviderError: the status is no success, or there is no answer; failures to read the body also.
    """
    answered = False
    try:
        async with client.session.post(
            url, data=body, headers=headers, proxy=client.proxy, allow_redirects=False
        ) as response:
            answered = True
            if response.status != 200:
                text = await _error_body(response)
                raise status_error(
                    response.status, response.headers, text, url=url, secrets=secrets, now=now()
                )
            yield response
    except (aiohttp.ClientError, httpx.HTTPError) as error:
        raise network_error(error, url=url, secrets=secrets, answered=answered) from error


def chunks_of(response: Response) -> AbstractAsyncContextManager[AsyncGenerator[bytes, None]]:
    """Give the unpacked body piece by piece; leaving closes the generator at once."""
    packed = ",".join(response.headers.getall("content-encoding", ()))
    # What is packed twice is nobody's answer: a small piece of it could fill the memory, so it stays as it is.
    plain = not packed or "," in packed
    return aclosing(_pieces(response) if plain else _unpacked(response, packed))


async def _pieces(response: Response) -> AsyncGenerator[bytes, None]:
    while piece := await response.content.readany():
        yield piece


async def _unpacked(response: Response, packed: str) -> AsyncGenerator[bytes, None]:
    """Unpack small pieces one by one: a bomb is seen when the first of them has gone off."""
    raw = response.content.iter_chunked(_PACKED_PIECE)
    async for piece in httpx.Response(200, headers={"content-encoding": packed}, content=raw).aiter_bytes():
        yield piece


async def _error_body(response: Response) -> str:
    """Read the start of an error's body; one that breaks off still has a status to be judged by."""
    body = bytearray()
    try:
        async with chunks_of(response) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) >= _MAX_ERROR_BODY:
                    break
    except (httpx.HTTPError, aiohttp.ClientError):
        pass
    return body[:_MAX_ERROR_BODY].decode("utf-8", "replace")


async def read_body(response: Response, *, max_bytes: int = MAX_BODY) -> bytes:
    """Read a whole body, unpacked.

    Raises:
        Malformed: it is longer than `max_bytes`, was cut, or cannot be unpacked.
    """
    body = bytearray()
    try:
        async with chunks_of(response) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > max_bytes:
                    raise Malformed(f"the answer is longer than {max_bytes} bytes")
    except (httpx.HTTPError, aiohttp.ClientError) as error:
        where = place(str(response.url))
        raise Malformed(f"the body of {where}'s answer was cut or cannot be unpacked") from error
    return bytes(body)


async def read_last_words(chunks: AsyncIterator[bytes]) -> None:
    """Read what follows a stream's own end, usually here already; else the connection is lost."""
    with suppress(TimeoutError, httpx.HTTPError, aiohttp.ClientError):
        async with asyncio.timeout(_LAST_WORDS):
            async for _ in chunks:
                pass


def without_secrets(body: bytes, secrets: Iterable[str]) -> bytes:
    """Return the body without the keys in it."""
    for secret in secrets:
        body = body.replace(secret.encode(), b"[key]")
    return body


def parse_json(body: bytes, *, content_type: str = "", secrets: Iterable[str] = ()) -> Any:
    """Return the value of a JSON body, without the keys in it: one that is quoted is not to reach a journal.

    Raises:
        Malformed: it is HTML, cut, or anything else than JSON.
    """
    body = without_secrets(body, secrets)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        start = one_line(body[:400].decode("utf-8", "replace"), limit=120)
        kind = f" ({one_line(content_type, limit=60)})" if content_type else ""
        raise Malformed(f"the answer is not JSON{kind}: {start or 'an empty body'}") from error


def network_error(
    error: Exception, *, url: str, secrets: Iterable[str] = (), answered: bool
) -> ProviderError:
    """Return what an exception of the transport means."""
    where, said = place(url), one_line(str(error), secrets=secrets, limit=160)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "") or type(error.certificate_error).__name__
        return Refused(
            f"the certificate of {where} is not trusted: {why}; name its authority's file as ca_file",
            cause="certificate",
        )
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return Refused(f"{where} is no usable address")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _proxy_error(error.status, where)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return TimedOut(f"no connection to {where} in time", cause="connect")
    if isinstance(error, aiohttp.ClientConnectorError):
        return _connector_error(error, where)
    if answered:
        return Truncated(f"the answer of {where} broke off: {said}")
    if isinstance(error, aiohttp.ClientResponseError):
        return Malformed(f"{where} does not speak HTTP: {said}")
    return Unreachable(f"{where} closed the connection without an answer: {said}")


def _connector_error(cause: aiohttp.ClientConnectorError, where: str) -> ProviderError:
    """Tell apart why there is no connection; a full table of descriptors or a missing route is `lost`."""
    said = one_line(cause.strerror or str(cause.os_error), limit=160)
    if isinstance(cause, aiohttp.ClientConnectorDNSError):
        return Unreachable(f"no such host: {where}", cause="dns")
    if isinstance(cause, aiohttp.ClientConnectorSSLError):
        return Unreachable(f"no TLS with {where}: {said}")
    if isinstance(cause, aiohttp.ClientProxyConnectionError):
        where = f"the proxy for {where}"
    if cause.errno == errno.ETIMEDOUT:
        return TimedOut(f"no connection to {where} in time", cause="connect")
    refused = cause.errno == errno.ECONNREFUSED
    return Unreachable(f"cannot connect to {where}: {said}", cause="refused" if refused else "lost")


def _proxy_error(status: int, where: str) -> ProviderError:
    message = f"the proxy would not connect to {where}: it answered {status}"
    if 400 <= status < 500:
        return Refused(f"{message}; see HTTPS_PROXY and NO_PROXY")
    return Unreachable(message)
