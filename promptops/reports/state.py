"""`promptops status` as lines: a prompt, its environments, the work tree, the next command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from promptops.reports.columns import aligned
from promptops.reports.escape import one_line

WORDS = {
    "same": "work tree is what is live",
    "differs": "work tree differs",
    "new": "never released",
    "gone": "no prompt file here any more",
    "broken": "prompt file has problems",
}


def state_lines(state: dict[str, Any]) -> list[str]:
    """Arrange a status, as `promptops.status/1` describes it."""
    rows = [row for prompt in state["prompts"] for row in _rows(prompt)]
    lines = aligned(rows) or ["no prompts here; promptops new ID writes one"]
    lines += [f"problem: {one_line(text)}" for text in state["problems"]]
    return [*lines, *(f"note: {one_line(text)}" for text in state["notes"])]


def _rows(prompt: dict[str, Any]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    for number, place in enumerate(prompt["environments"]):
        last = number == len(prompt["environments"]) - 1
        rows.append(
            (
                prompt["id"] if number == 0 else "",
                place["environment"],
                f"v{place['version']}" if place["version"] else "–",
                place["at"].removesuffix("Z").replace("T", " "),
                _about(prompt, place) if last else _marks(place),
                prompt["next"] if last else "",
            )
        )
    return rows


def _about(prompt: dict[str, Any], place: dict[str, Any]) -> str:
    return "; ".join(text for text in (WORDS[prompt["work_tree"]], _marks(place)) if text)


def _marks(place: dict[str, Any]) -> str:
    waiting = [f"v{place['waiting']} waits on this branch"] if place["waiting"] else []
    return one_line("; ".join([*place["marks"], *waiting]))
