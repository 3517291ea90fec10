"""To and from the remote: one atomic push, and what its refusal means.

A refusal leaves the remote as it was, and nothing local has moved yet. Somebody was faster: LostRace. A
protected branch or a hook: PushRefused, with git's own words. A connection that breaks says nothing about what
the remote did, so it is asked. Never forces.
"""

from __future__ import annotations

import re
from typing import Final

from promptops.errors import LostRace, RepoError
from promptops.gitstore.objects import own_words
from promptops.gitstore.repo import Repo

_BEHIND: Final = ("fetch first", "non-fast-forward", "stale info", "needs force")
_RACE: Final = ("cannot lock ref", "incorrect old value", "failed to update ref", "reference already exists")
_UNKNOWN: Final = "failed to report status"
_REFUSED = re.compile(r"^!\t[^\t]*\t\[(?:remote )?(?:rejected|failure)\] ?\(?(.*?)\)?$", re.MULTILINE)


class PushRefused(RepoError):
    """The remote does not take this branch from us (protected, a hook); `words` are its own."""

    def __init__(self, words: str, *, commit: str, branch: str, remote: str) -> None:
        self.words, self.commit, self.branch, self.remote = words, commit, branch, remote
        super().__init__(
            f"{remote} refused the push: {words}; release without --push on a branch, and open a pull request"
        )


class PushUnknown(RepoError):
    """The connection broke, and whether the remote has the commit could not be asked."""


def push_commit(repo: Repo, commit: str, *, branch: str, remote: str) -> str:
    """Push one commit to a remote's branch and return what the remote said.

    Raises:
        LostRace: the remote's branch has moved.
        PushRefused: the remote does not take it; it is as before.
        PushUnknown: the connection broke; nobody knows whether the remote has it.
        RepoError: the remote could not be reached; it is as before.
    """
    refspec = f"{commit}:refs/heads/{branch}"
    code, out, err = repo.attempt("push", "--atomic", "--porcelain", "--end-of-options", remote, refspec)
    if not code:
        return err
    reasons = "; ".join(_REFUSED.findall(out))
    if any(word in reasons for word in _BEHIND) or any(word in reasons + err for word in _RACE):
        raise LostRace(
            f"{remote}/{branch} has moved: somebody released or pushed first; run the command again"
        )
    if reasons and _UNKNOWN not in reasons:
        raise PushRefused(_remotes_words(err, reasons), commit=commit, branch=branch, remote=remote)
    taken = has_taken(repo, commit, branch=branch, remote=remote, ask=True)
    if taken:
        return err
    failed = f"pushing to {remote} failed: {own_words(err or reasons)}"
    if taken is None:
        raise PushUnknown(f"{failed}; run the command again once {remote} can be reached")
    raise RepoError(f"{failed}; {remote} is as before")


def _remotes_words(err: str, reasons: str) -> str:
    """Return what the remote itself said, as one line, and why git says it refused."""
    lines = [line.removeprefix("remote:").strip() for line in err.split("\n") if line.startswith("remote:")]
    said = "; ".join(line for line in lines if line)
    return f"{said} ({reasons})" if said else reasons


def has_taken(repo: Repo, commit: str, *, branch: str, remote: str, ask: bool) -> bool | None:
    """Whether a remote's branch holds a commit; None where nobody here knows, and the remote cannot be asked."""
    if repo.is_ancestor(commit, f"refs/remotes/{remote}/{branch}"):
        return True
    if not ask:
        return None
    try:
        return repo.is_ancestor(commit, fetch(repo, branch, remote=remote))
    except RepoError:
        return None


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
