"""What became of a wish to release or to go back, and when it takes effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from promptops.gitstore.moving import Committed
from promptops.records import Release
from promptops.releasing.base import Ground, push_branch
from promptops.releasing.pushing import Landed
from promptops.releasing.waiting import Waiting

if TYPE_CHECKING:  # a rollback in a bad hour has no report to wait for
    from promptops.report import Report

NOT_LIVE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of it. `release` is None where nothing was committed, and `said` tells why.

    `open` says that the report, rather than `said`, ends with the ways on. `waiting` tells where a release waits
    for its merge, because the release branch takes no pushes: it is not live then, and the exit code is 2.
    """

    prompt: str
    environment: str
    said: tuple[str, ...]
    exit_code: int = 0
    release: Release | None = None
    committed: Committed | None = None
    waiting: Waiting | None = None
    report: Report | None = None
    open: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "promptops.release/1",
            "prompt": self.prompt,
            "environment": self.environment,
            "said": list(self.said),
            "exit_code": self.exit_code,
            "release": self.release.model_dump(mode="json") if self.release else None,
            "commit": self.committed.commit if self.committed else None,
            "pull_request": self.waiting.as_json() if self.waiting else None,
            "report": self.report.model_dump(mode="json", by_alias=True) if self.report else None,
        }


def moment_text(now: datetime) -> str:
    """Return a time as records write it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def outcomes(landed: Landed) -> tuple[Outcome, ...]:
    """Return what became of each release that landed together; what concerns all of them is said by the last."""
    found = []
    for on, release in zip(landed.found, landed.releases, strict=True):
        last = release is landed.releases[-1]
        if landed.committed is not None:
            said = takes_effect(on, release, landed.committed)
            if last and landed.rivals is not None:
                said = (*said, catch_up(landed.committed.branch, landed.rivals))
        else:
            assert landed.waiting is not None
            said = (waits(release, landed.waiting), *(way_on(landed.waiting) if last else ()))
        found.append(
            Outcome(
                prompt=release.id,
                environment=release.environment,
                said=said,
                exit_code=0 if landed.committed else NOT_LIVE,
                release=release,
                committed=landed.committed,
                waiting=landed.waiting,
            )
        )
    return tuple(found)


def already(found: Ground, pointer: Release) -> str:
    """Say that there is nothing left to do: it is live, or this branch has the release already."""
    live = found.live.live(pointer.id, pointer.environment)
    if live is not None and live.digest == pointer.digest:
        return f"{pointer.id} is already live in {pointer.environment} as v{pointer.version}"
    return (
        f"{pointer.id} is already released in {pointer.environment} as v{pointer.version} here; "
        f"it takes effect when this reaches {found.ref.shown}"
    )


def takes_effect(found: Ground, release: Release, committed: Committed) -> tuple[str, ...]:
    """Say when a release takes effect: at once, after a push, or when a pull request is merged."""
    what = f"{release.id} v{release.version}"
    where = f"{release.environment} on {committed.branch}"
    if committed.remote is not None:
        return (f"{what} is live in {where} at {committed.remote}; programs take it when they reload",)
    if found.ref.ref == f"refs/heads/{committed.branch}":
        return (f"{what} is live in {where}; programs take it when they reload",)
    if found.ref.branch is None:
        return (f"{what} is released in {where} here; it takes effect on the release branch",)
    release_branch = push_branch(found)
    if committed.branch == release_branch:
        return (f"{what} is released in {where} here; it takes effect with git push",)
    return (
        f"{what} is released in {where}; it takes effect when {committed.branch} is merged into {release_branch}",
    )


def catch_up(branch: str, rivals: Sequence[str]) -> str:
    """Say how a branch here comes to have what was pushed past it."""
    if not rivals:
        return f"{branch} here does not have it yet: git pull"
    return (
        f"{branch} here has releases of its own of {', '.join(rivals)}, which are live nowhere: "
        "git pull --rebase, and git rebase --skip where they conflict"
    )


def waits(release: Release, waiting: Waiting) -> str:
    """Say where a release waits, and when it takes effect."""
    still = "waits already" if waiting.again else "waits"
    where = f"at {waiting.remote}" if waiting.remote else "here"
    return (
        f"{release.id} v{release.version} is not live: it {still} on {waiting.branch} {where}, "
        f"and takes effect in {release.environment} when that is merged into {waiting.into}"
    )


def way_on(waiting: Waiting) -> tuple[str, ...]:
    """Say what the remote said, and how its pull request is opened."""
    page = waiting.page
    if waiting.remote is None:
        ways = [
            f"the remote took no branch either; push {waiting.branch} where you may, and open a pull request"
        ]
    elif page.url is None:
        ways = [f"open a pull request from {waiting.branch} into {waiting.into}"]
    else:
        ways = [f"open its pull request: {page.url}"]
    return (
        f"{waiting.into} takes no pushes: {waiting.words}",
        *ways,
        *([f"or: {page.command}"] if page.command else []),
    )


def together(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return one outcome as it is, several as a list with the exit code of all."""
    if len(outcomes) == 1:
        return outcomes[0].as_json()
    rows = [one.as_json() for one in outcomes]
    return {"schema": "promptops.releases/1", "releases": rows, "exit_code": code_of(outcomes)}


def code_of(outcomes: Sequence[Outcome]) -> int:
    """Return the gravest exit code: a regression before what is open, that before what waits for its merge."""
    codes = {one.exit_code for one in outcomes}
    return next((code for code in (3, 4, *sorted(codes, reverse=True)) if code in codes), 0)


def commit_line(outcomes: Sequence[Outcome]) -> str:
    """Say which commit it was; nothing where there is none."""
    for one in outcomes:
        if one.committed is not None:
            return f"commit {one.committed.commit[:10]} on {one.committed.branch}"
        if one.waiting is not None:
            return f"commit {one.waiting.commit[:10]} on {one.waiting.branch}"
    return ""
