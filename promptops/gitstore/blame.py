"""Where each line of a file comes from: one `git blame`, for the work tree or for a commit.

Renames of a whole file are followed as git follows them. A line that no commit has is told as such, and so is one
at which the history of a shallow clone ends. Filters that the repository names for its diffs are not run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from promptops.documents import normal_text
from promptops.gitstore.repo import Repo
from promptops.gitstore.walk import moment
from promptops.prompts.lines import same_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The commit that wrote a line; `path` is what its file was called there, `committed` is UTC.

    `is_cut` says that a shallow clone ends here: this commit has the line, and perhaps an earlier one wrote it.
    """

    commit: str
    author: str
    email: str
    committed: datetime
    subject: str
    path: str
    is_cut: bool = False


def origins(repo: Repo, path: str, lines: Sequence[str], *, commit: str | None) -> list[Origin | None]:
    """Return the origin of each line of a text, None for one that the commit's file (None: the work tree's) lacks.

    Raises:
        RepoError: git cannot read the history.
    """
    tip = commit or repo.head()
    if tip is None or path not in repo.tree_paths(tip, [path]):
        return [None] * len(lines)
    asked = ["blame", "--porcelain", "--no-textconv", *([commit] if commit else []), "--", path]
    said = repo.read(*asked).decode(errors="replace")
    rows = list(_rows(said.split("\n"), repo.cut()))
    found = same_lines([text for text, _ in rows], lines)
    return [None if place is None else rows[place][1] for place in found]


def _rows(said: Sequence[str], cut: frozenset[str]) -> Iterator[tuple[str, Origin | None]]:
    """Yield text and origin of every line: git tells of a commit once, at its first line."""
    known: dict[str, dict[str, str]] = {}
    oid = ""
    for line in said:
        if line.startswith("\t"):
            yield _as_read(line[1:]), _origin(oid, known[oid], cut)
            oid = ""
        elif not oid and line:
            oid = line.split(" ", 1)[0]
            known.setdefault(oid, {})
        elif line:
            name, _, value = line.partition(" ")
            known[oid][name] = value


def _as_read(text: str) -> str:
    """Return a line as files are read: without a byte order mark or what is left of CRLF, in NFC."""
    return normal_text(text.removeprefix("\ufeff").removesuffix("\r"))


def _origin(oid: str, about: dict[str, str], cut: frozenset[str]) -> Origin | None:
    if oid.strip("0") == "":
        return None
    return Origin(
        commit=oid,
        author=about["author"],
        email=about["author-mail"].strip("<>"),
        committed=moment(about["committer-time"]),
        subject=about["summary"],
        path=about["filename"],
        is_cut=oid in cut,
    )
