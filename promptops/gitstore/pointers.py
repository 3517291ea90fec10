"""What is live everywhere, in short: the pointers of some commits, without the versions and the evidence they name.

A pointer that is remembered by its object's name is not read again: its bytes cannot have changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from promptops.errors import RepoError
from promptops.gitstore.releases import Releases, evidence_path, folder
from promptops.gitstore.repo import Repo, TreeEntry
from promptops.records import Release

_POINTER: Final = re.compile(
    r"(?P<id>[a-z0-9][a-z0-9-]*)/(?!v[0-9]+\.yaml)(?P<environment>[a-z0-9][a-z0-9-]*)\.yaml"
)
_EVIDENCE: Final = re.compile(rb"^evidence: (sha256:[0-9a-f]{64})\r?$", re.MULTILINE)
_ROLLBACK: Final = re.compile(rb"^kind: rollback\r?$", re.MULTILINE)
About = Callable[[Releases, Release], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is live of one prompt in one environment, in short; `marks` are for people."""

    sequence: int
    version: int
    digest: str
    at: str
    by: str
    marks: tuple[str, ...]

    @classmethod
    def of(cls, release: Release, marks: tuple[str, ...]) -> Self:
        names = ("sequence", "version", "digest", "at", "by")
        return cls(**{name: getattr(release, name) for name in names}, marks=marks)

    @classmethod
    def recalled(cls, values: Any, path: str) -> Self | None:
        """Read back what was remembered of the pointer at this path, None where it is something else."""
        try:
            known = {name: value for name, value in values.items() if name != "path"}
            return cls(**{**known, "marks": tuple(known["marks"])}) if values["path"] == path else None
        except (TypeError, KeyError, AttributeError):
            return None


Standings = dict[tuple[str, str], Standing]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointers:
    """Reads the pointers of some environments; `about` tells the marks of a release.

    `before` is what was remembered, by object name; `now` takes what is to be.
    """

    repo: Repo
    root: str
    environments: Collection[str]
    about: About
    before: Mapping[str, Any]
    now: dict[str, Any]

    def standings(self, ref: str | None) -> Standings:
        """Return prompt and environment → what is live in a commit; None (no commit yet) has nothing.

        Raises:
            RepoError: no such commit, or objects that are not here.
            InvalidFile, IntegrityError: a pointer is damaged.
        """
        if ref is None:
            return {}
        entries = self.repo.tree(ref, folder(self.root))
        found = dict(_pointers(entries, self.root, self.environments))
        known = {path: self._recall(path, entries[path].oid) for path in found}
        new = {path: entries[path] for path, one in known.items() if one is None}
        releases = _read(self.repo, entries, new, self.root)
        known |= {path: self._read(releases, path, new[path].oid, *found[path]) for path in new}
        return {found[path]: one for path, one in known.items() if one is not None}

    def _recall(self, path: str, oid: str) -> Standing | None:
        values = self.now.get(oid) or self.before.get(oid)
        known = Standing.recalled(values, path)
        if known is not None:
            self.now[oid] = values
        return known

    def _read(
        self, releases: Releases, path: str, oid: str, prompt: str, environment: str
    ) -> Standing | None:
        release = releases.live(prompt, environment)
        if release is None:
            return None
        one = Standing.of(release, self.about(releases, release))
        if release.kind != "rollback":  # whose marks rest on another file
            self.now[oid] = {"path": path, **asdict(one), "marks": list(one.marks)}
        return one


def _pointers(
    entries: Mapping[str, TreeEntry], root: str, environments: Collection[str]
) -> Iterator[tuple[str, tuple[str, str]]]:
    start = len(folder(root)) + 1
    for path, entry in entries.items():
        match = _POINTER.fullmatch(path, start) if entry.is_file else None
        if match is not None and match["environment"] in environments:
            yield path, (match["id"], match["environment"])


def _read(
    repo: Repo, entries: Mapping[str, TreeEntry], pointers: Mapping[str, TreeEntry], root: str
) -> Releases:
    """Read pointers, and the evidence of those that are rollbacks: it tells whether they were tested."""
    files = _contents(repo, pointers, root)
    named = (_evidence_of(path, content, root) for path, content in files.items())
    more = {path: entries[path] for path in named if path in entries}
    return Releases(root=root, files={**files, **_contents(repo, more, root)})


def _evidence_of(path: str, content: bytes, root: str) -> str:
    found = _EVIDENCE.search(content) if _ROLLBACK.search(content) else None
    return evidence_path(root, path.split("/")[-2], found[1].decode()) if found else ""


def _contents(repo: Repo, entries: Mapping[str, TreeEntry], root: str) -> dict[str, bytes]:
    wanted = {entry.oid for entry in entries.values()}
    contents = repo.read_many(wanted) if wanted else {}
    if not wanted <= set(contents):
        raise RepoError(f"{folder(root)}: objects are missing; fetch them with git fetch")
    return {path: contents[entry.oid] for path, entry in entries.items()}
