"""`promptops log` as lines and as JSON: one event a line, newest first."""

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


def _row(event: dict[str, Any], *, with_id: bool) -> tuple[str, ...]:
    version = f"v{event['version']}" if event["version"] else ""
    row = (event["commit"][:8], event["date"].removesuffix("Z").replace("T", " "), _what(event), version)
    said = one_line(event["subject"] if not event["note"] else f"{event['subject']} ({event['note']})")
    return (*((event["id"],) if with_id else ()), *row, one_line(event["author"]), said)


def _what(event: dict[str, Any]) -> str:
    if event["environment"] is None:
        return str(event["kind"])
    words = {"first": "live in", "promote": "live in", "rollback": "rolled back in"}[event["release"]]
    overruled = " (forced)" if event["forced"] else " (accepted)" if event["accepted"] else ""
    return f"{words} {event['environment']}{overruled}"
