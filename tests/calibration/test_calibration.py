"""How often the whole pipeline is wrong, where the truth is known.

The slow tests run every design 2,000 times from fixed seeds. What is promised is a level (5 %, all looks together);
tolerated are three standard errors of 2,000 runs above it (6.5 %), so that a gate which keeps its promise fails
about once in 700 changes of a seed, and one that is wrong in 8 % of the runs is found with a chance of 99 %.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from calibration_designs import DESIGNS, Design, design
from calibration_world import MODEL, Arm, Project, Truth, build, line

from promptops.gate import Verdict, decide
from promptops.report import Report
from promptops.rules import Measured

RUNS = 2000
NAMES = [one.name for one in DESIGNS]
SINGLE = [one.name for one in DESIGNS if one.single]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_false_claim_is_as_rare_as_promised(name: str, tmp_path: Path) -> None:
    chosen, false, counted = design(name), 0, False
    for reports in chosen.run(tmp_path, range(RUNS)):
        false += chosen.claim(reports)
        counted |= any(report.looks is not None for report in reports)
    assert false / RUNS <= chosen.tolerated(RUNS) or (chosen.may_be_unknown and not counted)


def known(arm: Arm, values: np.ndarray) -> np.ndarray:
    """What was measured of an arm: nothing where no answer came."""
    missing = np.zeros(values.size, dtype=bool)
    for lost in (arm.lost, arm.hangs):
        missing |= lost if lost is not None else False
    return np.where(missing, np.nan, values)


def by_the_formulas(chosen: Design, project: Project, truth: Truth, report: Report) -> Verdict:
    """The verdict of the gate on the truth itself, with no provider, journal or cache between them."""
    arms = (truth.live, truth.new)
    n = truth.live.scores.shape[-1]
    columns = {
        name: [known(arm, arm.scores[place]) for arm in arms]
        for place, name in enumerate(chosen.setting.scorers)
    }
    columns["answered"] = [1.0 - np.isnan(known(arm, np.ones(n))) for arm in arms]
    columns["latency"] = [known(arm, np.ones(n) if arm.seconds is None else arm.seconds) for arm in arms]
    samples = project.settled.samples
    measured = {
        name: Measured(
            baseline=before,
            candidate=after,
            worst=60.0 if name == "latency" else None,
            clusters=samples.clusters,
            weights=samples.weights,
        )
        for name, (before, after) in columns.items()
    }
    return decide(replace(project.settled.policy, alpha=report.alpha), measured)


@pytest.mark.parametrize("name", SINGLE)
def test_the_pipeline_says_what_the_formulas_say(name: str, tmp_path: Path) -> None:
    chosen = design(name)
    project = build(tmp_path / "repo", chosen.setting)
    truth = chosen.draw(np.random.default_rng(99))
    project.begin()
    report = project.test(truth, project.settled)
    expected = by_the_formulas(chosen, project, truth, report)
    assert report.verdict == expected.outcome.value
    assert report.reasons == list(expected.reasons)
    found = [(one.name, one.status, one.lower, one.p_harm) for one in report.metrics]
    ours = [(one.rule.metric, one.status, one.result.lower, one.result.p_harm) for one in expected.metrics]
    assert found == [one for one in ours if one[0] in {name for name, *_ in found}]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES[::8])
def test_every_run_of_a_design_can_be_repeated(name: str, tmp_path: Path) -> None:
    chosen = design(name)
    once, again = (next(iter(chosen.run(tmp_path / folder, [7]))) for folder in ("one", "two"))
    assert [(report.verdict, report.reasons) for report in once] == [
        (report.verdict, report.reasons) for report in again
    ]


def test_repeats_are_asked_and_a_sequential_test_stops(tmp_path: Path) -> None:
    chosen = design("three repeats at the margin")
    next(chosen.run(tmp_path, [0]))
    assert MODEL.calls == 2 * 3 * chosen.setting.n
    chosen = design("sequential, at the margin")
    stops = [report.sequential.stopped_at for (report,) in chosen.run(tmp_path, range(4))]
    assert min(stops) < chosen.setting.n


def test_without_hanging_calls_the_same_latency_passes(tmp_path: Path) -> None:
    """So it is the calls that hang which keep the design's latency from passing, not a lack of samples."""
    chosen = design("hanging candidates")
    project = build(tmp_path / "repo", chosen.setting)
    truth = chosen.draw(np.random.default_rng(5))
    report = project.test(Truth(live=truth.live, new=replace(truth.new, hangs=None)))
    assert line(report, "latency").status == "PASS"


def test_an_equal_version_passes_where_there_are_samples_enough(tmp_path: Path) -> None:
    chosen = design("scores at the margin")
    project = build(tmp_path / "repo", chosen.setting)
    truth = chosen.draw(np.random.default_rng(5))
    scores = truth.live.scores
    jittered = Arm(scores=scores + np.random.default_rng(6).uniform(-0.1, 0.1, scores.shape))
    assert project.test(Truth(live=truth.live, new=jittered)).verdict == "pass"


@pytest.mark.slow
def test_looks_are_counted_or_said_to_be_unknown(tmp_path: Path) -> None:
    seen = {}
    for name in (one for one in NAMES if one.startswith("five looks")):
        runs = design(name).run(tmp_path, range(50))
        reports = next(found for found in runs if len(found) == 5)
        seen[name.partition(", ")[2]] = [(report.looks, report.alpha) for report in reports]
    levels = [0.04, 0.005, 0.0025, 0.00125, 0.000625]
    counted = list(zip(range(1, 6), levels, strict=True))
    assert (
        seen["fresh samples"] == seen["one added sample each"] == seen["runs deleted in between"] == counted
    )
    assert [looks for looks, _ in seen["each in a clone of CI"]] == [None] * 5
