"""What was live when: each pointer that the release branch has had, from the commit that brought it there on.

A release is live when it reaches the branch, not when it was made: of a merge the merge's time counts, and what came
and went inside of it was never live. Times are the committers' clocks; a commit cannot have been there before one
that it stands on. When it was pushed, and when a program reloaded, no commit says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from promptops.errors import PromptopsError
from promptops.gitstore.releases import folder
from promptops.gitstore.repo import Repo
from promptops.gitstore.walk import Commit, walk
from promptops.records import Release, parse_release


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What a pointer said from `since` to `until` (None: to this day), and the commit that brought it to the branch.

    `release` is None where it could not be read; `note` tells why, or that a shallow clone hides the beginning.
    """

    prompt: str
    path: str
    release: Release | None
    commit: Commit
    since: datetime
    until: datetime | None = None
    next: Release | None = None
    note: str = ""

    def was_live(self, when: datetime) -> bool:
        return self.since <= when and (self.until is None or when < self.until)


def lives(
    repo: Repo, ref: str, environment: str, *, root: str = "prompts", prompt: str | None = None
) -> list[Life]:
    """Return what has been live in an environment according to a branch, newest first.

    Raises:
        RepoError: no such commit.
    """
    start = folder(root) if prompt is None else f"{folder(root)}/{prompt}"
    pointer = re.compile(rf"{re.escape(folder(root))}/([a-z0-9][a-z0-9-]*)/{re.escape(environment)}\.yaml")
    commits = walk(repo, ref, start, only_branch=True)
    wanted = {
        entry.oid
        for commit in commits
        for path, entry in commit.changes.items()
        if entry and pointer.fullmatch(path)
    }
    contents = repo.read_many(wanted) if wanted else {}
    found: list[Life] = []
    later: dict[str, tuple[datetime, Release | None]] = {}
    for commit, since in reversed(_reached(commits)):
        for path, entry in sorted(commit.changes.items()):
            match = pointer.fullmatch(path)
            if match is None or (prompt is not None and match[1] != prompt):
                continue
            until, after = later.get(path, (None, None))
            later[path] = since, None
            if entry is not None:
                release, note = _read(contents.get(entry.oid, b""), path, commit)
                later[path] = since, release
                found.append(
                    Life(
                        prompt=match[1],
                        path=path,
                        release=release,
                        commit=commit,
                        since=since,
                        until=until,
                        next=after,
                        note=note,
                    )
                )
    return found


def _reached(commits: list[Commit]) -> list[tuple[Commit, datetime]]:
    """Return the commits, oldest first, with the earliest time at which each can have been there."""
    found: list[tuple[Commit, datetime]] = []
    for commit in reversed(commits):
        found.append((commit, max(commit.committed, found[-1][1]) if found else commit.committed))
    return found


def _read(content: bytes, path: str, commit: Commit) -> tuple[Release | None, str]:
    try:
        release = parse_release(content, path=path)
    except PromptopsError as error:
        return None, str(error)
    return release, "or earlier: this clone's history begins here" if commit.is_cut else ""
