"""What our layers cost: a whole test against a bare aiohttp loop, on the same machine in the same minutes.

    python benchmarks/replay.py [--samples 5000] [--at-once 64] [--latency 0.05] [--rounds 3] [--slow]

A test is all of it: samples read and hashed, both versions rendered, asked, kept in journal and cache, scored,
judged, and the report written. Each way runs in its own process, so that CPU time and memory are its own, and the
ways take turns, so that a busy minute strikes all of them. Figures of one machine mean little by themselves: the ratio
beside them is to the bare loop of the same round, and the median of the rounds counts. With `--slow` every hundredth
call takes five seconds, for the bare loop too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
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
    from promptops.providers.openai import open_openai

    words = (message(index) for index in range(samples) for _ in ("old", "new"))
    async with open_openai(url, "bench-key", at_once=at_once) as asker:

        async def worker() -> None:
            for word in words:
                messages = (Message(role="system", content=SYSTEM), Message(role="user", content=word))
                await asker.complete(Request(model="small", messages=messages, parameters={"temperature": 0}))

        await asyncio.gather(*(worker() for _ in range(at_once)))


def load() -> None:
    """Import what a test imports at any time of its life."""
    import numpy  # noqa: F401
    import scipy.special  # noqa: F401

    import promptops.evaluation.testing
    import promptops.providers.openai
    import promptops.stats.metric
    import promptops.stats.sandwich
    import promptops.workspace  # noqa: F401


def run_test(folder: Path, on_progress: Callable[[Any], None] | None = None) -> Any:
    """`promptops test` of the work tree against what is committed."""
    from promptops.evaluation.evaluate import Options
    from promptops.evaluation.testing import Selection, test_prompts
    from promptops.workspace import open_workspace

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
    """Print wall and CPU seconds of one way, and its memory in MB."""
    url, at_once, samples = options.url, options.at_once, options.samples
    load()
    work: Callable[[], object]
    if way == "imports":
        work = int
    elif way in ("bare", "provider"):
        ask = {"bare": bare, "provider": provider}[way]
        asyncio.run(ask(url, min(samples, at_once), at_once))  # first connections do not count
        work = lambda: asyncio.run(ask(url, samples, at_once))  # noqa: E731
    else:
        folder = Path(options.folder)
        run_test(folder / "small")
        work = lambda: run_test(folder / "large")  # noqa: E731
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps([wall, cpu, peak()]))


def measured(way: str, url: str, folder: Path, options: argparse.Namespace) -> list[float]:
    command = [sys.executable, __file__, "--way", way, "--url", url, "--folder", str(folder)]
    command += ["--samples", str(options.samples), "--at-once", str(options.at_once)]
    before = asked(url)
    found = json.loads(subprocess.check_output(command))
    return [*found, asked(url) - before]


def a_round(url: str, folder: Path, options: argparse.Namespace) -> dict[str, list[float]]:
    """Each way once: the last one asks the same again, and is to find all of it in the cache."""
    small = min(options.samples, options.at_once)
    for name, samples in (("small", small), ("large", options.samples)):
        build(folder / name, url=url, samples=samples, at_once=options.at_once)
    figures = {way: measured(way, url, folder, options) for way in ("imports", "bare", "provider", "test")}
    for name in ("small", "large"):
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


def table(rounds: list[dict[str, list[float]]], options: argparse.Namespace) -> None:
    calls = 2 * options.samples
    slow = ", one in a hundred after 5 s" if options.slow else ""
    print(f"{calls} calls, {options.at_once} at once, answers after {1000 * options.latency:g} ms{slow}")
    print(f"{'':18}{'calls/s':>9}{'ratio':>7}{'CPU ms/call':>13}{'ratio':>7}{'MB':>6}{'asked':>8}")
    for way, name in NAMES.items():
        wall, cpu, memory, posts = (median(one[way][place] for one in rounds) for place in range(4))
        if way == "imports":
            print(f"{name:18}{'':36}{memory:6.0f}")
            continue
        speed = median(one["bare"][0] / one[way][0] for one in rounds)
        cost = median(one[way][1] / one["bare"][1] for one in rounds)
        took = 1000 * cpu / calls
        print(f"{name:18}{calls / wall:9.0f}{speed:7.2f}{took:13.3f}{cost:7.2f}{memory:6.0f}{posts:8.0f}")
    if options.at_once == 1:
        added = median(one["test"][0] - one["bare"][0] for one in rounds)
        print(f"a call takes {1000 * added / calls:.2f} ms longer than in the bare loop")


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
