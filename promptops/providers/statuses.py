"""What a status other than 200 means: try again, never again, or not this one request."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from promptops.errors import Malformed, Overloaded, ProviderError, Refused
from promptops.providers.shapes import error_text

_TRY_AGAIN = frozenset({408, 409, 425, 429})
_ONLY_THIS_REQUEST = frozenset({400, 413, 422})
# What 400 says although every other call would get the same answer: a bad key at Gemini, no money at Anthropic.
_CONCERNS_ALL = ("API key not valid", "API key expired", "credit balance is too low", "API usage limits")
# Sent as 429, but no waiting helps: somebody has to pay.
_OUT_OF_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"})


def place(url: str) -> str:
    """Return what may be shown of a URL: no user, no query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def status_error(
    status: int, headers: Mapping[str, str], body: str, *, url: str, secrets: Iterable[str], now: float
) -> ProviderError:
    """Return what a status other than 200 means: try again, or never."""
    error = _error_of(body)
    said = error_text(error, secrets=secrets) if error else ""
    message = f"{place(url)} answered {status}" + (f": {said}" if said else "")
    if 300 <= status < 400:
        return Refused(f"{message}: a redirect; set base_url to where it leads")
    if (
        status == 429
        and isinstance(error, dict)
        and _OUT_OF_MONEY & {str(error.get("code")), str(error.get("type"))}
    ):
        return Refused(message)
    if status >= 500 or status in _TRY_AGAIN:
        asked = retry_after(headers, now=now)
        return Overloaded(message, retry_after=_retry_delay(error) if asked is None else asked, status=status)
    if status < 300:
        return Malformed(message)
    only_this = status in _ONLY_THIS_REQUEST and not any(words in said for words in _CONCERNS_ALL)
    return Refused(message, only_this=only_this)


def _error_of(body: str) -> Any:
    """Return the `error` of a JSON body, which Gemini may put into a list; the body itself where there is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if isinstance(value, list) and value:
        value = value[0]
    return value.get("error", value) if isinstance(value, dict) else body


def _retry_delay(error: Any) -> float | None:
    """Return the seconds that Google's APIs ask to wait, which they say in the body and not in a header."""
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str) and delay.endswith("s"):
            return _seconds(delay[:-1])
    return None


def retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return the seconds a server asks to wait, from a number or an HTTP date; None when it does not say.

    `now` is in seconds since 1970, used for dates only.
    """
    milliseconds = _seconds(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "").strip()
    seconds = _seconds(text)
    if seconds is not None or not text:
        return seconds
    try:
        date = parsedate_to_datetime(text)
        # A date in zone -0000 comes back without a zone, and means UTC.
        stamp = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, stamp - now)


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
