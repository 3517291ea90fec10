"""Blame in a terminal: whole lines in 80 to 200 columns, hostile words made visible, numbers in their units."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from promptops.reports.blame import blame_lines, fitting, numbers
from promptops.reports.columns import width


def line(number: int, text: str, **more: Any) -> dict[str, Any]:
    known = {
        "number": number,
        "text": text,
        "commit": "8a8751aec0ffee",
        "author": "Ada Lovelace-Byron",
        "date": "2026-03-01T14:05:00Z",
        "is_cut": False,
        "version": 12,
        "how": "pass",
        "live": ["production"],
    }
    return {**known, **more}


def version(number: int, **more: Any) -> dict[str, Any]:
    known = {
        "version": number,
        "how": "pass",
        "environment": "production",
        "at": "2026-03-01T14:05:00Z",
        "by": "Ada <ada@example.org>",
        "reason": "",
        "verdict": "pass",
        "samples": 300,
        "baseline": number - 1,
        "metrics": [
            {
                "name": "queue",
                "role": "target and guardrail",
                "unit": "share",
                "baseline_mean": 0.94,
                "candidate_mean": 0.95,
            },
            {
                "name": "tone",
                "role": "guardrail",
                "unit": "score",
                "baseline_mean": 4.2,
                "candidate_mean": 4.31,
            },
            {
                "name": "answered",
                "role": "guardrail",
                "unit": "share",
                "candidate_mean": 1.0,
                "status": "PASS",
            },
            {
                "name": "cost",
                "role": "observe",
                "unit": "dollars",
                "baseline_mean": 0.1,
                "candidate_mean": 0.2,
            },
        ],
        "live": ["production"],
        "is_cut": False,
    }
    return {**known, **more}


@pytest.fixture
def found() -> dict[str, Any]:
    long = "You route support messages to the queue that can help: " + "read the whole message, " * 8
    lines = [
        line(1, "model: openai/gpt-4o-mini"),
        line(2, long, version=11, how="accepted", author="Grace"),
        line(3, "親切に答えてください。" * 12, version=None, how=None, live=[]),
        line(
            4, "draft\t\x1b[31m\u202e", commit=None, author=None, date=None, version=None, how=None, live=[]
        ),
        line(5, "::error::no", is_cut=True, version=9, how="unknown", live=["staging", "production"]),
    ]
    return {
        "schema": "promptops.blame/1",
        "id": "support-triage",
        "ref": "work tree",
        "live": {"staging": 12, "production": 12},
        "files": [{"path": "prompts/support-triage.prompt.yaml", "partial": None, "lines": lines}],
        "versions": [
            version(12),
            version(11, how="accepted", reason="customers wait", verdict="inconclusive", live=[]),
            version(
                9, how="unknown", environment=None, at=None, by=None, baseline=None, live=[], is_cut=True
            ),
            version(1, how="adopted", verdict=None, samples=None, baseline=None, metrics=[], live=[]),
        ],
        "is_cut": True,
        "notes": ["a note\x07"],
    }


@pytest.mark.parametrize("columns", [40, 80, 81, 100, 109, 110, 150, 200, 300])
def test_every_line_fits_the_terminal(found: dict[str, Any], columns: int) -> None:
    lines = blame_lines(found, columns)
    assert all(width(line) <= min(max(columns, 80), 200) for line in lines)
    assert all(line == line.rstrip() and line.isprintable() for line in lines)
    assert not any(line.lstrip().startswith("::") for line in lines)


@pytest.mark.parametrize("columns", [80, 200])
def test_what_people_see(found: dict[str, Any], columns: int, golden: Callable[[str, str], None]) -> None:
    golden(f"blame-{columns}.txt", "\n".join([*blame_lines(found, columns), ""]))


def test_it_shows_values_that_json_can_hold(found: dict[str, Any]) -> None:
    assert blame_lines(json.loads(json.dumps(found)), 100) == blame_lines(found, 100)


def test_a_file_without_lines_is_shown_without_any(found: dict[str, Any]) -> None:
    found["files"][0]["lines"], found["versions"] = [], []
    assert blame_lines(found, 80)[2] == "prompts/support-triage.prompt.yaml"


def test_what_decided_is_named_and_not_what_was_only_observed() -> None:
    assert numbers(version(2)["metrics"]) == ["queue 94% → 95%", "tone 4.2 → 4.31"]


def test_answers_that_did_not_come_are_named() -> None:
    row = {
        "name": "answered",
        "role": "guardrail",
        "unit": "share",
        "candidate_mean": 0.9,
        "status": "REGRESSION",
    }
    assert numbers([row]) == ["answered 90%"]


def test_rows_of_another_promptops_are_passed_over() -> None:
    assert numbers([{}, {"name": "queue", "role": "guardrail"}, {"name": "queue", "lower": -0.01}]) == []


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("親切に", 5, "親切…"),
        ("親切に", 4, "親…"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
    ],
)
def test_a_text_is_cut_by_what_a_terminal_shows(text: str, columns: int, shown: str) -> None:
    assert fitting(text, columns) == shown
