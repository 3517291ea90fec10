"""The story of a prompt: what changed it, what moved it, and when it was released; one log and one batch.

The prompt is followed by its id through every commit, not by the similarity of files. A commit belongs to
the story when its digest, its place or its words differ from those in every parent: a merge that only joins
is left out. A file of the past that cannot be read is told as such and hides nothing else.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from promptops.errors import InvalidFile, PromptopsError, RepoError
from promptops.gitstore.objects import Objects
from promptops.gitstore.releases import Releases, folder, read_releases
from promptops.gitstore.repo import Repo
from promptops.gitstore.trees import CommitTree, Looking, guess_id, holds_prompt, mentions, read_prompt
from promptops.gitstore.walk import Commit, State, states, walk
from promptops.records import Release, parse_release

# A partial named with .. stands outside of the prompts root, where the first log does not look.
_OUTSIDE = re.compile(rb"""["']((?:\.\./)+[^"'\n]{1,200})["']""")
_AGE = re.compile(r"--(?:max|min)-age=(\d+)")


class EventKind(StrEnum):
    """What happened to a prompt; `TOUCHED` changed the file and not what reaches the model."""

    CREATED = "created"
    CHANGED = "changed"
    TOUCHED = "touched"
    MOVED = "moved"
    REMOVED = "removed"
    UNREADABLE = "unreadable"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a story; `release` is there for a release only, `digest` None where nothing could be read.

    `version` is the number that this digest has today, whenever it was given. `note` is for people.
    """

    kind: EventKind
    id: str
    path: str
    commit: Commit
    digest: str | None = None
    version: int | None = None
    release: Release | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Events newest first; `is_cut` says that a shallow clone ends before the story begins."""

    events: tuple[Event, ...]
    is_cut: bool = False


def history(
    repo: Repo,
    prompt: str | None = None,
    *,
    ref: str = "HEAD",
    root: str = "prompts",
    since: datetime | str | None = None,
    until: datetime | str | None = None,
) -> History:
    """Return the story of one prompt, or of all; what was live in an environment, and when, is told by `lives`.

    `since` and `until` are a moment, or words that git understands (`2 weeks ago`).

    Raises:
        RepoError: no such commit, or no such date.
    """
    commit = repo.rev_parse(ref)
    if commit is None:
        if ref == "HEAD":
            return History(events=())
        raise RepoError(f"git knows no commit called {ref!r}")
    first, last = _moment(repo, since, "since"), _moment(repo, until, "until")
    commits = walk(repo, commit, root)
    numbers = read_releases(repo, commit, root=root, prompt=prompt)
    with repo.objects() as objects:
        objects.read_many(_interesting(commits, root, prompt))
        outside = _outside(commits, objects, root)
        if outside:
            commits = walk(repo, commit, root, *outside)
        story = _Story(objects=objects, root=root, only=prompt, numbers=numbers)
        events = [event for event in story.tell(commits) if _fits(event, first, last)]
    return History(events=tuple(reversed(events)), is_cut=any(one.is_cut for one in commits))


def _interesting(commits: list[Commit], root: str, prompt: str | None) -> Iterator[str]:
    """Yield the objects to read at once: every prompt file there ever was, and every pointer."""
    for commit in commits:
        for path, entry in commit.changes.items():
            if entry is not None and (holds_prompt(path, root) or _pointer_of(path, root, prompt)):
                yield entry.oid


def _outside(commits: list[Commit], objects: Objects, root: str) -> list[str]:
    found = set()
    for commit in commits:
        for path, entry in commit.changes.items():
            if entry is None or not holds_prompt(path, root):
                continue
            for name in _OUTSIDE.findall(objects.read(entry.oid) or b""):
                place = posixpath.normpath(
                    posixpath.join(posixpath.dirname(path), name.decode(errors="replace"))
                )
                if not place.startswith((f"{root}/", "../", "/")) and place not in (".", ".."):
                    found.add(place)
    return sorted(found)


def _pointer_of(path: str, root: str, prompt: str | None) -> tuple[str, str] | None:
    """Return prompt and environment of a pointer's path."""
    if not path.startswith(f"{folder(root)}/"):
        return None
    match = re.fullmatch(
        r"([a-z0-9][a-z0-9-]*)/(?!v[0-9]+\.)([a-z0-9][a-z0-9-]*)\.yaml", path[len(folder(root)) + 1 :]
    )
    if match is None or (prompt is not None and match[1] != prompt):
        return None
    return match[1], match[2]


def _moment(repo: Repo, when: datetime | str | None, name: str) -> datetime | None:
    if when is None or isinstance(when, datetime):
        return when.astimezone(UTC) if when else None
    match = _AGE.fullmatch(repo.line("rev-parse", f"--{name}={when}") or "")
    if match is None:
        raise RepoError(f"--{name}: git does not understand {when!r}")
    return datetime.fromtimestamp(int(match[1]), UTC)


