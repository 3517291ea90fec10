"""From what a test found to what it would take: every kind of open question, at the level of the next look."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from promptops.basis import Basis
from promptops.creep import Drift
from promptops.evaluation.advice import _usd_a_call, situation_of
from promptops.evaluation.lines import metric_lines
from promptops.nextsteps import Open, Situation, next_steps
from promptops.report import PromptSides, Report, SampleSet, Side, Spend, Unscored
from promptops.rules import Measured, Policy, Rule, summarise
from promptops.stats.looks import alpha_at
from promptops.stats.planning import sample_size
from promptops.stats.power import chance_of_passing

SECOND = alpha_at(2, 0.05)
QUEUE = Rule(metric="queue", kind="binary", value_range=(0.0, 1.0), margin=0.05)
TONE = Rule(metric="tone", kind="bounded", value_range=(1.0, 5.0), margin=0.2)
LATENCY = Rule(metric="latency", kind="ratio", margin=0.2)


def compared(moved: list[float], **more: object) -> Measured:
    """Columns of a pass rate with these differences."""
    diffs = np.array(moved)
    return Measured(baseline=np.where(diffs < 0, 1.0, 0.0), candidate=np.where(diffs > 0, 1.0, 0.0), **more)


def test_a_call_costs_what_it_did_in_this_very_test() -> None:
    report = Report(
        verdict="inconclusive",
        reasons=[],
        prompt=PromptSides(id="support", baseline=None, candidate=Side(ref="work tree")),
        samples=SampleSet(digest="", n=5, clusters=5),
        metrics=[],
        cost=Spend(calls=10, usd=0.5),
        alpha=0.04,
        run="support-1",
        tool_version="0",
    )
    nobody_is_asked: Any = None
    assert _usd_a_call(report, nobody_is_asked) == 0.05
    assert _usd_a_call(report.model_copy(update={"verdict": "pass"}), nobody_is_asked) is None


def situation(
    *rules: Rule, first: bool = False, unscored: Unscored | None = None, **columns: Measured
) -> Situation:
    policy = Policy(rules=rules, alpha=alpha_at(1, 0.05))
    basis = Basis(policy=policy, findings=summarise(policy, columns), first=first)
    verdict = basis.verdict()
    report = Report(
        verdict=verdict.outcome.value,
        reasons=list(verdict.reasons),
        prompt=PromptSides(id="support", baseline=None, candidate=Side(ref="work tree")),
        samples=SampleSet(
            digest="", n=max(np.shape(one.candidate)[-1] for one in columns.values()), clusters=1
        ),
        metrics=metric_lines(verdict),
        unscored=unscored or Unscored(),
        alpha=verdict.alpha,
        run="support-1",
        tool_version="0",
    )
    return situation_of(report, basis, verdict, next_alpha=SECOND, usd_a_call=None)


MIXED = [1.0] * 4 + [-1.0] * 4 + [0.0] * 92


def test_a_pass_rate_takes_what_passes_four_times_in_five_at_the_next_look() -> None:
    now = situation(QUEUE, queue=compared(MIXED))
    (one,) = now.open
    assert (one.metric, one.reason, one.worse) == ("queue", "not_shown", False)
    assert one.needed is not None
    assert chance_of_passing(one.needed, margin=0.05, discordant=8.5 / 101, alpha=SECOND) >= 0.8
    assert one.expected is not None
    assert one.expected > 100
    assert now.arms == 2


def test_several_guardrails_take_more() -> None:
    alone = situation(QUEUE, queue=compared(MIXED)).open[0].needed
    other = replace(QUEUE, metric="tone")
    both = situation(QUEUE, other, queue=compared(MIXED), tone=compared(MIXED)).open[0].needed
    assert (both or 0) > (alone or 0)


def test_a_score_takes_what_its_spread_says() -> None:
    rng = np.random.default_rng(5)
    before, noise = rng.uniform(2.5, 3.5, 40), rng.uniform(-1.4, 1.4, 40)
    after = before + noise - noise.mean()  # equally good, and open
    (one,) = situation(TONE, tone=Measured(baseline=before, candidate=after)).open
    spread = float(np.std(after - before, ddof=1))
    assert one.needed == sample_size(sd_diff=spread, margin=0.2, alpha=SECOND).n
    assert one.expected is not None


def test_a_limit_on_time_is_tested_once_so_nothing_stops_early() -> None:
    rng = np.random.default_rng(6)
    before = rng.lognormal(0, 0.5, 40)
    after = before * np.exp(rng.normal(0, 1.0, 40))
    after *= np.exp(np.mean(np.log(before / after)))
    now = situation(QUEUE, LATENCY, queue=compared(MIXED), latency=Measured(baseline=before, candidate=after))
    assert {one.metric: one.expected for one in now.open} == {"queue": None, "latency": None}
    assert all(one.needed for one in now.open)


def test_a_target_takes_what_was_seen_of_it_and_one_that_did_not_improve_nothing() -> None:
    target = replace(QUEUE, guardrail=False, target=True)
    better = situation(target, queue=compared([1.0] * 6 + [-1.0] * 3 + [0.0] * 91))
    (one,) = better.open
    assert (one.idle, one.reason) == (False, "not_shown")
    assert (one.needed or 0) > 100
    idle = situation(target, queue=compared(MIXED))
    assert idle.open[0].idle
    assert idle.open[0].needed is None


def test_of_several_targets_one_is_enough() -> None:
    target = replace(QUEUE, guardrail=False, target=True)
    tone = replace(target, metric="tone")
    guard = replace(QUEUE, metric="valid")
    now = situation(
        target,
        tone,
        guard,
        queue=compared([1.0] * 20 + [0.0] * 80),
        tone=compared(MIXED),
        valid=compared(MIXED),
    )
    assert [one.metric for one in now.open] == ["valid"]


def test_a_critical_slice_grows_with_the_whole() -> None:
    mask = np.arange(100) % 4 == 0
    part = replace(QUEUE, slice="language=de")
    now = situation(QUEUE, part, queue=compared([0.0] * 100, slices={"language=de": mask}))
    (one,) = now.open
    assert one.metric == "queue [language=de]"
    assert (one.needed or 0) % 4 == 0
    assert (one.needed or 0) > 4 * 129


def test_too_few_conversations_take_other_ones() -> None:
    now = situation(QUEUE, queue=compared(MIXED, clusters=np.arange(100) % 3))
    assert now.open == (Open(metric="queue", reason="too_few_clusters"),)
    assert next_steps(now)[0].text.startswith("add samples of other conversations")


def test_conversations_take_more_samples_than_as_many_single_ones() -> None:
    alike = [-1.0] * 10 + [1.0] * 10 + [0.0] * 80
    single = situation(QUEUE, queue=compared(alike)).open[0].needed
    grouped = situation(QUEUE, queue=compared(alike, clusters=np.arange(100) // 5)).open[0].needed
    assert (grouped or 0) > 2 * (single or 0)


def test_repeats_stand_in_where_answers_vary_more_than_samples() -> None:
    rng = np.random.default_rng(7)
    before, after = (rng.integers(0, 2, (2, 120)).astype(float) for _ in range(2))
    noisy = Measured(baseline=before, candidate=after)
    now = situation(replace(QUEUE, kind="bounded", margin=0.075), queue=noisy)
    (one,) = now.open
    assert one.repeats is not None
    assert one.repeats > 2
    assert now.repeats == 2
    assert any("--repeats" in step.command for step in next_steps(now))


def test_a_floor_takes_what_its_candidate_reached() -> None:
    rule = replace(QUEUE, floor=0.8)
    right = Measured(baseline=(), candidate=np.array([1.0] * 26 + [0.0] * 4))
    now = situation(rule, first=True, queue=right)
    (one,) = now.open
    assert (one.metric, one.worse, now.arms) == ("queue", False, 1)
    assert (one.needed or 0) > 30
    low = Measured(baseline=(), candidate=np.array([1.0] * 22 + [0.0] * 8))
    (below,) = situation(rule, first=True, queue=low).open
    assert (below.needed, below.worse) == (None, True)
    lost = Measured(baseline=(), candidate=np.array([1.0] * 10 + [np.nan] * 20))
    (missing,) = situation(rule, first=True, queue=lost).open
    assert missing == Open(metric="queue", reason="missing")


def test_what_is_missing_is_asked_again_and_what_cannot_be_scored_is_looked_at() -> None:
    unscored = Unscored(candidate=9, by_kind={"timeout.idle": 4, "scorer:queue": 5, "scorer:hobby": 2})
    now = situation(QUEUE, queue=compared(MIXED), unscored=unscored)
    assert (now.unanswered, now.unscored) == (4, ("queue",))


def test_calls_that_fail_are_to_be_asked_again_and_not_to_be_mended() -> None:
    answered = replace(QUEUE, metric="answered")
    now = situation(QUEUE, answered, queue=compared(MIXED), answered=compared([-1.0] * 3 + [0.0] * 37))
    assert Open(metric="answered", reason="missing") in now.open


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_only_what_is_wrong_everywhere_is_blind(value: float) -> None:
    same = np.full(80, value)
    now = situation(QUEUE, queue=Measured(baseline=same, candidate=same))
    assert now.blind == (("queue",) if value == 0 else ())
    assert not now.silent


def test_small_falls_that_add_up_name_their_anchor() -> None:
    drift = Drift(prompt="support", version=2, digest="sha256:2", total=-0.04, releases=1)
    columns = compared([-1.0] * 8 + [0.0] * 392)
    now = situation(replace(QUEUE, drift=drift), queue=columns)
    assert (now.verdict, now.anchor, now.open) == ("inconclusive", "v2", ())
    assert next_steps(now)[0].command == "promptops test support --against v2"
