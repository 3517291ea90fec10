"""Whether the release files are what promptops wrote, and every step in their history a legal one.

Four looks: the work tree against the commit; every file against its canonical bytes, digests and the files
it names; every commit's change of them against what a release may change; and what could not be looked at.
Nothing is raised for what is found: a finding names the file, the commit if there is one, and the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from promptops.errors import InvalidFile, PromptopsError
from promptops.gitstore.releases import Releases, evidence_path, folder, version_path
from promptops.gitstore.repo import Repo, TreeEntry
from promptops.gitstore.walk import Commit, State, states, walk
from promptops.records import (
    Evidence,
    Release,
    Version,
    evidence_name,
    is_canonical,
    parse_evidence,
    parse_release,
    parse_version,
    sha256,
)
from promptops.succession import illegal_step

_PATH: Final = re.compile(
    r"(?P<id>[a-z0-9][a-z0-9-]*)/(?:v(?P<number>[1-9][0-9]*)\.yaml"
    r"|evidence/(?P<hex>[0-9a-f]{16})\.json|(?P<environment>[a-z0-9][a-z0-9-]*)\.yaml)"
)
_ALLOWED: Final = {"pass": "", "inconclusive": "accepted", "regression": "forced"}


class Severity(StrEnum):
    """`ERROR` is exit 6; a `WARNING` is for people; `UNCHECKED` could not be looked at."""

    ERROR = "error"
    WARNING = "warning"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One thing that is wrong, odd or out of sight; `commit` is the one that made it so, if it is known."""

    severity: Severity
    path: str
    commit: str | None
    message: str

    def __str__(self) -> str:
        where = f"{self.path} ({self.commit[:10]})" if self.commit else self.path
        return f"{where}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What a path says a file is."""

    id: str
    number: int | None
    hex: str | None
    environment: str | None


def verify(repo: Repo, ref: str = "HEAD", *, root: str = "prompts") -> tuple[Finding, ...]:
    """Check the releases of a commit and of the history behind it, and of the work tree when it is HEAD's.

    Returns findings, errors first; none means that everything was looked at and fits. Takes a handful of git
    processes, however long the history.
    """
    commit = repo.rev_parse(ref)
    if commit is None:
        return (_finding(Severity.UNCHECKED, folder(root), f"there is no commit {ref!r} to check"),)
    try:
        found = [*_work_tree(repo, commit, root), *_commit_and_history(repo, commit, root)]
    except PromptopsError as error:  # git itself could not read on: a damaged or partial repository
        found = [_finding(Severity.ERROR, folder(root), str(error))]
    order = list(Severity)
    return tuple(sorted(set(found), key=lambda one: (order.index(one.severity), one.path, one.message)))


def _finding(severity: Severity, path: str, message: str, commit: str | None = None) -> Finding:
    return Finding(severity=severity, path=path, commit=commit, message=message)


def _error(path: str, message: str, commit: str | None = None) -> Finding:
    return _finding(Severity.ERROR, path, message, commit)


def _work_tree(repo: Repo, commit: str, root: str) -> Iterator[Finding]:
    if repo.is_bare or commit != repo.head():
        return
    for path, letters in sorted(repo.changed(folder(root)).items()):
        what = {"?": "is not committed", "D": "was deleted by hand"}.get(
            letters.strip()[:1], "was edited by hand"
        )
        yield _error(path, f"{what}; restore it with git restore --staged --worktree, or delete it")


def _commit_and_history(repo: Repo, commit: str, root: str) -> Iterator[Finding]:
    commits = walk(repo, commit, folder(root))
    entries = repo.tree(commit, folder(root))
    wanted = {entry.oid for entry in entries.values() if entry.is_file}
    wanted |= {
        entry.oid
        for one in commits
        for path, entry in one.changes.items()
        if entry is not None and entry.is_file and not path.endswith(".json")
    }
    contents = repo.read_many(sorted(wanted))
    files = {path: contents[entry.oid] for path, entry in entries.items() if entry.oid in contents}
    yield from _odd_entries(entries, files, root)
    yield from _files(Releases(root=root, files=files))
    yield from _History(root=root, contents=contents).check(commits)


