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
_HEAD = re.compile(r"^ref: refs/heads/(.+)\tHEAD$", re.MULTILINE)
_SAME = re.compile(r"^=\t", re.MULTILINE)
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
    arguments = (*_patience(repo), "push", "--atomic", "--porcelain", "--end-of-options", remote, refspec)
    code, out, err = repo.attempt(*arguments)
    if not code and _SAME.search(out):
        # the same release, of the same person, made in the same second elsewhere: theirs was first
        raise LostRace(f"{remote}/{branch} has this very commit already: somebody released it first")
    if not code:
        _remember(repo, commit, branch=branch, remote=remote)
        return err
    reasons = "; ".join(_REFUSED.findall(out))
    if any(word in reasons for word in _BEHIND):
        raise LostRace(
            f"{remote}/{branch} has moved: somebody released or pushed first; run the command again"
        )
    if any(word in reasons + err for word in _RACE):
        raise LostRace(f"{remote}/{branch} is being moved: {_remotes_words(err, reasons)}")
    # Also who refuses may have it: a remote can have several addresses to push to.
    taken = has_taken(repo, commit, branch=branch, remote=remote, ask=True)
    if taken:
        return err
    if reasons and _UNKNOWN not in reasons:
        raise PushRefused(_remotes_words(err, reasons), commit=commit, branch=branch, remote=remote)
    failed = f"pushing to {remote} failed: {own_words(err or reasons)}"
    if taken is None:
        raise PushUnknown(f"{failed}; run the command again once {remote} can be reached")
    raise RepoError(f"{failed}; {remote} is as before")


def _patience(repo: Repo) -> tuple[str, ...]:
    """Over HTTP git would wait for ever for a server that says nothing; a minute of that is enough."""
    if repo.config("http.lowSpeedTime"):
        return ()
    return ("-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60")


def _remember(repo: Repo, commit: str, *, branch: str, remote: str) -> None:
    """Note where the remote's branch is now; git does not in a clone of another branch only."""
    ref = f"refs/remotes/{remote}/{branch}"
    if repo.rev_parse(ref) not in (None, commit):
        repo.attempt("update-ref", "-m", "promptops: pushed", ref, commit)


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


def default_branch(repo: Repo, *, remote: str) -> str | None:
    """Ask a remote which branch is its main one; None where it has no commit yet.

    Raises:
        RepoError: the remote could not be reached.
    """
    code, out, err = repo.attempt(
        *_patience(repo), "ls-remote", "--symref", "--end-of-options", remote, "HEAD"
    )
    if code:
        raise RepoError(f"asking {remote} for its main branch: {own_words(err or out)}")
    match = _HEAD.search(out)
    return match[1] if match else None


def fetch(repo: Repo, branch: str, *, remote: str) -> str:
    """Bring the remote's branch here, as its remote-tracking ref, and return its commit.

    Raises:
        RepoError: the remote could not be reached or has no such branch.
    """
    ref = f"refs/remotes/{remote}/{branch}"
    # of a branch that a shallow clone does not know it wants no more than of what it was cloned with
    only = ("--depth=1",) if repo.is_shallow and repo.rev_parse(ref) is None else ()
    refspec = f"+refs/heads/{branch}:{ref}"
    arguments = ("--no-tags", "--quiet", *only, "--end-of-options", remote, refspec)
    code, out, err = repo.attempt(*_patience(repo), "fetch", *arguments)
    commit = repo.rev_parse(ref)
    if code or commit is None:
        raise RepoError(f"fetching {branch} from {remote}: {own_words(err or out)}")
    return commit
