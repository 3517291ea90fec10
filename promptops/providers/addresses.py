"""Addresses and headers as people write them, checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from promptops.errors import ConfigError
from promptops.providers.keys import one_line

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def check_base_url(base_url: str) -> str:
    """Return the URL without its last slash.

    Raises:
        ConfigError: it is not http(s), names no host, or holds a password.
    """
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(sign.isspace() or not sign.isprintable() for sign in base_url):
        raise ConfigError("base_url has to be http:// or https:// with a host")
    if parts.username or parts.password:
        raise ConfigError(
            f"base_url of {parts.hostname} holds a user or password; name a key variable instead"
        )
    return base_url.rstrip("/")


def join_url(base_url: str, path: str) -> str:
    """Put a path, and its query, before the query of the base, which some servers want (`?api-version=…`)."""
    parts = urlsplit(base_url)
    path, _, query = path.partition("?")
    joined = "&".join(part for part in (query, parts.query) if part)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path, query=joined))


def check_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers as they are.

    Raises:
        ConfigError: one cannot be sent; its value is not shown, for it may be a key.
    """
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ConfigError(f"'{one_line(name, limit=60)}' is no name for an HTTP header")
        if not (value.isascii() and value.isprintable()):
            raise ConfigError(f"the header {name} holds signs that no header can carry, such as a new line")
    return headers
