"""A release commit, and the compare-and-swap that moves a branch to it."""

from __future__ import annotations

from dataclasses import dataclass

from promptops.errors import LostRace
from promptops.gitstore.repo import GitSaidNo, Repo


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A release commit: `local` says whether the local branch holds it, `remote` where it was pushed to."""

    commit: str
    parent: str
    branch: str
    local: bool = True
    remote: str | None = None


def move_branch(repo: Repo, done: Committed) -> None:
    """Compare and swap.

    Raises:
        LostRace: the branch is no longer at the commit's parent.
    """
    ref = f"refs/heads/{done.branch}"
    try:
        repo.write("update-ref", "-m", "promptops: release", "--create-reflog", ref, done.commit, done.parent)
    except GitSaidNo as error:
        if repo.rev_parse(ref) != done.parent or "File exists" in error.err:
            raise moved(done.branch) from error
        raise


def moved(name: str) -> LostRace:
    return LostRace(f"{name} has moved since this release was worked out; run the command again")
