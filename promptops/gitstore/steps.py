"""Every commit's change of release files against what a release may change.

A release adds a version and evidence and moves a pointer by one step; a merge takes each file as one of its sides
has it. Everything else is said, with the commit that did it. What a shallow clone hides is said too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from promptops.gitstore.findings import Finding, error, unchecked, warning
from promptops.gitstore.releasefiles import Place, Reader, other_baseline, place_of, uncarried, unmet
from promptops.gitstore.releases import folder
from promptops.gitstore.repo import TreeEntry
from promptops.gitstore.walk import Commit, Shelves, State, shelf_of, shelf_states
from promptops.records import Previous, Release, Version
from promptops.succession import illegal_step, link


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What one commit made of one prompt's files: `sides` are its parents', `changed` the paths that differ."""

    commit: Commit
    files: State
    sides: tuple[State, ...]
    changed: tuple[str, ...]

    @property
    def before(self) -> State:
        return self.sides[0] if self.sides else {}

    def written(self, *, new: bool = False) -> State:
        """Return the files that the commit wrote; only those that were not there, if they are to be new."""
        paths = [path for path in self.changed if not new or path not in self.before]
        return {path: self.files[path] for path in paths if path in self.files}


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Judges commits; `at_once` are those that stand for several, because a shallow clone hides what they join.

    `start` are the files of the commit from which on is judged: no merge may drop what is live there. `final` is the
    environment that takes no evidence over from another one. `releases` collects path and commit of every release that
    was judged.
    """

    reader: Reader
    final: str = ""
    at_once: frozenset[str] = frozenset()
    start: Shelves | None = None
    releases: list[tuple[str, str]] = field(default_factory=list)
    _records: dict[str, Release] = field(default_factory=dict)

    def check(self, commits: list[Commit], before: Mapping[str, Shelves]) -> Iterator[Finding]:
        """Yield what is wrong, oldest commits first; `before` are the files of parents that are in no list."""
        top = folder(self.reader.root)
        for commit, shelves, parents in shelf_states(commits, top, before):
            for name, changed in sorted(_changed(commit, shelves, parents, top).items()):
                sides = tuple(side.get(name, {}) for side in parents)
                step = _Step(commit=commit, files=shelves.get(name, {}), sides=sides, changed=tuple(changed))
                for path in sorted(changed):
                    yield from self._file(step, path)

    def _file(self, step: _Step, path: str) -> Iterator[Finding]:
        place = place_of(path, self.reader.root)
        if place is None:
            return
        if len(step.sides) > 1:
            yield from self._merged(step, path)
        elif place.environment is None:
            yield from self._written_once(step, path, place)
        else:
            yield from self._moved(step, path)

    def _written_once(self, step: _Step, path: str, place: Place) -> Iterator[Finding]:
        commit = step.commit
        if path in step.before:
            what = "edited" if path in step.files else "deleted"
            message = f"was {what} by {_who(commit)}; it is written once and never changed"
            yield error(path, message, commit.oid)
            return
        for message in self.reader.look(path, step.files[path]).wrong:
            yield error(path, message, commit.oid)
        if step.sides and commit.oid not in self.at_once and not self._is_named(step, path, place):
            message = f"was added by {_who(commit)}, and no release of that commit names it"
            yield error(path, message, commit.oid)

    def _is_named(self, step: _Step, path: str, place: Place) -> bool:
        """Whether a pointer that the same commit moved brings it; a way back brings evidence and no version."""
        digest = self.reader.look(path, step.files[path]).sha256
        return any(
            one.evidence == digest or (one.version == place.number and one.kind != "rollback")
            for one in self.reader.pointers(step.written()).values()
        )

    def _moved(self, step: _Step, path: str) -> Iterator[Finding]:
        commit, new = step.commit, step.files.get(path)
        if new is None:
            yield error(path, f"was deleted by {_who(commit)}: what was live is no longer", commit.oid)
            return
        seen = self.reader.look(path, new)
        for message in seen.wrong:
            yield error(path, message, commit.oid)
        release, previous = seen.record, self.reader.pointer(path, step.before.get(path))
        if not isinstance(release, Release):
            return
        self._records[seen.sha256] = release
        if not step.sides and commit.is_cut:
            return  # what it follows is out of sight
        before = previous.sequence if previous else 0
        if release.sequence > before + 1 and commit.oid in self.at_once:
            hidden = f"the commits of {release.sequence - before} releases are not in this shallow clone"
            yield unchecked(path, f"{hidden}; check out with fetch-depth: 0", commit.oid)
            return
        linked = self._link(path, step.before.get(path), previous)
        if path in step.before and previous is None:
            yield unchecked(
                path, "follows a record that cannot be read: nobody can say that it may", commit.oid
            )
        elif wrong := illegal_step(previous, release, linked=linked):
            message = f"{wrong}{_guess(previous, release)}; written by {_who(commit)}"
            yield error(path, message, commit.oid)
        self.releases.append((path, commit.oid))
        yield from self._carried(step, path, release, previous)

    def _link(self, path: str, entry: TreeEntry | None, previous: Release | None) -> Previous | None:
        """Return the hash of what stood there before, which need not be written again to be hashed."""
        seen = self.reader.look(path, entry) if entry is not None else None
        if seen is None or previous is None or seen.wrong:
            return None
        return Previous(sequence=previous.sequence, sha256=seen.sha256.removeprefix("sha256:"))

    def _carried(
        self, step: _Step, path: str, release: Release, previous: Release | None
    ) -> Iterator[Finding]:
        live = self.reader.pointers(step.before)
        others = live if release.environment != self.final else {}
        for message in unmet(self.reader, step.files, release):
            yield error(path, message, step.commit.oid)
        for message in uncarried(self.reader, step.files, release, previous=previous, elsewhere=others):
            yield error(path, message, step.commit.oid)
        for message in other_baseline(self.reader, step.written(new=True), release, elsewhere=live):
            yield warning(path, message, step.commit.oid)

    def _merged(self, step: _Step, path: str) -> Iterator[Finding]:
        """A merge may take a file as one of its sides has it, unless that drops what was live or takes it back."""
        commit, new = step.commit, step.files.get(path)
        if new is None:
            yield error(path, f"was dropped by a merge of {_who(commit)}", commit.oid)
            return
        others = dict.fromkeys(side[path] for side in step.sides if side.get(path, new) != new)
        if all(side.get(path) != new for side in step.sides):
            message = f"was changed within a merge by {_who(commit)}; resolve to one side"
            yield error(path, message, commit.oid)
            return
        kept = self.reader.pointer(path, new)
        for entry in others:
            yield from self._dropped(step, path, kept, entry)

    def _dropped(self, step: _Step, path: str, kept: Release | None, entry: TreeEntry) -> Iterator[Finding]:
        """Say what it means that a merge did not take this one."""
        commit, lost = step.commit, self.reader.pointer(path, entry)
        if kept is not None:
            if lost is None or self._leads_to(lost, kept):
                return
            if self._leads_to(kept, lost):
                message = f"was taken back to sequence {kept.sequence} by a merge of {_who(commit)}"
                message = f"{message}, from sequence {lost.sequence}; use promptops rollback"
                yield error(path, message, commit.oid)
                return
        if self._was_live(step, path, kept, entry):
            message = f"as it was released was dropped by a merge of {_who(commit)}"
            yield error(path, f"{message}, for what another branch has: take it as it was", commit.oid)
        else:
            message = "both branches had released; the merge kept one and dropped the other: promote it again"
            yield warning(path, message, commit.oid)

    def _was_live(self, step: _Step, path: str, kept: Release | None, entry: TreeEntry) -> bool:
        """Whether what a merge dropped was live for certain: which of two branches was, no history tells by itself.

        The start has it; or the releases that were kept rest on this version; or they begin anew beside a longer row,
        which only a first release can do without a test.
        """
        if self.start is not None:
            return self.start.get(shelf_of(path, folder(self.reader.root)), {}).get(path) == entry
        lost = self.reader.look(path, entry).record
        if isinstance(lost, Version):
            pointers = self.reader.pointers(step.files).values()
            released = ((one.version, one.digest) for pointer in pointers for one in self._chain(pointer))
            return (lost.version, lost.digest) in released
        if kept is None or not isinstance(lost, Release) or kept.sequence >= lost.sequence:
            return False
        *_, earliest = self._chain(kept)
        return earliest.sequence == 1 and not self._leads_to(earliest, lost)

    def _chain(self, release: Release) -> Iterator[Release]:
        """Yield a record and those behind it, as far as they are in sight."""
        at: Release | None = release
        while at is not None:
            yield at
            at = self._records.get(f"sha256:{at.previous.sha256}") if at.previous else None

    def _leads_to(self, old: Release, new: Release) -> bool:
        """Whether the chain of records behind `new` holds `old`; where it goes out of sight, by the numbers."""
        for at in self._chain(new):
            if at.sequence <= old.sequence:
                return at == old
            hidden = at.previous
        return hidden is not None and (hidden.sequence > old.sequence or hidden == link(old))


def _changed(
    commit: Commit, shelves: Shelves, parents: tuple[Shelves, ...], top: str
) -> dict[str, list[str]]:
    """Return the paths that a commit has otherwise than a parent, by prompt."""
    found: dict[str, list[str]] = {}
    if len(parents) < 2:
        for path in commit.changes:
            found.setdefault(shelf_of(path, top), []).append(path)
        return found
    for name in dict.fromkeys(name for side in (shelves, *parents) for name in side):
        files, sides = shelves.get(name, {}), [side.get(name, {}) for side in parents]
        if any(side is not files and side != files for side in sides):
            paths = dict.fromkeys(path for side in (files, *sides) for path in side)
            found[name] = [path for path in paths if any(side.get(path) != files.get(path) for side in sides)]
    return found


def _who(commit: Commit) -> str:
    return f"{commit.author}, {commit.subject!r}"


def _guess(previous: Release | None, release: Release) -> str:
    before = previous.sequence if previous else 0
    if previous is None and release.sequence > 1:
        return " (the records before it are not in the history: squashed or rewritten?)"
    if release.sequence < before:
        return " (a git revert? use promptops rollback)"
    return " (releases squashed into one commit?)" if release.sequence > before + 1 else ""


def entries_of(commits: list[Commit]) -> Iterator[TreeEntry]:
    """Yield every file that any of these commits wrote."""
    for commit in commits:
        yield from (entry for entry in commit.changes.values() if entry is not None and entry.is_file)
