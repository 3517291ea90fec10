"""To and from the remote: one atomic push, and what its refusal means.

A refusal leaves the remote as it was, and nothing local has moved yet. Somebody was faster: LostRace. A
protected branch or a hook: git's own words, and the way round, which is a pull request. Never forces.
"""

from __future__ import annotations

import re
from typing import Final

from promptops.errors import LostRace, RepoError
from promptops.gitstore.objects import own_words
from promptops.gitstore.repo import Repo

_BEHIND: Final = ("fetch first", "non-fast-forward", "stale info", "needs force")
_RACE: Final = ("cannot lock ref", "incorrect old value", "failed to update ref", "reference already exists")
_REFUSED = re.compile(r"^!\t[^\t]*\t\[(?:remote )?(?:rejected|failure)\] ?\(?(.*?)\)?$", re.MULTILINE)


def push_commit(repo: Repo, commit: str, *, branch: str, remote: str) -> None:
    """Push one commit to a remote's branch.

    Raises:
        LostRace: the remote's branch has moved.
        RepoError: the remote refused, or could not be reached; the remote is as before.
    """
    refspec = f"{commit}:refs/heads/{branch}"
    code, out, err = repo.attempt("push", "--atomic", "--porcelain", "--end-of-options", remote, refspec)
    if code:
        raise _refusal(out, err, branch=branch, remote=remote)


def push(repo: Repo, branch: str, *, remote: str | None = None) -> None:
    """Push a local branch as it is to the branch of the same name.

    Raises:
        LostRace: the remote's branch has moved.
        RepoError: no remote, no such branch, or the remote refused; both sides are as before.
    """
    name = remote or repo.remote()
    commit = repo.rev_parse(f"refs/heads/{branch}")
    if name is None:
        raise RepoError("there is no remote to push to; add one with git remote add origin URL")
    if commit is None:
        raise RepoError(f"no branch called {branch!r} here")
    push_commit(repo, commit, branch=branch, remote=name)


def fetch(repo: Repo, branch: str, *, remote: str) -> str:
    """Bring the remote's branch here, as its remote-tracking ref, and return its commit.

    Raises:
        RepoError: the remote could not be reached or has no such branch.
    """
    ref = f"refs/remotes/{remote}/{branch}"
    arguments = ("--no-tags", "--quiet", "--end-of-options", remote, f"+refs/heads/{branch}:{ref}")
    code, out, err = repo.attempt("fetch", *arguments)
    commit = repo.rev_parse(ref)
    if code or commit is None:
        raise RepoError(f"fetching {branch} from {remote}: {own_words(err or out)}")
    return commit


def _refusal(out: str, err: str, *, branch: str, remote: str) -> RepoError:
    reasons = "; ".join(_REFUSED.findall(out))
    if any(word in reasons for word in _BEHIND) or any(word in reasons + err for word in _RACE):
        return LostRace(
            f"{remote}/{branch} has moved: somebody released or pushed first; run the command again"
        )
    words = own_words(f"{err}\n{reasons}")
    if reasons:
        return RepoError(
            f"{remote} refused the push: {words}; release without --push on a branch, and open a pull request"
        )
    return RepoError(f"pushing to {remote} failed: {words}")
