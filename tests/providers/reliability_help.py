"""Asks a misbehaving server the way a run does: configuration, composition and pacing are the real ones."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from promptops.errors import RunStopped
from promptops.evaluation.arms import open_endpoints
from promptops.messages import Answer, Message, Request
from promptops.runs.retrying import Tools
from promptops.testing.faulty_server import FaultyServer
from promptops.workspace import Workspace, open_workspace


@dataclass(frozen=True, slots=True)
class Way:
    """One API, whole or streamed, as an entry of `providers` has it."""

    kind: str
    api: str = ""
    stream: bool = False

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.api, "streamed" if self.stream else "")))

    def entry(self, url: str, more: str = "") -> str:
        api = f"api: {self.api}, " if self.api else ""
        return f"{{kind: {self.kind}, {api}base_url: '{url}', stream: {str(self.stream).lower()}{more}}}"


_APIS = [("openai", "chat"), ("openai", "responses"), ("anthropic", ""), ("gemini", "")]
WHOLE = [Way(kind, api) for kind, api in _APIS]
STREAMED = [Way(kind, api, True) for kind, api in _APIS]
WAYS = WHOLE + STREAMED
CHAT = Way("openai", "chat")
CHAT_STREAMED = Way("openai", "chat", True)


def in_turn(ways: Sequence[Way], values: Iterable[Any]) -> list[tuple[Way, Any]]:
    """Return each way with one of the values, which go round: a test of all together would be many."""
    return list(zip(ways, cycle(values), strict=False))


class Time:
    """A clock that only sleeping moves; every sleep is kept."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    @property
    def tools(self) -> Tools:
        return Tools(clock=lambda: self.now, sleep=self.sleep, random=lambda: 0.5)


@dataclass
class Asked:
    """What came of it: an answer for every call, or why the run ended; what was slept."""

    server: FaultyServer
    answers: list[Any] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    @property
    def kinds(self) -> set[str]:
        return {getattr(one, "kind", type(one).__name__) for one in self.answers}

    @property
    def attempts(self) -> int:
        return sum(getattr(one, "attempts", 0) for one in self.answers)

    @property
    def stops(self) -> list[str]:
        return [str(one) for one in self.answers if isinstance(one, RunStopped)]


Ask = Callable[[Request], Any]


def request(word: str = "hi") -> Request:
    """A request that every API takes; Anthropic's wants max_tokens."""
    return Request(
        model="tiny", messages=(Message(role="user", content=word),), parameters={"max_tokens": 50}
    )


def ask(
    folder: Path,
    serving: AbstractContextManager[FaultyServer],
    way: Way = CHAT,
    *,
    times: int = 1,
    limits: str = "",
    more: str = "",
    real_time: bool = False,
    environ: Mapping[str, str] | None = None,
    course: Callable[[Ask, FaultyServer], Any] | None = None,
) -> Asked:
    """Ask `times` times at once, or as `course` will have it; nothing is slept but in `real_time`.

    `limits` and `more` (of the provider's entry) are written as in promptops.yaml.
    """
    with serving as server:
        url = server.url.removesuffix("/v1")
        url += {"gemini": "/v1beta"}.get(way.kind, "/v1")
        entry = way.entry(url, more)
        text = f"providers: {{it: {entry}}}\nlimits: {{{limits or 'concurrency: 64'}}}\n"
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
        (folder / "promptops.yaml").write_text(text)
        asked, time = Asked(server), Time()
        tools = None if real_time else time.tools
        asyncio.run(_ask(open_workspace(folder, environ or {}), asked, times, tools, course))
        asked.slept = time.slept
        return asked


async def _ask(
    workspace: Workspace,
    asked: Asked,
    times: int,
    tools: Tools | None,
    course: Callable[[Ask, FaultyServer], Any] | None,
) -> None:
    async with open_endpoints(
        workspace, ["it/tiny"], budget=None, recorded=False, say=print, tools=tools
    ) as endpoints:
        (endpoint,) = endpoints.values()

        async def one(wanted: Request) -> Answer | RunStopped:
            try:
                answer: Answer | RunStopped = await endpoint.paced.answer(wanted)
            except RunStopped as stop:
                answer = stop
            asked.answers.append(answer)
            return answer

        if course is not None:
            await course(one, asked.server)
        else:
            await asyncio.gather(*(one(request()) for _ in range(times)))


PROMPT = """\
description: Sends a message to a queue
owners: ["@acme/support"]
model: it/tiny
parameters: {max_tokens: 50}
messages:
  - {role: user, content: "{{ message }}"}
scorers:
  queue: {equals: "{{ expected }}", min: 0.5}
"""


def write_project(
    folder: Path, entry: str, *, samples: int, limits: str = "concurrency: 1, attempts: 2"
) -> None:
    """Write and commit a repository with one prompt, never released, whose answers should be `hello`."""
    rows = [{"inputs": {"message": f"message {number}"}, "expected": "hello"} for number in range(samples)]
    files = {
        "promptops.yaml": f"promptops: 1\nproviders: {{it: {entry}}}\nlimits: {{{limits}}}\n",
        ".gitignore": ".promptops/\n",
        "prompts/support.prompt.yaml": PROMPT,
        "prompts/support.samples.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Add a prompt"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def promptops(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the real program."""
    command = [sys.executable, "-P", "-m", "promptops", *words]
    return subprocess.run(
        command, cwd=folder, env=dict(os.environ), capture_output=True, check=False, encoding="utf-8"
    )
