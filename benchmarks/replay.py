"""What our layers cost: a whole replay against a bare aiohttp loop, on the same machine in the same minute.

    python benchmarks/replay.py [--samples 2000] [--at-once 64] [--latency 0.05] [--rounds 3]

Starts an OpenAI-compatible server of its own in another process, answers every question after `--latency`
seconds, and asks two questions a sample. Each way runs in its own process, so that CPU time is its own;
figures of one machine mean little by themselves, so the table shows ratios to the bare loop beside them.
The best of the rounds counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SYSTEM = "You route support messages. Answer with one word: billing, technical or account. " * 8
ANSWER = "The message is about an invoice that was charged twice, so it goes to billing. " * 3


def body_of(word: str) -> dict[str, object]:
    return {
        "model": "bench",
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": word}],
        "temperature": 0,
    }


async def serve(latency: float) -> None:
    """Answer every POST with the same completion; prints its port first."""
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "bench-2026",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}
        ],
        "usage": {"prompt_tokens": 150, "completion_tokens": 60, "total_tokens": 210},
    }
    data = json.dumps(answer).encode()
    whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        len(data),
        data,
    )

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
                await asyncio.sleep(latency)
                writer.write(whole)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def bare(url: str, samples: int, at_once: int) -> None:
    """The least there is: aiohttp, one loop, the JSON read."""
    import aiohttp

    words = (f"{arm} {index}" for index in range(samples) for arm in ("old", "new"))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:

        async def worker() -> None:
            for word in words:
                async with session.post(f"{url}/chat/completions", json=body_of(word)) as response:
                    (await response.json())["choices"][0]["message"]["content"]

        await asyncio.gather(*(worker() for _ in range(at_once)))


async def provider_only(url: str, samples: int, at_once: int) -> None:
    """Our provider without anything around it."""
    from promptops.providers.openai import open_openai

    words = (f"{arm} {index}" for index in range(samples) for arm in ("old", "new"))
    async with open_openai(url, "bench-key", at_once=at_once) as provider:

        async def worker() -> None:
            for word in words:
                await provider.complete(request_of(word))

        await asyncio.gather(*(worker() for _ in range(at_once)))


def request_of(word: str):  # type: ignore[no-untyped-def]
    from promptops.messages import Message, Request

    messages = (Message(role="system", content=SYSTEM), Message(role="user", content=word))
    return Request(model="bench", messages=messages, parameters={"temperature": 0})


async def whole(url: str, samples: int, at_once: int) -> None:
    """Everything: pacing, cache, journal, both arms side by side."""
    from promptops.providers.openai import open_openai
    from promptops.runs.cache import Cache
    from promptops.runs.journal import Journal
    from promptops.runs.pacing import Paced
    from promptops.runs.replay import Arm, Arms, replay
    from promptops.samples import Sample

    numbered = ((n, Sample(sample_id=f"smp_{n}", inputs={"n": n})) for n in range(samples))
    with tempfile.TemporaryDirectory() as folder:
        async with open_openai(url, "bench-key", at_once=at_once) as provider:
            paced = Paced(provider, name="bench", at_once=at_once)

            def arm(name: str) -> Arm:
                return Arm(
                    render=lambda sample: request_of(f"{name} {sample.sample_id}"),
                    asks=paced,
                    kind="openai",
                    base_url=url,
                )

            with (
                Cache.open(Path(folder) / "cache.db") as cache,
                Journal.open(Path(folder) / "run", {"digests": {}}) as journal,
            ):
                await replay(
                    numbered,
                    ask=Arms(baseline=arm("old"), candidate=arm("new")),
                    finished=lambda sample, pair: None,
                    cache=cache,
                    journal=journal,
                    at_once=at_once,
                )


WAYS: dict[str, Callable[[str, int, int], Awaitable[None]]] = {
    "bare aiohttp": bare,
    "provider": provider_only,
    "whole replay": whole,
}


def measure(way: str, url: str, samples: int, at_once: int) -> None:
    """Print wall and CPU seconds of one way, and the most memory it had in MB."""
    import resource

    asyncio.run(_run(WAYS[way], url, 2 * at_once, at_once))  # imports and first connections do not count
    wall, cpu = time.perf_counter(), time.process_time()
    asyncio.run(_run(WAYS[way], url, samples, at_once))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps([wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


async def _run(way: Callable[[str, int, int], Awaitable[None]], url: str, samples: int, at_once: int) -> None:
    await way(url, samples, at_once)


@contextmanager
def server(latency: float) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, __file__, "--serve", "--latency", str(latency)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()


def best(way: str, url: str, options: argparse.Namespace) -> list[float]:
    command = [sys.executable, __file__, "--way", way, "--url", url]
    command += ["--samples", str(options.samples), "--at-once", str(options.at_once)]
    runs = [json.loads(subprocess.check_output(command, env=dict(os.environ))) for _ in range(options.rounds)]
    return [min(column) for column in zip(*runs, strict=True)]


def table(figures: dict[str, list[float]], options: argparse.Namespace) -> None:
    calls = 2 * options.samples
    print(f"{calls} calls, {options.at_once} at once, answers after {1000 * options.latency:g} ms")
    print(f"{'':14}{'calls/s':>10}{'ratio':>8}{'CPU ms/call':>14}{'ratio':>8}{'MB':>7}")
    bare_wall, bare_cpu, _ = figures["bare aiohttp"]
    for way, (wall, cpu, memory) in figures.items():
        rate, cost = f"{calls / wall:.0f}", f"{1000 * cpu / calls:.2f}"
        print(f"{way:14}{rate:>10}{bare_wall / wall:8.2f}{cost:>14}{cpu / bare_cpu:8.2f}{memory:7.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.latency))
    elif options.way:
        measure(options.way, options.url, options.samples, options.at_once)
    else:
        with server(options.latency) as url:
            table({way: best(way, url, options) for way in WAYS}, options)


if __name__ == "__main__":
    main()
