"""The way on where the release branch takes no pushes: the release waits on a branch of its own for its merge.

Nothing that exists is changed, here or there. The branch is named after the step, so that a second try finds what
the first one left. Where the remote takes no branch at all, it is kept here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from promptops.errors import LostRace, RepoError
from promptops.gitstore.hosting import PullRequest, pull_request, remote_url
from promptops.gitstore.push import PushRefused, fetch, push_commit
from promptops.gitstore.releases import read_releases
from promptops.gitstore.repo import Repo
from promptops.records import Release

_LONG = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A release that waits on `branch` to be merged into `into`; `remote` is None where it is only here.

    `words` are those with which the remote refused. `again` says that an earlier try had left it there.
    """

    commit: str
    branch: str
    into: str
    remote: str | None
    words: str
    page: PullRequest
    again: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "branch": self.branch,
            "into": self.into,
            "remote": self.remote,
            "commit": self.commit,
            "url": self.page.url,
            "command": self.page.command,
            "refused": self.words,
        }


def wait(repo: Repo, refused: PushRefused, releases: Sequence[tuple[str, Release]], message: str) -> Waiting:
    """Push a refused release commit to a branch of its own; `releases` are (prompts folder, record) of the commit."""
    shared = branch_for([record for _, record in releases])
    own = f"{shared}-{refused.commit[:8]}"
    flat = own.replace("/", "-")  # where a branch is called promptops, none can stand below it
    for name in (shared, own, flat):
        try:
            said = push_commit(repo, refused.commit, branch=name, remote=refused.remote)
        except LostRace:
            if left := _left_before(repo, refused.remote, name, releases):
                return _waiting(repo, refused, message, branch=name, commit=left, again=True)
        except RepoError:
            break
        else:
            return _waiting(repo, refused, message, branch=name, said=said)
    below = repo.rev_parse("refs/heads/promptops") is None
    return _kept_here(repo, refused, own if below else flat)


def branch_for(releases: Sequence[Release]) -> str:
    """Return the name of the branch on which a step waits: kind, environment, and what goes where in which turn."""
    first = releases[0]
    kind = "rollback" if first.kind == "rollback" else "promote"
    steps = "-".join(f"{one.id}-v{one.version}-{one.sequence}" for one in releases)
    if len(steps) > _LONG:
        steps = f"{first.id[:_LONG]}-v{first.version}-{first.sequence}-and-{len(releases) - 1}-more"
    return f"promptops/{kind}-{first.environment}-{steps}"


def _left_before(repo: Repo, remote: str, branch: str, releases: Sequence[tuple[str, Release]]) -> str | None:
    """Return the commit of a branch that already holds these very steps."""
    try:
        commit = fetch(repo, branch, remote=remote)
        for root, record in releases:
            there = read_releases(repo, commit, root=root, prompt=record.id).live(
                record.id, record.environment
            )
            if there is None or _step(there) != _step(record):
                return None
    except RepoError:
        return None
    return commit


def _step(record: Release) -> tuple[Any, ...]:
    return record.sequence, record.version, record.digest, record.previous, record.kind


def _waiting(
    repo: Repo,
    refused: PushRefused,
    message: str,
    *,
    branch: str,
    commit: str | None = None,
    said: str = "",
    again: bool = False,
) -> Waiting:
    title, _, body = message.partition("\n\n")
    page = pull_request(
        remote_url(repo, refused.remote), branch, refused.branch, title=title, body=body, said=said
    )
    return Waiting(
        commit=commit or refused.commit,
        branch=branch,
        into=refused.branch,
        remote=refused.remote,
        words=refused.words,
        page=page,
        again=again,
    )


def _kept_here(repo: Repo, refused: PushRefused, branch: str) -> Waiting:
    repo.write("update-ref", "-m", "promptops: release", f"refs/heads/{branch}", refused.commit)
    return Waiting(
        commit=refused.commit,
        branch=branch,
        into=refused.branch,
        remote=None,
        words=refused.words,
        page=PullRequest(),
    )
