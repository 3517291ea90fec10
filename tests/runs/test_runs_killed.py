"""A run that is killed or interrupted, again and again: the same pairs in the end, no call paid for twice."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

SAMPLES, AT_ONCE = 60, 4

RUN = """
import asyncio, sys
from pathlib import Path
from promptops.messages import Message, Request
from promptops.providers.asking import open_asker
from promptops.providers.openai import Chat
from promptops.runs.cache import Cache
from promptops.runs.journal import Journal
from promptops.runs.pacing import Paced
from promptops.runs.replay import Arm, Arms, replay
from promptops.samples import Sample

async def main(folder, url, samples, at_once):
    async with open_asker(Chat(), url, None, at_once=at_once) as provider:
        paced = Paced(provider, name="it", at_once=at_once, deadline=30)
        def arm(name):
            def render(sample):
                message = Message(role="user", content=f"{name} {sample.sample_id}")
                return Request(model="m", messages=(message,))
            return Arm(render=render, asks=paced, kind="openai", base_url=url)
        numbered = ((n, Sample(sample_id=f"smp_{n}", inputs={})) for n in range(samples))
        header = {"digests": {"candidate": "sha256:c"}}
        with Cache.open(folder / "cache.db") as cache, Journal.open(folder / "run", header) as journal:
            arms = Arms(baseline=arm("old"), candidate=arm("new"))
            await replay(numbered, ask=arms, finished=lambda sample, pair: None, cache=cache, journal=journal,
                         at_once=at_once)
            for n in range(samples):
                pair = journal.read(n)
                print(n, pair.sample_id, pair.baseline.text, pair.candidate.text)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""


class Counting:
    """A server that answers each question in its own way, counts them, and rings when there were enough."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.bell: tuple[int, asyncio.Event] | None = None

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._one(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").lower()
        body = await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
        question = json.loads(body)["messages"][0]["content"]
        self.asked[question] += 1
        if self.bell is not None and self.asked.total() >= self.bell[0]:
            self.bell[1].set()
        await asyncio.sleep(hashlib.sha256(body).digest()[0] / 256 * 0.01)
        message = {"role": "assistant", "content": f"re: {question}"}
        data = json.dumps({"model": "m", "choices": [{"finish_reason": "stop", "message": message}]}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
        writer.write(b"content-length: %d\r\n\r\n" % len(data) + data)
        await writer.drain()


async def run_and_kill(
    folder: Path, counting: Counting, port: int, kills: Iterable[int], how: int, before: Callable[[], None]
) -> str:
    """Kill a run at each of these numbers of requests; then let one finish, and return what it printed."""
    arguments = ["-c", RUN, str(folder), f"http://127.0.0.1:{port}/v1", str(SAMPLES), str(AT_ONCE)]
    pipes: dict[str, Any] = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    for kill_at in kills:
        rung = asyncio.Event()
        counting.bell = (kill_at, rung)
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=dict(os.environ), preexec_fn=before, **pipes
        )
        async with asyncio.timeout(60):
            await rung.wait()
        process.send_signal(how)
        await process.communicate()
        assert process.returncode == -how
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=dict(os.environ), **pipes)
    said, wrong = await process.communicate()
    assert process.returncode == 0, wrong.decode()
    return said.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="needs kill -9")
@pytest.mark.parametrize(
    ("kills", "how"),
    [
        ((), signal.SIGINT),
        ((1, 9, 40, 41), signal.SIGKILL),
        ((17, 70, 119), signal.SIGKILL),
        ((33, 77), signal.SIGINT),
    ],
)
def test_a_killed_run_is_resumed_without_asking_twice(tmp_path, kills, how, interruptible) -> None:
    async def main() -> tuple[str, Counter[str]]:
        counting = Counting()
        server = await asyncio.start_server(counting.handle, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await run_and_kill(tmp_path, counting, port, kills, how, interruptible), counting.asked

    said, asked = asyncio.run(main())
    expected = [f"{n} smp_{n} re: old smp_{n} re: new smp_{n}" for n in range(SAMPLES)]
    assert said.splitlines() == expected
    assert len(asked) == 2 * SAMPLES
    asked_again = asked.total() - len(asked)
    assert asked_again <= AT_ONCE * len(kills)
