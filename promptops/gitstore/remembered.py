"""What prompt files and pointers say in short, remembered from the last time: `status` reads them all.

A file is read again when its bytes, a partial that was looked for, or the code that reads it is another one. The
memory is one file in `.promptops/`; without that folder, or with a file that cannot be read or written, everything is
only slower.
It tells a person how things are. What is tested, released or refused is always read from the files themselves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import promptops
from promptops.errors import InvalidFile, Problem
from promptops.gitstore.repo import Repo
from promptops.gitstore.trees import Looking, Prompts, Tree, WorkTree, prompts, read_prompt, twice

if TYPE_CHECKING:
    from promptops.prompts.model import Prompt

_SCHEMA: Final = "promptops.remembered/2"
_READERS: Final = (
    "nodes.py",
    "documents.py",
    "validation.py",
    "canonicaljson.py",
    "yamltext.py",
    "records.py",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One prompt file that can be read, in short."""

    id: str
    path: str
    digest: str
    has_floor: bool

    @classmethod
    def of(cls, prompt: Prompt) -> Self:
        return cls(id=prompt.id, path=prompt.path, digest=prompt.digest, has_floor=prompt.spec.has_floor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sights:
    """The prompts of one tree, sorted by id, and what kept others from being read; as `Prompts`."""

    prompts: tuple[Sight, ...]
    problems: tuple[Problem, ...]
    known: tuple[str, ...]


def committed_sights(repo: Repo, ref: str, *, root: str) -> Sights:
    """Return what a commit has, read afresh.

    Raises:
        RepoError: no such commit.
    """
    found: Prompts = prompts(repo, ref, root=root)
    seen = tuple(Sight.of(prompt) for prompt in found.prompts)
    return Sights(prompts=seen, problems=found.problems, known=found.known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What was known `before`, and what is `now`: of prompt files by path, of releases by the tree of their folder."""

    path: Path
    before: Mapping[str, Mapping[str, Any]]
    files: dict[str, Any] = field(default_factory=dict)
    pointers: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def recall(cls, path: Path) -> Self:
        """Read a memory; one that cannot be read, or that other code has written, is empty."""
        try:
            values = json.loads(path.read_bytes())
            fits = values["schema"] == _SCHEMA and values["readers"] == _readers()
            kept = {name: dict(values[name]) for name in ("files", "pointers")} if fits else {}
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            kept = {}
        return cls(path=path, before={"files": {}, "pointers": {}, **kept})

    def keep(self) -> None:
        """Write what is known now, if that is something else; whoever only looks makes no folders.

        Written beside and moved, so that two at once leave one whole file; where that fails nothing is lost.
        """
        now = {"files": self.files, "pointers": self.pointers}
        if now == self.before or not self.path.parent.is_dir():
            return
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            beside.write_text(json.dumps({"schema": _SCHEMA, "readers": _readers(), **now}))
            beside.replace(self.path)
        except OSError:
            with suppress(OSError):
                beside.unlink(missing_ok=True)


def sights(repo: Repo, *, roots: Iterable[str], memory: Memory) -> dict[str, Sights]:
    """Return what the work tree has under each root.

    Raises:
        RepoError: a bare repository has no work tree.
    """
    reading = _Reading(tree=_Once(WorkTree(repo)), before=memory.before["files"], now=memory.files)
    return {root: reading.root(root) for root in roots}


@dataclass(frozen=True, slots=True)
class _Once:
    """A tree that reads every file once: what is remembered of it is what was read."""

    tree: Tree
    contents: dict[str, bytes | None] = field(default_factory=dict)

    def paths(self, root: str) -> list[str]:
        return self.tree.paths(root)

    def read(self, path: str) -> bytes | None:
        if path not in self.contents:
            self.contents[path] = self.tree.read(path)
        return self.contents[path]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One pass over the files; `now` is what will be remembered, `marks` are hashes of what was looked at."""

    tree: _Once
    before: Mapping[str, Any]
    now: dict[str, Any]
    marks: dict[str, str] = field(default_factory=dict)

    def root(self, root: str) -> Sights:
        found: dict[str, list[Sight]] = {}
        problems: list[Problem] = []
        for path in self.tree.paths(root):
            try:
                sight = self.sight(path, root)
                found.setdefault(sight.id, []).append(sight)
            except InvalidFile as error:
                problems += error.problems
        problems += twice({name: [one.path for one in same] for name, same in found.items()})
        single = tuple(same[0] for _, same in sorted(found.items()) if len(same) == 1)
        return Sights(prompts=single, problems=tuple(sorted(problems)), known=tuple(sorted(found)))

    def sight(self, path: str, root: str) -> Sight:
        """Return what is remembered of a file if it still holds, else read it.

        Raises:
            InvalidFile: it has problems.
        """
        known: Any = self.before.get(path)
        if _is_entry(known) and all(self.mark(place) == mark for place, mark in known["looked"].items()):
            self.now[path] = known
            return Sight(id=known["id"], path=path, digest=known["digest"], has_floor=known["has_floor"])
        tree = Looking(self.tree, set())
        sight = Sight.of(read_prompt(tree, path, root=root))
        looked = {place: self.mark(place) for place in sorted(tree.looked)}
        self.now[path] = {
            "id": sight.id,
            "digest": sight.digest,
            "has_floor": sight.has_floor,
            "looked": looked,
        }
        return sight

    def mark(self, path: str) -> str:
        """Return the hash of a file, nothing where there is none, and no hash for one that is refused."""
        if path not in self.marks:
            try:
                content = self.tree.read(path)
                self.marks[path] = "" if content is None else sha256(content).hexdigest()
            except InvalidFile:
                self.marks[path] = "refused"
        return self.marks[path]


def _is_entry(one: Any) -> bool:
    kinds = {"id": str, "digest": str, "has_floor": bool, "looked": dict}
    return isinstance(one, dict) and all(isinstance(one.get(name), kind) for name, kind in kinds.items())


def _readers() -> list[list[Any]]:
    """Return when the code that reads prompts was last changed: another one may read them otherwise."""
    top = Path(promptops.__file__).parent
    folders = (top / "prompts", top / "gitstore", top / "releasing")
    files = [top / name for name in _READERS]
    files += sorted(file for folder in folders for file in folder.glob("*.py"))
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
