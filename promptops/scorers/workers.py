"""Worker processes that score: for scorers that need much time, and for those that may hang or end their process.
What is a program of somebody's own is not even imported elsewhere.

The first one starts with the first answer, the others once answers take long enough that they pay for themselves. An
answer that takes longer than the limit, or whose worker ends, has no score, with the reason; the worker is replaced,
and the answers after it are scored by the next one. One thread for each worker talks to it, so that neither a
full pipe nor a dead process holds up who asks.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from promptops.errors import ConfigError, RunStopped
from promptops.messages import Completion
from promptops.samples import Sample, Score
from promptops.scorers.build import Recipe
from promptops.scorers.code import OutsideRange
from promptops.scorers.worker import MADE_WITHIN, Task, packed

Scored = Score | OutsideRange

PAYS = 0.002  # seconds an answer takes: from there on a second worker is worth its start
LOST_IN_A_ROW = 10
_GLANCE = 0.1  # seconds between looks at whether anybody still waits
_MEAN_OF = 20  # about so many last answers
_POSIX = hasattr(os, "killpg")
_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from promptops.scorers.worker import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """A scorer that exists in worker processes only, as one of them describes it."""

    value_range: tuple[float, float]
    binary: bool

    def score(self, sample: Sample, completion: Completion) -> Score:
        raise AssertionError("a worker scores it")


def described(recipes: Mapping[str, Recipe]) -> dict[str, Apart]:
    """Make scorers in a process that ends afterwards, and return what they are like.

    Raises:
        ConfigError: one cannot be made, or takes too long, or ends the process. RunStopped: none can be started.
    """
    if not recipes:
        return {}
    worker = _worker(limit=0.0)
    try:
        return worker.prepare(recipes)
    finally:
        worker.end()


class Workers:
    """At most `most` processes, all able to run every scorer of `recipes`; opened by `open_workers`."""

    def __init__(self, recipes: Mapping[str, Recipe], *, limit: float, most: int) -> None:
        self._recipes, self._limit, self._most = recipes, limit, most
        self._tasks: queue.SimpleQueue[tuple[Task, Future[list[Scored]]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._workers: set[_Worker] = set()
        self._waiting = 0
        self._lost: Counter[str] = Counter()
        self._mean = 0.0
        self._closed = False

    def submit(self, task: Task) -> Future[list[Scored]]:
        """Have answers scored; the scores come in the order of the answers.

        The future raises RunStopped where one scorer lost so many answers in a row that it is the scorer that is
        wrong, and RuntimeError, with its traceback, where a scorer of ours has a bug.
        """
        future: Future[list[Scored]] = Future()
        with self._lock:
            self._waiting += 1
            if not self._threads or self._another_pays():
                self._threads.append(threading.Thread(target=self._serve, daemon=True))
                self._threads[-1].start()
        self._tasks.put((task, future))
        return future

    def _another_pays(self) -> bool:
        return len(self._threads) < self._most and self._waiting > len(self._threads) and self._mean > PAYS

    def close(self) -> None:
        """End every worker, whatever it does, with all that it has started."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.end()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        worker: _Worker | None = None
        while not self._closed and (item := self._tasks.get()) is not None:
            task, future = item
            scores: list[Scored] = []
            try:
                while len(scores) < len(task[1]):
                    if worker is None or worker.is_gone:
                        worker = self._started(worker)
                    self._score(worker, task, scores)
            except Exception as error:  # noqa: BLE001  it belongs to who asked
                self._forget(worker)
                worker = None
                future.set_exception(error)
            else:
                future.set_result(scores)
            with self._lock:
                self._waiting -= 1
        self._forget(worker)

    def _score(self, worker: _Worker, task: Task, scores: list[Scored]) -> None:
        """Score what has no score yet, up to the answer at which the worker is lost."""
        units = task[1][len(scores) :]
        begun = time.perf_counter()
        for (name, _), found in zip(units, worker.score((task[0], units)), strict=False):
            now = time.perf_counter()
            self._count(name, found, now - begun)
            begun = now
            scores.append(found.score if isinstance(found, _Lost) else found)

    def _started(self, before: _Worker | None) -> _Worker:
        """Start a worker.

        Raises:
            RunStopped: it cannot be started, or does not become ready.
        """
        self._forget(before)
        worker = _worker(self._limit)
        with self._lock:
            self._workers.add(worker)
            if self._closed:
                worker.end()
        try:
            worker.prepare(self._recipes)
        except ConfigError as error:
            raise RunStopped(str(error)) from error
        return worker

    def _forget(self, worker: _Worker | None) -> None:
        if worker is not None:
            worker.end()
            with self._lock:
                self._workers.discard(worker)

    def _count(self, name: str, found: Scored | _Lost, seconds: float) -> None:
        """Count what an answer took and whether it was lost.

        Raises:
            RunStopped: nothing else has come of this scorer for a while.
        """
        with self._lock:
            self._mean += (seconds - self._mean) / _MEAN_OF
            if not isinstance(found, _Lost):
                self._lost[name] = 0
                return
            self._lost[name] += 1
            if self._lost[name] < LOST_IN_A_ROW or self._closed:
                return
        raise RunStopped(
            f"scorer {name!r} gave no score {LOST_IN_A_ROW} times in a row, the last time because"
            f" {found.score.reason}; correct it, or give it more time (limits.scoring); every answer is kept"
        )


