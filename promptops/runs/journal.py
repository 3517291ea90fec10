"""What a run has finished: `run.json` says of what, `pairs.jsonl` holds one finished pair a line.

Lines are appended in finishing order, each by one write, so a killed run loses at most the line it was
writing: a last line without its line feed is dropped. The first answer of a pair has a line of its own, so
that a resumed run asks for the other one only; so has what was asked in vain when the run ended, which is paid.
Anything else that is wrong is an IntegrityError with its line number, never a guess. In memory is one number a
pair: where its line begins. A later line for the same index wins.
"""

from __future__ import annotations

import asyncio
import os
from array import array
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from promptops.errors import IntegrityError, PromptopsError, RunStopped
from promptops.messages import Answer, Failure
from promptops.runs.encoding import Half, Line, Unanswered, from_line, line_from_dict, line_to_dict, to_line
from promptops.runs.header import check_header, put, read_header, write_header
from promptops.runs.locking import is_at, lock
from promptops.samples import Pair

Told = Callable[[Line], None]

_ABSENT = -(2**63)
# A larger index is damage, and must not make the list of offsets as long as itself.
_LARGEST_INDEX = 100_000_000
_BINARY = getattr(os, "O_BINARY", 0)
_LOOK_AGAIN = 0.2  # seconds


