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
from promptops.records import Previous, Release
from promptops.succession import illegal_step


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

    `releases` collects path and commit of every release that was judged.
    """

    reader: Reader
    at_once: frozenset[str] = frozenset()
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
        """Whether a pointer that the same commit moved names a new version or new evidence."""
        digest = self.reader.look(path, step.files[path]).sha256
        return any(
            one.version == place.number or one.evidence == digest
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
            yield from self._cut(commit, path, release)
            return
        if path in step.before and previous is None:
            return  # what stood there could not be read: that was said of the commit that wrote it
        wrong = illegal_step(previous, release, linked=self._link(path, step.before.get(path), previous))
        count = release.sequence - (previous.sequence if previous else 0)
        if wrong and count > 1 and commit.oid in self.at_once:
            message = f"the commits of {count} releases are not in this shallow clone; check out with fetch-depth: 0"
            yield unchecked(path, message, commit.oid)
            return
        if wrong:
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
        for message in unmet(self.reader, step.files, release):
            yield error(path, message, step.commit.oid)
        for message in uncarried(self.reader, step.files, release, previous=previous, elsewhere=live):
            yield error(path, message, step.commit.oid)
        for message in other_baseline(self.reader, step.written(new=True), release, elsewhere=live):
            yield warning(path, message, step.commit.oid)

    def _cut(self, commit: Commit, path: str, release: Release) -> Iterator[Finding]:
        if release.sequence > 1:
            message = f"the records before sequence {release.sequence} are not in this shallow clone"
            yield unchecked(path, f"{message}; git fetch --unshallow", commit.oid)

    def _merged(self, step: _Step, path: str) -> Iterator[Finding]:
        """A merge may take a file as one of its sides has it; if both had gone on, one release is lost."""
        commit, new = step.commit, step.files.get(path)
        sides = [side[path] for side in step.sides if path in side]
        if new is None:
            yield error(path, f"was dropped by a merge of {_who(commit)}", commit.oid)
            return
        if new not in sides:
            yield error(
                path, f"was changed within a merge by {_who(commit)}; resolve to one side", commit.oid
            )
            return
        kept, lost = (
            self.reader.pointer(path, new),
            [self.reader.pointer(path, side) for side in sides if side != new],
        )
        gone = [one for one in lost if one is not None and kept is not None and not self._leads_to(one, kept)]
        undone = [one for one in gone if kept is not None and self._leads_to(kept, one)]
        if undone:
            message = (
                f"was taken back to sequence {kept.sequence if kept else 0} by a merge of {_who(commit)}"
            )
            yield error(
                path, f"{message}, from sequence {undone[0].sequence}; use promptops rollback", commit.oid
            )
        elif gone or (kept is None and len(set(sides)) > 1):
            count = max(1, len(gone))
            message = f"both branches had released; the merge kept one and dropped {count}: promote it again"
            yield warning(path, message, commit.oid)

    def _leads_to(self, old: Release, new: Release) -> bool:
        """Whether the chain of records behind `new` holds `old`; where it goes out of sight, by the numbers."""
        at: Release | None = new
        while at is not None and at.sequence > old.sequence:
            if at.previous is None:
                return False
            behind = self._records.get(f"sha256:{at.previous.sha256}")
            if behind is None:
                return True
            at = behind
        return at == old


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
    if previous is None:
        return " (the records before it are not in the history: squashed or rewritten?)"
    if release.sequence < previous.sequence:
        return " (a git revert? use promptops rollback)"
    return " (releases squashed into one commit?)" if release.sequence > previous.sequence + 1 else ""


def entries_of(commits: list[Commit]) -> Iterator[TreeEntry]:
    """Yield every file that any of these commits wrote."""
    for commit in commits:
        yield from (entry for entry in commit.changes.values() if entry is not None and entry.is_file)
