"""What is live everywhere, in short: the pointers of some commits, without the versions and the evidence they name.

What a prompt's folder of releases says is remembered by the name of its tree: no byte below it can have changed.
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
_FEW: Final = 50  # folders that are asked for by name; from more of them on, git is faster with all
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
    def recalled(cls, values: Any) -> Self:
        """Read back what was remembered.

        Raises:
            TypeError, KeyError: it is something else.
        """
        return cls(**{**values, "marks": tuple(values["marks"])})


Standings = dict[tuple[str, str], Standing]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointers:
    """Reads the pointers of some environments; `about` tells the marks of a release.

    `before` is what was remembered, by the trees of prompts' folders; `now` takes what is to be.
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
        trees = self.repo.folders(ref, folder(self.root))
        found = {name: self._recall(name, tree) for name, tree in trees.items()}
        found |= self._read(ref, {name: trees[name] for name, known in found.items() if known is None})
        return {
            (name, environment): one
            for name, known in found.items()
            for environment, one in (known or {}).items()
        }

    def _recall(self, name: str, tree: str) -> Mapping[str, Standing] | None:
        values: Any = self.now.get(tree) or self.before.get(tree)
        try:
            if (values["id"], values["environments"]) != (name, [*self.environments]):
                return None
            known = {environment: Standing.recalled(one) for environment, one in values["live"].items()}
        except (TypeError, KeyError, AttributeError):
            return None
        self.now[tree] = values
        return known

    def _read(self, ref: str, trees: Mapping[str, str]) -> dict[str, dict[str, Standing]]:
        """Read the pointers of these prompts, and remember them by the trees of their folders."""
        if not trees:
            return {}
        shelf, found = folder(self.root), {name: dict[str, Standing]() for name in trees}
        few = len(trees) <= _FEW
        entries = self.repo.tree_paths(ref, [f"{shelf}/{name}/" for name in trees] if few else [f"{shelf}/"])
        places = {
            path: place
            for path, place in _pointers(entries, self.root, self.environments)
            if place[0] in trees
        }
        releases = _read(self.repo, entries, {path: entries[path] for path in places}, self.root)
        for prompt, environment in places.values():
            if (release := releases.live(prompt, environment)) is not None:
                found[prompt][environment] = Standing.of(release, self.about(releases, release))
        for name, live in found.items():
            values = {
                environment: {**asdict(one), "marks": list(one.marks)} for environment, one in live.items()
            }
            self.now[trees[name]] = {"id": name, "environments": [*self.environments], "live": values}
        return found


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
