"""Starts the program as a process of its own that need not load it: one that has loaded all of it forks.

What is killed, races or fails is a whole process, a second sooner. Whether the program starts at all is asked
elsewhere, by starting it.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# Reads one order a line; writes `started PID` at once, and `ended PID CODE` when it is so.
PARENT = """
import contextlib, gc, importlib, json, os, pkgutil, random, select, signal, sys

import git, jinja2.sandbox, numpy, promptops, scipy.stats

for found in pkgutil.walk_packages(promptops.__path__, "promptops."):
    if not found.name.endswith("__main__"):
        with contextlib.suppress(ImportError):
            importlib.import_module(found.name)
gc.collect()
gc.freeze()


def become(folder, arguments, out, err, environment, before):
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    sys.argv = ["promptops", *arguments]
    code = 1
    try:
        exec(before)
        promptops.cli.app.main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        import traceback
        traceback.print_exc()
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)


def ended():
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            print("ended", found[0], os.waitstatus_to_exitcode(found[1]), flush=True)


waking, wake = os.pipe()
os.set_blocking(wake, False)
signal.set_wakeup_fd(wake)
signal.signal(signal.SIGCHLD, lambda *_: None)
signal.signal(signal.SIGINT, signal.SIG_IGN)
rest = b""
while True:
    ready, _, _ = select.select([0, waking], [], [])
    if waking in ready:
        os.read(waking, 4096)
        ended()
    if 0 in ready:
        data = os.read(0, 65536)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\\n")
        for line in lines:
            pid = os.fork()
            if pid == 0:
                become(*json.loads(line))
            print("started", pid, flush=True)
"""


class _Parent:
    """The process that forks; it ends when nobody is left to give it orders."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", PARENT], stdin=pipe, stdout=pipe, bufsize=0
        )
        self._rest = b""
        self.codes: dict[int, int] = {}
        atexit.register(self._end)

    def start(self, *order: object) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        while (pid := self._hear()) is None:
            pass
        return pid

    def await_end(self, pid: int, seconds: float | None) -> bool:
        """Whether this child ended within the time."""
        assert self._process.stdout is not None
        while pid not in self.codes:
            if b"\n" not in self._rest and not select.select([self._process.stdout], [], [], seconds)[0]:
                return False
            self._hear()
        return True

    def _hear(self) -> int | None:
        """Read one line; return the number of the child that it says has started."""
        assert self._process.stdout is not None
        while b"\n" not in self._rest:
            data = os.read(self._process.stdout.fileno(), 65536)
            assert data, "the process that forks has died"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        word, *numbers = line.decode().split()
        if word == "started":
            return int(numbers[0])
        self.codes[int(numbers[0])] = int(numbers[1])
        return None

    def _end(self) -> None:
        self._process.communicate()


_parent = functools.cache(_Parent)


class Forked:
    """One program that runs, or has ended; both its streams go into the same file if no other is named for errors."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        out: Path,
        err: Path | None = None,
        environment: Mapping[str, str] | None = None,
        before: str = "",
    ) -> None:
        self._out, self._err = out, err or out
        for path in (self._out, self._err):
            path.write_bytes(b"")
        paths = (str(self._out), str(self._err))
        variables = dict(os.environ if environment is None else environment)
        self.pid = _parent().start(str(folder), arguments, *paths, variables, before)

    def is_over(self, seconds: float | None = None) -> bool:
        """Whether it ended within this time; None: however long it takes."""
        return _parent().await_end(self.pid, seconds)

    def wait(self) -> int:
        """Return its exit code, a signal as a negative number."""
        assert self.is_over(120), "it does not end"
        return _parent().codes[self.pid]

    @property
    def out(self) -> str:
        return self._out.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8")
