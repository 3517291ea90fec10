"""Degenerate but legal input: never an exception, and never a yes that nothing supports."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from promptops.gate import Measured, Outcome, Policy, Rule, decide, decide_first
from promptops.sequential import Monitor
from promptops.stats.families import adjust_pvalues
from promptops.stats.floors import floor_result, never_result
from promptops.stats.metric import evaluate_metric
from promptops.stats.paired import paired_mean_ci
from promptops.stats.results import Status
from promptops.wagers import Row

NAN = math.nan
SCALES: dict[str, dict[str, Any]] = {
    "binary": {},
    "bounded": {"value_range": (0.0, 1.0)},
    "ratio": {},
}
KINDS = tuple(SCALES)
YES = (Status.PASS, Status.BETTER)
Column = list[float]
LOW, HIGH = {"binary": 0.0, "bounded": 0.0, "ratio": 1.0}, {"binary": 1.0, "bounded": 1.0, "ratio": 2.0}


def rules(kind: str) -> tuple[Rule, ...]:
    """A guardrail, a target, and (where the scale has a best value) a floor and a never."""
    scale = None if kind == "ratio" else (0.0, 1.0)
    made = [
        Rule(metric="guarded", kind=kind, value_range=scale, margin=0.05),
        Rule(metric="wanted", kind=kind, value_range=scale, margin=0.05, guardrail=False, target=True),
    ]
    if scale is not None:
        made += [
            Rule(metric="floored", kind=kind, value_range=scale, margin=0.05, floor=0.5),
            Rule(metric="forbidden", kind=kind, value_range=scale, margin=0.05, guardrail=False, never=True),
        ]
    return tuple(made)


def judged(kind: str, baseline: Column, candidate: Column) -> Any:
    """The gate over one rule of each sort, all with the same two columns."""
    policy = Policy(rules=rules(kind))
    measured = {
        rule.metric: Measured(baseline=baseline, candidate=candidate, worst=9.0 if kind == "ratio" else None)
        for rule in policy.rules
    }
    return decide(policy, measured)


def few(kind: str, n: int) -> dict[str, tuple[Column, Column]]:
    low, high = LOW[kind], HIGH[kind]
    return {
        "all tied low": ([low] * n, [low] * n),
        "all tied high": ([high] * n, [high] * n),
        "all better": ([low] * n, [high] * n),
        "all worse": ([high] * n, [low] * n),
        "candidate missing": ([high] * n, [NAN] * n),
        "baseline missing": ([NAN] * n, [high] * n),
        "both missing": ([NAN] * n, [NAN] * n),
    }


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_two_pairs_or_fewer_never_say_yes(kind: str, n: int) -> None:
    for name, (baseline, candidate) in few(kind, n).items():
        found = judged(kind, baseline, candidate)
        assert found.outcome != Outcome.PASS, name
        for one in found.metrics:
            if one.rule.never and name in ("all tied high", "all better", "baseline missing"):
                continue  # every answer there was is as it should be; a `never` asks no more than that
            assert one.status not in YES, (name, one.rule.metric)
        assert found.reasons, name


@pytest.mark.parametrize("n", [1, 2, 30, 58])
@pytest.mark.parametrize("kind", KINDS)
def test_ties_alone_prove_no_small_margin(kind: str, n: int) -> None:
    for value in (LOW[kind], HIGH[kind]):
        found = judged(kind, [value] * n, [value] * n)
        assert found.outcome == Outcome.INCONCLUSIVE or kind != "ratio", n
        assert found.metrics[0].guardrail != Status.PASS
        assert found.metrics[1].target == Status.NOT_SHOWN
        assert found.metrics[0].result.lower < found.metrics[0].result.upper


@pytest.mark.parametrize("n", [1, 5, 100, 3000])
@pytest.mark.parametrize("kind", ["binary", "bounded"])
def test_a_metric_that_failed_everywhere_holds_the_verdict(kind: str, n: int) -> None:
    found = judged(kind, [0.0] * n, [0.0] * n)
    assert found.outcome == Outcome.REGRESSION  # of its never; without it and its floor only doubt is left
    policy = Policy(rules=rules(kind)[:1])
    alone = decide(policy, {"guarded": Measured(baseline=[0.0] * n, candidate=[0.0] * n)})
    assert alone.outcome == Outcome.INCONCLUSIVE


@pytest.mark.parametrize("n", [1, 60, 5000])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", ["baseline", "candidate", "both"])
def test_nothing_scored_is_no_yes_and_no_harm(kind: str, n: int, missing: str) -> None:
    good, lost = [HIGH[kind]] * n, [NAN] * n
    baseline = lost if missing in ("baseline", "both") else good
    candidate = lost if missing in ("candidate", "both") else good
    found = judged(kind, baseline, candidate)
    assert found.outcome == Outcome.INCONCLUSIVE
    assert all(one.status not in YES for one in found.metrics if not one.rule.never)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 30])
@pytest.mark.parametrize("shift", [-0.3, -1e-9, 0.0, 1e-12, 0.3])
def test_a_constant_difference_has_an_interval_with_a_width(n: int, shift: float) -> None:
    found = evaluate_metric(
        "bounded", [0.5] * n, [0.5 + shift] * n, margin=0.05, value_range=(0, 1), role="both"
    )
    assert found.lower < found.upper
    assert found.lower <= found.difference <= found.upper
    if n < 5 or shift <= 1e-9:
        assert found.status not in YES


@pytest.mark.parametrize("n", [2, 3, 30])
def test_a_constant_ratio_has_an_interval_with_a_width(n: int) -> None:
    for factor in (0.5, 1.0, 1 + 1e-15, 2.0):
        found = evaluate_metric("ratio", [3.0] * n, [3.0 * factor] * n, margin=0.1)
        assert found.lower < found.upper
        assert found.status != Status.PASS or factor < 1


@pytest.mark.parametrize("values", [[5e-324, 1e-300], [1e300, 1e-300, 1e300], [1e-12] * 8])
def test_extreme_measures_are_numbers_like_others(values: Column) -> None:
    found = evaluate_metric("ratio", values, values[::-1], margin=0.1)
    assert found.status != Status.PASS
    assert "NaN" not in json.dumps(found.as_json())


def test_one_cluster_is_one_observation() -> None:
    """Whatever the pairs say: all of them come from one conversation."""
    clusters = pytest.importorskip("promptops.stats.clusters")
    rng = np.random.default_rng(3)
    found = clusters.cluster_robust_mean(rng.random(200), [7] * 200)
    assert found.lower is None or found.upper is None or found.upper - found.lower >= 1
    assert found.warnings


@pytest.mark.parametrize("n", [0, 1, 2])
def test_pure_functions_take_the_least_there_is(n: int) -> None:
    assert adjust_pvalues([0.04] * n) == (0.04,) * n if n < 2 else adjust_pvalues([0.04] * n)
    if n:
        assert paired_mean_ci([0.1] * n).lower is None
    never = never_result("binary", [1.0] * n)
    floor = floor_result("binary", [1.0] * n, floor=0.9)
    assert floor.status == Status.INCONCLUSIVE
    assert never.status == (Status.PASS if n else Status.INCONCLUSIVE)
    json.dumps([floor.as_json(), never.as_json()], allow_nan=False)


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("value", [0.0, 1.0, NAN])
def test_a_first_release_of_hardly_any_answers_is_no_yes(n: int, value: float) -> None:
    policy = Policy(rules=(Rule(metric="q", kind="binary", value_range=(0, 1), margin=0.05, floor=0.8),))
    assert decide_first(policy, {"q": [value] * n}).outcome == (
        Outcome.REGRESSION if value == 0.0 and n == 2 else Outcome.INCONCLUSIVE
    )


def test_no_rule_and_no_column_say_nothing() -> None:
    assert decide(Policy(rules=()), {}).outcome == Outcome.INCONCLUSIVE
    assert decide_first(Policy(rules=()), {}).outcome == Outcome.INCONCLUSIVE


MILLION = 1_000_000
LARGE: dict[str, Callable[[], tuple[Any, Any]]] = {
    "tied": lambda: (np.ones(MILLION), np.ones(MILLION)),
    "one broken": lambda: (np.ones(MILLION), np.concatenate([np.zeros(1), np.ones(MILLION - 1)])),
    "all broken": lambda: (np.ones(MILLION), np.zeros(MILLION)),
    "all missing": lambda: (np.ones(MILLION), np.full(MILLION, NAN)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LARGE)
def test_a_million_pairs_take_two_seconds_at_most(kind: str, name: str) -> None:
    baseline, candidate = LARGE[name]()
    if kind == "ratio":
        baseline, candidate = baseline + 1, 3 - candidate  # less is better
    start = time.process_time()
    found = evaluate_metric(kind, baseline, candidate, margin=0.05, role="both", **SCALES[kind])
    assert time.process_time() - start < 2
    expected = {"tied": Status.NOT_SHOWN, "one broken": Status.NOT_SHOWN, "all broken": Status.REGRESSION}
    assert found.status == expected.get(name, Status.INCONCLUSIVE)
    assert found.noninferior == (name in ("tied", "one broken"))


# Conversations, weights, repeats, slices


def shapes(n: int) -> dict[str, dict[str, Any]]:
    return {
        "one conversation": {"clusters": np.zeros(n, dtype=int)},
        "two conversations": {"clusters": np.arange(n) % 2},
        "weighted": {"weights": np.where(np.arange(n) % 2, 1e-6, 1e6)},
        "one that outweighs all": {"weights": np.where(np.arange(n) == 0, 1e9, 1.0)},
        "both": {"clusters": np.arange(n) // 2, "weights": np.ones(n) * 3},
        "an empty slice": {"slices": {"language=de": np.zeros(n, dtype=bool)}},
    }


def shaped(kind: str, baseline: Any, candidate: Any, more: dict[str, Any]) -> Any:
    policy = Policy(rules=rules(kind))
    if "slices" in more:
        policy = replace(policy, rules=(*policy.rules, replace(policy.rules[0], slice="language=de")))
    worst = 9.0 if kind == "ratio" else None
    one = Measured(baseline=baseline, candidate=candidate, worst=worst, **more)
    return decide(policy, {rule.metric: one for rule in rules(kind)})


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_few_pairs_of_any_shape_never_say_yes(kind: str, n: int) -> None:
    for name, (baseline, candidate) in few(kind, n).items():
        for shape, more in shapes(n).items():
            found = shaped(kind, np.asarray(baseline), np.asarray(candidate), more)
            assert found.outcome != Outcome.PASS, (name, shape)
            assert found.metrics[0].guardrail != Status.PASS, (name, shape)
            assert found.metrics[1].target != Status.BETTER, (name, shape)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", ["one conversation", "two conversations", "one that outweighs all"])
def test_many_samples_of_hardly_any_units_never_say_yes(kind: str, shape: str) -> None:
    n = 400
    rng = np.random.default_rng(8)
    jitter = rng.uniform(0, 0.2, n) if kind != "binary" else np.zeros(n)
    columns = {**few(kind, n), "jitter": (LOW[kind] + 0.3 * (kind != "binary") + jitter, LOW[kind] + jitter)}
    for name, (baseline, candidate) in columns.items():
        found = shaped(kind, np.asarray(baseline), np.asarray(candidate), shapes(n)[shape])
        assert found.outcome != Outcome.PASS, name
        assert found.metrics[0].guardrail != Status.PASS, name
        assert found.metrics[1].target != Status.BETTER, name


@pytest.mark.parametrize("n", [1, 2, 60])
@pytest.mark.parametrize("repeats", [2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_repeats_of_nothing_are_nothing(kind: str, n: int, repeats: int) -> None:
    good, lost = np.full((repeats, n), HIGH[kind]), np.full((repeats, n), NAN)
    for baseline, candidate in ((good, lost), (lost, good), (lost, lost)):
        found = shaped(kind, baseline, candidate, {})
        assert found.outcome == Outcome.INCONCLUSIVE
        assert found.metrics[0].guardrail != Status.PASS
        assert found.metrics[1].target != Status.BETTER
    if n <= 2:
        assert shaped(kind, good, good, {}).metrics[0].guardrail != Status.PASS


def test_bets_on_hardly_anything_decide_nothing() -> None:
    policy = Policy(rules=rules("binary")[:2])
    for value in ((1.0, 1.0), (0.0, 0.0), (0.0, 1.0), (1.0, NAN), (NAN, NAN)):
        monitor = Monitor(policy)
        assert not monitor.decided
        for _ in range(2):
            monitor.take([Row(values={rule.metric: value for rule in policy.rules})])
            assert not monitor.decided
