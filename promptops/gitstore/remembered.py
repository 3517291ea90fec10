"""What the prompt files of the work tree say in short, remembered from the last time: `status` reads them all.

A file is read again when its bytes, a partial that was looked for, or the code that reads prompts is another one. The
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
from typing import Any, Final, Self

import promptops
from promptops.errors import InvalidFile, Problem
from promptops.gitstore.repo import Repo
from promptops.gitstore.trees import Looking, Prompts, Tree, WorkTree, prompts, read_prompt, twice
from promptops.prompts.model import Prompt

_SCHEMA: Final = "promptops.remembered/1"
_READERS: Final = ("prompts", "nodes.py", "documents.py", "validation.py", "canonicaljson.py", "yamltext.py")


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


def sights(repo: Repo, *, roots: Iterable[str], memory: Path) -> dict[str, Sights]:
    """Return what the work tree has under each root; `memory` is the file that remembers.

    Raises:
        RepoError: a bare repository has no work tree.
    """
    before = _recalled(memory)
    reading = _Reading(tree=_Once(WorkTree(repo)), before=before)
    found = {root: reading.root(root) for root in roots}
    if reading.now != before:
        _remember(memory, reading.now)
    return found


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
    now: dict[str, Any] = field(default_factory=dict)
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
        known = self.before.get(path)
        if known is not None and all(self.mark(place) == mark for place, mark in known["looked"].items()):
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


def _recalled(memory: Path) -> dict[str, Any]:
    try:
        values = json.loads(memory.read_bytes())
        if values["schema"] != _SCHEMA or values["readers"] != _readers():
            return {}
        return {path: one for path, one in values["files"].items() if _is_entry(one)}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _is_entry(one: Any) -> bool:
    kinds = {"id": str, "digest": str, "has_floor": bool, "looked": dict}
    return isinstance(one, dict) and all(isinstance(one.get(name), kind) for name, kind in kinds.items())


def _remember(memory: Path, files: Mapping[str, Any]) -> None:
    """Write beside and move, so that two at once leave one whole file; where that fails nothing is lost."""
    if not memory.parent.is_dir():  # whoever only looks makes no folders
        return
    beside = memory.with_name(f"{memory.name}.{os.getpid()}")
    try:
        beside.write_text(json.dumps({"schema": _SCHEMA, "readers": _readers(), "files": files}))
        beside.replace(memory)
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _readers() -> list[list[Any]]:
    """Return when the code that reads prompts was last changed: another one may read them otherwise."""
    top = Path(promptops.__file__).parent
    files = [top / name for name in _READERS if name.endswith(".py")] + sorted((top / "prompts").glob("*.py"))
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
