"""Any server that speaks OpenAI's chat completions, ordinary or streamed.

A stream is asked for by `stream: true` among a prompt's parameters, or for every call of a provider; it is
what measures the time to the first token. An answer without its end (no finish reason, no `[DONE]`) is none.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from promptops.errors import Malformed, Truncated
from promptops.messages import Completion, Request, Usage
from promptops.providers import http
from promptops.providers.answers import (
    chat_body,
    completion_from_message,
    completion_from_response,
    error_text,
    text_from,
    to_json,
    usage_from,
)
from promptops.providers.keys import SHORTEST_SECRET
from promptops.providers.sse import Event, events

_KEY_HEADER = re.compile("auth|key|token|secret|cookie", re.IGNORECASE)


class OpenAI:
    """A provider at `base_url`; asks once, retries nothing."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        client: http.Client,
        *,
        stream: bool = False,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = http.MAX_BODY,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.base_url = http.check_base_url(base_url)
        self._url = _chat_url(self.base_url)
        self._client, self._stream, self._max_bytes = client, stream, max_bytes
        self._clock, self._now = clock, now
        self._secrets = _secrets(api_key, headers or {})
        self._headers = {"content-type": "application/json", **(headers or {})}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"

    async def complete(self, request: Request) -> Completion:
        """Ask once.

        Raises:
            ProviderError: see promptops.providers.http for what each failure becomes.
        """
        body = chat_body(request)
        if self._stream:
            body.setdefault("stream", True)
        if body.get("stream"):
            # Without it a stream does not tell how many tokens it took.
            body.setdefault("stream_options", {"include_usage": True})
        started = self._clock()
        async with http.post(
            self._client,
            self._url,
            to_json(body),
            headers=self._headers,
            secrets=self._secrets,
            now=self._now,
        ) as response:
            if "text/event-stream" not in response.headers.get("content-type", ""):
                answer = await self._read_whole(response, asked_model=request.model)
                return replace(answer, seconds=self._clock() - started)
            async with http.chunks_of(response) as chunks:
                answer = await self._read_stream(chunks, asked_model=request.model, started=started)
                answer = replace(answer, seconds=self._clock() - started)
                await http.read_last_words(chunks)
                return answer

    async def _read_whole(self, response: http.Response, *, asked_model: str) -> Completion:
        body = await http.read_body(response, max_bytes=self._max_bytes)
        value = http.parse_json(
            body, content_type=response.headers.get("content-type", ""), secrets=self._secrets
        )
        return completion_from_response(value, asked_model=asked_model)

    async def _read_stream(
        self, chunks: AsyncIterator[bytes], *, asked_model: str, started: float
    ) -> Completion:
        seen = Deltas(model=asked_model)
        first: float | None = None
        async with aclosing(events(chunks, max_bytes=self._max_bytes)) as told:
            async for event in told:
                if event.data.strip() == b"[DONE]":
                    return replace(seen.completion(), first_token_seconds=first)
                seen.add(self._chunk(event))
                if first is None and seen.has_begun:
                    first = self._clock() - started
        raise Truncated("the stream ended without [DONE]")

    def _chunk(self, event: Event) -> dict[str, Any]:
        value = http.parse_json(event.data, secrets=self._secrets)
        if not isinstance(value, dict):
            raise Malformed("an event of the stream is no JSON object")
        if event.name == "error" or value.get("error"):
            said = error_text(value.get("error") or value, secrets=self._secrets)
            raise Malformed(f"the stream reports an error: {said}")
        return value


@dataclass(slots=True, kw_only=True)
class Deltas:
    """What a stream has said so far; lives inside one call."""

    model: str
    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: dict[object, dict[str, Any]] = field(default_factory=dict)
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)

    @property
    def has_begun(self) -> bool:
        """Whether anything of the answer itself has come; thinking aloud is not it."""
        return bool(self.text or self.calls or self.refusal)

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Take one chunk; one without choices carries the usage."""
        self.model = chunk.get("model") or self.model
        if chunk.get("usage"):
            self.usage = usage_from(chunk["usage"])
        choices = chunk.get("choices") or ()
        if not isinstance(choices, list | tuple) or not all(isinstance(choice, dict) for choice in choices):
            raise Malformed("an event of the stream has no list of choices")
        for choice in choices:
            if not choice.get("index"):
                self._add_choice(choice)

    def _add_choice(self, choice: Mapping[str, Any]) -> None:
        delta = choice.get("delta") or {}
        if not isinstance(delta, dict):
            raise Malformed("an event of the stream has no delta")
        if text := text_from(delta.get("content")):
            self.text.append(text)
        if refusal := text_from(delta.get("refusal")):
            self.refusal.append(refusal)
        for call in delta.get("tool_calls") or ():
            self._add_call(call)
        self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def _add_call(self, part: Any) -> None:
        if not isinstance(part, dict) or not isinstance(part.get("function") or {}, dict):
            raise Malformed("an event of the stream holds a tool call that is none")
        # Servers without an index send each call whole, with an id of its own.
        slot = part["index"] if "index" in part else part.get("id") or len(self.calls)
        call = self.calls.setdefault(slot, {"id": "", "function": {"name": None, "arguments": ""}})
        call["id"] = part.get("id") or call["id"]
        function = part.get("function") or {}
        call["function"]["name"] = function.get("name") or call["function"]["name"]
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            raise Malformed("an event of the stream holds arguments that are no text")
        call["function"]["arguments"] += arguments

    def completion(self) -> Completion:
        """Return the whole answer.

        Raises:
            Truncated: no finish reason came.
        """
        message = {
            "content": "".join(self.text) if self.text else None,
            "refusal": "".join(self.refusal),
            "tool_calls": list(self.calls.values()),
        }
        return completion_from_message(
            message, finish_reason=self.finish_reason, model=self.model, usage=self.usage
        )


def _secrets(api_key: str | None, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return what must never be shown: the key, and headers that carry one under another name."""
    named = [value for name, value in headers.items() if _KEY_HEADER.search(name)]
    return tuple(secret for secret in (api_key or "", *named) if len(secret) >= SHORTEST_SECRET)


def _chat_url(base_url: str) -> str:
    """Put the path before a query, which some servers want (`?api-version=…`)."""
    parts = urlsplit(base_url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/chat/completions"))


@asynccontextmanager
async def open_openai(
    base_url: str,
    api_key: str | None,
    *,
    at_once: int,
    stream: bool = False,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[OpenAI]:
    """Open a provider with a client of its own, closed at the end.

    Raises:
        ConfigError: `base_url` is none.
    """
    http.check_base_url(base_url)
    async with http.open_client(at_once=at_once) as client:
        yield OpenAI(base_url, api_key, client, stream=stream, headers=headers)
