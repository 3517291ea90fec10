"""How a release lands: committed here, or pushed directly, or waiting for its merge where direct pushes are refused.

A push that loses the branch to somebody else's release of another prompt is worked out again on the new tip: only
the branch was lost then, not the race, because what the release was tested against is still live. A version number
that somebody else has taken meanwhile becomes the next free one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from promptops.errors import LostRace, PromptopsError
from promptops.gitstore.commits import commit_files
from promptops.gitstore.moving import Committed
from promptops.gitstore.push import PushRefused, fetch
from promptops.gitstore.releases import read_releases
from promptops.records import Release
from promptops.releasing.base import Ground, grounds, push_branch, remote_to_push_to
from promptops.releasing.waiting import Waiting, wait
from promptops.workspace import Workspace

TRIES: Final = 20
Grounds = tuple[Ground, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Releases as worked out on one ground, in its order: their records, files and the message of their commit."""

    releases: tuple[Release, ...]
    files: Mapping[str, bytes]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What became of a draft: `committed` where the branch holds it, else `waiting` for its merge.

    Where a branch here was left behind, `rivals` are the prompts of which it has a release of its own, never pushed.
    """

    found: Grounds
    releases: tuple[Release, ...]
    committed: Committed | None = None
    waiting: Waiting | None = None
    rivals: tuple[str, ...] | None = None


def land(
    workspace: Workspace,
    found: Grounds,
    draft: Callable[[Grounds], Draft],
    *,
    environment: str,
    push: bool,
    branch: str | None,
) -> Landed:
    """Commit what `draft` makes of a ground, and push it if that is wanted.

    Raises:
        LostRace: one of these prompts was released by somebody else, or the branch moved too often.
        RepoError: git refuses, or there is no remote.
    """
    if not push:
        made = draft(found)
        done = commit_files(
            workspace.repo, made.files, made.message, branch=branch, expected_parent=found[0].parent
        )
        return Landed(found=found, releases=made.releases, committed=done)
    remote = remote_to_push_to(workspace)
    began = _pointers(found, environment)
    words = ""
    for _ in range(TRIES):
        made = draft(found)
        try:
            return _pushed(workspace, found, made, remote)
        except LostRace as lost:
            words = str(lost)
            fetch(workspace.repo, push_branch(found[0]), remote=remote)
            prompts = {one.prompt: one.root for one in found}
            found = grounds(workspace, prompts, branch=None, on_release=True)
            if _pointers(found, environment) != began:
                raise _lost(found, began, made, remote) from lost
    raise LostRace(f"given up after {TRIES} tries: {words}")


def _pointers(found: Grounds, environment: str) -> list[Release | None]:
    return [one.here.live(one.prompt, environment) for one in found]


def _lost(found: Grounds, began: Sequence[Release | None], made: Draft, remote: str) -> LostRace:
    """Say who was first with what: typing the command again is no answer where that is done already."""
    steps, done = [], True
    for one, before, wanted in zip(found, began, made.releases, strict=True):
        now = one.here.live(one.prompt, wanted.environment)
        if now != before and now is not None:
            steps.append(f"{now.by} {_did(now)}")
        done = done and now is not None and now.digest == wanted.digest
    first = "; ".join(steps) or "a release was taken away"
    next_step = (
        "that is what you asked for" if done else "look at promptops status, and run the command again"
    )
    return LostRace(f"{remote}/{push_branch(found[0])} has moved: {first} first; {next_step}")


def _did(release: Release) -> str:
    what = f"{release.id} to v{release.version} in {release.environment}"
    return f"rolled back {what}" if release.kind == "rollback" else f"promoted {what}"


def _pushed(workspace: Workspace, found: Grounds, made: Draft, remote: str) -> Landed:
    try:
        done = commit_files(
            workspace.repo,
            made.files,
            made.message,
            branch=push_branch(found[0]),
            expected_parent=found[0].parent,
            remote=remote,
        )
    except PushRefused as refused:
        records = [(one.root, record) for one, record in zip(found, made.releases, strict=True)]
        waiting = wait(workspace.repo, refused, records, made.message)
        return Landed(found=found, releases=made.releases, waiting=waiting)
    rivals = None if done.local else _rivals(workspace, found, made.releases)
    return Landed(found=found, releases=made.releases, committed=done, rivals=rivals)


def _rivals(workspace: Workspace, found: Grounds, releases: Sequence[Release]) -> tuple[str, ...] | None:
    repo = workspace.repo
    tip = repo.rev_parse(f"refs/heads/{push_branch(found[0])}")
    if tip is None:
        return None
    rivals: list[str] = []
    for on, release in zip(found, releases, strict=True):
        with suppress(PromptopsError):  # the release is live, whatever is wrong here
            own = read_releases(repo, tip, root=on.root, prompt=on.prompt).live(
                on.prompt, release.environment
            )
            rivals += [on.prompt] if own is not None and own.sequence >= release.sequence else []
    return tuple(rivals)
