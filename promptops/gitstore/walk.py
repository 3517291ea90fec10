"""The commits that touched a folder, and what stood in it at each: one `git log` for any length of history.

Git is asked for every commit's difference to its first parent; the state at a commit is its parent's with the
difference applied. Renames are not guessed: who moved is known by the prompt's id, not by similarity of text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from promptops.gitstore.repo import Repo, TreeEntry

_FIELDS: Final = "%H%x00%P%x00%an%x00%ae%x00%at%x00%ct%x00%s"
_GONE: Final = "000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit; `changes` against its first parent: path → entry, None where the file is gone.

    `parents` are the nearest earlier commits of the same walk. `is_cut` says that a shallow clone ends here:
    what looks new was there before. Times are UTC.
    """

    oid: str
    parents: tuple[str, ...]
    author: str
    email: str
    date: datetime
    committed: datetime
    subject: str
    changes: Mapping[str, TreeEntry | None] = field(default_factory=dict)
    is_cut: bool = False


State = dict[str, TreeEntry]


def walk(
    repo: Repo, ref: str, *folders: str, since: str | None = None, only_branch: bool = False
) -> list[Commit]:
    """Return the commits that touched these folders, newest first, parents after their children.

    With `since` only those that are not behind that commit; a parent that is in no list is behind it. With
    `only_branch` only those that were the branch's tip themselves: of a merge, not what it brought in.

    Raises:
        RepoError: no such commit.
    """
    options = [
        "--topo-order",
        "--root",
        "--raw",
        "-z",
        "--diff-merges=first-parent",
        "--parents",
        "--full-history",
    ]
    options += ["--no-abbrev", "--no-renames", "--no-color", "--no-ext-diff", "--ignore-submodules=none"]
    options += [f"--format=tformat:{_FIELDS}", "--end-of-options", ref]
    options += [f"^{since}"] if since else []
    options = ["--first-parent", *options] if only_branch else options
    paths = [folder for folder in folders if folder not in ("", ".")]
    raw = repo.read("log", *options, "--", *paths)
    return list(_commits(raw.decode(errors="surrogateescape").split("\0"), repo.cut()))


def _commits(tokens: list[str], cut: frozenset[str]) -> Iterator[Commit]:
    at = 0
    while tokens[at]:
        oid, parents, author, email, date, committed, subject = tokens[at : at + 7]
        at += 7
        changes: dict[str, TreeEntry | None] = {}
        while tokens[at].startswith((":", "\n:")):  # git puts a line feed before the first
            _, mode, _, new, _ = tokens[at].split(" ")
            changes[tokens[at + 1]] = None if mode == _GONE else TreeEntry(mode=mode, oid=new)
            at += 2
        yield Commit(
            oid=oid,
            parents=tuple(parents.split()),
            author=author,
            email=email,
            date=moment(date),
            committed=moment(committed),
            subject=subject,
            changes=changes,
            is_cut=oid in cut,
        )


def moment(seconds: str) -> datetime:
    """Return the time that a commit states: the year 1 if it states none, and 9999 at most."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=UTC) if seconds.isdigit() else datetime.min.replace(tzinfo=UTC)


def states(commits: list[Commit]) -> Iterator[tuple[Commit, State, tuple[State, ...]]]:
    """Yield every commit, oldest first, with its files and its parents' files.

    A state is kept only as long as a child still needs it.
    """
    children: dict[str, int] = {}
    for commit in commits:
        for parent in commit.parents:
            children[parent] = children.get(parent, 0) + 1
    kept: dict[str, State] = {}
    for commit in reversed(commits):
        before = tuple(kept.get(parent, {}) for parent in commit.parents)
        state = _applied(before[0] if before else {}, commit.changes)
        kept[commit.oid] = state
        yield commit, state, before
        for parent in commit.parents:
            children[parent] -= 1
            if not children[parent]:
                kept.pop(parent, None)


Shelves = dict[str, State]


def shelves_of(entries: Mapping[str, TreeEntry], folder: str) -> Shelves:
    """Return the files below a folder by the name that follows it in their path."""
    found: Shelves = {}
    for path, entry in entries.items():
        found.setdefault(shelf_of(path, folder), {})[path] = entry
    return found


def shelf_of(path: str, folder: str) -> str:
    """Return the name that follows a folder in a path."""
    return path.removeprefix(f"{folder}/").partition("/")[0]


def shelf_states(
    commits: list[Commit], folder: str, before: Mapping[str, Shelves]
) -> Iterator[tuple[Commit, Shelves, tuple[Shelves, ...]]]:
    """Yield every commit, oldest first, with its files and its parents' files, by the name that follows the folder.

    A thousand folders cost no more than the one that changed: the others are the same objects in parent and child.
    `before` are the files of the parents that are in no list.
    """
    needed = Counter(parent for commit in commits for parent in commit.parents)
    kept: dict[str, Shelves] = {}
    for commit in reversed(commits):
        parents = tuple(kept.get(parent) or before.get(parent, {}) for parent in commit.parents)
        kept[commit.oid] = shelves = _replaced(parents[0] if parents else {}, commit.changes, folder)
        for name, shelf in [pair for other in parents[1:] for pair in other.items()]:
            # What a merge took from its other side is that side's object: the next comparison is quick again.
            if shelves.get(name) is not shelf and shelves.get(name) == shelf:
                shelves[name] = shelf
        yield commit, shelves, parents
        for parent in commit.parents:
            needed[parent] -= 1
            if not needed[parent]:
                kept.pop(parent, None)


def _replaced(before: Shelves, changes: Mapping[str, TreeEntry | None], folder: str) -> Shelves:
    after, fresh = dict(before), set[str]()
    for path, entry in changes.items():
        name = shelf_of(path, folder)
        if name not in fresh:
            fresh.add(name)
            after[name] = dict(after.get(name, {}))
        if entry is None:
            after[name].pop(path, None)
        else:
            after[name][path] = entry
    return after


def _applied(before: State, changes: Mapping[str, TreeEntry | None]) -> State:
    if not changes:
        return before
    after = {**before, **{path: entry for path, entry in changes.items() if entry is not None}}
    for path, entry in changes.items():
        if entry is None:
            after.pop(path, None)
    return after
