"""What our layers cost: a whole test against a bare aiohttp loop, on the same machine in the same minutes.

    python benchmarks/replay.py [--samples 5000] [--at-once 64] [--latency 0.05] [--rounds 3] [--slow]

A test is all of it: samples read and hashed, both versions rendered, asked, kept in journal and cache, scored,
judged, and the report written. Each way runs in its own process, so that CPU time and memory are its own, and the
ways take turns, so that a busy minute strikes all of them. Figures of one machine mean little by themselves: the ratio
beside them is to the bare loop of the same round, and the median of the rounds counts. With `--slow` every hundredth
call takes five seconds, for the bare loop too.

The table counts all of a test. What it needs once, however many samples there are (git, statistics, the first
connections), is told apart from what each call adds: every way is timed with a quarter of the samples, too, and the
difference is three quarters of the calls and nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Any

from world import ID, SYSTEM, asked, build, message, server

MEGABYTE = 1024


def body_of(word: str) -> dict[str, object]:
    return {
        "model": "small",
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": word}],
        "temperature": 0,
    }


async def bare(url: str, samples: int, at_once: int) -> None:
    """The least there is: aiohttp, one loop, the JSON read."""
    import aiohttp

    words = (message(index) for index in range(samples) for _ in ("old", "new"))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:

        async def worker() -> None:
            for word in words:
                async with session.post(f"{url}/chat/completions", json=body_of(word)) as response:
                    (await response.json())["choices"][0]["message"]["content"]

        await asyncio.gather(*(worker() for _ in range(at_once)))


async def provider(url: str, samples: int, at_once: int) -> None:
    """Our provider without anything around it."""
    from promptops.messages import Message, Request
    from promptops.providers.asking import open_asker
    from promptops.providers.openai import Chat

    words = (message(index) for index in range(samples) for _ in ("old", "new"))
    async with open_asker(Chat(), url, "bench-key", at_once=at_once) as asker:

        async def worker() -> None:
            for word in words:
                messages = (Message(role="system", content=SYSTEM), Message(role="user", content=word))
                await asker.complete(Request(model="small", messages=messages, parameters={"temperature": 0}))

        await asyncio.gather(*(worker() for _ in range(at_once)))


def load() -> None:
    """Import what a test imports at any time of its life."""
    import numpy  # noqa: F401
    import scipy.special  # noqa: F401

    import promptops.cli.app
    import promptops.evaluation.testing
    import promptops.providers.openai
    import promptops.stats.metric
    import promptops.stats.sandwich
    import promptops.workspace  # noqa: F401


def run_test(folder: Path, on_progress: Callable[[Any], None] | None = None) -> Any:
    """`promptops test` of the work tree against what is committed."""
    from promptops.cli.asking import GARBAGE_AFTER
    from promptops.evaluation.evaluate import Options
    from promptops.evaluation.testing import Selection, test_prompts
    from promptops.workspace import open_workspace

    gc.set_threshold(GARBAGE_AFTER)  # as the program does when it starts
    tested = asyncio.run(
        test_prompts(
            open_workspace(folder, dict(os.environ)),
            Selection(references=(ID,), against="HEAD"),
            options=Options(say=lambda text: None, on_progress=on_progress),
            before_asking=lambda plan: None,
        )
    )
    assert tested.reports, tested.said
    return tested.reports[0]


def peak() -> float:
    """The most memory this process has had, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE


def run_way(way: str, options: argparse.Namespace) -> None:
    """Print wall and CPU seconds of one way, the same for a quarter of the samples, and its memory in MB."""
    url, at_once, samples = options.url, options.at_once, options.samples
    load()
    work: Callable[[str], object]
    if way == "imports":
        work = str
    elif way in ("bare", "provider"):
        ask, many = {"bare": bare, "provider": provider}[way], sizes(samples, at_once)
        work = lambda size: asyncio.run(ask(url, many[size], at_once))  # noqa: E731
    else:
        work = lambda size: run_test(Path(options.folder) / size)  # noqa: E731
    work("small")  # what a process does only once does not count
    part, whole = timed(work, "part"), timed(work, "large")
    print(json.dumps([*whole, *part, peak()]))


