"""One call to a model's HTTP API, whatever its dialect: sent once, read whole or as a stream, and timed.

A dialect says how a request is written and how an answer is read; this is everything else. A stream is asked for
by `stream: true` among a prompt's parameters, or for every call of a provider; it is what measures the time to
the first token. Nothing is retried here, and there is no total deadline: the caller has one and cancels.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, Unpack

from promptops.addresses import header_problem, join_url, url_problem
from promptops.errors import ConfigError, ProviderError, TimedOut
from promptops.messages import Completion, Request
from promptops.providers import http
from promptops.providers.answers import to_json
from promptops.providers.connecting import Client, open_client
from promptops.providers.dialect import Deltas, Dialect
from promptops.providers.keys import SHORTEST_SECRET
from promptops.providers.sse import events

_KEY_HEADER = re.compile("auth|key|token|secret|cookie", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds of one attempt: to connect; in a stream to the first token, and from one to the next.

    None is no limit but the caller's own deadline of the whole call.
    """

    connect: float | None = 10.0
    first_token: float | None = None
    idle: float | None = None


class Options(TypedDict, total=False):
    """How a provider asks; see Asker."""

    stream: bool
    headers: Mapping[str, str] | None
    secrets: Iterable[str]
    patience: Patience | None
    max_bytes: int
    clock: Callable[[], float]
    now: Callable[[], float]


