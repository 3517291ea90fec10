"""The embedded model: llama.cpp in this process, behind its own OpenAI-compatible server on loopback.

A small real model whose prompts really get better and worse, for the demonstration and for tests. It refuses
tools, because its chat template drops them without a word, and it must not be used as a judge.

At temperature 0 the same request gets the same answer, whatever was asked before or at the same time: that is
what lets recorded answers stand for fresh ones. It takes one slot a server, for requests in one batch change
each other's answers a little, and no flash attention, whose rounding depends on how much of a prompt was in
the cache (measured: 14 of 182 answers changed).

One thread a server: two threads wait for each other in a busy loop, and on a machine that has other work to do
that takes minutes. More cores are used by more servers; the weights are mapped into memory once.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptops.errors import ConfigError, NotFound, ProviderError, Refused
from promptops.messages import Completion, Message, Request
from promptops.ports import Provider
from promptops.providers.asking import Asker
from promptops.providers.connecting import open_client
from promptops.providers.openai import Chat
from promptops.providers.weights import MODELS, Weights, fetch

DEFAULT_MODEL = "smollm2-135m"
CONTEXT = 2048
# Each server takes about a second to start and 100 MB; past four the demonstration gains nothing.
_MOST_SERVERS = 4
# Prompts that alternate (two versions under test) are kept here and not read again; llama.cpp allows 8 GB.
_PROMPT_CACHE_MIB = 256


def base_url(model: str = DEFAULT_MODEL) -> str:
    """Return what stands for the server in a cache key: the weights' hash, since the port is new every time.

    Raises:
        NotFound: no embedded model of that name.
    """
    return f"local:{model}@sha256:{_weights(model).sha256}"


Start = tuple[Message, ...]


@dataclass(slots=True)
class _Seat:
    """A server, and how the prompt began that it answered last: that much is in its cache."""

    server: Provider
    start: Start | None = None


class _Desk:
    """Gives servers to calls, one each at a time, before all to one that begins as the last one did.

    Two versions under test would else take turns at every server, and each call would read its whole prompt
    again (measured: 0.6 seconds instead of 0.35).
    """

    def __init__(self, servers: Iterable[Provider]) -> None:
        self._free = [_Seat(server) for server in servers]
        self._waiting: list[tuple[Start, asyncio.Future[_Seat]]] = []

    @asynccontextmanager
    async def server(self, start: Start) -> AsyncIterator[Provider]:
        """Wait for a server and give it back at the end."""
        seat = await self._take(start)
        seat.start = start
        try:
            yield seat.server
        finally:
            self._give_back(seat)

    async def _take(self, start: Start) -> _Seat:
        for wanted in (start, None):
            for seat in self._free:
                if seat.start == wanted:
                    self._free.remove(seat)
                    return seat
        if self._free:
            return self._free.pop(0)
        turn: asyncio.Future[_Seat] = asyncio.get_running_loop().create_future()
        self._waiting.append((start, turn))
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the turn came in the same moment as the cancellation
                self._give_back(turn.result())
            raise

    def _give_back(self, seat: _Seat) -> None:
        self._waiting = [waiting for waiting in self._waiting if not waiting[1].done()]
        if not self._waiting:
            self._free.append(seat)
            return
        alike = (waiting for waiting in self._waiting if waiting[0] == seat.start)
        _, turn = next(alike, self._waiting[0])
        turn.set_result(seat)


class Local:
    """A provider that shares its calls out to servers of its own, one call each at a time."""

    def __init__(self, model: str, servers: Iterable[Provider]) -> None:
        self.base_url = base_url(model)
        self._model = model
        self._desk = _Desk(servers)

    async def complete(self, request: Request) -> Completion:
        """Ask once; the seconds of the answer do not count the wait for a free server.

        Raises:
            Refused: the request has tools, names another model, or is longer than the context.
            ProviderError: as for every OpenAI-compatible server.
        """
        self._check(request)
        async with self._desk.server(request.messages[:-1]) as server:
            return await server.complete(request)

    def _check(self, request: Request) -> None:
        if request.model != self._model:
            raise Refused(f"this server runs local/{self._model}, not local/{request.model}")
        if request.tools:
            names = ", ".join(tool.name for tool in request.tools)
            raise Refused(
                f"local/{self._model} cannot use tools (here: {names}); its chat template drops them "
                "without a word, so name a model that has them"
            )


@asynccontextmanager
async def open_local(
    *,
    say: Callable[[str], None],
    model: str = DEFAULT_MODEL,
    at_once: int = 1,
    folder: Path | None = None,
) -> AsyncIterator[Local]:
    """Fetch the weights where needed, start the servers, and stop them at the end.

    `at_once` is how many calls may be under way; there are never more servers than cores.

    Raises:
        ConfigError: the runtime is not installed.
        NotFound: no embedded model of that name.
        PromptopsError: the weights cannot be had (promptops.providers.weights).
    """
    weights = _weights(model)
    runtime = _runtime()
    path = await asyncio.to_thread(fetch, weights, say=say, folder=folder)
    async with AsyncExitStack() as stack:
        servers: list[Provider] = []
        for _ in range(max(1, min(at_once, _cores(), _MOST_SERVERS))):
            url, key = stack.enter_context(_serving(runtime, path, name=model))
            # Proxies are for the world outside: loopback is never behind one.
            client = await stack.enter_async_context(open_client(url, at_once=1, proxies=False))
            servers.append(Asker(Chat(), url, key, client))
        yield Local(model, servers)


def _weights(model: str) -> Weights:
    if model not in MODELS:
        raise NotFound("embedded model", model, MODELS)
    return MODELS[model]


def _cores() -> int:
    """Return how many cores this process may use, which in a container is fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _runtime() -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise ConfigError(
            "the local model needs xllamacpp: run pip install 'promptops-cli[local]'"
            + ("" if isinstance(error, ModuleNotFoundError) else f" ({error})")
        ) from error
    return xllamacpp


@contextmanager
def _serving(runtime: Any, path: Path, *, name: str) -> Iterator[tuple[str, str]]:
    """Start one server and give its URL and key; it ends with its last reference."""
    key = secrets.token_urlsafe(24)
    try:
        server = [runtime.Server(_parameters(runtime, path, key, name))]
    except RuntimeError as error:
        raise ProviderError(f"the local model did not start from {path}: {error}") from error
    try:
        yield f"{server[0].listening_address}/v1", key
    finally:
        server.clear()


def _parameters(runtime: Any, path: Path, key: str, name: str) -> Any:
    wanted = runtime.CommonParams()
    wanted.model.path = str(path)
    wanted.n_ctx, wanted.n_parallel = CONTEXT, 1
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = 1
    wanted.n_gpu_layers = 0  # another processor gives other answers
    wanted.flash_attn_type = runtime.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    wanted.cache_ram_mib = _PROMPT_CACHE_MIB
    wanted.hostnames, wanted.port = ["127.0.0.1"], 0
    # Other users of this machine, and web pages in a browser, can reach loopback too.
    wanted.api_keys, wanted.ui = [key], False
    wanted.model_alias = {name}
    wanted.use_jinja, wanted.verbosity = True, -1
    return wanted
