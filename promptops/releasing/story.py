"""`promptops log`: commits, versions and releases of one prompt, or of all, as one story."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from promptops.errors import InvalidInput, NotFound
from promptops.gitstore.history import Event, history
from promptops.gitstore.references import known_ids
from promptops.workspace import Workspace

_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
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
    """Read `12h`, `7d` as that long before now, and ISO dates as they are (UTC where no zone is written).

    Raises:
        InvalidInput: neither.
    """
    try:
        if match := _AGO.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
        found = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{text!r} is no time; write 12h, 7d or 2026-03-01") from error
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
        found = history(workspace.repo, prompt, root=root, environment=environment, since=since)
        events += found.events
        is_cut = is_cut or found.is_cut
    if prompt is not None and not events:
        _check_ever_there(workspace, prompt)
    if len(workspace.roots) > 1:
        # Each folder's story is in git's order; together only their times can order them.
        events.sort(key=lambda event: event.commit.committed, reverse=True)
    return Story(events=tuple(events[:count]), is_cut=is_cut, one_prompt=prompt is not None)


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
