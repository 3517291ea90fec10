"""`promptops verify`: are the committed releases what promptops wrote, and what could not be checked.

Where releases are, and who has to sign them, is said by the base (`checkbase`): what is checked does not decide by
what it is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from promptops.gitstore.findings import Finding, Severity, error, excused
from promptops.gitstore.releasefiles import place_of
from promptops.gitstore.releases import folder
from promptops.gitstore.repo import Repo
from promptops.gitstore.verify import verify
from promptops.releasing.checkbase import bases_of, looked_into
from promptops.workspace import Workspace


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
        warnings = sum(one.severity == Severity.WARNING for one in self.findings)
        but = f", but for {warnings} warning{'s' if warnings > 1 else ''}" if warnings else ""
        if self.since is not None:
            return f"every change of release files since {self.since} is as it was written{but}{again}{left}"
        return f"every release file and its history is as it was written{but}{again}{left}"

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
    bases, repo = bases_of(workspace, since), workspace.repo
    signers = tuple(dict.fromkeys(signer for one in bases for signer in one.signers()))
    final = bases[0].workspace.config.live if bases else ""
    left = {
        root: commit for one in bases for root, commit in one.roots().items() if root not in workspace.roots
    }
    left = {root: commit for root, commit in left.items() if _has_history(repo, root)}
    roots = (*workspace.roots, *left)
    found = [
        one
        for root in roots
        for one in verify(repo, root=root, since=since, signers=signers, final=final)
        # Where nobody looks for prompts any more, other files may stand.
        if root in workspace.roots or one.path == folder(root) or place_of(one.path, root) is not None
    ]
    found += [one for root, commit in left.items() for one in _left(repo, root, commit, bases[0].path)]
    order = list(Severity)
    found = sorted(excused(found, looked_into(bases)), key=lambda one: order.index(one.severity))
    hidden = since is not None and any(one.severity == Severity.UNCHECKED for one in found)
    return Checked(findings=tuple(found), roots=roots, since=since, hidden=hidden)


def _has_history(repo: Repo, root: str) -> bool:
    return repo.line("rev-list", "--max-count=1", "HEAD", "--", folder(root)) is not None


def _left(repo: Repo, root: str, commit: str | None, path: str) -> Iterator[Finding]:
    """Say that a prompts folder was taken out of the configuration although prompts are live there.

    Whatever was released, and by which evidence: from then on programs read other files.
    """
    places = [place_of(one, root) for one in repo.tree("HEAD", folder(root))]
    live = sorted({one.id for one in places if one is not None and one.environment})
    if live:
        more = f" and {len(live) - 3} more" if len(live) > 3 else ""
        names = f"{', '.join(live[:3])}{more}"
        yield error(path, f"takes the folder {root} out, where {names} went live: put it back", commit)
