"""What mends a release that was killed half way.

A note in the git folder says what was begun. Whoever releases next reads it first: if the branch holds the
commit, its files are brought into index and work tree; if the remote took it, the branch here follows; if
neither, what had been staged is taken out, where the index still has just that. The note of a release that is done
stays until that has been said: who typed it, and heard nothing, types it again and does not mean another one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from promptops.errors import RepoError
from promptops.gitstore.moving import Committed, held_by, move_branch
from promptops.gitstore.push import has_taken
from promptops.gitstore.repo import Repo
from promptops.gitstore.staging import Change, alone, lying, stage, unstage

_NOTE: Final = "promptops-release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A release that was begun; `pushed` is None where nobody knows yet whether the remote took it."""

    done: Committed
    changes: tuple[Change, ...]
    pushed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What became of a release that was killed: a sentence, and the files (path → object) of one that is done."""

    said: str
    files: Mapping[str, str]


def write_note(repo: Repo, note: Note) -> None:
    """Say in the git folder what is about to happen, so that a kill can be mended."""
    rows = [{"path": change.path, "old": change.old, "new": change.new} for change in note.changes]
    done = note.done
    about = {
        "commit": done.commit,
        "parent": done.parent,
        "branch": done.branch,
        "remote": done.remote,
        "pushed": note.pushed,
        "changes": rows,
    }
    try:
        new = repo.git_dir / f"{_NOTE}.new"
        new.write_text(json.dumps(about))
        new.replace(repo.git_dir / _NOTE)
    except OSError as error:
        raise RepoError(f"{repo.git_dir}: cannot be written to: {error}") from error


def drop_note(repo: Repo) -> None:
    with suppress(OSError):  # where nothing can be written now, the next call looks at the note once more
        (repo.git_dir / _NOTE).unlink()


def forget(repo: Repo) -> None:
    """Drop the note of a release that is done, because that has been said."""
    with suppress(RepoError), alone(repo):  # one that is under way has a note of its own
        note = _read_note(repo)
        if note is not None and not _is_open(note):
            drop_note(repo)


def mend(repo: Repo, *, online: bool = False) -> Mended | None:
    """Finish or take back a release that was killed; what commands that release call first.

    Return what there was, None if nothing. `online` may ask the remote whether it took it.

    Raises:
        LostRace: another release is under way in this work tree.
    """
    with alone(repo):
        return finish_interrupted(repo, online=online)


def finish_interrupted(repo: Repo, *, online: bool = False) -> Mended | None:
    """Do what `mend` does, for who holds the lock already.

    Files are taken out again only where the index still holds exactly what that release had put there. Where a
    remote cannot be asked, the note stays for who can.
    """
    note = _read_note(repo)
    if note is None:
        return None
    what = repo.line("show", "-s", "--format=%s", note.done.commit) or note.done.commit[:10]
    files = {change.path: change.new for change in note.changes}
    if _is_here(repo, note):
        if behind := _behind(repo, note):
            stage(repo, behind)
        return Mended(said=f"finished a release that had been interrupted: {what}", files=files)
    pushed = _was_pushed(repo, note, online=online)
    if pushed is None:
        said = f"whether a release that was interrupted reached {note.done.remote} is not known yet: {what}"
        return Mended(said=said, files={})
    if pushed:
        write_note(repo, replace(note, pushed=True))
        said = f"a release that had been interrupted had reached {note.done.remote}: {what}; {_follow(repo, note)}"
        return Mended(said=said, files=files)
    take_back(repo, note)
    drop_note(repo)
    said = f"took back a release that had been interrupted before it was committed: {what}"
    return Mended(said=said, files={})


def _is_open(note: Note) -> bool:
    """Whether it is still to be found out if the remote has it."""
    return note.done.remote is not None and note.pushed is None


def _is_here(repo: Repo, note: Note) -> bool:
    """Whether the branch or HEAD holds the release: its commit, or a plain commit that took all of its files along."""
    head, done = repo.head(), note.done
    if repo.is_ancestor(done.commit, f"refs/heads/{done.branch}"):
        return True
    if repo.is_bare or head is None:
        return False
    return repo.is_ancestor(done.commit, head) or all(_still(repo, head, change) for change in note.changes)


def _behind(repo: Repo, note: Note) -> tuple[Change, ...]:
    """Return what HEAD has of the release, and index and work tree may not have yet."""
    head = repo.head()
    mine = () if repo.is_bare else _mine(repo, note)
    return tuple(change for change in mine if _still(repo, head, change))


def _was_pushed(repo: Repo, note: Note, *, online: bool) -> bool | None:
    """Whether the remote has the release; None where that is not known here and cannot be asked."""
    done = note.done
    if done.remote is None or not _is_open(note):
        return bool(note.pushed)
    return has_taken(repo, done.commit, branch=done.branch, remote=done.remote, ask=online)


def _follow(repo: Repo, note: Note) -> str:
    """Bring a release that the remote took to the branch here, if that still stands where it stood."""
    done = note.done
    checked_out = done.branch == repo.branch() and not repo.is_bare
    free = len(_mine(repo, note)) == len(note.changes) if checked_out else held_by(repo, done.branch) is None
    if repo.rev_parse(f"refs/heads/{done.branch}") != done.parent or not free:
        return "bring it here with git pull"
    if checked_out:
        stage(repo, note.changes)
    move_branch(repo, done)
    return "it is here too now"


def take_back(repo: Repo, note: Note) -> None:
    """Bring back the old files where index or work tree have those of the release, and HEAD does not."""
    if not repo.is_bare:
        head = repo.head()
        begun = _mine(repo, note, begun=True)
        unstage(repo, tuple(change for change in begun if not _still(repo, head, change)))


def _mine(repo: Repo, note: Note, *, begun: bool = False) -> tuple[Change, ...]:
    """Return the changes whose paths are, in index and work tree, as before the release or as it wrote them.

    With `begun` only those of which it has written something.
    """
    paths = [change.path for change in note.changes]
    staged, there = repo.staged(*paths), lying(repo, paths)
    found = []
    for change in note.changes:
        index, file = staged.get(change.path), there.get(change.path)
        theirs = index not in (change.old, change.new) or file not in (None, change.old, change.new)
        if not theirs and not (begun and change.new not in (index, file)):
            found.append(change)
    return tuple(found)


def _still(repo: Repo, head: str | None, change: Change) -> bool:
    """Whether HEAD has the file as the release wrote it."""
    entry = repo.tree_paths(head, [change.path]).get(change.path) if head else None
    return entry is not None and entry.oid == change.new


def _read_note(repo: Repo) -> Note | None:
    try:
        found = json.loads((repo.git_dir / _NOTE).read_text())
        done = Committed(
            commit=found["commit"], parent=found["parent"], branch=found["branch"], remote=found["remote"]
        )
        changes = tuple(Change(path=row["path"], old=row["old"], new=row["new"]) for row in found["changes"])
        return Note(done=done, changes=changes, pushed=found["pushed"])
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError):  # cut short: nothing had been staged yet
        drop_note(repo)
        return None
