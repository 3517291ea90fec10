"""The files of a release in index and work tree, and what mends them after a kill.

A note in the git folder says what is about to be staged. Whoever releases next reads it first: if the branch
holds the commit, its files are brought in; if not, they are taken out, where the index still has just them.
Nothing else of the user's is looked at, let alone changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from promptops.errors import LostRace, RepoError
from promptops.gitstore.repo import Repo

_NOTE: Final = "promptops-release"
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


def write_note(repo: Repo, commit: str, changes: tuple[Change, ...]) -> None:
    """Say in the git folder what is about to be staged, so that a kill can be mended."""
    rows = [{"path": change.path, "old": change.old, "new": change.new} for change in changes]
    note = {"commit": commit, "changes": rows}
    try:
        (repo.git_dir / _NOTE).write_text(json.dumps(note))
    except OSError as error:
        raise RepoError(f"{repo.git_dir}: cannot be written to: {error}") from error


def drop_note(repo: Repo) -> None:
    (repo.git_dir / _NOTE).unlink(missing_ok=True)


def mend(repo: Repo) -> str | None:
    """Finish or take back a release that was killed; what commands that release call first.

    Raises:
        LostRace: another release is under way in this work tree.
    """
    with alone(repo):
        return finish_interrupted(repo)


def finish_interrupted(repo: Repo) -> str | None:
    """Finish or take back what a killed release left; return a sentence about it, None if there was nothing.

    If the branch holds the commit, its files are brought into index and work tree. Else they are taken out
    again, but only where the index still holds exactly what that release had put there.
    """
    note = _read_note(repo)
    if note is None or repo.is_bare:
        return None
    changes = tuple(Change(path=row["path"], old=row["old"], new=row["new"]) for row in note["changes"])
    staged = repo.staged(*[change.path for change in changes])
    mine = tuple(change for change in changes if staged.get(change.path) in (change.old, change.new))
    head, commit = repo.head(), str(note["commit"])
    if head is not None and repo.is_ancestor(commit, head):
        behind = tuple(change for change in mine if _still(repo, head, change))
        if behind:
            stage(repo, behind)
        said = "finished a release that had been interrupted"
    else:
        unstage(repo, tuple(change for change in mine if not _still(repo, head, change)))
        said = "took back a release that had been interrupted before it was committed"
    drop_note(repo)
    return said


def _read_note(repo: Repo) -> Any:
    try:
        return json.loads((repo.git_dir / _NOTE).read_text())
    except FileNotFoundError:
        return None
    except ValueError:  # cut short: nothing had been staged yet
        drop_note(repo)
        return None


def _still(repo: Repo, head: str | None, change: Change) -> bool:
    """Whether HEAD has the file as the release wrote it."""
    entry = repo.tree_paths(head, [change.path]).get(change.path) if head else None
    return entry is not None and entry.oid == change.new


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
        except OSError as error:
            raise LostRace("another release is under way in this work tree; run the command again") from error
        yield
