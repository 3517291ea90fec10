"""What has a limit keeps it whatever comes in, is cut at whole rows, and says so."""

from __future__ import annotations

import re

import pytest
from gateworlds import ATTACK, EVERYTHING, WORSE, gate, hostile, prompt

from promptops.gated import GateReport, Note
from promptops.reports.annotations import annotations
from promptops.reports.fitting import Section, fitted
from promptops.reports.gatecomment import comment
from promptops.reports.gatesummary import summary
from promptops.reports.junit import junit

ROW = re.compile(r"\| [^|\n]* \| [^|\n]* \| [^|\n]* \|")


def crowd(prompts: int = 400, others: int = 2000) -> GateReport:
    evil = hostile(ATTACK)
    return evil.model_copy(
        update={
            "prompts": [
                one.model_copy(update={"id": f"p{place}"}) for place in range(prompts) for one in evil.prompts
            ],
            "first": [f"{place} {ATTACK}" for place in range(others)],
            "said": [f"{place} {ATTACK}" for place in range(others)],
            "integrity": [Note(level="error", path=f"{place}", message=ATTACK) for place in range(others)],
            "notes": [Note(level="warning", path=f"{place}", message=ATTACK) for place in range(others)],
        }
    )


@pytest.mark.parametrize("limit", [8_192, 16_384, 65_536])
def test_a_comment_never_exceeds_its_limit(limit: int) -> None:
    shown = comment(crowd(), limit=limit)
    assert len(shown.encode()) <= limit
    assert shown.startswith("<!-- promptops-gate -->\n> [!WARNING]\n")
    assert "### ❌ promptops: release files are wrong; 400 of 1200 prompts got worse" in shown


@pytest.mark.parametrize("limit", [16_384, 100_000, 1_048_576])
def test_a_summary_never_exceeds_its_limit(limit: int) -> None:
    shown = summary(crowd(150, 1000), limit=limit)
    assert len(shown.encode()) <= limit
    assert "### ❌ promptops: release files are wrong; 150 of 450 prompts got worse" in shown


def test_by_default_a_comment_fits_into_what_github_takes() -> None:
    many = gate(*(prompt(f"p{place}", "regression", report=WORSE) for place in range(2000)))
    shown = comment(many)
    assert 50_000 < len(shown.encode()) <= 65_536
    assert len(summary(many).encode()) <= 1_048_576


def test_what_is_cut_is_cut_at_whole_rows_and_counted() -> None:
    many = gate(*(prompt(f"p{place}", "regression", report=WORSE) for place in range(2000)))
    shown = comment(many)
    rows = [line for line in shown.split("\n") if re.match(r"\| p\d", line)]
    assert all(ROW.fullmatch(row) for row in rows)
    assert f"\n{2000 - len(rows)} more prompts had no room in this table.\n" in shown
    details = shown.count("To merge: fix it")
    assert details > 10
    assert f"\n{2000 - details} more of these had no room here" in shown


def test_a_flood_of_warnings_does_not_hide_the_verdicts() -> None:
    flooded = EVERYTHING.model_copy(update={"first": [f"{place} {ATTACK}" for place in range(5000)]})
    shown = comment(flooded)
    assert "| ❌ Regression | queue 94% → 88%" in shown
    assert "To merge: fix it, or an owner runs" in shown
    assert re.search(r"\n> - and \d{4} more\n", shown)


def test_answers_of_megabytes_are_cut_before_anything_is_made_of_them() -> None:
    huge = hostile(ATTACK * 10_000)
    assert len(comment(huge).encode()) <= 65_536
    assert len(summary(huge).encode()) <= 1_048_576
    assert "more prompts" not in comment(huge)
    assert all(len(line) < 20_000 for line in annotations(huge))
    assert "no room" not in junit(huge)
    assert len(junit(huge)) < 200_000


def test_what_does_not_fit_is_shown_in_its_shorter_way() -> None:
    section = Section(rows=[["long" * 100 + "\n", "short\n"]], share=1.0, cut=lambda left: f"{left} more\n")
    assert fitted([section], 2000) == "long" * 100 + "\n"
    assert fitted([section], 600) == "short\n"
    assert fitted([section], 403) == "1 more\n"


def test_a_longer_way_is_not_made_where_a_row_before_it_had_no_room() -> None:
    def never() -> object:
        raise AssertionError
        yield ""

    section = Section(rows=[["x" * 1000], never()], share=1.0, cut=lambda left: f"{left} more\n")
    assert fitted([section], 900) == "2 more\n"