def _odd_entries(
    entries: Mapping[str, TreeEntry], files: Mapping[str, bytes], root: str
) -> Iterator[Finding]:
    for path, entry in entries.items():
        if not entry.is_file:
            yield _error(path, "is a symbolic link or a submodule; release files are plain files")
        elif path not in files:
            yield _error(path, "its content is not in this repository")
        elif _place(path, root) is None:
            yield _error(path, "does not belong here: not a pointer, a version or evidence")


def _place(path: str, root: str) -> _Place | None:
    match = _PATH.fullmatch(path.removeprefix(f"{folder(root)}/"))
    if match is None:
        return None
    number = int(match["number"]) if match["number"] else None
    return _Place(id=match["id"], number=number, hex=match["hex"], environment=match["environment"])


def _files(releases: Releases) -> Iterator[Finding]:
    for path, content in releases.files.items():
        place = _place(path, releases.root)
        if place is None:
            continue
        try:
            record = _read(place, content, path)
        except PromptopsError as error:
            yield from _unreadable(path, error)
            continue
        if not is_canonical(content, record):
            yield _error(path, "is not written as promptops writes it; restore it from git")
        if wrong := _misplaced(place, record, content):
            yield _error(path, wrong)
        elif isinstance(record, Release):
            yield from _named_by(releases, path, record)
    for prompt in releases.ids():
        yield from _same_twice(releases, prompt)


def _read(place: _Place, content: bytes, path: str) -> Version | Release | Evidence:
    if place.number is not None:
        return parse_version(content, path=path)
    if place.hex is not None:
        return parse_evidence(content, path=path)
    return parse_release(content, path=path)


def _unreadable(path: str, error: PromptopsError, commit: str | None = None) -> Iterator[Finding]:
    if not isinstance(error, InvalidFile):
        yield _error(path, str(error).removeprefix(f"{path}: "), commit)
        return
    for problem in error.problems:
        line = f"line {problem.line}: " if problem.line else ""
        yield _error(path, line + problem.message, commit)


def _misplaced(place: _Place, record: Version | Release | Evidence, content: bytes) -> str | None:
    match record:
        case Version() if (record.id, record.version) != (place.id, place.number):
            return f"holds v{record.version} of {record.id}"
        case Release() if (record.id, record.environment) != (place.id, place.environment):
            return f"holds the pointer of {record.id} in {record.environment}"
        case Evidence() if record.prompt != place.id:
            return f"holds evidence about {record.prompt}"
        case Evidence() if evidence_name(sha256(content)) != f"{place.hex}.json":
            return "its name is not the hash of its content; it was edited"
    return None


def _named_by(releases: Releases, path: str, release: Release) -> Iterator[Finding]:
    """Check what a pointer names: its version, its evidence, and those of its fallbacks."""
    named = [(release.version, release.digest, release.evidence)]
    named += [(old.version, old.digest, old.evidence) for old in release.fallbacks]
    for number, digest, evidence in named:
        file = version_path(releases.root, release.id, number)
        if file not in releases.files:
            yield _error(path, f"names v{number}, and there is no {file}")
        elif releases.digest_of(release.id, number) != digest:
            yield _error(path, f"says that v{number} is {digest[:19]}…, which {file} is not")
        if evidence and evidence_path(releases.root, release.id, evidence) not in releases.files:
            yield _error(path, f"names evidence for v{number} that is missing: {evidence_name(evidence)}")
    yield from _evidence_fits(releases, path, release)


def _evidence_fits(releases: Releases, path: str, release: Release) -> Iterator[Finding]:
    if release.evidence is None:
        if not release.forced and release.kind != "first":
            yield _error(path, "was released without evidence, and says neither first nor forced")
        return
    try:
        evidence = releases.evidence(release.id, release.evidence)
    except PromptopsError as error:
        yield from _unreadable(path, error)
        return
    if evidence is None:
        return
    if evidence.candidate != release.digest:
        yield _error(path, f"its evidence is about {evidence.candidate[:19]}…, not about v{release.version}")
    overruled = _ALLOWED[evidence.verdict]
    if overruled and release.kind != "rollback" and not (release.forced or getattr(release, overruled)):
        yield _error(path, f"its evidence says {evidence.verdict.upper()}, and nobody {overruled} it")