def sizes(samples: int, at_once: int) -> dict[str, int]:
    """How many samples there are in each repository."""
    return {"small": min(samples, at_once), "part": samples // 4, "large": samples}


def timed(work: Callable[[str], object], size: str) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work(size)
    return time.perf_counter() - wall, time.process_time() - cpu


def measured(way: str, url: str, folder: Path, options: argparse.Namespace) -> Taken:
    command = [sys.executable, __file__, "--way", way, "--url", url, "--folder", str(folder)]
    command += ["--samples", str(options.samples), "--at-once", str(options.at_once)]
    before = asked(url)
    found = json.loads(subprocess.check_output(command))
    return Taken(*found, asked=asked(url) - before)


def a_round(url: str, folder: Path, options: argparse.Namespace) -> dict[str, Taken]:
    """Each way once: the last one asks the same again, and is to find all of it in the cache."""
    for name, samples in sizes(options.samples, options.at_once).items():
        build(folder / name, url=url, samples=samples, at_once=options.at_once)
    figures = {way: measured(way, url, folder, options) for way in ("imports", "bare", "provider", "test")}
    for name in sizes(options.samples, options.at_once):
        shutil.rmtree(folder / name / ".promptops" / "runs")
    figures["cached"] = measured("cached", url, folder, options)
    return figures


NAMES = {
    "imports": "imports alone",
    "bare": "bare aiohttp",
    "provider": "our provider",
    "test": "promptops test",
    "cached": "the same, cached",
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What a way took in one round, in seconds; `part` of it with a quarter of the samples."""

    wall: float
    cpu: float
    part_wall: float
    part_cpu: float
    memory: float
    asked: int


def table(rounds: list[dict[str, Taken]], options: argparse.Namespace) -> None:
    calls = 2 * options.samples
    slow = ", one in a hundred after 5 s" if options.slow else ""
    print(f"{calls} calls, {options.at_once} at once, answers after {1000 * options.latency:g} ms{slow}")
    print(f"{'':18}{'calls/s':>9}{'ratio':>7}{'CPU ms/call':>13}{'ratio':>7}{'MB':>6}{'asked':>8}")
    for way, name in NAMES.items():
        ours = [one[way] for one in rounds]
        memory, asked_for = median(one.memory for one in ours), median(one.asked for one in ours)
        if way == "imports":
            print(f"{name:18}{'':36}{memory:6.0f}")
            continue
        wall, cpu = median(one.wall for one in ours), median(one.cpu for one in ours)
        speed = median(one["bare"].wall / one[way].wall for one in rounds)
        cost = median(one[way].cpu / one["bare"].cpu for one in rounds)
        took = 1000 * cpu / calls
        print(f"{name:18}{calls / wall:9.0f}{speed:7.2f}{took:13.3f}{cost:7.2f}{memory:6.0f}{asked_for:8.0f}")
    apart(rounds, options)


def apart(rounds: list[dict[str, Taken]], options: argparse.Namespace) -> None:
    """Say what a call adds, in a test and in the bare loop, and what a test needs once."""
    more = 2 * (options.samples - options.samples // 4)
    wall, cpu, bare_wall = (
        [1000 * (getattr(one[way], name) - getattr(one[way], f"part_{name}")) / more for one in rounds]
        for way, name in (("test", "wall"), ("test", "cpu"), ("bare", "wall"))
    )
    calls = 2 * options.samples
    once = [one["test"].wall - calls * ours / 1000 for one, ours in zip(rounds, wall, strict=True)]
    longer = median(ours - theirs for ours, theirs in zip(wall, bare_wall, strict=True))
    print(f"without what a test needs once ({median(once):.2f} s): {median(cpu):.3f} ms CPU for a call, and")
    print(
        f"{1000 / median(wall):.0f} calls/s, {median(map(truediv, bare_wall, wall)):.2f} of the bare loop's"
    )
    if options.at_once == 1:
        print(f"a call takes {longer:.2f} ms longer than in the bare loop")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    parser.add_argument("--slow", action="store_true", help="every hundredth call takes five seconds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=NAMES, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        run_way(options.way, options)
        return
    with server(options.latency, slow=options.slow) as url, tempfile.TemporaryDirectory() as folder:
        table([a_round(url, Path(folder), options) for _ in range(options.rounds)], options)


if __name__ == "__main__":
    main()
