"""One exit code for all prompts of a change: the gravest speaks."""

from __future__ import annotations

import pytest

from promptops.gated import GatedPrompt, GateReport, Note, Status


def report(*statuses: Status, integrity: tuple[Note, ...] = ()) -> GateReport:
    prompts = [
        GatedPrompt(id=f"p{at}", path=f"prompts/p{at}.prompt.yaml", status=one)
        for at, one in enumerate(statuses)
    ]
    return GateReport(base="b" * 40, head="h" * 40, prompts=prompts, integrity=list(integrity))


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ((), 0),
        (("pass", "unchanged", "new", "removed", "released"), 0),
        (("pass", "inconclusive"), 4),
        (("inconclusive", "stopped"), 7),
        (("stopped", "regression", "pass"), 3),
        (("regression", "broken"), 2),
    ],
)
def test_the_gravest_answer_speaks_for_all(statuses: tuple[Status, ...], code: int) -> None:
    assert report(*statuses).exit_code() == code


def test_release_files_that_are_not_what_was_written_come_before_everything() -> None:
    wrong = Note(level="error", path="prompts/releases/a/production.yaml", message="was edited")
    assert report("broken", integrity=(wrong,)).exit_code() == 6


def test_a_remark_about_release_files_that_is_no_error_does_not_stop_a_change() -> None:
    cut = Note(level="warning", path="prompts/releases/a/production.yaml", message="history is cut")
    assert report("pass", integrity=(cut,)).exit_code() == 0
