"""A verdict comes out of its evidence again, whatever test it was; other numbers are seen, and never believed."""

from __future__ import annotations

import copy
import json
import random
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from promptops.basis import Basis
from promptops.evaluation.again import reach_again
from promptops.evaluation.lines import metric_lines
from promptops.records import Arm, Evidence, SampleSet, canonical, parse_evidence, sha256
from promptops.rules import Measured, Policy, Rule, summarise
from promptops.version import tool_version

DIGEST = sha256(b"x")
RULES = (
    Rule(metric="queue", kind="binary", margin=0.1, value_range=(0, 1), floor=0.6),
    Rule(metric="tone", kind="bounded", margin=0.2, value_range=(1, 5)),
    Rule(metric="cost", kind="ratio", margin=0.2),
)


def evidence(basis: Basis) -> Evidence:
    verdict = basis.verdict()
    made = Evidence(
        prompt="greet",
        baseline=None if basis.first else Arm(version=1, digest=DIGEST),
        candidate=DIGEST,
        samples=SampleSet(digest=DIGEST, n=200),
        policy=DIGEST,
        verdict=verdict.outcome.value,
        reasons=list(verdict.reasons),
        metrics=[line.model_dump(mode="json", exclude_defaults=True) for line in metric_lines(verdict)],
        alpha=verdict.alpha,
        basis=basis.as_json(),
        tool_version=tool_version(),
        model="small",
        provider="bot",
        run="r1",
        at="2026-01-05T10:00:00Z",
    )
    return parse_evidence(canonical(made), path="evidence.json")


def judged(seed: int = 1, *, fall: float = 0.0, first: bool = False) -> Evidence:
    draw = np.random.default_rng(seed)
    queue = (draw.random(200) < 0.9).astype(float)
    tone, cost = draw.integers(1, 6, 200).astype(float), draw.lognormal(0, 0.4, 200)
    worse = np.where(draw.random(200) < fall, 0.0, queue)
    pairs = {
        "queue": (queue, worse),
        "tone": (tone, tone),
        "cost": (cost, cost * draw.lognormal(0, 0.1, 200)),
    }
    columns = {
        name: Measured(baseline=() if first else before, candidate=after)
        for name, (before, after) in pairs.items()
    }
    policy = Policy(rules=RULES, alpha=0.05)
    return evidence(Basis(policy=policy, findings=summarise(policy, columns), first=first))


@pytest.mark.parametrize("fall", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("first", [True, False])
def test_every_verdict_is_reached_again(fall: float, first: bool) -> None:
    again = reach_again(judged(fall=fall, first=first))
    assert (again.wrong, again.odd, again.unknown) == ((), (), "")


def test_numbers_of_another_machine_may_differ_in_their_last_digits() -> None:
    seen = judged()
    rows = copy.deepcopy(seen.metrics)
    rows[0]["lower"] *= 1 + 1e-9
    assert reach_again(seen.model_copy(update={"metrics": rows})).wrong == ()
    rows[0]["lower"] *= 1 + 1e-3
    assert "lower of queue" in reach_again(seen.model_copy(update={"metrics": rows})).wrong[0]


def test_a_field_that_another_version_knew_is_no_difference() -> None:
    seen = judged()
    rows = copy.deepcopy(seen.metrics)
    rows[0]["of_later_days"] = 3
    rows[0].pop("p_harm", None)
    assert reach_again(seen.model_copy(update={"metrics": rows})).wrong == ()


def test_evidence_without_its_numbers_cannot_be_reached_again() -> None:
    again = reach_again(judged().model_copy(update={"basis": None}))
    assert again.wrong == ()
    assert "older promptops" in again.unknown


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))
    yield path


ODD = [None, -1, 0, 10**9, 10**400, -0.5, 1e308, 1e-320, float("nan"), "x", "", True, [], {}, [1], {"a": 1}]


def test_numbers_that_no_test_ever_gave_are_told_and_crash_nothing() -> None:
    draw, seen = random.Random(4), [judged(), judged(fall=0.3), judged(first=True)]
    told = 0
    for _ in range(400):
        one = draw.choice(seen)
        basis = json.loads(json.dumps(one.basis))
        *way, last = draw.choice([path for path in places(basis) if path])
        place = basis
        for key in way:
            place = place[key]
        place[last] = draw.choice(ODD)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            told += bool(reach_again(one.model_copy(update={"basis": basis})).wrong)
    assert told > 200
