from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from promptops.creep import Drift
from promptops.gate import Measured, Outcome, Verdict, decide
from promptops.rules import Policy, Rule

DRIFT = Drift(prompt="triage", version=2, digest="sha256:2", total=-0.04, releases=1)


def counts(fixed: int, broken: int, n: int = 2400) -> Measured:
    baseline = np.ones(n)
    baseline[:fixed] = 0
    candidate = np.ones(n)
    candidate[n - broken :] = 0
    return Measured(baseline=baseline, candidate=candidate)


def rule(**more: object) -> Rule:
    return Rule(metric="queue", kind="binary", margin=0.05, **{"drift": DRIFT, **more})


def judge(columns: Measured, *rules: Rule) -> Verdict:
    return decide(Policy(rules=rules or (rule(),)), {"queue": columns})


def test_a_second_fall_within_the_margin_does_not_pass() -> None:
    falling = counts(24, 96)
    assert judge(falling, rule(drift=None)).outcome == Outcome.PASS
    found = judge(falling)
    assert found.outcome == Outcome.INCONCLUSIVE
    assert found.reasons == (
        "queue fell by 3 points here and by 7 since v2, more than the 5 allowed; "
        "test against that: promptops test triage --against v2",
    )
    assert found.metrics[0].result.reason == "creep"
    assert found.metrics[0].guardrail == "PASS"


@pytest.mark.parametrize(
    "drift",
    [
        replace(DRIFT, total=-0.01),
        replace(DRIFT, releases=0),
        replace(DRIFT, lifted=True),
    ],
    ids=["not far", "the anchor itself", "tested against the anchor"],
)
def test_what_did_not_creep_passes(drift: Drift) -> None:
    assert judge(counts(24, 96), rule(drift=drift)).outcome == Outcome.PASS


def test_what_is_shown_better_is_an_anchor_itself() -> None:
    far = replace(DRIFT, total=-0.2)
    assert judge(counts(60, 0), rule(drift=far)).outcome == Outcome.PASS
    assert judge(counts(60, 59), rule(drift=far)).outcome == Outcome.INCONCLUSIVE


def test_a_regression_is_not_made_milder() -> None:
    found = judge(counts(0, 480))
    assert found.outcome == Outcome.REGRESSION
    assert len(found.reasons) == 2


def test_what_only_must_improve_has_no_margin_to_creep_beyond() -> None:
    target = rule(guardrail=False, target=True, drift=replace(DRIFT, total=-0.2))
    assert not any("since v2" in reason for reason in judge(counts(24, 96), target).reasons)


def test_costs_creep_upwards() -> None:
    rng = np.random.default_rng(5)
    old = np.exp(rng.normal(0, 0.05, 400))
    measured = {"cost": Measured(baseline=old, candidate=old * 1.1), "queue": counts(0, 0, 400)}
    cost = Rule(metric="cost", kind="ratio", margin=0.25, drift=replace(DRIFT, total=-0.2))
    found = decide(Policy(rules=(cost, rule(drift=None))), measured)
    assert found.outcome == Outcome.INCONCLUSIVE
    assert found.reasons[0].startswith(
        "cost rose by 10 % here and by 34.4 % since v2, more than the 25 % allowed"
    )


def test_a_rule_is_read_back_with_its_drift() -> None:
    assert Rule.from_json(rule().as_json()) == rule()
    assert rule().as_json()["drift"] == {
        "prompt": "triage",
        "version": 2,
        "digest": "sha256:2",
        "total": -0.04,
        "releases": 1,
        "lifted": False,
    }