class Journal:
    """An open run; a context manager, closed at the end. One process has it at a time."""

    def __init__(self, folder: Path, descriptor: int, told: Told) -> None:
        self._pairs, self._header = folder / "pairs.jsonl", folder / "run.json"
        self._descriptor, self._told = descriptor, told
        self._reader = self._pairs.open("rb")
        self._offsets = array("q")  # where a line begins; ~offset when it holds a failure to be asked again
        # Where the lines of single answers begin, of pairs that are not final.
        self._halves: dict[int, int] = {}
        self._size = 0

    @classmethod
    def open(cls, folder: Path, header: Mapping[str, Any], *, told: Told | None = None) -> Self:
        """Begin the run in `folder`, or resume it.

        `header` goes to run.json; on a resume its `digests` have to be those the run began with. `told` gets every
        line in order, those that are there now and those to come.

        Raises:
            IntegrityError: other digests, or a line in the middle that is no pair.
            PromptopsError: another process has this run, or the folder cannot be written.
        """
        journal = cls._try_open(folder, header, told or _ignore)
        if journal is None:
            raise PromptopsError(f"another promptops test of this run is going on ({folder}); wait for it")
        return journal

    @classmethod
    async def open_when_free(
        cls,
        folder: Path,
        header: Mapping[str, Any],
        *,
        say: Callable[[str], None],
        told: Told | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> Self:
        """Open as `open` does, and wait while another process has this run: what it finishes need not be asked.

        Raises:
            IntegrityError: as `open`. PromptopsError: the folder cannot be written.
        """
        told = told or _ignore
        journal = cls._try_open(folder, header, told)
        if journal is None:
            say(
                f"another promptops is running this test ({folder.name}): waiting for it, to go on from there"
            )
        while journal is None:
            await sleep(_LOOK_AGAIN)
            journal = cls._try_open(folder, header, told)
        return journal

    @classmethod
    def _try_open(cls, folder: Path, header: Mapping[str, Any], told: Told) -> Self | None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | _BINARY
            descriptor = os.open(folder / "pairs.jsonl", flags, 0o666)
        except OSError as error:
            raise PromptopsError(f"cannot write the run in {folder}: {error.strerror}") from error
        try:
            # Who waited may have got a file that was deleted meanwhile, and with it the run.
            free = lock(descriptor) and is_at(descriptor, folder / "pairs.jsonl")
            journal = cls(folder, descriptor, told) if free else None
        except BaseException:
            os.close(descriptor)
            raise
        if journal is None:
            os.close(descriptor)
            return None
        try:
            journal._begin(header)
        except BaseException:
            journal.close()
            raise
        return journal

    def complete(self, index: int) -> bool:
        """Whether nothing of this pair is to be asked again: its answers came, or nobody was to be asked."""
        return index < len(self._offsets) and self._offsets[index] >= 0

    def __contains__(self, index: int) -> bool:
        """Whether anything was answered of this pair."""
        return self._offset(index) != _ABSENT or any(half in self._halves for half in _both(index))

    def read(self, index: int) -> Pair:
        """Return the last pair written for `index`.

        Raises:
            KeyError: there is none. IntegrityError: its line is no longer what it was.
        """
        offset = self._offset(index)
        if offset == _ABSENT:
            raise KeyError(index)
        found = self._line(offset if offset >= 0 else ~offset, index)
        assert isinstance(found, Pair)
        return found

    def halves(self, index: int) -> tuple[Half, ...]:
        """Return the answers that came of a pair which is not final, one an arm at most.

        Raises:
            IntegrityError: a line is no longer what it was.
        """
        begins = [self._halves[half] for half in _both(index) if half in self._halves]
        found = [self._line(one, index) for one in begins]
        return tuple(half for half in found if isinstance(half, Half))

    def append(self, line: Line) -> None:
        """Write a finished pair, one answer of a pair whose other one is not there, or what was asked in vain.

        Raises:
            RunStopped: the disk is full or gone; every line before this one is whole.
        """
        begins = self._size
        self._write(to_line(line_to_dict(line)))
        self._note(line, begins)

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._descriptor, line)
            if written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError as error:
            os.ftruncate(self._descriptor, self._size)
            raise RunStopped(
                f"cannot write {self._pairs}: {error.strerror}; what was finished is kept;"
                " run again to resume"
            ) from error
        self._size += len(line)

    def amend(self, **facts: Any) -> None:
        """Add to run.json what only the run could tell, such as the model that answered."""
        write_header(self._header, {**read_header(self._header), **facts})

    def recall(self, name: str) -> Any:
        """Return what run.json says under a name; None where it says nothing."""
        return read_header(self._header).get(name)

    def keep_report(self, text: str) -> None:
        """Write `report.json`, instead of an earlier one.

        Raises:
            RunStopped: the disk is full or gone; an earlier report is still there.
        """
        put(self._header.with_name("report.json"), text)

    def keep_spending(self, text: str) -> None:
        """Write `spend.json`, the ledger of what was asked and paid, instead of an earlier one.

        Raises:
            RunStopped: the disk is full or gone; an earlier ledger is still there.
        """
        put(self._header.with_name("spend.json"), text)

    def close(self) -> None:
        """Make everything durable, and let go.

        Raises:
            RunStopped: the disk says only now that it has not kept what it took.
        """
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise RunStopped(
                f"cannot write {self._pairs}: {error.strerror}; run again to ask for what is missing"
            ) from error
        finally:
            self._reader.close()
            os.close(self._descriptor)

    def _begin(self, header: Mapping[str, Any]) -> None:
        has_pairs = os.fstat(self._descriptor).st_size > 0
        if self._header.exists():
            check_header(self._header, header)
        elif has_pairs:
            raise IntegrityError(
                f"{self._pairs} has pairs, but run.json beside it is missing: of what run are they?"
            )
        if not has_pairs:
            # Nothing is left of an earlier beginning: everything will be asked anew, so this is another one.
            write_header(self._header, header)
        self._read_lines()

    def _read_lines(self) -> None:
        for number, line in enumerate(self._reader, start=1):
            if not line.endswith(b"\n"):
                os.ftruncate(self._descriptor, self._size)
                return
            try:
                found = line_from_dict(from_line(line))
                if found.index > _LARGEST_INDEX:
                    raise ValueError("its index is beyond every sample set")
            except ValueError as error:
                raise IntegrityError(
                    f"{self._pairs}:{number}: no pair: {error}; delete the line to have it asked again"
                ) from error
            self._note(found, self._size)
            self._size += len(line)

    def _line(self, begins: int, index: int) -> Line:
        self._reader.seek(begins)
        try:
            found = line_from_dict(from_line(self._reader.readline()))
            if found.index != index:
                raise ValueError(f"it is of pair {found.index}")
        except ValueError as error:
            raise IntegrityError(
                f"{self._pairs}: the pair {index} was changed while running: {error}"
            ) from error
        return found

    def _offset(self, index: int) -> int:
        return self._offsets[index] if index < len(self._offsets) else _ABSENT

    def _note(self, found: Line, begins: int) -> None:
        self._told(found)
        if isinstance(found, Unanswered):
            return
        if isinstance(found, Half):
            self._halves[_both(found.index)[found.role == "candidate"]] = begins
            return
        missing = found.index + 1 - len(self._offsets)
        if missing > 0:
            self._offsets.extend([_ABSENT] * missing)
        done = is_final(found.baseline) and is_final(found.candidate)
        self._offsets[found.index] = begins if done else ~begins
        if done:
            for half in _both(found.index):
                self._halves.pop(half, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _ignore(line: Line) -> None:
    pass


def _both(index: int) -> tuple[int, int]:
    """Two numbers of a pair, one for each arm: cheaper to keep than the pair's index with a name."""
    return 2 * index, 2 * index + 1


def is_final(answer: Answer) -> bool:
    """A failure without an attempt (no baseline, nothing recorded) is as final as an answer."""
    return not isinstance(answer, Failure) or answer.attempts == 0
