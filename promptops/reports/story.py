"""`promptops log` as lines: one event a line, newest first; and what was live at a moment, a prompt a line."""

from __future__ import annotations

from typing import Any

from promptops.reports.columns import aligned
from promptops.reports.escape import one_line


def story_lines(story: dict[str, Any]) -> list[str]:
    """Arrange a story, as `promptops.log/1` describes it."""
    rows = [_row(event, with_id=not story["one_prompt"]) for event in story["events"]]
    lines = aligned(rows) or ["nothing happened in that time"]
    if story["is_cut"]:
        lines.append("note: this clone is shallow; what came before is not here (git fetch --unshallow)")
    return lines


def then_lines(then: dict[str, Any]) -> list[str]:
    """Arrange what was live at a moment, as `promptops.live/1` describes it."""
    rows = [_life(one) for one in then["prompts"]]
    head = f"{then['environment']} at {_time(then['at'])} UTC, by {then['release_branch']}"
    lines = aligned(rows) or ["nothing was live"]
    return [one_line(head), *lines, *(f"note: {one_line(note)}" for note in then["notes"])]


def _life(one: dict[str, Any]) -> tuple[str, ...]:
    until = "still live"
    if one["until"]:
        until = f"until {_time(one['until'])}" + (f" (then v{one['next']})" if one["next"] else "")
    marks = [one["release"] or "unreadable", *(name for name in ("forced", "accepted") if one[name])]
    said = "; ".join(filter(None, [one["by"], one["reason"], one["note"]]))
    return (
        one["id"],
        f"v{one['version']}" if one["version"] else "–",
        f"since {_time(one['since'])}",
        until,
        ", ".join(marks),
        one["commit"][:8],
        one_line(said),
    )


def _time(text: str) -> str:
    return text.removesuffix("Z").replace("T", " ")


def _row(event: dict[str, Any], *, with_id: bool) -> tuple[str, ...]:
    version = f"v{event['version']}" if event["version"] else ""
    row = (event["commit"][:8], _time(event["date"]), _what(event), version)
    said = one_line(event["subject"] if not event["note"] else f"{event['subject']} ({event['note']})")
    return (*((event["id"],) if with_id else ()), *row, one_line(event["author"]), said)


def _what(event: dict[str, Any]) -> str:
    if event["environment"] is None:
        return str(event["kind"])
    words = {"first": "live in", "promote": "live in", "rollback": "rolled back in"}[event["release"]]
    overruled = " (forced)" if event["forced"] else " (accepted)" if event["accepted"] else ""
    return f"{words} {event['environment']}{overruled}"
