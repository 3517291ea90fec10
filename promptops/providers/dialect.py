"""What tells one model API from another: how a request is written, and how an answer or a stream is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from promptops.errors import Malformed, Truncated
from promptops.messages import Completion, Request, Usage
from promptops.providers import http
from promptops.providers.shapes import error_text
from promptops.providers.sse import Event


class Deltas(Protocol):
    """What a stream has said so far; lives inside one call."""

    @property
    def has_begun(self) -> bool:
        """Whether anything of the answer itself has come; thinking aloud is not it."""
        ...

    @property
    def has_ended(self) -> bool:
        """Whether the stream's own end has come; nothing after it counts."""
        ...

    @property
    def counted(self) -> Usage:
        """What the provider counted, as soon as it has counted all of the answer."""
        ...

    def add(self, event: Event) -> None:
        """Take one event.

        Raises:
            ProviderError: it is none, or reports an error.
        """
        ...

    def completion(self) -> Completion:
        """Return the whole answer.

        Raises:
            Truncated: the end has not come.
        """
        ...


class Dialect(Protocol):
    """How one API is spoken."""

    def path(self, request: Request, *, stream: bool) -> str:
        """Return what follows the base URL, with its query."""
        ...

    def headers(self, api_key: str | None) -> Mapping[str, str]:
        """Return the headers of the API; the key is in one of them."""
        ...

    def body(self, request: Request, *, stream: bool) -> Mapping[str, Any]:
        """Return the request as the API takes it.

        Raises:
            Refused: the API has no way to say what is asked.
        """
        ...

    def completion(self, value: Any, *, asked_model: str) -> Completion:
        """Read a whole answer.

        Raises:
            ProviderError: it is none.
        """
        ...

    def counted(self, value: Any) -> Usage:
        """Return what the provider counted, also where the rest of the body is no answer."""
        ...

    def deltas(self, *, asked_model: str) -> Deltas:
        """Return what takes in a stream."""
        ...


def event_value(event: Event) -> dict[str, Any]:
    """Return the JSON object of an event.

    Raises:
        Malformed: it is none, or reports an error.
    """
    value = http.parse_json(event.data)
    if not isinstance(value, dict):
        raise Malformed("an event of the stream is no JSON object")
    if event.name == "error" or value.get("error"):
        raise Malformed(f"the stream reports an error: {error_text(value.get('error') or value)}")
    return value


def stopped_early(end: str) -> Truncated:
    """Return the error of a stream that stopped before its own end, named here."""
    return Truncated(f"the stream ended without {end}")
