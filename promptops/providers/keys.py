"""Where a key is read: from the environment, by the variable's name, and nowhere else.

A key is only ever named in files. Nothing here prints a value, not even a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from promptops.errors import ConfigError

# What vendors' keys look like; servers like to quote them in their error texts.
_KEY_SHAPED = re.compile(r"\b(?:sk|pk|rk|gsk|xai|AIza)[-_]?[A-Za-z0-9*_-]{12,}")
_UNPRINTABLE = re.compile(r"(?:[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]|\s)+")
_HIDDEN = "[key]"
# Shorter ones are words; hiding them would garble the message and hide nothing.
SHORTEST_SECRET = 6


def read_key(name: str, environ: Mapping[str, str]) -> str:
    """Return the key that the variable `name` holds, without the spaces around it.

    Raises:
        ConfigError: the variable is missing, empty, or holds what no HTTP header can carry.
    """
    key = environ.get(name, "").strip()
    if not key:
        state = "is empty" if name in environ else "is not set"
        raise ConfigError(f"the environment variable {name} {state}; it has to hold the provider's key")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError(
            f"the environment variable {name} holds no key: there are spaces or other signs in it"
        )
    return key


def read_header(name: str, environ: Mapping[str, str]) -> str:
    """Return the value that the variable `name` holds for a header, which may be of several words: `Bearer …`.

    Raises:
        ConfigError: the variable is missing or empty; what cannot be sent is found where headers are checked.
    """
    value = environ.get(name, "").strip()
    if not value:
        state = "is empty" if name in environ else "is not set"
        raise ConfigError(f"the environment variable {name} {state}; it has to hold a header's value")
    return value


def one_line(text: str, *, secrets: Iterable[str] = (), limit: int = 300) -> str:
    """Return foreign text fit for an error message: one line, no control characters, no key, cut to `limit`.

    Keys go before the cut, so that none is left in part.
    """
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, _HIDDEN)
    text = _KEY_SHAPED.sub(_HIDDEN, text)
    text = _UNPRINTABLE.sub(" ", text).encode("utf-8", "replace").decode().strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"
