from __future__ import annotations

import math
from dataclasses import replace

import pytest

from promptops.stats import sentences as say
from promptops.stats.floors import floor_result, never_result
from promptops.stats.metric import evaluate_metric
from promptops.stats.results import MetricResult, NeverResult, Status

BASE = MetricResult(
    status=Status.INCONCLUSIVE,
    kind="binary",
    method="tango",
    n=300,
    n_complete=300,
    confidence=0.92,
    margin=0.05,
    difference=-0.06,
    lower=-0.09,
    upper=-0.03,
    reason="not_shown",
)


@pytest.mark.parametrize(
    ("kind", "size", "text"),
    [
        ("binary", 0.06, "6 points"),
        ("binary", -0.01, "1 point"),
        ("binary", 0.0125, "1.2 points"),
        ("binary", 0.00003, "0.003 points"),
        ("bounded", 0.20, "0.2"),
        ("bounded", 1.25, "1.2"),
        ("bounded", 12.0, "12"),
        ("ratio", 0.31, "31 %"),
        ("ratio", 0, "0 %"),
    ],
)
def test_sizes_are_said_as_people_say_them(kind, size: float, text: str) -> None:
    assert say.amount(kind, size) == text


def test_a_regression_says_how_far_and_how_far_was_allowed() -> None:
    assert say.regressed("queue", BASE) == "queue fell by 6 points (allowed 5)"
    slower = replace(BASE, kind="ratio", difference=0.31, lower=0.2, upper=0.4, margin=0.2)
    assert say.regressed("latency", slower) == "latency rose by 31 % (allowed 20 %)"
    within = replace(BASE, difference=-0.03)
    assert "fell by 3 points, shown to be worse, and a fall beyond the allowed 5" in say.regressed(
        "q", within
    )


def test_an_open_guardrail_says_what_is_not_ruled_out() -> None:
    asked = replace(BASE, difference=-0.01, n_required=420, n_additional=120)
    assert say.open_guardrail("queue", asked) == (
        "queue: a fall beyond the allowed 5 points is not ruled out (it may be 9) by 300 samples"
    )
    inside = replace(asked, lower=-0.049, notes=("planned_at_observed",))
    assert "may be" not in say.open_guardrail("queue", inside)
    beyond = replace(BASE, notes=("more_samples_likelier_confirm",))
    assert say.open_guardrail("queue", beyond).endswith("more samples are likelier to confirm a regression")
    assert say.open_guardrail("queue", BASE).endswith("by 300 samples")
    slower = replace(BASE, kind="ratio", upper=None, margin=0.2)
    assert "a rise beyond the allowed 20 % is not ruled out by" in say.open_guardrail("latency", slower)


def test_identical_pairs_do_not_prove_that_nothing_changed() -> None:
    tied = replace(BASE, n=30, n_complete=30, difference=0.0, fixed=0, broken=0, n_required=63)
    assert say.open_guardrail("queue", tied, look=1) == (
        "queue: 30 identical pairs do not prove that nothing changed; "
        "63 are needed for a 5-point margin at the first look"
    )
    score = replace(tied, kind="bounded", margin=0.2, wins=0, losses=0)
    assert say.open_guardrail("tone", score, look=2).endswith("for a margin of 0.2 at the second look")
    assert say.open_guardrail("queue", tied, look=7).endswith("5-point margin at look 7")
    assert say.open_guardrail("queue", tied).endswith("63 are needed for a 5-point margin")
    assert "1 identical pair does not" in say.open_guardrail("q", replace(tied, n=1, n_complete=1))
    moved = replace(tied, fixed=1, broken=1)
    assert "is not ruled out" in say.open_guardrail("queue", moved)


def test_missing_and_unmeasured_are_said_plainly() -> None:
    lost = replace(BASE, reason="missing", dropped_baseline_missing=3, candidate_unscored=40)
    assert "3 of 300 values of the baseline and 40 of the candidate are missing" in say.open_guardrail(
        "q", lost
    )
    assert "are missing" in say.open_target("q", lost)
    empty = replace(BASE, reason="not_measured", difference=None)
    assert say.open_guardrail("q", empty) == "q was measured on no pair, so nothing is shown"
    assert say.open_target("q", empty) == "q must improve, but was measured on no pair"
    assert say.change(empty) == "was not measured"


def test_targets_have_their_sentences() -> None:
    assert say.worsened("queue", BASE) == "queue must improve, but fell by 6 points"
    assert say.improved("queue", replace(BASE, difference=0.04)) == "queue rose by 4 points"
    still = replace(BASE, difference=0.0)
    assert "which is not shown: it did not change over 300 samples" in say.open_target("queue", still)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([1.0] * 70 + [0.0] * 30, "q is 70 %, below its floor of 80 %"),
        ([1.0] * 84 + [0.0] * 16, "q is 84 %, but may be 76.7 %: its floor is 80 %"),
        ([1.0] * 75 + [math.nan] * 25, "q: 25 of 100 answers were not scored, too many to hold its floor"),
        ([math.nan], "q: no answer was scored, so its floor is not shown to hold"),
    ],
)
def test_floors_have_their_sentences(values: list[float], text: str) -> None:
    assert say.floor_sentence("q", "binary", floor_result("binary", values, floor=0.8)) == text


def test_a_bounded_floor_is_said_on_its_own_scale() -> None:
    found = floor_result("bounded", [2.0] * 60, floor=3.5, value_range=(1, 5))
    assert say.floor_sentence("tone", "bounded", found) == "tone is 2, below its floor of 3.5"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (never_result("binary", [1.0, 0.0]), "c: 1 of 2 answers did what must never happen"),
        (
            never_result("binary", [1.0, math.nan]),
            "c: 1 of 2 answers could not be checked for what must never",
        ),
        (never_result("binary", []), "c was measured on no answer"),
        (replace(never_result("binary", [1.0]), reason="incomplete"), "c: not every sample was answered"),
    ],
)
def test_nevers_have_their_sentences(found: NeverResult, text: str) -> None:
    assert say.never_sentence("c", found).startswith(text)


def test_a_sentence_is_one_line_whatever_happened() -> None:
    found = evaluate_metric("bounded", [1.0] * 9, [2.0] * 9, margin=None, value_range=(1, 5))
    for text in (say.regressed("q", found), say.open_guardrail("q", found), say.open_target("q", found)):
        assert "\n" not in text
        assert "None" not in text