def _fits(event: Event, first: datetime | None, last: datetime | None) -> bool:
    when = event.commit.committed
    return (first is None or when >= first) and (last is None or when <= last)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A prompt file as one commit has it; `looked` are the paths that its partials were looked for at."""

    id: str
    path: str
    oid: str
    digest: str | None
    note: str = ""
    looked: frozenset[str] = frozenset()

    @property
    def mark(self) -> tuple[str, str, str | None]:
        return self.path, self.oid, self.digest


View = Mapping[str, _Seen]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Story:
    objects: Objects
    root: str
    only: str | None
    numbers: Releases
    memo: dict[tuple[str, str], list[tuple[dict[str, str | None], _Seen]]] = field(default_factory=dict)
    known: dict[str, dict[str | None, int]] = field(default_factory=dict)

    def tell(self, commits: list[Commit]) -> Iterator[Event]:
        """Yield the events, oldest first."""
        views: dict[str, View] = {}
        for commit, state, before in states(commits):
            parents = [views[parent] for parent in commit.parents if parent in views]
            view = self._view(commit, state, parents[0] if parents else {})
            views[commit.oid] = view
            yield from self._edits(commit, view, parents)
            yield from self._releases(commit, state, before)

    def _view(self, commit: Commit, state: State, before: View) -> View:
        """Return path → prompt of a commit, from its first parent's and what has changed since."""
        stale = {path for path in commit.changes if holds_prompt(path, self.root)}
        stale |= {path for path, seen in before.items() if not seen.looked.isdisjoint(commit.changes)}
        if not stale:
            return before
        view = {path: seen for path, seen in before.items() if path not in stale}
        for path in stale:
            seen = self._see(path, state)
            if seen is not None:
                view[path] = seen
        return view

    def _see(self, path: str, state: State) -> _Seen | None:
        entry = state.get(path)
        if entry is None:
            return None
        content = self.objects.read(entry.oid)
        if content is None or (self.only is not None and not mentions(content, path, self.only)):
            return None
        for looked, seen in self.memo.setdefault((path, entry.oid), []):
            if all(_oid(state, place) == oid for place, oid in looked.items()):
                return seen
        seen = self._read(path, entry.oid, state)
        found = {place: _oid(state, place) for place in seen.looked}
        self.memo[path, entry.oid].append((found, seen))
        return seen

    def _read(self, path: str, oid: str, state: State) -> _Seen:
        tree = Looking(CommitTree(state, self.objects), set())
        try:
            prompt = read_prompt(tree, path, root=self.root)
        except InvalidFile as error:
            note = str(error.problems[0])
            name = guess_id(self.objects.read(oid) or b"", path)
            return _Seen(id=name, path=path, oid=oid, digest=None, note=note, looked=frozenset(tree.looked))
        looked = frozenset(tree.looked - {path})
        return _Seen(id=prompt.id, path=path, oid=oid, digest=prompt.digest, looked=looked)

    def _edits(self, commit: Commit, view: View, parents: list[View]) -> Iterator[Event]:
        if parents and any(view is parent for parent in parents):
            return
        now, before = _by_id(view.values()), [_by_id(parent.values()) for parent in parents]
        for name in sorted({*now, *(name for parent in before for name in parent)}):
            if self.only not in (None, name):
                continue
            olds = [parent.get(name) for parent in before]
            new = now.get(name)
            if before and any((old and old.mark) == (new and new.mark) for old in olds):
                continue
            yield self._edit(commit, name, next((old for old in olds if old is not None), None), new)

    def _edit(self, commit: Commit, name: str, old: _Seen | None, new: _Seen | None) -> Event:
        if new is None:
            path = old.path if old else ""
            return Event(kind=EventKind.REMOVED, id=name, path=path, commit=commit)
        note = new.note
        if old is None and commit.is_cut:
            note = note or "or earlier: this clone's history begins here"
        elif old is not None and old.path != new.path:
            note = note or f"from {old.path}"
        return Event(
            kind=_kind(old, new),
            id=name,
            path=new.path,
            commit=commit,
            digest=new.digest,
            version=self._number(name, new.digest),
            note=note,
        )

    def _number(self, name: str, digest: str | None) -> int | None:
        if name not in self.known:
            rows = {self.numbers.digest_of(name, one): one for one in reversed(self.numbers.numbers(name))}
            self.known[name] = rows
        return self.known[name].get(digest) if digest else None

    def _releases(self, commit: Commit, state: State, before: tuple[State, ...]) -> Iterator[Event]:
        for path in sorted(commit.changes):
            place, entry = _pointer_of(path, self.root, self.only), state.get(path)
            if place is None or entry is None or any(old.get(path) == entry for old in before):
                continue
            yield self._release(commit, path, place[0], self.objects.read(entry.oid) or b"")

    def _release(self, commit: Commit, path: str, name: str, content: bytes) -> Event:
        try:
            release = parse_release(content, path=path)
        except PromptopsError as error:
            return Event(kind=EventKind.UNREADABLE, id=name, path=path, commit=commit, note=str(error))
        return Event(
            kind=EventKind.RELEASED,
            id=name,
            path=path,
            commit=commit,
            digest=release.digest,
            version=release.version,
            release=release,
            note="or earlier: this clone's history begins here" if commit.is_cut else "",
        )


def _by_id(seen: Iterable[_Seen]) -> dict[str, _Seen]:
    """Return id → file; of two files with one id, the one whose path sorts first."""
    return {one.id: one for one in sorted(seen, key=lambda one: one.path, reverse=True)}


def _oid(state: State, path: str) -> str | None:
    entry = state.get(path)
    return entry.oid if entry else None


def _kind(old: _Seen | None, new: _Seen) -> EventKind:
    if new.digest is None:
        return EventKind.UNREADABLE
    if old is None:
        return EventKind.CREATED
    if old.digest != new.digest:
        return EventKind.CHANGED
    return EventKind.MOVED if old.path != new.path else EventKind.TOUCHED
