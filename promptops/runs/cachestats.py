"""What is in a cache, by the model that answered and by age."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

# An answer that is no JSON is damage, which is told where it is read; here it is of no known model.
_MODEL = "CASE WHEN json_valid(CAST(answer AS TEXT)) THEN json_extract(CAST(answer AS TEXT), '$.model') END"
_QUERY = f"""
    SELECT coalesce({_MODEL}, '') AS model, count(*), total(imported), total(length(answer)), min(asked_at),
    max(asked_at), total(asked_at < ?) FROM answers GROUP BY model ORDER BY model
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStats:
    """The answers of one model; times in seconds since 1970, `old` counts those from before a given time."""

    model: str
    answers: int
    imported: int
    bytes: int
    oldest: float
    newest: float
    old: int

    @property
    def days(self) -> str:
        """The first and the last day on which it was asked, in UTC."""
        first, last = _day(self.oldest), _day(self.newest)
        return f"on {first}" if first == last else f"from {first} to {last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What is in a cache, by model."""

    models: tuple[ModelStats, ...]

    @property
    def answers(self) -> int:
        return sum(one.answers for one in self.models)

    @property
    def imported(self) -> int:
        return sum(one.imported for one in self.models)

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.models)

    def as_json(self) -> dict[str, Any]:
        whole = {"answers": self.answers, "imported": self.imported, "bytes": self.bytes}
        return {"schema": "promptops.cache/1", **whole, "models": [asdict(one) for one in self.models]}


def read_stats(connection: sqlite3.Connection, *, before: float) -> Stats:
    """Count what is in the table of answers.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    rows = connection.execute(_QUERY, (before,)).fetchall()
    return Stats(
        models=tuple(
            ModelStats(
                model=model,
                answers=answers,
                imported=int(imported),
                bytes=int(size),
                oldest=oldest,
                newest=newest,
                old=int(old),
            )
            for model, answers, imported, size, oldest, newest, old in rows
        )
    )


def _day(moment: float) -> str:
    try:
        return datetime.fromtimestamp(moment, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return "an unknown day"  # an imported time may be anything
