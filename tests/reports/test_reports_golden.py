"""What people read, whole: a change of a report is seen in review. `pytest --update-golden` rewrites the files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from promptops.nextsteps import NextStep
from promptops.report import Arm, Change, MetricLine, PromptSides, Report, SampleSet, Side, Spend, Unscored
from promptops.reports.machine import report_json
from promptops.reports.markdown import markdown
from promptops.reports.numbers import p_value, signed
from promptops.reports.terminal import print_report
from promptops.reports.view import view

Golden = Callable[[str, str], None]

QUEUE = MetricLine(
    name="queue",
    role="guardrail",
    kind="binary",
    unit="share",
    method="tango",
    n=300,
    baseline_mean=0.94,
    candidate_mean=0.88,
    difference=-0.06,
    lower=-0.09,
    upper=-0.03,
    confidence=0.9,
    margin=0.05,
    margin_is_default=True,
    status="REGRESSION",
    p_harm=1.2e-7,
    p_noninferior=0.9,
    fixed=3,
    broken=21,
)
LATENCY = MetricLine(
    name="latency",
    role="guardrail",
    kind="ratio",
    unit="seconds",
    method="log t",
    n=300,
    baseline_mean=1.2,
    candidate_mean=1.104,
    difference=-0.08,
    lower=-0.11,
    upper=-0.04,
    confidence=0.9,
    margin=0.2,
    status="PASS",
    p_noninferior=0.00012,
)
BROKEN = Change(
    sample_id="smp_0be1",
    metric="queue",
    change="broken",
    input='kann mich\nnicht einloggen \x1b[31m <script>alert("x")</script> @acme/team | www.example.org',
    expected="account",
    baseline=Arm(text="account", value=1.0),
    candidate=Arm(
        text="technical\n::set-output name=pwned::1", value=0.0, reason="expected 'account', got 'technical'"
    ),
)
PROMPT = PromptSides(
    id="support-triage",
    baseline=Side(ref="production", version=12, digest="sha256:" + "a" * 64),
    candidate=Side(ref="work tree", digest="sha256:" + "b" * 64),
)
REGRESSION = Report(
    verdict="regression",
    reasons=["queue fell by 6 points (allowed 5)"],
    prompt=PROMPT,
    samples=SampleSet(digest="sha256:" + "c" * 64, n=300, clusters=300),
    metrics=[QUEUE, LATENCY],
    changes=[BROKEN, *(BROKEN.model_copy(update={"sample_id": f"smp_{number}"}) for number in range(4))],
    cost=Spend(calls=600, usd=0.19),
    alpha=0.05,
    run="support-triage-0123456789ab",
    tool_version="0.1.0",
)
PASS = REGRESSION.model_copy(
    update={
        "verdict": "pass",
        "reasons": ["queue rose by 2 points", "nothing fell by more than is allowed"],
        "metrics": [
            QUEUE.model_copy(
                update={
                    "status": "PASS",
                    "candidate_mean": 0.96,
                    "difference": 0.02,
                    "lower": 0.004,
                    "upper": 0.04,
                    "fixed": 7,
                    "broken": 1,
                    "p_harm": 0.99,
                    "p_noninferior": 3e-9,
                }
            ),
            LATENCY,
        ],
        "changes": [],
        "cost": Spend(calls=300, cached=300, usd=None),
    }
)
INCONCLUSIVE = REGRESSION.model_copy(
    update={
        "verdict": "inconclusive",
        "reasons": ["queue: a fall beyond the allowed 5 points is not ruled out by 30 samples"],
        "samples": SampleSet(digest="sha256:" + "c" * 64, n=30, clusters=12),
        "metrics": [
            QUEUE.model_copy(
                update={
                    "status": "INCONCLUSIVE",
                    "n_required": 250,
                    "warnings": ["2 of 30 pairs lack an answer"],
                }
            )
        ],
        "changes": [],
        "next_steps": [
            NextStep(
                text="ask again for what was not answered",
                command="promptops test support-triage",
                calls=2,
                usd=0.0006,
            ),
            NextStep(
                text="add about 437 samples, 467 in all, and test again",
                command="promptops import FILE --prompt support-triage",
                calls=874,
                usd=0.28,
            ),
            NextStep(
                text="a person decides, visibly for ever",
                command='promptops promote support-triage --accept -m "why"',
                usd=0.0,
            ),
        ],
        "unscored": Unscored(baseline=0, candidate=2, by_kind={"timeout": 2}),
        "warnings": ["the 30 samples come from 12 conversations or traces and are treated as independent"],
    }
)
FIRST = PASS.model_copy(
    update={
        "prompt": PROMPT.model_copy(update={"baseline": None}),
        "reasons": ["every floor holds, and what must never happen did not"],
        "metrics": [
            QUEUE.model_copy(
                update={
                    "status": "PASS",
                    "baseline_mean": None,
                    "difference": None,
                    "lower": None,
                    "upper": None,
                    "margin": None,
                    "margin_is_default": False,
                    "floor": 0.8,
                    "fixed": None,
                    "broken": None,
                    "p_noninferior": None,
                }
            )
        ],
    }
)
REPORTS = {"regression": REGRESSION, "pass": PASS, "inconclusive": INCONCLUSIVE, "first": FIRST}


@pytest.mark.parametrize("name", REPORTS)
def test_the_terminal_shows_a_report(name: str, golden: Golden) -> None:
    out = StringIO()
    print_report(REPORTS[name], Console(file=out, width=180, highlight=False, emoji=False, markup=False))
    golden(f"{name}.txt", "\n".join(line.rstrip() for line in out.getvalue().split("\n")))


@pytest.mark.parametrize("name", REPORTS)
def test_markdown_shows_a_report(name: str, golden: Golden) -> None:
    golden(f"{name}.md", markdown([REPORTS[name]]))


def test_json_is_a_report_for_programs(golden: Golden) -> None:
    golden("regression.json", report_json(REGRESSION))
    assert Report.model_validate_json(report_json(REGRESSION)) == REGRESSION


def test_a_report_with_a_number_that_json_does_not_have_is_a_bug_and_not_null() -> None:
    with pytest.raises(ValueError, match="JSON"):
        report_json(REGRESSION.model_copy(update={"alpha": float("nan")}))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.0, "0"), (1.5, "+1.5"), (-12.34, "−12"), (123.4, "+123"), (-0.004, "−0.004")],
)
def test_a_change_has_a_sign_a_true_minus_and_no_negative_zero(value: float, text: str) -> None:
    assert signed(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.05, "0.05"), (0.0047, "0.0047"), (1.2e-7, "1.2e-7"), (0.0, "< 1e-15"), (1.0, "1")]
)
def test_a_p_value_is_never_zero(value: float, text: str) -> None:
    assert p_value(value) == text


def test_a_report_of_before_ways_on_were_worked_out_has_the_simplest() -> None:
    assert [way.command for way in view(PASS).ways] == ["promptops promote support-triage"]
    assert [way.command for way in view(REGRESSION).ways] == ["promptops try support-triage --failed"]
    older = INCONCLUSIVE.model_copy(update={"next_steps": [], "unscored": Unscored()})
    assert [way.command for way in view(older).ways] == ['promptops promote support-triage --accept -m "why"']


def test_a_price_that_nobody_knows_is_left_out_of_a_way_on() -> None:
    steps = [step if step.calls < 3 else replace(step, usd=None) for step in INCONCLUSIVE.next_steps]
    _, more, _ = view(INCONCLUSIVE.model_copy(update={"next_steps": steps})).ways
    assert more.remark == "add about 437 samples, 467 in all, and test again; 874 calls"
