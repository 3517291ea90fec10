"""What benchmarks ask and test: a server on loopback, and a repository with a live prompt and a new one.

The server speaks OpenAI's chat completions in as few steps as possible, so that its own work does not hide ours.
What it answers is told by the words of the question alone: a twentieth of the answers are wrong, other ones
for each version, so that a test has broken and fixed samples to report.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import subprocess
import sys
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SYSTEM = "You route support messages. Answer with one word: billing, technical or account. " * 8
ANSWER = "The message is about an invoice that was charged twice, so it goes to {queue}. "
SLOW_ONE_IN, SLOW_SECONDS = 100, 5.0
ID = "routing"

CONFIG = """\
promptops: 1
providers:
  bench: {{kind: openai, base_url: "{url}"}}
limits: {{concurrency: {at_once}}}
"""
PROMPT = """\
model: bench/small
template: simple
parameters: {{temperature: 0}}
messages:
  - {{role: system, content: "{version} {system}"}}
  - {{role: user, content: "{{{{message}}}}"}}
scorers:
  queue: {{contains: billing, max_drop: 0.05}}
"""


def _answer(queue: str) -> bytes:
    message = {"role": "assistant", "content": 3 * ANSWER.format(queue=queue)}
    value = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "bench-2026",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 150, "completion_tokens": 60, "total_tokens": 210},
    }
    data = json.dumps(value).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data)
    return head + data


async def serve(latency: float, slow: bool) -> None:
    """Answer every POST after `latency` seconds, with `slow` every hundredth after five; prints its port first.

    A GET is answered with how many POSTs there were.
    """
    right, wrong = _answer("billing"), _answer("technical")
    count = itertools.count(1)
    asked = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                if head.startswith(b"get"):
                    said = b"%d" % asked
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))
                    continue
                body = await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
                asked = next(count)
                late = slow and asked % SLOW_ONE_IN == SLOW_ONE_IN // 2
                if late or latency:
                    await asyncio.sleep(SLOW_SECONDS if late else latency)
                writer.write(wrong if zlib.crc32(body) % 20 == 0 else right)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def server(latency: float, *, slow: bool = False) -> Iterator[str]:
    """Run the server in a process of its own, and give its base URL."""
    command = [sys.executable, __file__, str(latency), str(int(slow))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()


def asked(url: str) -> int:
    """How many questions the server has been asked."""
    with urllib.request.urlopen(url) as answer:
        return int(answer.read())


def message(number: int) -> str:
    return f"I was charged twice, see invoice {number}"


def build(folder: Path, *, url: str, samples: int, at_once: int) -> None:
    """Make the repository: one version is committed, the work tree holds another."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "prompts").mkdir(parents=True)
    (folder / "promptops.yaml").write_text(CONFIG.format(url=url, at_once=at_once))
    (folder / ".gitignore").write_text(".promptops/\n")
    with (folder / "prompts" / f"{ID}.samples.jsonl").open("w") as file:
        for number in range(samples):
            one = {"sample_id": f"smp_{number:016x}", "inputs": {"message": message(number)}}
            file.write(json.dumps({**one, "slices": {"language": ("en", "de")[number % 2]}}) + "\n")
    prompt = folder / "prompts" / f"{ID}.prompt.yaml"
    prompt.write_text(PROMPT.format(version="Old.", system=SYSTEM))
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "promptops.yaml", ".gitignore", "prompts"],
        ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "-m", "Add a prompt"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    prompt.write_text(PROMPT.format(version="New.", system=SYSTEM))


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), sys.argv[2] == "1"))
