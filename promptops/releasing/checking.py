"""`promptops verify`: are the committed releases what promptops wrote, and what could not be checked.

Where releases are, and who has to sign them, is read from the base: the commit that `--since` names, else the release
branch. What is checked does not decide by what it is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from promptops.config import FILE_NAME
from promptops.errors import InvalidFile, RepoError
from promptops.gitstore.findings import Finding, Severity
from promptops.gitstore.releases import release_ref
from promptops.gitstore.signatures import Signers, signers_at
from promptops.gitstore.verify import verify
from promptops.gitstore.walk import walk
from promptops.workspace import Workspace, committed_workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found in the prompts folders `roots`; `since` is the commit after which changes were judged.

    `again` is how many verdicts were reached again (`recomputing`), `hidden` that what was asked for is out of sight.
    """

    findings: tuple[Finding, ...]
    roots: tuple[str, ...] = ()
    since: str | None = None
    again: int | None = None
    hidden: bool = False

    @property
    def exit_code(self) -> int:
        """6 for any error; 2 if the changes that were asked for could not be looked at: in CI that is no success."""
        if any(one.severity == Severity.ERROR for one in self.findings):
            return 6
        return 2 if self.hidden else 0

    def lines(self) -> list[str]:
        found = [f"{one.severity.value}: {one}" for one in self.findings]
        return [*found, self._summary()]

    def _summary(self) -> str:
        errors = sum(one.severity == Severity.ERROR for one in self.findings)
        if errors:
            return f"{errors} error{'s' if errors > 1 else ''}: a release is not what promptops wrote"
        open_ones = sum(one.severity == Severity.UNCHECKED for one in self.findings)
        left = f"; {open_ones} could not be checked" if open_ones else ""
        again = (
            f"; {self.again} verdict{'' if self.again == 1 else 's'} reached again"
            if self.again is not None
            else ""
        )
        if self.since is not None:
            return f"every change of release files since {self.since} is as it was written{again}{left}"
        return f"every release file and its history is as it was written{again}{left}"

    def as_json(self) -> dict[str, Any]:
        rows = [
            {"severity": one.severity.value, "path": one.path, "commit": one.commit, "message": one.message}
            for one in self.findings
        ]
        more: dict[str, Any] = {"since": self.since} if self.since is not None else {}
        more |= {"recomputed": self.again} if self.again is not None else {}
        return {"schema": "promptops.verify/1", "findings": rows, **more, "exit_code": self.exit_code}


def check(workspace: Workspace, *, since: str | None = None) -> Checked:
    """Check the releases of HEAD and the history behind it, or only what was done since a commit.

    Raises:
        RepoError: there is no such commit, or it has nothing to do with HEAD.
        InvalidFile: the base's configuration has problems.
    """
    base = _base(workspace, since)
    known = _as_of(workspace, base) if base else workspace
    roots = tuple(dict.fromkeys((*known.roots, *workspace.roots)))
    signers = _signers(known, base, since)
    found = [one for root in roots for one in verify(workspace.repo, root=root, since=since, signers=signers)]
    hidden = since is not None and any(one.severity == Severity.UNCHECKED for one in found)
    return Checked(findings=tuple(found), roots=roots, since=since, hidden=hidden)


def _base(workspace: Workspace, since: str | None) -> str | None:
    """Return the commit that decides by what is checked; None before the first commit.

    Raises:
        RepoError: there is no such commit.
    """
    if since is None:
        return release_ref(workspace.repo, workspace.config.release_branch).commit
    commit = workspace.repo.rev_parse(since)
    if commit is None:
        raise RepoError(f"there is no commit {since!r} here; fetch it, or check out with fetch-depth: 0")
    return commit


def _as_of(workspace: Workspace, commit: str) -> Workspace:
    """Return the workspace with the configuration that a commit has."""
    repo = workspace.repo
    place = repo.home if repo.is_bare else workspace.folder
    return committed_workspace(repo, commit, place, workspace.environ)


def _signers(base: Workspace, commit: str | None, since: str | None) -> tuple[Signers, ...]:
    required = base.config.require_signed
    if commit is None or not required:
        return ()
    if since is not None:
        return signers_at(base.repo, commit, required)
    return tuple(
        one
        for environment, path in required.items()
        for one in signers_at(
            base.repo, commit, {environment: path}, judged=_judged(base, commit, environment)
        )
    )


def _judged(base: Workspace, commit: str, environment: str) -> frozenset[str]:
    """Return the commits of HEAD that had to be signed: all that follow one whose configuration wanted it."""
    repo = base.repo
    path = f"{base.base}/{FILE_NAME}".removeprefix("/")
    wanting = {one.oid for one in walk(repo, commit, path) if _wants(base, one.oid, environment)}
    found: set[str] = set()
    for oid in wanting:
        if oid not in found:
            found.update(repo.read("rev-list", "--ancestry-path", f"^{oid}", "HEAD").decode().split())
    return frozenset(found)


def _wants(base: Workspace, commit: str, environment: str) -> bool:
    try:
        return environment in _as_of(base, commit).config.require_signed
    except InvalidFile:  # nobody could work with that one; the next that can be read says it again
        return False
