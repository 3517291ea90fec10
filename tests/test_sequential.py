"""The gate that looks after every sample: when it stops, what it says then, and what keeps it going."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.basis import Basis
from promptops.creep import Drift
from promptops.gate import Outcome, Verdict, judge_first
from promptops.rules import Measured, Policy, Rule, summarise
from promptops.sequential import Monitor, with_bets
from promptops.stats.results import Status
from promptops.wagers import Row

NAN = math.nan
Pairs = Sequence[tuple[float, float]]
OK, FIXED, BROKEN, BOTH_FAIL = (1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.0, 0.0)


def rule(**facts: object) -> Rule:
    return Rule(**({"metric": "right", "kind": "binary", "value_range": (0.0, 1.0), "margin": 0.05} | facts))  # type: ignore[arg-type]


def columns(values: Mapping[str, Pairs], n: int) -> dict[str, Measured]:
    return {
        name: Measured(baseline=[old for old, _ in pairs[:n]], candidate=[new for _, new in pairs[:n]])
        for name, pairs in values.items()
    }


def fed(
    policy: Policy, values: Mapping[str, Pairs], *, stop: bool = True, compared: bool = True
) -> tuple[Monitor, Verdict]:
    """Feed single samples until the verdict is settled, and judge what was seen."""
    monitor = Monitor(policy, compared=compared)
    for row in zip(*values.values(), strict=True):
        monitor.take([Row(values=dict(zip(values, row, strict=True)))])
        if stop and monitor.decided:
            break
    return monitor, judged(policy, monitor, columns(values, monitor.samples), first=not compared)


def judged(
    policy: Policy,
    monitor: Monitor,
    measured: Mapping[str, Measured],
    *,
    ended: bool = False,
    first: bool = False,
) -> Verdict:
    findings = with_bets(summarise(policy, measured), monitor.bets(ended=ended))
    basis = Basis(policy=policy, findings=findings, first=first, complete=ended)
    again = Basis.from_json(json.loads(json.dumps(basis.as_json(), allow_nan=False)))
    assert again.verdict() == basis.verdict(), "the evidence alone gives the same verdict"
    return basis.verdict()


def drawn(seed: int, n: int, difference: float, discordant: float = 0.1) -> list[tuple[float, float]]:
    up, down = (discordant + difference) / 2, (discordant - difference) / 2
    draws = np.random.default_rng(seed).random(n)
    return [FIXED if draw < up else BROKEN if draw < up + down else OK for draw in draws]


def test_identical_answers_pass_at_the_moment_that_the_bet_is_won() -> None:
    policy = Policy(rules=(rule(),))
    monitor, verdict = fed(policy, {"right": [OK] * 300})
    assert (monitor.samples, verdict.outcome) == (103, Outcome.PASS)
    found = verdict.metrics[0].result
    assert found.method == "betting"
    assert found.lower is not None
    assert found.lower > -0.05
    assert found.p_noninferior is not None
    assert found.p_noninferior <= 0.05
    assert found.n_required is None


def test_a_large_fall_ends_the_run_long_before_its_samples_do() -> None:
    policy = Policy(rules=(rule(),))
    monitor, verdict = fed(policy, {"right": [OK, OK, BROKEN] * 100})
    assert monitor.samples < 60
    assert verdict.outcome == Outcome.REGRESSION
    assert "right fell by" in verdict.reasons[0]


def test_accusing_one_of_many_metrics_takes_more_than_accusing_the_only_one() -> None:
    values = [OK, OK, BROKEN] * 100
    alone, _ = fed(Policy(rules=(rule(),)), {"right": values})
    many = Policy(rules=(rule(), *(rule(metric=f"other{number}") for number in range(9))))
    among, verdict = fed(many, {"right": values} | {f"other{number}": [OK] * 300 for number in range(9)})
    assert alone.samples < among.samples < 103
    assert verdict.metrics[0].p_harm_adjusted == pytest.approx(10 * verdict.metrics[0].result.p_harm)


def test_every_guardrail_has_to_hold_before_a_pass() -> None:
    policy = Policy(rules=(rule(), rule(metric="answered", margin=0.1)))
    monitor, verdict = fed(policy, {"right": [OK] * 300, "answered": [OK] * 300})
    assert monitor.samples == 103
    assert [one.result.p_noninferior for one in verdict.metrics][1] <= 0.05
    assert verdict.outcome == Outcome.PASS


def test_what_was_shown_once_stays_shown_while_others_are_open() -> None:
    # 103 ties hold the first metric; a few broken later would have it open again if it were asked again.
    first = [OK] * 103 + [BROKEN] * 6 + [OK] * 411
    other = ([OK] * 24 + [BROKEN, FIXED]) * 20
    policy = Policy(rules=(rule(), rule(metric="other")))
    monitor, verdict = fed(policy, {"right": first, "other": other})
    assert monitor.samples > 109
    assert verdict.outcome == Outcome.PASS
    assert verdict.metrics[0].result.lower > -0.05


def test_a_metric_whose_estimate_lies_beyond_the_margin_never_passes() -> None:
    policy = Policy(rules=(rule(), rule(metric="other", margin=0.01)))
    right = [OK] * 103 + [BROKEN] * 20
    monitor, verdict = fed(policy, {"right": right, "other": [OK] * 123}, stop=False)
    assert not monitor.decided
    assert verdict.metrics[0].status == Status.INCONCLUSIVE


def test_what_must_never_happen_is_only_known_at_the_end_and_its_violation_at_once() -> None:
    policy = Policy(rules=(rule(), rule(metric="leak", never=True)))
    monitor, verdict = fed(policy, {"right": [OK] * 200, "leak": [OK] * 200})
    assert not monitor.decided
    assert "not every sample was answered" in verdict.reasons[0]
    ended = judged(policy, monitor, columns({"right": [OK] * 200, "leak": [OK] * 200}, 200), ended=True)
    assert ended.outcome == Outcome.PASS
    monitor, verdict = fed(policy, {"right": [OK] * 200, "leak": [OK] * 5 + [BROKEN] * 195})
    assert (monitor.samples, verdict.outcome) == (6, Outcome.REGRESSION)


def test_latency_is_tested_once_at_the_end() -> None:
    latency = Rule(metric="latency", kind="ratio", margin=0.2)
    policy = Policy(rules=(rule(), latency))
    values = {"right": [OK] * 200, "latency": [(1.0, 1.1), (1.0, 0.9)] * 100}
    monitor, verdict = fed(policy, values)
    assert not monitor.decided
    assert verdict.outcome == Outcome.INCONCLUSIVE
    assert verdict.reasons == ("latency is tested once, when all samples that were declared are in; 200 are",)
    waiting = verdict.metrics[1].result
    assert (waiting.lower, waiting.p_noninferior, waiting.p_harm) == (None, None, None)
    assert judged(policy, monitor, columns(values, 200), ended=True).outcome == Outcome.PASS
    worse, regression = fed(policy, {"right": [BROKEN] * 200, "latency": [(1.0, 1.0)] * 200})
    assert worse.samples < 20
    assert regression.outcome == Outcome.REGRESSION


def test_slow_candidates_are_caught_at_the_end() -> None:
    latency = Rule(metric="latency", kind="ratio", margin=0.2)
    policy = Policy(rules=(rule(), latency))
    values = {"right": [OK] * 200, "latency": [(1.0, 1.9), (1.0, 2.1)] * 100}
    monitor, _ = fed(policy, values)
    assert judged(policy, monitor, columns(values, 200), ended=True).outcome == Outcome.REGRESSION


@pytest.mark.parametrize(("targets", "better"), [("any", ["a"]), ("all", ["a", "b"])])
def test_a_target_has_to_improve_before_a_pass(targets: str, better: list[str]) -> None:
    policy = Policy(
        rules=(rule(), *(rule(metric=name, guardrail=False, target=True) for name in "ab")),
        targets=targets,  # type: ignore[arg-type]
    )
    still = {"right": [OK] * 400, "a": [OK] * 400, "b": [OK] * 400}
    monitor, verdict = fed(policy, still)
    assert not monitor.decided
    assert verdict.outcome == Outcome.INCONCLUSIVE
    monitor, verdict = fed(policy, still | {name: [FIXED, OK, OK, OK] * 100 for name in better})
    assert monitor.samples < 200
    assert verdict.outcome == Outcome.PASS
    worse, regression = fed(policy, still | {"b": [OK, BROKEN] * 200})
    assert worse.samples < 60
    assert regression.outcome == Outcome.REGRESSION


def test_a_floor_is_shown_to_hold_or_to_be_missed() -> None:
    policy = Policy(rules=(rule(floor=0.8),))
    monitor, verdict = fed(policy, {"right": [OK] * 400})
    assert verdict.outcome == Outcome.PASS
    floor = verdict.metrics[0].floor
    assert floor is not None
    assert floor.lower > 0.8
    assert floor.method == "betting"
    low = [BOTH_FAIL, OK, BOTH_FAIL] * 100
    monitor, verdict = fed(policy, {"right": low})
    assert monitor.samples < 60
    assert verdict.outcome == Outcome.REGRESSION
    assert "below its floor" in verdict.reasons[0]


def test_a_first_release_is_judged_by_its_floors_alone() -> None:
    policy = Policy(rules=(rule(floor=0.8), rule(metric="answered")))
    values = {"right": [(NAN, 1.0)] * 200, "answered": [(NAN, 1.0)] * 200}
    monitor = Monitor(policy, compared=False)
    while not monitor.decided:
        monitor.take([Row(values={name: pairs[monitor.samples] for name, pairs in values.items()})])
    assert monitor.samples < 60
    alone = {name: Measured(baseline=(), candidate=[1.0] * monitor.samples) for name in values}
    findings = with_bets(summarise(policy, alone), monitor.bets(ended=False))
    assert judge_first(policy, findings).outcome == Outcome.PASS


def test_where_nothing_says_what_is_right_no_run_ends_with_a_pass() -> None:
    monitor, verdict = fed(Policy(rules=(rule(metric="answered"),)), {"answered": [OK] * 200})
    assert not monitor.decided
    assert verdict.outcome == Outcome.INCONCLUSIVE


def test_two_versions_that_always_fail_are_never_a_pass() -> None:
    monitor, verdict = fed(Policy(rules=(rule(),)), {"right": [BOTH_FAIL] * 200})
    assert not monitor.decided
    assert verdict.outcome == Outcome.INCONCLUSIVE


def test_a_missing_answer_never_helps_the_candidate_and_never_accuses_it() -> None:
    policy = Policy(rules=(rule(),))
    lost = {"right": [(1.0, NAN) if number % 25 == 0 else OK for number in range(300)]}
    monitor, verdict = fed(policy, lost)
    assert monitor.samples > 103 or not monitor.decided
    never_answered, verdict = fed(policy, {"right": [(1.0, NAN)] * 300})
    assert not never_answered.decided
    assert verdict.outcome == Outcome.INCONCLUSIVE
    assert "too many to pass" in verdict.reasons[0]


def test_too_many_missing_answers_keep_a_pass_away_until_they_are_few() -> None:
    policy = Policy(rules=(rule(margin=0.3),))
    begun = [(NAN, NAN)] * 20 + [OK] * 60
    monitor, _ = fed(policy, {"right": begun + [OK] * 100})
    assert monitor.decided
    assert monitor.samples >= 100, "a fifth of the pairs may be touched"


def test_a_bounded_score_is_bet_on_its_own_scale() -> None:
    policy = Policy(rules=(rule(kind="bounded", value_range=(1.0, 5.0), margin=0.2),))
    rng = np.random.default_rng(7)
    old = rng.integers(1, 6, 600).astype(float)
    values = {"right": [(float(one), float(one)) for one in old]}
    monitor, verdict = fed(policy, values)
    assert monitor.samples == 103
    assert verdict.metrics[0].result.margin == 0.2


def test_a_critical_slice_is_a_guardrail_of_its_own() -> None:
    policy = Policy(rules=(rule(), rule(slice="language=de")))
    monitor = Monitor(policy)
    while not monitor.decided:
        german = monitor.samples % 4 == 0
        slices = frozenset({"language=de"}) if german else frozenset()
        monitor.take([Row(values={"right": BROKEN if german else OK}, slices=slices)])
    assert monitor.samples < 60
    mask = [number % 4 == 0 for number in range(monitor.samples)]
    measured = {
        "right": Measured(
            baseline=[1.0] * len(mask),
            candidate=[float(not one) for one in mask],
            slices={"language=de": mask},
        )
    }
    verdict = judged(policy, monitor, measured)
    assert verdict.metrics[1].guardrail == Status.REGRESSION


def test_conversations_are_counted_whole_and_the_larger_ones_count_more() -> None:
    policy = Policy(rules=(rule(),))
    monitor, whole = Monitor(policy, largest=4), Monitor(policy, largest=4)
    for _ in range(60):
        monitor.take([Row(values={"right": OK})] * 4)
        whole.take([Row(values={"right": OK}, weight=4.0)])
    assert (monitor.units, monitor.samples) == (60, 240)
    assert monitor.bets(ended=False) == whole.bets(ended=False)
    bets = monitor.bets(ended=False)["right"]
    assert bets.claims["noninferiority"].units == 60
    assert bets.largest == 4


def test_bets_come_back_from_json_as_they_were() -> None:
    monitor, _ = fed(Policy(rules=(rule(target=True, floor=0.5),)), {"right": drawn(5, 40, 0.0)})
    bets = monitor.bets(ended=False)["right"]
    assert set(bets.claims) == {
        "noninferiority",
        "noninferiority_seen",
        "harm",
        "superiority",
        "floor",
        "missed",
    }
    assert type(bets).from_json(json.loads(json.dumps(bets.as_json()))) == bets
    assert all(len(bet.logs) == 10 for bet in bets.claims.values())


def test_a_version_that_creeps_on_is_no_reason_to_stop() -> None:
    drift = Drift(prompt="p", version=1, digest="sha256:1", total=-0.06, releases=2)
    monitor, verdict = fed(Policy(rules=(rule(drift=drift),)), {"right": [OK] * 200})
    assert not monitor.decided
    assert verdict.outcome == Outcome.INCONCLUSIVE
    lifted, verdict = fed(Policy(rules=(rule(drift=replace(drift, lifted=True)),)), {"right": [OK] * 200})
    assert (lifted.samples, verdict.outcome) == (103, Outcome.PASS)


pairs = st.sampled_from([OK, OK, OK, FIXED, BROKEN, BOTH_FAIL, (1.0, NAN), (NAN, 1.0)])


@settings(max_examples=60)
@given(
    st.lists(st.tuples(pairs, pairs), min_size=1, max_size=25),
    st.integers(1, 12),
    st.sampled_from(["any", "all"]),
)
def test_a_settled_monitor_and_the_gate_say_the_same(
    motif: list[tuple[tuple[float, float], tuple[float, float]]], times: int, targets: str
) -> None:
    policy = Policy(
        rules=(rule(floor=0.3), rule(metric="other", target=True, margin=0.3)),
        targets=targets,  # type: ignore[arg-type]
    )
    whole = motif * times
    values = {"right": [one for one, _ in whole], "other": [one for _, one in whole]}
    monitor, verdict = fed(policy, values)
    assert monitor.decided == (verdict.outcome != Outcome.INCONCLUSIVE)


def settled(difference: float, runs: int, policy: Policy, n: int = 1000) -> tuple[float, float, float]:
    """The shares of PASS and REGRESSION, and the mean number of samples."""
    found = [fed(policy, {"right": drawn(seed, n, difference)}) for seed in range(runs)]
    outcomes = [verdict.outcome for _, verdict in found]
    share: Callable[[Outcome], float] = lambda wanted: outcomes.count(wanted) / runs  # noqa: E731
    return share(Outcome.PASS), share(Outcome.REGRESSION), float(np.mean([one.samples for one, _ in found]))


def within(share: float, level: float, runs: int) -> bool:
    return share <= level + 3 * (level * (1 - level) / runs) ** 0.5


def test_looking_after_every_sample_keeps_the_promise() -> None:
    policy, runs = Policy(rules=(rule(),)), 60
    passes, _, _ = settled(-0.05, runs, policy, n=400)
    assert within(passes, 0.05, runs)
    _, harmed, _ = settled(0.0, runs, policy, n=400)
    assert within(harmed, 0.05, runs)


@pytest.mark.slow
def test_the_sizes_and_the_savings_are_those_of_the_design() -> None:
    policy, runs = Policy(rules=(rule(),)), 150
    passes, _, samples = settled(0.03, runs, policy)
    assert passes > 0.98
    assert samples == pytest.approx(148, rel=0.15)
    passes, harmed, samples = settled(0.0, runs, policy)
    assert passes > 0.95
    assert within(harmed, 0.05, runs)
    assert samples == pytest.approx(348, rel=0.15)
    passes, harmed, samples = settled(-0.05, runs, policy)
    assert within(passes, 0.05, runs)
    assert harmed > 0.94
    assert samples == pytest.approx(312, rel=0.15)
    passes, harmed, samples = settled(-0.10, runs, policy)
    assert passes == 0
    assert harmed == 1
    assert samples == pytest.approx(80, rel=0.15)