def _same_twice(releases: Releases, prompt: str) -> Iterator[Finding]:
    seen: dict[bytes, int] = {}
    for number in releases.numbers(prompt):
        path = version_path(releases.root, prompt, number)
        digest = next(
            (row for row in releases.files[path].split(b"\n", 5) if row.startswith(b"digest:")), b""
        )
        if digest and digest in seen:
            message = f"is the same prompt as v{seen[digest]}: two branches froze it under two numbers"
            yield _finding(Severity.WARNING, path, message)
        seen.setdefault(digest, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class _History:
    """Every commit's change of release files against what a release may change."""

    root: str
    contents: Mapping[str, bytes]

    def check(self, commits: list[Commit]) -> Iterator[Finding]:
        lineage: dict[str, frozenset[str]] = {}
        for commit, state, parents in states(commits):
            for path in sorted({path for one in (state, *parents) for path in one}):
                place = _place(path, self.root)
                if place is None or (parents and all(old.get(path) == state.get(path) for old in parents)):
                    continue
                if len(parents) > 1:
                    yield from self._merge(commit, path, state, parents, lineage)
                elif place.environment is None:
                    yield from self._written_once(commit, path, state, parents)
                else:
                    yield from self._step(commit, path, state, parents, lineage)

    def _written_once(
        self, commit: Commit, path: str, state: State, parents: tuple[State, ...]
    ) -> Iterator[Finding]:
        if not parents or path not in parents[0]:
            return
        what = "edited" if path in state else "deleted"
        yield _error(path, f"was {what} by {_who(commit)}; it is written once and never changed", commit.oid)

    def _step(
        self,
        commit: Commit,
        path: str,
        state: State,
        parents: tuple[State, ...],
        lineage: dict[str, frozenset[str]],
    ) -> Iterator[Finding]:
        new, old = state.get(path), parents[0].get(path) if parents else None
        if new is None:
            yield _error(path, f"was deleted by {_who(commit)}: what was live is no longer", commit.oid)
            return
        try:
            release, previous = self._pointer(path, new), self._pointer(path, old)
            wrong = illegal_step(previous, release) if release is not None else None
        except PromptopsError as error:
            yield from _unreadable(path, error, commit.oid)
            return
        lineage[new.oid] = lineage.get(old.oid, frozenset()) | {old.oid} if old else frozenset()
        if release is None:
            return
        if commit.is_cut and previous is None:
            message = f"the records before sequence {release.sequence} are not in this shallow clone"
            if release.sequence > 1:
                yield _finding(Severity.UNCHECKED, path, f"{message}; git fetch --unshallow", commit.oid)
            return
        if wrong:
            yield _error(path, f"{wrong}{_guess(previous, release)}; written by {_who(commit)}", commit.oid)

    def _pointer(self, path: str, entry: TreeEntry | None) -> Release | None:
        if entry is None or entry.oid not in self.contents:
            return None
        return parse_release(self.contents[entry.oid], path=path)

    def _merge(
        self,
        commit: Commit,
        path: str,
        state: State,
        parents: tuple[State, ...],
        lineage: dict[str, frozenset[str]],
    ) -> Iterator[Finding]:
        """A merge may take a file as one of its parents has it; if both had gone on, one release is lost."""
        new = state.get(path)
        sides = [old[path] for old in parents if path in old]
        if new is None:
            yield _error(path, f"was dropped by a merge of {_who(commit)}", commit.oid)
        elif new not in sides:
            yield _error(
                path, f"was changed within a merge by {_who(commit)}; resolve to one side", commit.oid
            )
        elif lost := [side for side in sides if side != new and side.oid not in lineage.get(new.oid, ())]:
            message = (
                f"both branches had released; the merge kept one and dropped {len(lost)}: promote it again"
            )
            yield _finding(Severity.WARNING, path, message, commit.oid)


def _who(commit: Commit) -> str:
    return f"{commit.author}, {commit.subject!r}"


def _guess(previous: Release | None, release: Release) -> str:
    if previous is None:
        return " (the records before it are not in the history: squashed or rewritten?)"
    if release.sequence < previous.sequence:
        return " (a git revert? use promptops rollback)"
    return " (releases squashed into one commit?)" if release.sequence > previous.sequence + 1 else ""
