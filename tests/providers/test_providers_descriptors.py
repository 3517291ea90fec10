"""Hundreds of calls at once: nothing is left open, and a low limit on open files is raised or named."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from promptops.messages import Message, Request
from promptops.providers.asking import open_asker
from promptops.providers.openai import Chat

AT_ONCE = 512
REQUEST = Request(model="tiny", messages=(Message(role="user", content="hi"),))
OPEN_FILES = Path("/proc/self/fd")


def open_files() -> int:
    return sum(1 for _ in OPEN_FILES.iterdir())


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="open files are counted in /proc, which is not here")
def test_after_512_calls_at_once_no_connection_and_no_task_is_left(serve, reply, chat) -> None:
    answer, all_here = reply(chat()), asyncio.Event()

    async def when_all_are_here(writer: asyncio.StreamWriter) -> None:
        if server.connections == AT_ONCE:
            all_here.set()
        await all_here.wait()
        writer.write(answer)
        await writer.drain()

    async def run() -> None:
        nonlocal server
        async with serve(when_all_are_here) as server:
            files, tasks = open_files(), len(asyncio.all_tasks())
            async with open_asker(Chat(), server.url, None, at_once=AT_ONCE) as provider:
                answers = await asyncio.gather(*(provider.complete(REQUEST) for _ in range(AT_ONCE)))
            assert [one.text for one in answers] == ["hello"] * AT_ONCE
            # The server's own side of a connection ends a moment later.
            while len(asyncio.all_tasks()) > tasks or open_files() > files:  # noqa: ASYNC110
                await asyncio.sleep(0)

    server = None
    before = open_files()
    asyncio.run(asyncio.wait_for(run(), 30))
    assert open_files() <= before


# Limits are those of a whole process, so each of these has one of its own.
LIMITED = """
import resource, sys
from promptops.errors import ConfigError
from promptops.providers.descriptors import make_room

soft, hard, connections = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
try:
    make_room(connections)
    print(resource.getrlimit(resource.RLIMIT_NOFILE))
except ConfigError as error:
    print(error)
"""


def limited(*, soft: int, hard: int, connections: int) -> str:
    pytest.importorskip("resource", reason="this system has no limit on open files")
    command = [sys.executable, "-c", LIMITED, str(soft), str(hard), str(connections)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_soft_limit_on_open_files_is_raised_as_far_as_needed() -> None:
    soft, hard = eval(limited(soft=100, hard=4000, connections=512))
    assert (4 * 512 <= soft < 4000, hard) == (True, 4000)


def test_a_soft_limit_is_raised_no_further_than_the_hard_one() -> None:
    assert limited(soft=100, hard=700, connections=512) == "(700, 700)"


def test_a_limit_that_is_high_enough_stays() -> None:
    assert limited(soft=500, hard=4000, connections=8) == "(500, 4000)"


def test_a_hard_limit_that_is_too_low_is_named_with_what_would_fit() -> None:
    said = limited(soft=100, hard=300, connections=512)
    assert said.startswith("512 calls at once need as many open connections")
    assert "300 open files (ulimit -Hn): set limits.concurrency to 2" in said
