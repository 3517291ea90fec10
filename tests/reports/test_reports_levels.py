from __future__ import annotations

import pytest

from promptops.report import PromptSides, Report, SampleSet, Side
from promptops.reports.view import view
from promptops.stats.looks import alpha_at


def report(alpha: float, *, tried: int | None = None) -> Report:
    return Report(
        verdict="pass",
        reasons=["nothing fell"],
        prompt=PromptSides(id="p", baseline=Side(ref="v1", version=1), candidate=Side(ref="HEAD")),
        samples=SampleSet(digest="sha256:0", n=1, clusters=1),
        metrics=[],
        alpha=alpha,
        candidates_tried=tried,
        run="p-1",
        tool_version="1",
    )


@pytest.mark.parametrize(
    ("look", "shown"), [(1, "92 %"), (2, "99 %"), (3, "99.5 %"), (8, "99.984375 %"), (60, "99.9999999998 %")]
)
def test_an_interval_never_claims_to_cover_everything(look: int, shown: str) -> None:
    assert view(report(alpha_at(look))).columns[-2] == f"{shown} interval"


@pytest.mark.parametrize(("tried", "shown"), [(None, False), (1, False), (2, True)])
def test_how_many_candidates_the_samples_have_seen_is_shown_from_the_second(
    tried: int | None, shown: bool
) -> None:
    assert ("2 candidates tried on them" in view(report(0.04, tried=tried)).facts) == shown
