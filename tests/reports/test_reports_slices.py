"""What people read of slices: the worst and the best with their intervals, in a bounded number of lines."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from promptops.report import PromptSides, Report, SampleSet, Side, SliceLine
from promptops.reports.markdown import markdown
from promptops.reports.slices import SHOWN, slices_of
from promptops.reports.terminal import print_report

LINE = SliceLine(
    slice="language=de",
    metric="queue",
    kind="binary",
    unit="share",
    n=120,
    baseline_mean=0.95,
    candidate_mean=0.8,
    difference=-0.15,
    lower=-0.21,
    upper=-0.09,
    confidence=0.92,
    margin=0.05,
    p_harm=1.5e-5,
    p_adjusted=6e-5,
    status="flagged",
    fixed=1,
    broken=19,
)


def like(name: str, status: str, **changes: object) -> SliceLine:
    return LINE.model_copy(update={"slice": name, "status": status, **changes})


def small(name: str) -> SliceLine:
    numbers = ("baseline_mean", "candidate_mean", "difference", "lower", "upper", "p_harm", "p_adjusted")
    return like(name, "too_small", n=12, broken=2, fixed=0, **dict.fromkeys(numbers))


def report(*lines: SliceLine) -> Report:
    return Report(
        verdict="pass",
        reasons=["nothing fell by more than is allowed"],
        prompt=PromptSides(
            id="support-triage",
            baseline=Side(ref="production", version=12),
            candidate=Side(ref="work tree"),
        ),
        samples=SampleSet(digest="sha256:" + "c" * 64, n=300, clusters=300),
        metrics=[],
        slices=list(lines),
        alpha=0.04,
        run="support-triage-0123456789ab",
        tool_version="0.1.0",
    )


BETTER = like(
    "language=en", "ok", difference=0.03, lower=-0.01, upper=0.07, broken=2, fixed=8, p_adjusted=0.97
)
MIDDLE = like(
    "intent=a|b", "ok", metric="tone", kind="bounded", unit="score", difference=-0.1, lower=-0.4, upper=0.2
)
WORSE = report(LINE, MIDDLE, BETTER, small("language=<b>fr</b>"), small("language=(none)"))
EVEN = report(MIDDLE, BETTER)
SMALL = report(small("language=de"))


@pytest.mark.parametrize(
    ("name", "shown"), [("slices-worse", WORSE), ("slices-even", EVEN), ("slices-small", SMALL)]
)
def test_slices_are_shown_with_their_intervals(
    name: str, shown: Report, golden: Callable[[str, str], None]
) -> None:
    out = StringIO()
    print_report(shown, Console(file=out, width=180, highlight=False, emoji=False, markup=False))
    golden(f"{name}.txt", "\n".join(line.rstrip() for line in out.getvalue().split("\n")))
    golden(f"{name}.md", markdown([shown]))


def test_however_many_slices_there_are_few_lines_are_shown() -> None:
    many = slices_of(report(*(like(f"user={number}", "flagged") for number in range(200)), BETTER))
    assert len(many.rows) == SHOWN + 1
    assert many.sentence == "by language, user: 201 tested, 200 look worse; the worst 5 are shown"


def test_a_slice_that_may_block_is_called_what_it_is() -> None:
    (row,) = slices_of(report(like("language=de", "regression", p_harm_adjusted=1e-4))).rows
    assert (row.said, row.worse) == ("REGRESSION", True)


def test_critical_slices_stand_in_the_table_of_metrics_only() -> None:
    assert slices_of(report(LINE.model_copy(update={"critical": True}))).sentence == ""
