"""`promptops log`: commits, versions and releases of one prompt, or of all, as one story.

With an environment the story is that of the release branch: what it has said to be live, and since when.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from promptops.errors import InvalidInput, NotFound, RepoError
from promptops.gitstore.history import Event, EventKind, history
from promptops.gitstore.lives import Life, lives
from promptops.gitstore.references import known_ids
from promptops.gitstore.releases import ReleaseRef, release_ref
from promptops.workspace import Workspace

_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Events newest first; `is_cut` says that a shallow clone hides the beginning."""

    events: tuple[Event, ...]
    is_cut: bool
    one_prompt: bool

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "promptops.log/1",
            "events": [_as_json(event) for event in self.events],
            "is_cut": self.is_cut,
            "one_prompt": self.one_prompt,
        }


def _as_json(event: Event) -> dict[str, Any]:
    release = event.release
    return {
        "id": event.id,
        "kind": event.kind.value,
        "path": event.path,
        "commit": event.commit.oid,
        "author": event.commit.author,
        "date": event.commit.committed.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "subject": event.commit.subject,
        "digest": event.digest,
        "version": event.version,
        "note": event.note,
        "environment": release.environment if release else None,
        "release": release.kind if release else None,
        "evidence": release.evidence if release else None,
        "reason": release.reason if release else "",
        "by": release.by if release else "",
        "forced": bool(release and release.forced),
        "accepted": bool(release and release.accepted),
    }


def moment(text: str, *, now: datetime) -> datetime:
    """Read `12h`, `7d` as that long before now, `14:05` as the last time that it was 14:05, ISO dates as they are.

    UTC where no zone is written.

    Raises:
        InvalidInput: neither.
    """
    try:
        if match := _AGO.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
        if _CLOCK.fullmatch(text.strip()):
            hour, rest = text.strip().split(":", 1)
            today = datetime.fromisoformat(f"{now.astimezone(UTC):%Y-%m-%d}T{hour:0>2}:{rest}+00:00")
            return today if today <= now else today - timedelta(days=1)
        found = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{text!r} is no time; write 12h, 7d, 14:05 or 2026-03-01") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def story(
    workspace: Workspace,
    prompt: str | None,
    *,
    environment: str | None = None,
    since: datetime | None = None,
    count: int | None = None,
) -> Story:
    """Tell what happened.

    Raises:
        NotFound: there never was such a prompt.
    """
    events: list[Event] = []
    is_cut = False
    for root in workspace.roots:
        if environment is not None:
            told = _lives(workspace, root, environment, prompt)
            events += [_event(one) for one in told if since is None or one.since >= since]
            is_cut = is_cut or any(one.commit.is_cut for one in told)
            continue
        found = history(workspace.repo, prompt, root=root, since=since)
        events += found.events
        is_cut = is_cut or found.is_cut
    if prompt is not None and not events:
        _check_ever_there(workspace, prompt)
    if len(workspace.roots) > 1:
        # Each folder's story is in git's order; together only their times can order them.
        events.sort(key=lambda event: event.commit.committed, reverse=True)
    return Story(events=tuple(events[:count]), is_cut=is_cut, one_prompt=prompt is not None)


def _lives(
    workspace: Workspace, root: str, environment: str, prompt: str | None, *, now: datetime | None = None
) -> list[Life]:
    """Return what the release branch has said to be live."""
    commit = release_ref(workspace.repo, workspace.config.release_branch).commit
    return lives(workspace.repo, commit, environment, root=root, prompt=prompt, now=now) if commit else []


def _event(life: Life) -> Event:
    """One step of an environment; its commit is the one that brought the release to the branch."""
    release = life.release
    return Event(
        kind=EventKind.RELEASED if release else EventKind.UNREADABLE,
        id=life.prompt,
        path=life.path,
        commit=life.commit,
        digest=release.digest if release else None,
        version=release.version if release else None,
        release=release,
        note=life.note,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """What was live in an environment at a moment, according to the release branch as this clone knows it."""

    at: datetime
    environment: str
    branch: str
    lives: tuple[Life, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "promptops.live/1",
            "at": _text(self.at),
            "environment": self.environment,
            "release_branch": self.branch,
            "prompts": [_life_json(one) for one in self.lives],
            "notes": list(self.notes),
        }


def _life_json(life: Life) -> dict[str, Any]:
    release, after = life.release, life.next
    return {
        "id": life.prompt,
        "version": release.version if release else None,
        "digest": release.digest if release else None,
        "release": release.kind if release else None,
        "evidence": release.evidence if release else None,
        "reason": release.reason if release else "",
        "by": release.by if release else "",
        "made": release.at if release else None,
        "forced": bool(release and release.forced),
        "accepted": bool(release and release.accepted),
        "since": _text(life.since),
        "until": _text(life.until) if life.until else None,
        "next": after.version if after else None,
        "commit": life.commit.oid,
        "subject": life.commit.subject,
        "note": life.note,
    }


def _text(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def check_past(at: datetime, now: datetime) -> None:
    """Refuse a moment that is yet to come.

    Raises:
        InvalidInput: it is.
    """
    if at > now:
        raise InvalidInput(f"{_text(at)} is yet to come; nobody knows what will be live then")


def then(workspace: Workspace, prompt: str | None, environment: str, at: datetime, *, now: datetime) -> Then:
    """Return what was live at a moment: `log --at`.

    Raises:
        InvalidInput: the moment is yet to come.
        NotFound: there never was such a prompt.
        RepoError: a shallow clone does not reach back that far.
    """
    check_past(at, now)
    ref = release_ref(workspace.repo, workspace.config.release_branch)
    told = [one for root in workspace.roots for one in _lives(workspace, root, environment, prompt, now=now)]
    found = sorted((one for one in told if one.was_live(at)), key=lambda one: one.prompt)
    if not found and (hidden := [one for one in told if one.commit.is_cut and one.since > at]):
        begins = _text(min(one.since for one in hidden))
        raise RepoError(
            f"this clone's history begins at {begins}; fetch what came before: git fetch --unshallow"
        )
    if prompt is not None and not told:
        _check_ever_there(workspace, prompt)
    notes = (*_notes(ref, ref.shown), *_guessed(told))
    return Then(at=at, environment=environment, branch=ref.shown, lives=tuple(found), notes=notes)


def _notes(ref: ReleaseRef, name: str) -> tuple[str, ...]:
    known = (f"{name} as of the last git fetch here",) if ref.ref.startswith("refs/remotes/") else ()
    clocks = (
        f"since when: the time of the commit that brought it to {name}; programs take it when they reload"
    )
    return tuple(note for note in (ref.note, *known, clocks) if note)


def _guessed(told: list[Life]) -> tuple[str, ...]:
    """Say whose clocks were wrong: around them nobody knows to the minute."""
    commits = {one.commit.oid: one.commit for one in told if one.is_guessed}
    return tuple(
        f"{commit.oid[:8]} ({commit.author}) is dated {_text(commit.committed)}, which cannot be; "
        "when it went live is taken from the commits around it"
        for commit in commits.values()
    )


def _check_ever_there(workspace: Workspace, prompt: str) -> None:
    """Tell a prompt to which nothing happened in the time that is asked for from one that never was.

    Raises:
        NotFound: it is in no commit.
    """
    if any(history(workspace.repo, prompt, root=root).events for root in workspace.roots):
        return
    here = None if not workspace.repo.is_bare else "HEAD"
    known = [name for root in workspace.roots for name in known_ids(workspace.repo, here, root=root)]
    if prompt in known:
        raise NotFound("commit with prompt", prompt, hint="it is not committed yet")
    raise NotFound("prompt", prompt, known)