class Asker:
    """A provider at `base_url` that speaks a dialect; asks once, retries nothing.

    `headers` come after the dialect's own. `secrets` are values, besides the key, that no message and no answer may
    show; headers whose name speaks of a key are among them anyway. `now` is in seconds since 1970, for dates that
    servers name.
    """

    def __init__(
        self,
        dialect: Dialect,
        base_url: str,
        api_key: str | None,
        client: Client,
        *,
        stream: bool = False,
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
        patience: Patience | None = None,
        max_bytes: int = http.MAX_BODY,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.base_url = check_base_url(base_url)
        self._dialect, self._client, self._stream = dialect, client, stream
        self._patience, self._max_bytes = patience or Patience(), max_bytes
        self._clock, self._now = clock, now
        self._urls: dict[str, http.Url] = {}
        self._secrets = _secrets(api_key, headers or {}, secrets)
        own = {"content-type": "application/json", **dialect.headers(api_key)}
        given = {name.lower(): value for name, value in (headers or {}).items()}
        self._headers = _checked({**http.HEADERS, **own, **given})

    async def complete(self, request: Request) -> Completion:
        """Ask once.

        Raises:
            ProviderError: see promptops.providers.http for what each failure becomes.
        """
        stream = bool(request.parameters.get("stream", self._stream))
        body = to_json(self._dialect.body(request, stream=stream))
        path = self._dialect.path(request, stream=stream)
        if not stream:  # nothing of an ordinary answer comes before the rest
            return await self._ask(path, body, asked_model=request.model)
        limit = _Limit(self._patience)
        try:
            async with limit.timeout:
                return await self._ask(path, body, asked_model=request.model, limit=limit)
        except TimeoutError as error:
            if not limit.timeout.expired():
                raise
            raise limit.error() from error

    async def _ask(
        self, path: str, body: bytes, *, asked_model: str, limit: _Limit | None = None
    ) -> Completion:
        if path not in self._urls:
            self._urls[path] = http.target(join_url(self.base_url, path))
        started = self._clock()
        async with http.post(
            self._client,
            self._urls[path],
            body,
            headers=self._headers,
            secrets=self._secrets,
            now=self._now,
        ) as response:
            if "text/event-stream" not in response.headers.get("content-type", ""):
                answer = await self._read_whole(response, asked_model=asked_model)
                return replace(answer, seconds=self._clock() - started)
            async with http.chunks_of(response) as chunks:
                deltas = self._dialect.deltas(asked_model=asked_model)
                if limit is not None:
                    limit.deltas = deltas
                try:
                    answer = await self._read_stream(chunks, deltas, started=started, limit=limit)
                except ProviderError as error:
                    error.usage = deltas.counted
                    raise
                answer = replace(answer, seconds=self._clock() - started)
                await http.read_last_words(chunks)
                return answer

    async def _read_whole(self, response: http.Response, *, asked_model: str) -> Completion:
        body = await http.read_body(response, max_bytes=self._max_bytes)
        value = http.parse_json(
            body, content_type=response.headers.get("content-type", ""), secrets=self._secrets
        )
        try:
            return self._dialect.completion(value, asked_model=asked_model)
        except ProviderError as error:
            error.usage = self._dialect.counted(value)
            raise

    async def _read_stream(
        self, chunks: AsyncIterator[bytes], deltas: Deltas, *, started: float, limit: _Limit | None
    ) -> Completion:
        first: float | None = None
        async with aclosing(events(chunks, max_bytes=self._max_bytes)) as told:
            async for event in told:
                deltas.add(replace(event, data=http.without_secrets(event.data, self._secrets)))
                if first is None and deltas.has_begun:
                    first = self._clock() - started
                if deltas.has_ended:
                    break
                if limit is not None and first is not None and event.name != "ping":
                    limit.go_on()
        if limit is not None:
            limit.timeout.reschedule(None)  # the answer is here, whatever still follows it
        return replace(deltas.completion(), first_token_seconds=first)


class _Limit:
    """The time a stream has until its next sign of life."""

    def __init__(self, patience: Patience) -> None:
        self._patience, self._begun = patience, False
        self.deltas: Deltas | None = None
        self.timeout = asyncio.timeout(patience.first_token)

    def go_on(self) -> None:
        """A token has come: the next one has as long as one may take."""
        if self._begun and self._patience.idle is None:
            return
        self._begun = True
        idle = self._patience.idle
        self.timeout.reschedule(None if idle is None else asyncio.get_running_loop().time() + idle)

    def error(self) -> TimedOut:
        if not self._begun:
            return TimedOut(f"no token within {self._patience.first_token:g} s", cause="first_token")
        error = TimedOut(f"the stream stood still for {self._patience.idle:g} s", cause="idle")
        error.usage = None if self.deltas is None else self.deltas.counted
        return error


def check_base_url(base_url: str) -> str:
    """Return the URL without its last slash.

    Raises:
        ConfigError: it is no address of a server.
    """
    if (problem := url_problem(base_url)) is not None:
        raise ConfigError(f"base_url: {problem}")
    return base_url.rstrip("/")


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        if (problem := header_problem(name, value)) is not None:
            raise ConfigError(problem)
    return headers


def _secrets(api_key: str | None, headers: Mapping[str, str], more: Iterable[str]) -> tuple[str, ...]:
    """Return what must never be shown: of `Bearer KEY` also the key alone, as a server may quote it."""
    named = [value for name, value in headers.items() if _KEY_HEADER.search(name)]
    values = [value for value in (api_key or "", *named, *more) if value]
    parts = [part for value in values for part in (value, value.rpartition(" ")[2])]
    return tuple(dict.fromkeys(part for part in parts if len(part) >= SHORTEST_SECRET))


@asynccontextmanager
async def open_asker(
    dialect: Dialect,
    base_url: str,
    api_key: str | None,
    *,
    at_once: int,
    ca_file: Path | None = None,
    **options: Unpack[Options],
) -> AsyncIterator[Asker]:
    """Open a provider with a client of its own, closed at the end; `ca_file` is trusted besides the usual ones.

    Raises:
        ConfigError: `base_url` is none, a header cannot be sent, or `ca_file` holds no certificate.
    """
    check_base_url(base_url)
    connect = (options.get("patience") or Patience()).connect
    async with open_client(base_url, at_once=at_once, connect=connect, ca_file=ca_file) as client:
        yield Asker(dialect, base_url, api_key, client, **options)
