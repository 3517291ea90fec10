"""A release commit, the branch that it is for, and the compare-and-swap that moves that branch to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from promptops.errors import LostRace, RepoError
from promptops.gitstore.repo import GitSaidNo, Repo

_REBASES: Final = ("rebase-merge/head-name", "rebase-apply/head-name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A release commit: `local` says whether the local branch holds it, `remote` where it was pushed to."""

    commit: str
    parent: str
    branch: str
    local: bool = True
    remote: str | None = None


def branch_to_move(repo: Repo, named: str | None) -> str:
    """Return the short name of the branch to release on: the one named, else the one checked out.

    Raises:
        RepoError: a detached HEAD and none named, or what cannot be the name of a branch.
    """
    name = named or repo.branch()
    if name is None:
        raise RepoError("HEAD is detached: name the branch to release on with --branch")
    if repo.line("check-ref-format", "--branch", name) != name:
        raise RepoError(f"{name!r} cannot be the name of a branch")
    return name


def held_by(repo: Repo, name: str) -> str | None:
    """Say what keeps a branch that is not checked out here from being moved: another work tree, or a rebase."""
    ref = f"refs/heads/{name}"
    if place := repo.worktrees().get(ref):
        return f"{name} is checked out in {place}; release there, or on another branch"
    for folder in (repo.common_dir, *repo.common_dir.glob("worktrees/*")):
        for file in _REBASES:
            if (folder / file).is_file() and (folder / file).read_text(errors="replace").strip() == ref:
                return f"{name} is being rebased; finish that first: git rebase --continue, or --abort"
    return None


def move_branch(repo: Repo, done: Committed) -> None:
    """Compare and swap.

    Raises:
        LostRace: the branch is no longer at the commit's parent.
        RepoError: git does not move it: a hook, or a lock that something left behind.
    """
    ref = f"refs/heads/{done.branch}"
    try:
        repo.write("update-ref", "-m", "promptops: release", "--create-reflog", ref, done.commit, done.parent)
    except GitSaidNo as error:
        if repo.rev_parse(ref) != done.parent:
            raise moved(done.branch) from error
        raise


def moved(name: str) -> LostRace:
    return LostRace(f"{name} has moved since this release was worked out; run the command again")
