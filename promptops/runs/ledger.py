"""Which questions were asked before: `looks.jsonl`, one line a look, beside the runs and not inside them.

Deleting the runs must not make it forget, and two tests at once must not both be the first: lines are only ever
appended, under a lock and durable, before a verdict is shown. A last line that a kill tore was never followed by a
verdict, and is cut off. Any other line that cannot be read may hide a look: its number is kept, so that the caller
can say that it does not know. Counts nothing and decides nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from promptops.errors import PromptopsError
from promptops.strictjson import NotJson, parse

try:
    import fcntl
except ImportError:  # Windows: two tests at once may count the same look there
    fcntl = None  # type: ignore[assignment]

NAME: Final = "looks.jsonl"
SCHEMA: Final = "promptops.looks/1"
_LONGEST: Final = 1_000_000  # bytes of a line; a look has 500, the first line 70 for each prompt
_HIGHEST: Final = 10**9
_TEXTS: Final = ("prompt", "baseline", "candidate", "samples", "run", "begun")
_BINARY = getattr(os, "O_BINARY", 0)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One look: what was compared (digests; `baseline` is empty at a first release), on which samples, in which run.

    `begun` tells one beginning of a run from another, whose answers were drawn anew. `known` is False where there
    may have been looks before that this ledger never saw: then `look` is the least that it can be.
    """

    prompt: str
    baseline: str
    candidate: str
    samples: str
    run: str
    begun: str
    look: int
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What the file says.

    `present` are the digests of the prompts that were there when it began: they may have been tested before.
    `existed` is False when it begins now. `unreadable` are numbers of lines.
    """

    entries: tuple[Entry, ...] = ()
    present: frozenset[str] = frozenset()
    existed: bool = True
    unreadable: tuple[int, ...] = ()


def begin(state: Path, present: Iterable[str] = ()) -> None:
    """Write a ledger without a look where there is none: from now on none is missed.

    Raises:
        PromptopsError: it cannot be written.
    """
    record(state, lambda: present, lambda ledger: (None, ()))


def read(state: Path) -> Ledger:
    """Read the ledger of a state folder.

    Raises:
        PromptopsError: it is there and cannot be read.
    """
    path = state / NAME
    try:
        return _parsed(path.read_bytes())[0]
    except FileNotFoundError:
        return Ledger(existed=False)
    except OSError as error:
        raise PromptopsError(f"cannot read {path}: {error.strerror}") from error


def record(
    state: Path,
    present: Callable[[], Iterable[str]],
    decide: Callable[[Ledger], tuple[Result, tuple[Entry, ...]]],
) -> Result:
    """Read the ledger, append what `decide` says, and return its result; nobody comes between.

    `present` is asked for when the ledger begins.

    Raises:
        PromptopsError: the file cannot be written; then no verdict may be shown.
    """
    path = state / NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _BINARY, 0o666)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        _lock(descriptor)
        content = _content(descriptor)
        ledger, keep = _parsed(content)
        new = b"" if ledger.existed else _header(present())
        result, entries = decide(ledger)
        _append(descriptor, content[:keep], new + b"".join(_line(asdict(entry)) for entry in entries))
        return result
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> PromptopsError:
    return PromptopsError(
        f"cannot write {path}: {error.strerror}; a verdict is only shown after its look is written down"
    )


def _content(descriptor: int) -> bytes:
    parts: list[bytes] = []
    os.lseek(descriptor, 0, os.SEEK_SET)
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _append(descriptor: int, kept: bytes, lines: bytes) -> None:
    """Write whole lines after the last whole one, and wait until the disk has them."""
    if not lines:
        return
    os.ftruncate(descriptor, len(kept))
    if kept and not kept.endswith(b"\n"):
        lines = b"\n" + lines
    while lines:
        lines = lines[os.write(descriptor, lines) :]
    os.fsync(descriptor)


def _header(present: Iterable[str]) -> bytes:
    return _line({"schema": SCHEMA, "present": sorted(set(present))})


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True).encode() + b"\n"


def _parsed(content: bytes) -> tuple[Ledger, int]:
    """Return what the bytes say, and how many of them to keep: all but a torn last line."""
    *whole, rest = content.split(b"\n")
    # An editor may leave the last line without its end; one that a kill tore cannot be read.
    torn = bool(rest) and (_entry(rest) if whole else _present(rest)) is None
    lines = whole if torn or not rest else [*whole, rest]
    keep = len(content) - (len(rest) if torn else 0)
    if not lines:
        return Ledger(existed=False), keep
    present = _present(lines[0])
    entries = [_entry(line) for line in lines[1:]]
    bad = [number for number, line in enumerate(lines[1:], 2) if line.strip() and not entries[number - 2]]
    ledger = Ledger(
        entries=tuple(entry for entry in entries if entry),
        present=present or frozenset(),
        unreadable=tuple(bad if present is not None else [1, *bad]),
    )
    return ledger, keep


def _present(line: bytes) -> frozenset[str] | None:
    """Read the first line; None where it is not one of ours."""
    values = _values(line)
    present = values.get("present")
    if values.get("schema") != SCHEMA or not isinstance(present, list):
        return None
    return frozenset(present) if all(isinstance(digest, str) for digest in present) else None


def _entry(line: bytes) -> Entry | None:
    """Read a look; None where it is none. Keys that a later version may add are passed over."""
    values = _values(line)
    texts = {name: values[name] for name in _TEXTS if isinstance(values.get(name), str)}
    look, known = values.get("look"), values.get("known")
    if len(texts) < len(_TEXTS) or type(look) is not int or not isinstance(known, bool):
        return None
    return Entry(**texts, look=look, known=known) if 1 <= look <= _HIGHEST else None


def _values(line: bytes) -> dict[str, Any]:
    if len(line) > _LONGEST:
        return {}
    try:
        values = parse(line.decode())
    except (NotJson, UnicodeDecodeError):
        return {}
    return values if isinstance(values, dict) else {}


def _lock(descriptor: int) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return  # a file system without locks
