"""What is live everywhere: the pointers of some commits, without the versions and the evidence that they name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from promptops.errors import RepoError
from promptops.gitstore.releases import Releases, evidence_path, folder
from promptops.gitstore.repo import Repo, TreeEntry

_POINTER: Final = re.compile(r"[a-z0-9][a-z0-9-]*/(?!v[0-9]+\.yaml)[a-z0-9][a-z0-9-]*\.yaml")
_EVIDENCE: Final = re.compile(rb"^evidence: (sha256:[0-9a-f]{64})\r?$", re.MULTILINE)
_ROLLBACK: Final = re.compile(rb"^kind: rollback\r?$", re.MULTILINE)


def read_pointers(repo: Repo, *refs: str | None, root: str = "prompts") -> tuple[Releases, ...]:
    """Return the pointers of each commit, and the evidence of rollbacks: it tells whether they were tested.

    Where two commits have the same file, both have the same bytes object. None (no commit yet) has no files.

    Raises:
        RepoError: no such commit, or objects that are not here.
    """
    trees = {ref: repo.tree(ref, folder(root)) for ref in refs if ref is not None}
    contents: dict[str, bytes] = {}
    pointers = {ref: _pointers(entries, root) for ref, entries in trees.items()}
    _read(repo, contents, (entry.oid for found in pointers.values() for entry in found.values()), root)
    for ref, found in pointers.items():
        found |= _evidence(trees[ref], found, contents, root)
    _read(repo, contents, (entry.oid for found in pointers.values() for entry in found.values()), root)
    return tuple(
        Releases(
            root=root,
            files={path: contents[entry.oid] for path, entry in pointers[ref].items()} if ref else {},
        )
        for ref in refs
    )


def _pointers(entries: Mapping[str, TreeEntry], root: str) -> dict[str, TreeEntry]:
    start = len(folder(root)) + 1
    return {
        path: entry for path, entry in entries.items() if entry.is_file and _POINTER.fullmatch(path, start)
    }


def _evidence(
    entries: Mapping[str, TreeEntry],
    pointers: Mapping[str, TreeEntry],
    contents: Mapping[str, bytes],
    root: str,
) -> dict[str, TreeEntry]:
    """Return the files that those pointers name which are rollbacks."""
    found: dict[str, TreeEntry] = {}
    for path, entry in pointers.items():
        content = contents[entry.oid]
        named = _EVIDENCE.search(content) if _ROLLBACK.search(content) else None
        if named is not None:
            file = evidence_path(root, path.split("/")[-2], named[1].decode())
            found |= {file: entries[file]} if file in entries else {}
    return found


def _read(repo: Repo, contents: dict[str, bytes], oids: Iterable[str], root: str) -> None:
    wanted = set(oids) - set(contents)
    if wanted:
        contents |= repo.read_many(wanted)
    if not wanted <= set(contents):
        raise RepoError(f"{folder(root)}: objects are missing; fetch them with git fetch")
