"""What was live when: each pointer that the release branch has had, from the commit that brought it there on.

A release is live when it reaches the branch, not when it was made: of a merge the merge's time counts, and what came
and went inside of it was never live. Times are the committers' clocks. A commit was there neither before one that it
stands on nor after one that stands on it: where clocks contradict that, most of them are believed, and it is said of
the others. When it was pushed, and when a program reloaded, no commit says.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate

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

    @property
    def is_guessed(self) -> bool:
        """Whether the commit's own time cannot be."""
        return self.since != self.commit.committed

    def was_live(self, when: datetime) -> bool:
        return self.since <= when and (self.until is None or when < self.until)


def lives(
    repo: Repo,
    ref: str,
    environment: str,
    *,
    root: str = "prompts",
    prompt: str | None = None,
    now: datetime | None = None,
) -> list[Life]:
    """Return what has been live in an environment according to a branch, newest first.

    No clock that is ahead of `now` is believed.

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
    reached = _reached([commit.committed for commit in reversed(commits)], now)
    for commit, since in zip(commits, reversed(reached), strict=True):
        for path, entry in sorted(commit.changes.items()):
            match = pointer.fullmatch(path)
            if match is None or (prompt is not None and match[1] != prompt):
                continue
            until, after = later.get(path, (None, None))
            release, note = _read(contents.get(entry.oid, b""), path, commit) if entry else (None, "")
            later[path] = since, release
            life = Life(
                prompt=match[1],
                path=path,
                release=release,
                commit=commit,
                since=since,
                until=until,
                next=after,
                note=note,
            )
            found += [life] if entry else []
    return found


def _reached(dated: list[datetime], now: datetime | None) -> list[datetime]:
    """Return when each commit reached the branch, oldest first: as it is dated, or as near to that as can be."""
    believed = _rising(dated, now)

    def others(stand_for: datetime) -> list[datetime]:
        return [time if place in believed else stand_for for place, time in enumerate(dated)]

    before = accumulate(others(datetime.min.replace(tzinfo=UTC)), max)
    after = reversed([*accumulate(reversed(others(now or datetime.max.replace(tzinfo=UTC))), min)])
    return [min(max(time, first), last) for time, first, last in zip(dated, before, after, strict=True)]


def _rising(times: list[datetime], now: datetime | None) -> set[int]:
    """Return the places of the longest row of times, oldest first, that never goes back and ends by now."""
    ends: list[datetime] = []
    places: list[int] = []
    before: dict[int, int | None] = {}
    for place, time in enumerate(times):
        if now is None or time <= now:
            length = bisect_right(ends, time)
            before[place] = places[length - 1] if length else None
            ends[length : length + 1], places[length : length + 1] = [time], [place]
    found: set[int] = set()
    last = places[-1] if places else None
    while last is not None:
        found.add(last)
        last = before[last]
    return found


def _read(content: bytes, path: str, commit: Commit) -> tuple[Release | None, str]:
    try:
        release = parse_release(content, path=path)
    except PromptopsError as error:
        return None, str(error)
    return release, "or earlier: this clone's history begins here" if commit.is_cut else ""
