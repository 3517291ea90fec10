"""A verdict can be reached again from its basis alone, through JSON, exactly."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from promptops.basis import Basis
from promptops.errors import InvalidInput
from promptops.gate import Measured, Outcome, Policy, Rule
from promptops.rules import summarise

DRAW = np.random.default_rng(5)
N = 200

RULES = (
    Rule(metric="right", kind="binary", margin=0.05, value_range=(0, 1), target=True),
    Rule(metric="right", kind="binary", margin=0.10, value_range=(0, 1), slice="language=de"),
    Rule(metric="tone", kind="bounded", margin=0.2, value_range=(1, 5), floor=3.0),
    Rule(metric="calls", kind="binary", value_range=(0, 1), never=True),
    Rule(metric="latency", kind="ratio", margin=0.2),
    Rule(metric="cost", kind="ratio", guardrail=False, observe=True),
)


def measured(*, grouped: bool = False, repeats: int = 1) -> dict[str, Measured]:
    shape: Any = N if repeats == 1 else (repeats, N)
    clusters = np.arange(N) // 4 if grouped else None
    weights = DRAW.choice([1.0, 5.0], N) if grouped else None
    slices = {"language=de": np.arange(N) < 80}

    def one(old: Any, new: Any, **more: Any) -> Measured:
        new = np.array(new, dtype=float)
        new[..., 3] = np.nan
        return Measured(
            baseline=old, candidate=new, clusters=clusters, weights=weights, slices=slices, **more
        )

    return {
        "right": one(DRAW.random(shape) < 0.7, DRAW.random(shape) < 0.8),
        "tone": one(DRAW.uniform(3, 5, shape), DRAW.uniform(3, 5, shape)),
        "calls": Measured(baseline=np.ones(shape), candidate=np.ones(shape)),
        "latency": one(DRAW.lognormal(size=shape), DRAW.lognormal(size=shape), worst=60.0),
        "cost": Measured(baseline=np.zeros(shape), candidate=np.ones(shape)),
    }


@pytest.mark.parametrize("options", [{}, {"grouped": True}, {"repeats": 3}, {"grouped": True, "repeats": 2}])
def test_the_same_verdict_comes_out_of_the_basis_that_went_through_json(options: dict[str, Any]) -> None:
    policy = Policy(rules=RULES, alpha=0.04, targets="all")
    basis = Basis(policy=policy, findings=summarise(policy, measured(**options)))
    text = json.dumps(basis.as_json(), allow_nan=False)
    again = Basis.from_json(json.loads(text))
    assert again.verdict() == basis.verdict()
    assert json.dumps(again.as_json()) == text


def test_a_first_release_can_be_judged_again_too() -> None:
    policy = Policy(rules=RULES)
    columns = {
        name: Measured(baseline=(), candidate=one.candidate, slices=one.slices)
        for name, one in measured().items()
        if name != "cost"
    }
    basis = Basis(policy=policy, findings=summarise(policy, columns), first=True)
    again = Basis.from_json(json.loads(json.dumps(basis.as_json())))
    assert again.verdict() == basis.verdict()
    assert again.verdict().outcome == Outcome.PASS


def test_one_number_changed_is_another_verdict() -> None:
    policy = Policy(rules=RULES[3:4])
    basis = Basis(policy=policy, findings=summarise(policy, {"calls": measured()["calls"]})).as_json()
    basis["findings"]["calls"]["lone"]["violations"] = 1
    assert Basis.from_json(basis).verdict().outcome == Outcome.REGRESSION


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"rules": 1, "alpha": 0.05, "targets": "any"},
        {"rules": [{"colour": 1}], "alpha": 0.05, "targets": "any"},
    ],
)
def test_what_is_no_basis_is_said_to_be_none(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="basis"):
        Basis.from_json(values)


def test_a_rule_without_its_finding_is_no_basis() -> None:
    policy = Policy(rules=RULES[:1])
    values = Basis(policy=policy, findings=summarise(policy, {})).as_json()
    values["findings"] = {}
    with pytest.raises(InvalidInput, match="lacks what was found of right"):
        Basis.from_json(values)


def test_a_slice_is_judged_on_its_own_samples() -> None:
    policy = Policy(rules=RULES[:2])
    found = summarise(policy, {"right": measured()["right"]})
    assert (found["right"].compared.n, found["right [language=de]"].compared.n) == (N, 80)