class _Lost:
    """What becomes of an answer that took too long or ended its worker."""

    def __init__(self, reason: str) -> None:
        self.score = Score(value=None, reason=reason)


class _Worker:
    """One process; whoever talks to it is one thread, but any thread may end it."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        # A group of its own: Ctrl-C is for us to hear, and what a scorer starts ends with it.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=_POSIX,
            creationflags=_GROUP,
        )
        self._ending = threading.Lock()
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.is_gone = self._ended = False
        threading.Thread(target=self._listen, daemon=True).start()

    def prepare(self, recipes: Mapping[str, Recipe]) -> dict[str, Apart]:
        """Have the scorers made, and return what they are like.

        Raises:
            ConfigError: one cannot be made, took too long, or ended the process.
        """
        with suppress(OSError):  # it ended: the missing line says so
            self._send(packed((self._limit, recipes)))
        return {name: self._made(f"scorer {name!r}: {recipe.making}") for name, recipe in recipes.items()}

    def _made(self, making: str) -> Apart:
        try:
            found = self._hear(MADE_WITHIN)
        except EOFError:
            raise ConfigError(f"{making} ended its process: {self._last_words()}") from None
        except queue.Empty:
            self.end()
            raise ConfigError(f"{making} took more than {MADE_WITHIN:g} s: what does it wait for?") from None
        if "broken" in found:
            raise ConfigError(found["broken"])
        worst, best = found["range"]
        return Apart(value_range=(worst, best), binary=found["binary"])

    def score(self, task: Task) -> Iterator[Scored | _Lost]:
        """Score one answer after the other; the first one that is lost is the last one."""
        try:
            self._send(packed(task))
            for _ in task[1]:
                yield _read(self._hear(self._limit))
        except queue.Empty:
            self.end()
            yield _Lost(f"the scorer took more than {self._limit:g} s")
        except (OSError, EOFError):
            yield _Lost(f"the scorer ended its process: {self._last_words()}")

    def end(self) -> None:
        """End the process and all it has started."""
        with self._ending:
            if self._ended:
                return
            self._ended = self.is_gone = True
            _kill(self._process)
            self._process.wait()
            with suppress(OSError):
                cast("BinaryIO", self._process.stdin).close()

    def _last_words(self) -> str:
        """End a process that no longer answers, and say how it did."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        self.end()
        code = self._process.returncode
        return f"exit code {code}" if code >= 0 else f"killed by {_signal(-code)}"

    def _send(self, data: bytes) -> None:
        pipe = cast("BinaryIO", self._process.stdin)
        pipe.write(data)
        pipe.flush()

    def _hear(self, seconds: float) -> dict[str, Any]:
        """Return the next line.

        Raises:
            queue.Empty: none came in time. EOFError: none will come. asyncio.CancelledError: nobody waits any more.
        """
        line = _next(self._lines, seconds)
        if not line.endswith(b"\n"):
            raise EOFError
        found: dict[str, Any] = json.loads(line)
        return found

    def _listen(self) -> None:
        with cast("BinaryIO", self._process.stdout) as pipe:
            for line in pipe:
                self._lines.put(line)
        self.is_gone = True
        self._lines.put(b"")


def _next(lines: queue.SimpleQueue[bytes], seconds: float) -> bytes:
    """Wait for a line, and hear a cancellation meanwhile: the loop cannot say it while it is held up here."""
    until = time.monotonic() + seconds
    while True:
        try:
            return lines.get(timeout=min(seconds, _GLANCE))
        except queue.Empty:
            if _is_cancelled():
                raise asyncio.CancelledError from None
            if time.monotonic() >= until:
                raise


def _is_cancelled() -> bool:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop: this is a thread of its own
        return False
    return task is not None and task.cancelling() > 0


def _worker(limit: float) -> _Worker:
    try:
        return _Worker(limit)
    except OSError as error:
        raise RunStopped(f"a process to run the scorers in does not start: {error}") from error


def _read(found: Mapping[str, Any]) -> Scored:
    if "outside" in found:
        return OutsideRange(found["outside"])
    if "broken" in found:
        raise RuntimeError(f"a scorer has a bug:\n{found['broken']}")
    return Score(value=found["value"], reason=found["reason"])


def _kill(process: subprocess.Popen[bytes]) -> None:
    if not _POSIX:
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):  # all of them have ended
        os.killpg(process.pid, signal.SIGKILL)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextmanager
def open_workers(
    recipes: Mapping[str, Recipe], *, limit: float, most: int | None = None
) -> Iterator[Workers]:
    """Open worker processes for these scorers; none is started before it is needed, and none is left.

    `limit` is in seconds for one answer; `most` is the number of processors unless it is given.
    """
    workers = Workers(recipes, limit=limit, most=most or processors())
    try:
        yield workers
    finally:
        workers.close()


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
