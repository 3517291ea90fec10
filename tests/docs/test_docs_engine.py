"""docs/engine.md: what it says of memory is what was measured, and the picture is drawn from the same table."""

from __future__ import annotations

import csv
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
PAGE = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")


def measured(samples: int, stage: str) -> float:
    with (PICTURES / "memory.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return next(
        float(row["megabytes"]) for row in rows if row["samples"] == str(samples) and row["stage"] == stage
    )


def line(samples: int) -> str:
    most, imported = measured(samples, "peak"), measured(samples, "imported")
    return f"{samples:,} samples: {most:.0f} MB at most, {most - imported:.0f} more than imports alone"


def test_the_page_says_of_memory_what_was_measured() -> None:
    for samples in (5_000, 100_000):
        assert line(samples) in PAGE


def test_a_hundred_thousand_samples_stay_within_what_is_promised() -> None:
    assert measured(5_000, "peak") <= 130
    assert measured(100_000, "peak") <= 150


def test_the_picture_is_of_the_table() -> None:
    drawn = (PICTURES / "memory.svg").read_text(encoding="utf-8")
    for samples in (5_000, 100_000):
        assert line(samples) in drawn
