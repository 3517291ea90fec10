"""A command of the user's own as a provider: one JSON request a line in, one JSON line out.

Each slot of a small pool holds one long-lived process that answers one request at a time. A process that
died, printed no JSON, said something unasked, or was cancelled in the middle is killed with its children and
replaced by the next call: after that nobody knows which answer its next line would be.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from promptops.errors import Malformed, ProviderError, Refused, Unreachable
from promptops.messages import Completion, Request
from promptops.providers.answers import message_to_chat, to_json, tool_to_chat
from promptops.providers.keys import one_line
from promptops.providers.shapes import error_text
from promptops.providers.values import completion_from_value

MAX_LINE = 32 * 2**20
_LAST_WORDS = 2000  # bytes of stderr kept for the error message
_GOODBYE = 2.0  # seconds a process has to end by itself once its input is closed


class Command:
    """A provider over at most `processes` processes of one command; opened by `open_command`."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        processes: int,
        max_line: int = MAX_LINE,
    ) -> None:
        self._argv, self._cwd, self._environ, self._max_line = tuple(argv), cwd, dict(environ), max_line
        self._free = asyncio.Semaphore(processes)
        self._idle: list[_Process] = []
        self._asked = 0

    async def complete(self, request: Request) -> Completion:
        """Ask one process once.

        Raises:
            Refused: the command cannot be started. Unreachable: its process died.
            Malformed: its line is no answer. ProviderError: it answered `{"error": …}`.
        """
        async with self._free:
            process = await self._process()
            try:
                value = await process.ask(self._line(request))
            except BaseException:  # a deadline above all: the process may still answer the old request
                await process.kill()
                raise
            self._idle.append(process)
        if isinstance(value, dict) and value.get("error"):
            raise ProviderError(f"the command {self._argv[0]} reports an error: {error_text(value['error'])}")
        return completion_from_value(value, asked_model=request.model)

    def _line(self, request: Request) -> dict[str, Any]:
        self._asked += 1
        return {
            "id": self._asked,
            "model": request.model,
            "messages": [message_to_chat(message) for message in request.messages],
            "parameters": request.parameters,
            "tools": [tool_to_chat(tool) for tool in request.tools],
            "response_format": request.response_format,
        }

    async def _process(self) -> _Process:
        while self._idle:
            process = self._idle.pop()
            if process.is_fit:
                return process
            await process.kill()
        return await _Process.start(self._argv, cwd=self._cwd, environ=self._environ, max_line=self._max_line)

    async def aclose(self) -> None:
        """End every process: first by closing its input, then by force."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(process.end() for process in idle))


class _Process:
    """One running process: its next line is always being awaited, so a line nobody asked for is noticed."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process, self._name = process, name
        self._stdin, self._stdout = process.stdin, process.stdout
        self._said: deque[bytes] = deque(maxlen=20)
        self._errors = asyncio.create_task(self._listen(process.stderr))
        self._next = asyncio.create_task(self._stdout.readline())

    @classmethod
    async def start(
        cls, argv: Sequence[str], *, cwd: Path, environ: Mapping[str, str], max_line: int
    ) -> _Process:
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                cwd=cwd,
                env=environ,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=max_line,
                start_new_session=True,  # so that its children can be killed with it
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise Refused(f"cannot start the command {argv[0]} in {cwd}: {reason}") from error
        return cls(process, argv[0])

    @property
    def is_fit(self) -> bool:
        """Whether it waits for a request: alive, and silent since its last answer."""
        return self._process.returncode is None and not self._next.done()

    async def ask(self, request: Mapping[str, Any]) -> Any:
        with suppress(ConnectionError):  # it died: the missing answer says so, with its last words
            self._stdin.write(to_json(request) + b"\n")
            await self._stdin.drain()
        try:
            line = await self._next
        except ValueError as error:
            raise Malformed(f"the command {self._name} answered with a line beyond the limit") from error
        if not line.endswith(b"\n"):
            raise await self._died(line)
        value = self._parse(line)
        if isinstance(value, dict) and value.get("id", request["id"]) != request["id"]:
            raise Malformed(f"the command {self._name} answered request {value['id']!r}, not {request['id']}")
        self._next = asyncio.create_task(self._stdout.readline())
        return value

    def _parse(self, line: bytes) -> Any:
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            start = one_line(line[:400].decode("utf-8", "replace"), limit=120)
            raise Malformed(f"the command {self._name} answered with no JSON: {start}") from error

    async def _died(self, line: bytes) -> ProviderError:
        await self.kill()
        said = one_line(b" ".join(self._said)[-_LAST_WORDS:].decode("utf-8", "replace"))
        half = " in the middle of a line" if line else ""
        code = self._process.returncode
        return Unreachable(
            f"the command {self._name} ended{half} (exit {code})" + (f": {said}" if said else "")
        )

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        """Keep the last words; a pipe nobody reads would stop the process."""
        while chunk := await stderr.read(4096):
            self._said.append(chunk)

    async def end(self) -> None:
        self._stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """Kill the process and its children, and wait until it is gone."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                if hasattr(os, "killpg"):
                    os.killpg(self._process.pid, signal.SIGKILL)
                else:
                    self._process.kill()
        self._stdin.close()
        await self._process.wait()
        self._next.cancel()
        # A grandchild that left the group may hold the pipe open; its words are not worth waiting for.
        await asyncio.wait({self._errors}, timeout=0.1)
        self._errors.cancel()
        await asyncio.gather(self._next, self._errors, return_exceptions=True)


@asynccontextmanager
async def open_command(
    argv: Sequence[str], *, cwd: Path, environ: Mapping[str, str], processes: int
) -> AsyncIterator[Command]:
    """Open a provider over `processes` processes of `argv`: started when needed, all gone at the end."""
    command = Command(argv, cwd=cwd, environ=environ, processes=processes)
    try:
        yield command
    finally:
        await command.aclose()
