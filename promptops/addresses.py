"""Addresses and headers as people write them: what cannot be sent, said without showing what may be a key."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from promptops.keys import hide_keys, literal_keys

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VERSION = re.compile(r"/v\d[^/]*(?:/|$)")


def url_problem(url: str) -> str | None:
    """Say why this is no address of a server, None where it is one: http(s), a host, nobody's password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(sign.isspace() or not sign.isprintable() for sign in url):
        return "expected http:// or https:// with a host"
    if parts.username or parts.password:
        return f"the address of {parts.hostname} holds a user or password; name a key variable instead"
    if literal_keys(url):
        return f"the address of {parts.hostname} holds a key; name the variable that holds it instead"
    return None


def header_problem(name: str, value: str) -> str | None:
    """Say why a header cannot be sent, None where it can; its value is not shown."""
    if not _HEADER_NAME.fullmatch(name):
        return f"{hide_keys(ascii(name[:60]))} is no name for an HTTP header"
    if not (value.isascii() and value.isprintable()):
        return f"the header {name} holds signs that no header can carry, such as a new line"
    return None


def join_url(base_url: str, path: str) -> str:
    """Put a path, and its query, before the query of the base, which some servers want (`?api-version=…`)."""
    parts = urlsplit(base_url)
    path, _, query = path.partition("?")
    joined = "&".join(part for part in (query, parts.query) if part)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path, query=joined))


def with_version(base_url: str, version: str) -> str:
    """Return the base URL with the API's version behind it, where its path holds none yet."""
    return base_url if _VERSION.search(urlsplit(base_url).path) else join_url(base_url, f"/{version}")
