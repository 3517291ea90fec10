"""The prompts of a work tree or of a commit, read the same way from either.

A tree gives text by path from the top of the repository. Symbolic links are followed as far as they stay
inside; a link or a path that leaves the repository is a problem, never read. A prompt that cannot be read is
a problem of its own and leaves the others readable.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Protocol

from promptops.documents import decode
from promptops.errors import InvalidFile, Problem, RepoError
from promptops.gitstore.objects import Objects
from promptops.gitstore.repo import Repo, TreeEntry
from promptops.prompts.paths import is_prompt_path, stem

if TYPE_CHECKING:
    from promptops.prompts.model import Prompt

_MAX_LINKS: Final = 8
_ID: Final = re.compile(rb"^id:[ \t]*[\"']?([a-z0-9][a-z0-9-]*)", re.MULTILINE)


class Tree(Protocol):
    """Where texts come from."""

    def paths(self, root: str) -> list[str]:
        """Return the prompt files under a folder, sorted."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return a file's content, None if there is no such file.

        Raises:
            InvalidFile: the path, or a symbolic link on it, leaves the repository.
        """
        ...


@dataclass(frozen=True, slots=True)
class WorkTree:
    """The files as they lie in the work tree, committed or not; `folders` are those seen, without symbolic links."""

    repo: Repo
    folders: dict[str, Path] = field(default_factory=dict, repr=False, compare=False)

    def paths(self, root: str) -> list[str]:
        top, found = self._top(), list[str]()
        for folder, folders, files in os.walk(top / root):
            place = os.path.relpath(folder, top).replace(os.sep, "/")
            before = "" if place == "." else f"{place}/"
            folders[:] = [name for name in folders if is_prompt_folder(f"{before}{name}", root)]
            found += [f"{before}{name}" for name in files if is_prompt_path(name)]
        return sorted(found)

    def read(self, path: str) -> bytes | None:
        place = normal(path)
        try:
            return self._real(place, path).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except (OSError, RuntimeError) as error:  # RuntimeError: a symbolic link to itself
            raise InvalidFile([Problem(path, 0, 0, f"cannot be read: {error}")]) from error

    def _real(self, place: str, path: str) -> Path:
        """Return where a path leads to; its folder's links are followed once for all the files in it.

        Raises:
            InvalidFile: it leaves the repository.
        """
        before, _, name = place.rpartition("/")
        if before not in self.folders:
            self.folders[before] = self._inside(self._top() / before, path)
        file = self.folders[before] / name
        return self._inside(file, path) if file.is_symlink() or not name else file

    def _inside(self, place: Path, path: str) -> Path:
        real = place.resolve()
        if not real.is_relative_to(self._top().resolve()):
            raise _leaves(path)
        return real

    def _top(self) -> Path:
        if self.repo.work_tree is None:
            raise RepoError("a bare repository has no work tree; name a commit: ID@HEAD")
        return self.repo.work_tree


@dataclass(frozen=True, slots=True)
class CommitTree:
    """The files of one commit: `entries` under the prompts root, `elsewhere` for a partial outside of it."""

    entries: Mapping[str, TreeEntry]
    objects: Objects
    elsewhere: Callable[[str], TreeEntry | None] = lambda _: None

    def paths(self, root: str) -> list[str]:
        return sorted(path for path in self.entries if holds_prompt(path, root))

    def read(self, path: str) -> bytes | None:
        place = normal(path)
        for _ in range(_MAX_LINKS):
            entry = self.entries.get(place) or self.elsewhere(place)
            if entry is None or entry.mode == "160000":
                return None
            content = self.objects.read(entry.oid)
            if entry.is_file or content is None:
                return content
            target = content.decode(errors="surrogateescape")
            place = normal(target if target.startswith("/") else f"{PurePosixPath(place).parent}/{target}")
        raise InvalidFile([Problem(path, 0, 0, "more symbolic links in a row than are followed")])


@dataclass(frozen=True, slots=True)
class TextTree:
    """Texts that are at hand already: the source and the partials of a frozen version."""

    texts: Mapping[str, str]

    def paths(self, root: str) -> list[str]:
        return sorted(path for path in self.texts if holds_prompt(path, root))

    def read(self, path: str) -> bytes | None:
        text = self.texts.get(normal(path))
        return None if text is None else text.encode()


@dataclass(frozen=True, slots=True)
class Looking:
    """A tree that remembers what was asked of it."""

    tree: Tree
    looked: set[str]

    def paths(self, root: str) -> list[str]:
        return self.tree.paths(root)

    def read(self, path: str) -> bytes | None:
        self.looked.add(path)
        return self.tree.read(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """The prompts of one tree, sorted by id, and what kept others from being read."""

    prompts: tuple[Prompt, ...]
    problems: tuple[Problem, ...] = ()
    known: tuple[str, ...] = field(default=())

    def get(self, name: str) -> Prompt | None:
        return next((prompt for prompt in self.prompts if prompt.id == name), None)


@contextmanager
def open_tree(repo: Repo, commit: str | None, root: str) -> Iterator[Tree]:
    """Open the work tree (`commit` None) or a commit for reading."""
    if commit is None:
        yield WorkTree(repo)
        return
    entries = repo.tree(commit, root)
    with repo.objects() as objects:
        objects.read_many(entry.oid for path, entry in entries.items() if holds_prompt(path, root))
        yield CommitTree(entries, objects, _looked_up(repo, commit))


@contextmanager
def open_entries(repo: Repo, *ends: tuple[str, Mapping[str, TreeEntry]]) -> Iterator[tuple[Tree, ...]]:
    """Open commits of which some entries are known to read a few files by name; others are looked up one by one."""
    with repo.objects() as objects:
        yield tuple(CommitTree(entries, objects, _looked_up(repo, commit)) for commit, entries in ends)


def _looked_up(repo: Repo, commit: str) -> Callable[[str], TreeEntry | None]:
    return lambda path: repo.tree_paths(commit, [path]).get(path)


def prompts(repo: Repo, ref: str | None = None, *, root: str = "prompts") -> Prompts:
    """Return all prompts of the work tree (None) or of a commit; one bad file does not hide the others.

    Raises:
        RepoError: no such commit, or no work tree.
    """
    commit = None if ref is None else repo.rev_parse(ref)
    if ref is not None and commit is None:
        raise RepoError(f"git knows no commit called {ref!r}")
    with open_tree(repo, commit, root) as tree:
        return read_all(tree, tree.paths(root), root=root)


def read_all(tree: Tree, paths: Iterable[str], *, root: str) -> Prompts:
    """Read these prompt files; two with the same id are both kept out, because neither is *the* one."""
    found: dict[str, list[Prompt]] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            prompt = read_prompt(tree, path, root=root)
            found.setdefault(prompt.id, []).append(prompt)
        except InvalidFile as error:
            problems += error.problems
    problems += twice({name: [prompt.path for prompt in same] for name, same in found.items()})
    single = tuple(same[0] for _, same in sorted(found.items()) if len(same) == 1)
    return Prompts(prompts=single, problems=tuple(sorted(problems)), known=tuple(sorted(found)))


def twice(places: Mapping[str, Sequence[str]]) -> list[Problem]:
    """Return what is wrong with ids that more than one file has."""
    return [
        Problem(same[0], 0, 0, f"the id {name!r} is also that of {' and '.join(same[1:])}")
        for name, same in places.items()
        if len(same) > 1
    ]


def read_prompt(tree: Tree, path: str, *, root: str) -> Prompt:
    """Read one prompt file and its partials.

    Raises:
        InvalidFile: all of its problems.
    """
    content = tree.read(path)
    if content is None:
        raise InvalidFile([Problem(path, 0, 0, "no such file")])

    def partial(name: str) -> str | None:
        found = tree.read(name)
        return None if found is None else decode(found, path=name)

    from promptops.prompts.parse import parse_prompt  # 20 ms that `status` does not pay when it remembers

    return parse_prompt(decode(content, path=path), path=path, read_partial=partial, root=root)


def glance(tree: Tree, root: str) -> dict[str, bytes]:
    """Return the prompt files under the root with their bytes; one that cannot be read is empty here."""
    contents = {}
    for path in tree.paths(root):
        try:
            contents[path] = tree.read(path) or b""
        except InvalidFile:  # said by whoever parses it
            contents[path] = b""
    return contents


def mentions(content: bytes, path: str, name: str) -> bool:
    """Whether a prompt file can have this id: it is its stem, or stands somewhere in the text.

    A cheap sieve before parsing; an id spelt with YAML escapes would slip through it, and nobody writes one.
    """
    return stem(path) == name or name.encode() in content


def guess_id(content: bytes, path: str) -> str:
    """Return the id of a file by a glance, whether or not it can be parsed."""
    match = _ID.search(content)
    return match[1].decode() if match else stem(path)


def holds_prompt(path: str, root: str) -> bool:
    """Whether a path is that of a prompt file under the root."""
    inside = root in ("", ".") or path.startswith(f"{root}/")
    return inside and is_prompt_path(path) and is_prompt_folder(posixpath.dirname(path) or ".", root)


def is_prompt_folder(path: str, root: str) -> bool:
    """Whether prompts are looked for in a folder: not in hidden ones, nor among the releases."""
    if path in (root, "."):
        return True
    inner = path if root in ("", ".") else path.removeprefix(f"{root}/")
    parts = inner.split("/")
    return parts[0] != "releases" and not any(
        part.startswith(".") or part == "node_modules" for part in parts
    )


def normal(path: str) -> str:
    """Return a path without `.` and `..`.

    Raises:
        InvalidFile: it leaves the repository, or is absolute.
    """
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and not parts:
            raise _leaves(path)
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if path.startswith("/") or "\0" in path or (parts and parts[0].lower() == ".git"):
        raise _leaves(path)
    return "/".join(parts)


def _leaves(path: str) -> InvalidFile:
    return InvalidFile(
        [Problem(path, 0, 0, "leaves the repository, directly or by a symbolic link; not read")]
    )
