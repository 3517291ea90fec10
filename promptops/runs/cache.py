"""Answers already paid for, in one SQLite file that several runs may use at once.

An answer is found again only for the exact same request, at the same address, by the same kind of provider,
with the same draw number: the draw is what keeps an A/A test, or a repeated sample, from being one answer
counted twice. Errors are never kept. Writes are collected and committed about once a second, so that no
other run waits for a lock longer than one commit takes; `close` commits what is left. Keys and headers
never come here.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from promptops.errors import InvalidFile, Problem, PromptopsError, RunStopped
from promptops.messages import NOTHING_LOST, Completion
from promptops.runs.cachestats import Stats, read_stats
from promptops.runs.encoding import answer_to_dict, completion_from_dict, from_line, to_line
from promptops.runs.whole import writing

SCHEMA = "promptops.cache/1"
_VERSION = 1
_TABLE = (
    "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, asked_at REAL, imported INTEGER, answer BLOB)"
)
_PATIENCE = 30.0  # seconds that one run waits for another one's commit
_COMMIT_EVERY = 1.0  # seconds
_COMMIT_AT = 500  # answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer from the cache; `asked_at` in seconds since 1970, `imported` when it came from a file."""

    completion: Completion
    asked_at: float
    imported: bool


class Cache:
    """An open cache; a context manager, closed at the end."""

    def __init__(self, connection: sqlite3.Connection, path: Path, clock: Callable[[], float]) -> None:
        self._connection, self._path, self._clock = connection, path, clock
        self._waiting: dict[str, tuple[float, bool, bytes]] = {}
        self._committed = clock()

    @classmethod
    def open(cls, path: Path, *, clock: Callable[[], float] = time.monotonic) -> Self:
        """Open a cache, made when it is not there.

        Raises:
            PromptopsError: it cannot be written, or is no cache of this version.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise PromptopsError(
                f"cannot open the cache {path}: {error}; delete it or run without it"
            ) from error
        return cls(connection, path, clock)

    def get(self, key: str) -> Kept | None:
        """Return the answer kept under `key`."""
        found = self._waiting.get(key)
        if found is None:
            with self._working():
                query = "SELECT asked_at, imported, answer FROM answers WHERE key = ?"
                found = self._connection.execute(query, (key,)).fetchone()
        if found is None:
            return None
        asked_at, imported, answer = found
        try:
            completion = completion_from_dict(from_line(answer))
        except ValueError as error:
            raise PromptopsError(f"the cache {self._path} is damaged: {error}; delete it") from error
        return Kept(completion=completion, asked_at=asked_at, imported=bool(imported))

    def put(self, key: str, completion: Completion, asked_at: float) -> None:
        """Keep an answer, instead of an older one; it is on disk within about a second of further work."""
        if completion.lost != NOTHING_LOST:  # that was this call's own bad luck
            completion = replace(completion, lost=NOTHING_LOST)
        self._waiting[key] = (asked_at, False, to_line(answer_to_dict(completion)))
        if len(self._waiting) >= _COMMIT_AT or self._clock() - self._committed >= _COMMIT_EVERY:
            self.flush()

    def flush(self) -> None:
        """Write what waits.

        Raises:
            RunStopped: the disk is full or read-only, or another run held the cache for half a minute.
        """
        rows = [(key, *row) for key, row in self._waiting.items()]
        self._write(
            "INSERT OR REPLACE INTO answers (key, asked_at, imported, answer) VALUES (?, ?, ?, ?)", rows
        )
        self._waiting.clear()
        self._committed = self._clock()

    def export(self, path: Path) -> int:
        """Write all answers as JSON lines, sorted by key, and return how many; same cache, same bytes.

        Raises:
            OSError: the file cannot be written; one that was there before is still there.
        """
        self.flush()
        count = 0
        with writing(path) as file, self._working():
            file.write(to_line({"schema": SCHEMA}))
            for key, asked_at, answer in self._connection.execute(
                "SELECT key, asked_at, answer FROM answers ORDER BY key"
            ):
                file.write(to_line({"key": key, "asked_at": asked_at, "answer": from_line(answer)}))
                count += 1
        return count

    def import_(self, path: Path) -> int:
        """Add the answers of an exported file and return how many were new; what is here already stays.

        Raises:
            InvalidFile: with the line; then nothing was added.
        """
        rows = list(_exported(path))
        before = self.count()
        self._write(
            "INSERT OR IGNORE INTO answers (key, asked_at, imported, answer) VALUES (?, ?, 1, ?)", rows
        )
        return self.count() - before

    def count(self, *, before: float | None = None) -> int:
        """Count the answers, or those that were asked before a time (seconds since 1970)."""
        self.flush()
        query = "SELECT count(*) FROM answers WHERE asked_at < ?"
        with self._working():
            return int(self._connection.execute(query, (_when(before),)).fetchone()[0])

    def stats(self, *, before: float = 0.0) -> Stats:
        """Say what is here, by model; answers from before a time are counted as old."""
        self.flush()
        with self._working():
            return read_stats(self._connection, before=before)

    def clear(self, *, before: float | None = None) -> int:
        """Forget every answer, or those that were asked before a time, and return how many there were."""
        answers = self.count(before=before)
        with self._working():
            self._connection.execute("DELETE FROM answers WHERE asked_at < ?", (_when(before),))
            self._connection.execute("VACUUM")
        return answers

    def close(self) -> None:
        """Write what waits, and close."""
        try:
            self.flush()
        finally:
            self._connection.close()

    def _write(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        """Write rows in one short transaction: nothing is awaited while other runs are locked out."""
        if not rows:
            return
        with self._working():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(statement, rows)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _working(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise RunStopped(
                f"the cache {self._path} cannot be used: {error}; what was finished is kept;"
                " run again to resume, or run without the cache"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit: transactions are begun by hand, so none is left open while answers are awaited.
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    try:
        _write_ahead(connection)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"it is of format {version}, this is format {_VERSION}")
        if version == 0:
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL; two that switch at the same moment are told `locked` at once, whatever the timeout."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("PRAGMA synchronous = NORMAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _when(before: float | None) -> float:
    return math.inf if before is None else before


def _exported(path: Path) -> Iterator[tuple[str, float, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                value = from_line(line)
                if number == 1:
                    if value != {"schema": SCHEMA}:
                        raise ValueError(f'expected {{"schema": "{SCHEMA}"}}')
                    continue
                yield _entry(value)
            except ValueError as error:
                raise InvalidFile([Problem(str(path), number, 1, str(error))]) from error


def _entry(value: Any) -> tuple[str, float, bytes]:
    if not isinstance(value, dict) or value.keys() != {"key", "asked_at", "answer"}:
        raise ValueError("expected key, asked_at and answer")
    key, asked_at = value["key"], value["asked_at"]
    if not isinstance(key, str) or type(asked_at) not in (int, float):
        raise ValueError("key has to be text, asked_at a number")
    return key, float(asked_at), to_line(answer_to_dict(completion_from_dict(value["answer"])))
