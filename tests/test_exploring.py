"""Slices beside the whole: looked at, flagged, blocking, and critical ones as guardrails of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from promptops.basis import Basis
from promptops.exploring import LEAST_PAIRS, SliceStatus, SliceVerdict
from promptops.gate import Measured, Outcome, Policy, Rule, Verdict, decide, judge
from promptops.rules import Finding, summarise
from promptops.slicing import Masks, Partition, Tally, with_slices
from promptops.stats.families import adjust_pvalues
from promptops.stats.results import Status

Counts = tuple[int, int, int]  # fixed, broken, tied
QUEUE = Rule(metric="queue", kind="binary", margin=0.05)


def values(counts: Sequence[Counts]) -> Measured:
    before, after = [], []
    for fixed, broken, tied in counts:
        before += [0.0] * fixed + [1.0] * (broken + tied)
        after += [1.0] * fixed + [0.0] * broken + [1.0] * tied
    return Measured(baseline=before, candidate=after)


def partition(counts: Mapping[str, Counts], key: str = "language") -> Partition:
    tally = Tally(key)
    for value, sizes in counts.items():
        for _ in range(sum(sizes)):
            tally.add({key: value})
    return tally.partition()


def verdict(
    counts: Mapping[str, Counts], *, blocks: bool = False, critical: Sequence[str] = (), **more: Any
) -> Verdict:
    languages = partition(counts)
    policy = with_slices(
        Policy(rules=(QUEUE,)), [languages], by=["language"], critical=critical, blocks=blocks
    )
    columns = replace(values(list(counts.values())), slices=Masks((languages,)), **more)
    return decide(policy, {"queue": columns})


def of(found: Verdict, value: str) -> SliceVerdict:
    return next(one for one in found.slices if one.rule.slice == f"language={value}")


HIDDEN = {"en": (3, 3, 494), "de": (0, 15, 85)}


def test_a_slice_that_falls_is_flagged_and_the_verdict_stays_that_of_the_whole():
    found = verdict(HIDDEN)
    assert found.outcome == Outcome.PASS
    german, english = of(found, "de"), of(found, "en")
    assert (german.status, english.status) == (SliceStatus.FLAGGED, SliceStatus.OK)
    assert german.result.difference == pytest.approx(-0.15)
    assert german.result.lower is not None
    assert german.result.upper is not None
    assert german.result.lower < -0.15 < german.result.upper < 0
    assert german.p_harm_adjusted is None
    raw = [one.result.p_harm or 0.0 for one in (english, german)]
    assert [english.p_adjusted, german.p_adjusted] == list(adjust_pvalues(raw, method="bh"))


def test_a_slice_that_may_block_makes_a_regression():
    found = verdict(HIDDEN, blocks=True)
    assert found.outcome == Outcome.REGRESSION
    assert of(found, "de").status == SliceStatus.REGRESSION
    assert found.reasons[0] == "queue [language=de] fell by 15 points (allowed 5)"


def test_slices_that_may_block_join_the_family_of_harm():
    alone, together = verdict(HIDDEN), verdict(HIDDEN, blocks=True)
    raw = [alone.metrics[0].result.p_harm, *(one.result.p_harm for one in together.slices)]
    holm = adjust_pvalues([p or 0.0 for p in raw])
    assert together.metrics[0].p_harm_adjusted == holm[0]
    assert [one.p_harm_adjusted for one in together.slices] == list(holm[1:])


def test_a_flag_without_proof_keeps_the_verdict_open_where_slices_may_block():
    counts = {"en": (0, 0, 900), "de": (2, 8, 90)}
    assert verdict(counts).outcome == Outcome.PASS
    found = verdict(counts, blocks=True)
    assert found.outcome == Outcome.INCONCLUSIVE
    assert of(found, "de").status == SliceStatus.FLAGGED
    assert found.reasons[0].startswith("queue [language=de] fell by 6 points over 100 samples (p = 0.033")
    assert found.reasons[0].endswith("and slices may block here")


def test_a_fall_within_the_margin_is_flagged_and_does_not_block():
    found = verdict({"en": (0, 0, 3000), "de": (1, 19, 2480)}, blocks=True)
    assert found.outcome == Outcome.PASS
    german = of(found, "de")
    assert (german.status, german.within) == (SliceStatus.FLAGGED, True)


@pytest.mark.parametrize("counts", [(0, 15, LEAST_PAIRS - 16), (0, 4, 96), (0, 0, 100)])
def test_of_small_slices_only_counts_are_said(counts: Counts):
    found = verdict({"en": (0, 0, 1000), "de": counts}, blocks=True)
    german = of(found, "de")
    assert german.status == SliceStatus.TOO_SMALL
    assert german.result.n == sum(counts)
    assert (german.result.fixed, german.result.broken) == counts[:2]
    assert (german.result.difference, german.result.lower, german.result.candidate_mean) == (None,) * 3
    assert (german.result.p_harm, german.p_adjusted, german.p_harm_adjusted) == (None,) * 3
    assert found.outcome == Outcome.PASS


def test_a_critical_slice_is_a_guardrail_of_its_own():
    found = verdict(HIDDEN, critical=["language=de"])
    assert found.outcome == Outcome.REGRESSION
    assert [one.rule.name for one in found.metrics] == ["queue", "queue [language=de]"]
    assert [one.status for one in found.metrics] == [Status.PASS, Status.REGRESSION]
    assert [one.rule.slice for one in found.slices] == ["language=en"]


def test_a_critical_slice_without_enough_samples_keeps_a_pass_away():
    found = verdict({"en": (0, 0, 500), "de": (0, 0, 40)}, critical=["language=de"])
    assert found.outcome == Outcome.INCONCLUSIVE
    assert "queue [language=de]" in found.reasons[0]
    assert verdict({"en": (0, 0, 500), "de": (0, 0, 60)}, critical=["language=de"]).outcome == Outcome.PASS


def test_a_critical_slice_that_was_not_measured_keeps_a_pass_away():
    found = verdict({"en": (0, 0, 500)}, critical=["language=de"])
    assert found.outcome == Outcome.INCONCLUSIVE
    assert found.reasons[0] == "queue [language=de] was measured on no pair, so nothing is shown"


def test_clusters_count_in_slices_too():
    counts = {"en": (3, 3, 494), "de": (0, 15, 85)}
    apart = verdict(counts)
    # All that broke was one conversation: one unit that moved says nothing.
    clusters = [*range(500), *([1000] * 15), *range(2000, 2085)]
    together = verdict(counts, clusters=np.array(clusters))
    assert of(apart, "de").status == SliceStatus.FLAGGED
    assert of(together, "de").status == SliceStatus.TOO_SMALL


def test_weights_count_in_slices_too():
    counts = {"en": (0, 10, 90), "de": (10, 30, 60)}
    weights = np.concatenate([np.ones(100), np.full(40, 1.0), np.full(60, 4.0)])
    german = of(verdict(counts, weights=weights), "de")
    assert german.result.difference == pytest.approx(-20 / 280)
    assert of(verdict(counts), "de").result.difference == pytest.approx(-0.2)


def test_repeats_are_averaged_within_slices():
    counts = {"en": (0, 0, 100), "de": (0, 20, 80)}
    once, languages = values(list(counts.values())), partition(counts)
    again = np.stack([np.asarray(once.candidate), np.asarray(once.baseline)])
    columns = Measured(
        baseline=np.stack([np.asarray(once.baseline)] * 2), candidate=again, slices=Masks((languages,))
    )
    policy = with_slices(Policy(rules=(QUEUE,)), [languages], by=["language"], critical=(), blocks=False)
    german = of(decide(policy, {"queue": columns}), "de")
    assert german.status == SliceStatus.FLAGGED
    assert german.result.difference == pytest.approx(-0.1)
    assert (german.result.n, german.result.losses) == (100, 20)


def test_a_pair_that_was_not_scored_is_never_charged_to_a_slice():
    counts = {"en": (3, 3, 494), "de": (0, 15, 85)}
    columns = values(list(counts.values()))
    lost = np.array(columns.candidate)
    lost[500:515] = np.nan
    found = verdict(counts, candidate=lost)
    assert of(found, "de").status == SliceStatus.TOO_SMALL


def test_a_verdict_over_slices_is_reached_again_from_its_findings():
    languages = partition(HIDDEN)
    policy = with_slices(
        Policy(rules=(QUEUE,)), [languages], by=["language"], critical=["language=en"], blocks=True
    )
    columns = replace(values(list(HIDDEN.values())), slices=Masks((languages,)))
    findings = summarise(policy, {"queue": columns})
    kept = json.loads(json.dumps({name: one.as_json() for name, one in findings.items()}))
    assert judge(policy, {name: Finding.from_json(one) for name, one in kept.items()}) == judge(
        policy, findings
    )


def test_a_bounded_score_is_explored_on_its_own_scale():
    rule = Rule(metric="tone", kind="bounded", value_range=(1.0, 5.0), margin=0.2)
    languages = partition({"en": (0, 0, 200), "de": (0, 0, 100)})
    chance = np.random.default_rng(4)
    before = chance.integers(2, 6, 300).astype(float)
    after = before.copy()
    after[200:] = np.maximum(1.0, before[200:] - chance.integers(0, 2, 100))
    policy = with_slices(Policy(rules=(rule,)), [languages], by=["language"], critical=(), blocks=False)
    found = decide(policy, {"tone": Measured(baseline=before, candidate=after, slices=Masks((languages,)))})
    german = of(found, "de")
    assert german.status == SliceStatus.FLAGGED
    assert german.result.difference == pytest.approx(float((after - before)[200:].mean()))
    assert of(found, "en").status == SliceStatus.TOO_SMALL


@pytest.mark.parametrize("blocks", [False, True])
def test_evidence_keeps_of_slices_what_the_verdict_used(blocks: bool):
    counts = {**HIDDEN, "fr": (0, 3, 20)}
    languages = partition(counts)
    policy = with_slices(
        Policy(rules=(QUEUE,)), [languages], by=["language"], critical=["language=en"], blocks=blocks
    )
    columns = replace(values(list(counts.values())), slices=Masks((languages,)))
    basis = Basis(policy=policy, findings=summarise(policy, {"queue": columns}))
    kept = json.loads(json.dumps(basis.as_json()))
    names = {"queue", "queue [language=en]"} | ({"queue [language=de]"} if blocks else set())
    assert set(kept["findings"]) == names
    found, again = basis.verdict(), Basis.from_json(kept).verdict()
    assert (again.outcome, again.reasons, again.metrics) == (found.outcome, found.reasons, found.metrics)


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [False, True])
def test_slices_raise_few_false_alarms(blocks: bool):
    """No difference anywhere, 12 slices of 220: with one family, P(REGRESSION) and P(any flag) keep their level."""
    chance, runs = np.random.default_rng(3), 300
    languages = partition({str(place): (0, 0, 220) for place in range(12)})
    masks = Masks((languages,))
    policy = with_slices(Policy(rules=(QUEUE,)), [languages], by=["language"], critical=(), blocks=blocks)
    regressions = flags = 0
    for _ in range(runs):
        moved = chance.random(2640) < 0.10
        before = np.where(moved, chance.random(2640) < 0.5, 1.0).astype(float)
        after = np.where(moved, 1.0 - before, 1.0)
        found = decide(policy, {"queue": Measured(baseline=before, candidate=after, slices=masks)})
        regressions += found.outcome == Outcome.REGRESSION
        flags += any(one.status != SliceStatus.OK for one in found.slices)
    # Three standard errors above the nominal .05 and .10.
    assert regressions / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
    assert flags / runs <= 0.10 + 3 * (0.10 * 0.90 / runs) ** 0.5
