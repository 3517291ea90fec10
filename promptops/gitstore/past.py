"""What the history of one prompt's release folder holds: where each version was frozen, and each pointer there was.

Commits of side branches come before the merge that brought them in, so the first that has a record is the one that
wrote it. Where a shallow clone ends, everything seems to be written at once; those commits say so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from promptops.gitstore.releases import folder
from promptops.gitstore.repo import Repo
from promptops.gitstore.walk import Commit, walk
from promptops.records import Release, parse_release

_FILE: Final = re.compile(r"v(?P<number>[1-9][0-9]{0,8})\.yaml|(?P<environment>[a-z0-9][a-z0-9-]*)\.yaml")
_NUMBER: Final = re.compile(rb"^version: ([0-9]{1,9})\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One pointer as a commit wrote it; its bytes are read when somebody asks."""

    commit: Commit
    environment: str
    path: str
    content: bytes

    @property
    def version(self) -> int | None:
        """The number that it names, by a glance."""
        found = _NUMBER.search(self.content)
        return int(found[1]) if found else None

    def release(self) -> Release:
        """Return the record.

        Raises:
            InvalidFile: it cannot be read.
        """
        return parse_release(self.content, path=self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """`frozen` is version → the commit that froze it; `written` are the pointers, oldest first."""

    frozen: dict[int, Commit]
    written: tuple[Written, ...]


def past(repo: Repo, prompt: str, *refs: str | None, root: str = "prompts") -> Past:
    """Return what these commits and those behind them have released of a prompt.

    Raises:
        RepoError: no such commit.
    """
    under = f"{folder(root)}/{prompt}"
    commits = {one.oid: one for ref in _tips(repo, refs) for one in reversed(walk(repo, ref, under))}
    frozen: dict[int, Commit] = {}
    rows: list[tuple[Commit, str, str, str]] = []
    for commit in commits.values():
        for path, entry in commit.changes.items():
            file = _FILE.fullmatch(path.removeprefix(f"{under}/"))
            if file is None or entry is None or not entry.is_file:
                continue
            if file["number"]:
                frozen.setdefault(int(file["number"]), commit)
            else:
                rows.append((commit, file["environment"], path, entry.oid))
    contents = repo.read_many({oid for *_, oid in rows}) if rows else {}
    written = (
        Written(commit=commit, environment=environment, path=path, content=contents[oid])
        for commit, environment, path, oid in rows
        if oid in contents
    )
    return Past(frozen=frozen, written=tuple(written))


def _tips(repo: Repo, refs: Sequence[str | None]) -> list[str]:
    """Leave out what is behind another one of them: one log is enough then."""
    tips: list[str] = []
    for ref in dict.fromkeys(ref for ref in refs if ref):
        if any(repo.is_ancestor(ref, tip) for tip in tips):
            continue
        tips = [*(tip for tip in tips if not repo.is_ancestor(tip, ref)), ref]
    return tips
