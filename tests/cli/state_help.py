"""A repository whose prompt is answered over HTTP, the server that answers, and the program as a process to kill."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cli_help import git
from forked import Forked

ID = "triage"
PATH = f"prompts/{ID}.prompt.yaml"
SAMPLES = f"prompts/{ID}.samples.jsonl"
KEY = "sk-proj-4fXq81kZpLmN0aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789"
HEADER = "value-of-a-header-that-nobody-may-see"
N, AT_ONCE = 60, 4

CONFIG = """\
promptops: 1
prompts: [prompts]
providers:
  served:
    kind: openai
    base_url: {url}
    api_key: {{env: SERVED_KEY}}
    headers: {{x-team: {header}}}
    prices: {{m: {{input: 1.0, output: 2.0}}}}
limits: {{concurrency: {at_once}, attempts: 1, deadline: 20, outage: 0.3{more}}}
"""
PROMPT = """\
description: Sends a message to a queue
model: served/m
messages:
  - {role: system, content: "Be careful. Answer with one word."}
  - {role: user, content: "{{ message }}"}
scorers:
  queue: {equals: "{{ expected }}", min: 0.5}
"""


class Served:
    """Answers every question in its own way, after its own time, and writes down which process asked what."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []  # the number of the process, the question
        self.process = 0
        self.slow = 0.02  # seconds, the longest
        self.rung = threading.Event()
        self.ring_at: int | None = None
        self.goes_on = threading.Event()  # cleared: answers wait
        self.goes_on.set()
        self._guard = threading.Lock()
        self.url = ""

    def count(self) -> int:
        return len(self.asked)

    def answer(self, body: bytes) -> dict[str, Any]:
        messages = json.loads(body)["messages"]
        question = " / ".join(str(message["content"]) for message in messages)
        with self._guard:
            self.asked.append((self.process, question))
            if self.ring_at is not None and len(self.asked) >= self.ring_at:
                self.rung.set()
        assert self.goes_on.wait(30)
        dice = hashlib.sha256(question.encode()).digest()
        time.sleep(dice[0] / 256 * self.slow)
        right = messages[-1]["content"].split()[-1]
        text = "sales" if "quick" in question and dice[1] < 60 else right
        usage = {"prompt_tokens": 10 + dice[2] % 5, "completion_tokens": 1 + dice[3] % 3}
        message = {"role": "assistant", "content": text}
        return {"model": "m", "choices": [{"finish_reason": "stop", "message": message}], "usage": usage}

    def asked_again(self) -> Counter[int]:
        """How many questions of each process were asked once more by a later one."""
        last: dict[str, int] = {}
        again: Counter[int] = Counter()
        for process, question in self.asked:
            if question in last:
                again[last[question]] += 1
            last[question] = process
        return again


@contextmanager
def served() -> Iterator[Served]:
    """Serve on loopback until the block ends."""
    found = Served()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            data = json.dumps(found.answer(self.rfile.read(int(self.headers["content-length"])))).encode()
            try:
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except ConnectionError:  # the process that asked was killed
                self.close_connection = True

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                return

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def config(url: str, *, more: str = "") -> str:
    return CONFIG.format(url=url, header=HEADER, at_once=AT_ONCE, more=more)


def build(folder: Path, url: str, *, samples: int = N) -> None:
    """Write and commit the repository; the prompt is live as v1, adopted without being asked."""
    lines = [
        {
            "inputs": {"message": f"message {n} about {('billing', 'technical')[n % 2]}"},
            "expected": ("billing", "technical")[n % 2],
        }
        for n in range(samples)
    ]
    files = {
        "promptops.yaml": config(url),
        ".gitignore": ".promptops/\n",
        PATH: PROMPT.replace(", min: 0.5", ""),
        SAMPLES: "".join(json.dumps(line) + "\n" for line in lines),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Add a prompt and its samples")


def reword(folder: Path) -> None:
    """Change the prompt, for the worse."""
    path = folder / PATH
    path.write_text(path.read_text().replace("careful", "quick"))


TIMES = ("latency", "time_to_first_token")


def without_times(report: Path, *, spent: bool = True) -> str:
    """What a report says apart from times: of two runs of the same test it is the same, byte for byte.

    Not what is `spent` by a test that stops early: what is under way at its end depends on time.
    """
    found = json.loads(report.read_bytes())
    if not spent:
        found["cost"], found["next_steps"] = {}, []
    return json.dumps(_timeless(found), indent=1)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [_timeless(item) for item in value if not _is_time(item)]
    return value


def _is_time(item: Any) -> bool:
    return isinstance(item, dict) and bool({item.get("name"), item.get("metric")} & set(TIMES))


class Program:
    """Starts the program again and again, one at a time; `before` is what its process does first."""

    def __init__(self, folder: Path) -> None:
        self.output = folder / "output.txt"

    def start(self, folder: Path, *arguments: str, before: str = "", **environment: str) -> int:
        variables = {**os.environ, "SERVED_KEY": KEY, **environment}
        self._process = Forked(folder, *arguments, out=self.output, environment=variables, before=before)
        return self._process.pid

    def wait(self) -> int:
        return self._process.wait()

    def is_over(self, seconds: float) -> bool:
        """Whether the program ended within this time."""
        return self._process.is_over(seconds)

    def run(self, folder: Path, *arguments: str, before: str = "") -> int:
        self.start(folder, *arguments, before=before)
        return self.wait()

    @property
    def said(self) -> str:
        """What the last program has printed, on both streams."""
        return self._process.out


def report_of(folder: Path) -> Path:
    (found,) = (folder / ".promptops/runs").glob("*/report.json")
    return found


def kill(pid: int, how: int = signal.SIGKILL) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:  # it was faster
        return
