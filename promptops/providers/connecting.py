"""How a server is reached: its connections, the proxy in between, and whose certificates are trusted.

Sent by aiohttp, whose loop costs a third of httpx's; httpx reads addresses, proxies and certificates. No cookies
are kept, and nothing is taken from a .netrc file: only a provider's own headers say who asks.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from promptops.errors import ConfigError
from promptops.providers.descriptors import make_room
from promptops.providers.transport import aiohttp, httpx

# Seconds that an idle connection is kept: many servers close theirs after as many.
_IDLE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Connections to one server, by way of its proxy if there is one."""

    session: aiohttp.ClientSession
    proxy: str | None = None


@asynccontextmanager
async def open_client(
    base_url: str,
    *,
    at_once: int,
    connect: float | None = None,
    proxies: bool = True,
    ca_file: Path | None = None,
) -> AsyncIterator[Client]:
    """Open a client for `at_once` calls at a time to the server of `base_url`; `proxies` as variables say.

    `connect` is in seconds and covers the look-up of the name, the connection and TLS.
    `ca_file` holds certificates in PEM that are trusted besides the usual ones, which SSL_CERT_FILE replaces.

    Raises:
        ConfigError: a file of certificates, or a proxy that a variable names, cannot be used; or so many
            connections are not allowed.
    """
    proxy = _proxy(base_url) if proxies else None
    speaks_tls = any(url.startswith("https:") for url in (base_url.lower(), proxy or ""))
    make_room(at_once)
    connector = aiohttp.TCPConnector(
        limit=at_once, keepalive_timeout=_IDLE, ssl=_trusted(ca_file) if speaks_tls else True
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=connect),
        auto_decompress=False,  # promptops.providers.http unpacks, piece by piece
    ) as session:
        yield Client(session=session, proxy=proxy)


def _proxy(base_url: str) -> str | None:
    """Return the proxy that variables name for an address, None where it is asked directly.

    Raises:
        ConfigError: it is a SOCKS proxy, or none at all.
    """
    parts, named = urlsplit(base_url), getproxies()
    found = named.get(parts.scheme) or named.get("all")
    if not found or _is_asked_directly(parts.hostname or "", named.get("no", "")):
        return None
    kind, _, _ = found.rpartition("://")
    if kind.lower() not in ("", "http", "https"):
        raise ConfigError(f"a {kind} proxy is not supported: HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names one")
    try:
        url = httpx.URL(found if kind else f"http://{found}")
    except httpx.InvalidURL:
        url = httpx.URL()
    if not url.host:
        raise ConfigError("a proxy variable (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) holds no http:// address")
    return str(url)


def _is_asked_directly(host: str, excepted: str) -> bool:
    return "*" in (one.strip() for one in excepted.split(",")) or bool(proxy_bypass(host))


def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    """Return whose certificates are trusted; this reads a large file, so only who speaks TLS asks."""
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
