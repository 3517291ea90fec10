"""What became of a wish to release or to go back, and when it takes effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from promptops.gitstore.moving import Committed
from promptops.records import Release
from promptops.releasing.base import Ground, push_branch
from promptops.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of it. `release` is None where nothing was committed, and `said` tells why.

    `open` says that the report, rather than `said`, ends with the ways on.
    """

    prompt: str
    environment: str
    said: tuple[str, ...]
    exit_code: int = 0
    release: Release | None = None
    committed: Committed | None = None
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
            "report": self.report.model_dump(mode="json", by_alias=True) if self.report else None,
        }


def moment_text(now: datetime) -> str:
    """Return a time as records write it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def takes_effect(found: Ground, release: Release, committed: Committed) -> tuple[str, ...]:
    """Say when a release takes effect: at once, after a push, or when a pull request is merged."""
    what = f"{release.id} v{release.version}"
    where = f"{release.environment} on {committed.branch}"
    if committed.remote is not None:
        after = () if committed.local else (f"your {committed.branch} has work of its own: git pull",)
        return (f"{what} is live in {where} at {committed.remote}; programs take it when they reload", *after)
    if found.ref.ref == f"refs/heads/{committed.branch}":
        return (f"{what} is live in {where}; programs take it when they reload",)
    if not found.ref.ref.startswith("refs/"):
        return (f"{what} is released in {where} here; it takes effect on the release branch",)
    release_branch = push_branch(found)
    if committed.branch == release_branch:
        return (f"{what} is released in {where} here; it takes effect with git push",)
    return (
        f"{what} is released in {where}; it takes effect when {committed.branch} is merged into {release_branch}",
    )
