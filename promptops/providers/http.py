"""The one place that speaks HTTP: httpx over aiohttp's transport, and what each way of failing means.

No call here has a deadline of its own: library timeouts are per read and let a dripping server run for
ever, so the caller brings one total deadline and cancels. Nothing is retried here, no redirect is followed (a
key must not travel to another host), and no message holds a key.
"""

from __future__ import annotations

import asyncio
import errno
import json
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import aiohttp
import httpx
from httpx_aiohttp import HttpxAiohttpClient

from promptops.errors import (
    ConfigError,
    Malformed,
    ProviderError,
    Refused,
    TimedOut,
    Truncated,
    Unreachable,
)
from promptops.providers.keys import one_line
from promptops.providers.statuses import place, status_error

MAX_BODY = 32 * 2**20
_MAX_ERROR_BODY = 64 * 2**10
# Seconds; a server may keep a stream open for ever after its last event.
_LAST_WORDS = 0.05


class _NoCookies(httpx.Cookies):
    """Takes none: what one call brings must not travel with another, and looking for them costs a tenth of a call."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass


class _Client(HttpxAiohttpClient):
    """Over aiohttp, without cookies."""

    @property  # type: ignore[misc]
    def cookies(self) -> httpx.Cookies:
        return _NoCookies()


Client = httpx.AsyncClient
Response = httpx.Response
Url = httpx.URL


def open_client(
    *, at_once: int, connect: float | None = None, proxies: bool = True, ca_file: Path | None = None
) -> Client:
    """Return a client for `at_once` calls at a time, closed by its caller; `proxies` as variables say.

    `connect` is in seconds and covers the look-up of the name, the connection and TLS.
    `ca_file` holds certificates in PEM that are trusted besides the usual ones, which SSL_CERT_FILE replaces.

    Raises:
        ConfigError: a file of certificates, or a proxy that a variable names, cannot be used.
    """
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    # On this transport `pool` is the whole way to a connection, and `connect` a part of it.
    timeout, trusted = httpx.Timeout(None, pool=connect), _trusted(ca_file)
    try:
        return _Client(
            limits=limits, timeout=timeout, follow_redirects=False, trust_env=proxies, verify=trusted
        )
    except (ValueError, httpx.InvalidURL) as error:
        raise ConfigError(
            "a proxy variable (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) holds no http:// address"
        ) from error


def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    """Return whose certificates are trusted."""
    try:
        context = httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"SSL_CERT_FILE or SSL_CERT_DIR names no certificates: {error.strerror}") from error
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(cafile=str(ca_file))
    except ssl.SSLError as error:
        raise ConfigError(f"ca_file {ca_file} holds no certificate in PEM") from error
    except OSError as error:
        raise ConfigError(f"ca_file {ca_file} cannot be read: {error.strerror}") from error
    return context


def target(url: str) -> Url:
    """Return an address that can be asked, read once for many calls.

    Raises:
        Refused: its host has no form that could be looked up.
    """
    try:
        return httpx.URL(url)
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
    # Not `client.build_request`: it reads the address anew for every call.
    request = httpx.Request(
        "POST",
        url,
        content=body,
        headers={**client.headers, **headers},
        extensions={"timeout": client.timeout.as_dict()},
    )
    response: Response | None = None
    try:
        response = await client.send(request, stream=True)
        if response.status_code != 200:
            text = await _error_body(response)
            raise status_error(
                response.status_code, response.headers, text, url=str(url), secrets=secrets, now=now()
            )
        yield response
    except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError) as error:
        raise network_error(error, url=str(url), secrets=secrets, answered=response is not None) from error
    finally:
        if response is not None:
            await response.aclose()


def chunks_of(response: Response) -> AbstractAsyncContextManager[AsyncGenerator[bytes, None]]:
    """Give the unpacked body piece by piece; leaving closes the generator at once."""
    return aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_bytes()))


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
        where = place(str(response.request.url))
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
    """Return what an exception of the transport means.

    On this transport a refused connection, a missing host, a bad certificate and a disconnect all arrive as
    `ConnectTimeout`; only the cause tells them apart.
    """
    cause = error.__cause__ if isinstance(error, httpx.HTTPError) and error.__cause__ else error
    where, said = place(url), one_line(str(cause), secrets=secrets, limit=160)
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        why = getattr(cause.certificate_error, "verify_message", "") or type(cause.certificate_error).__name__
        return Refused(
            f"the certificate of {where} is not trusted: {why}; name its authority's file as ca_file",
            cause="certificate",
        )
    if isinstance(cause, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError | httpx.InvalidURL):
        return Refused(f"{where} is no usable address")
    if isinstance(cause, aiohttp.ClientHttpProxyError):
        return _proxy_error(cause.status, where)
    if isinstance(cause, aiohttp.ConnectionTimeoutError):
        return TimedOut(f"no connection to {where} in time", cause="connect")
    if isinstance(cause, aiohttp.ClientConnectorError):
        return _connector_error(cause, where)
    if answered:
        return Truncated(f"the answer of {where} broke off: {said}")
    if isinstance(cause, aiohttp.ClientResponseError):
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
