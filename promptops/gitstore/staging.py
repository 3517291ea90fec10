"""The files of a release in index and work tree, and the lock under which they are brought there.

Nothing else of the user's is looked at, let alone changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from promptops.errors import LostRace, RepoError
from promptops.gitstore.repo import Repo

_LOCK: Final = "promptops-release.lock"
_MODE: Final = "100644"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path of a release in git's terms; None is no file."""

    path: str
    old: str | None
    new: str

    @property
    def old_line(self) -> str:
        """What `update-index --index-info` reads to have the old entry back."""
        return f"{_MODE} {self.old}\t{self.path}" if self.old else f"0 {'0' * len(self.new)}\t{self.path}"

    @property
    def new_line(self) -> str:
        return f"{_MODE} {self.new}\t{self.path}"


def index_lines(repo: Repo, lines: list[str], *, env: Mapping[str, str] | None = None) -> None:
    stdin = "".join(f"{line}\0" for line in lines).encode()
    repo.write("update-index", "--add", "-z", "--index-info", stdin=stdin, env=env)


def stage(repo: Repo, changes: tuple[Change, ...]) -> None:
    """Bring new files into index and work tree; every other path keeps its entry and bytes."""
    index_lines(repo, [change.new_line for change in changes])
    _check_out(repo, [change.path for change in changes])


def unstage(repo: Repo, changes: tuple[Change, ...]) -> None:
    """Bring the old files back into index and work tree."""
    assert repo.work_tree is not None
    index_lines(repo, [change.old_line for change in changes])
    for change in changes:
        if change.old is None:
            _remove(repo.work_tree, change.path)
    _check_out(repo, [change.path for change in changes if change.old])


def lying(repo: Repo, paths: Iterable[str]) -> dict[str, str]:
    """Return path → object as which git would store what lies there in the work tree; "" for what is no file."""
    assert repo.work_tree is not None
    there = [path for path in paths if os.path.lexists(repo.work_tree / path)]
    files = [path for path in there if (repo.work_tree / path).is_file()]
    files = [path for path in files if not (repo.work_tree / path).is_symlink()]
    stdin = "".join(f"{path}\n" for path in files).encode(errors="surrogateescape")
    names = repo.read("hash-object", "--stdin-paths", stdin=stdin).decode().split() if files else []
    return {**dict.fromkeys(there, ""), **dict(zip(files, names, strict=True))}


def _check_out(repo: Repo, paths: list[str]) -> None:
    stdin = "".join(f"{path}\0" for path in paths).encode()
    repo.write("checkout-index", "-f", "-u", "-q", "-z", "--stdin", stdin=stdin)


def _remove(top: Path, path: str) -> None:
    """Delete a file and the folders that it leaves empty."""
    (top / path).unlink(missing_ok=True)
    for parent in list(PurePosixPath(path).parents)[:-1]:
        folder = top / parent
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def alone(repo: Repo) -> Iterator[None]:
    """Hold this work tree's release lock; the system lets go of it when the process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows has no flock; git's own locks still keep the branch whole
        yield
        return
    try:
        file = (repo.git_dir / _LOCK).open("w")
    except OSError as error:
        raise RepoError(f"{repo.git_dir}: cannot be written to: {error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LostRace("another release is under way in this work tree; run the command again") from error
        except OSError as error:
            raise RepoError(f"{repo.git_dir}: cannot be locked: {error}") from error
        yield
