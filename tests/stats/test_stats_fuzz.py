"""Whatever legal columns come: an answer, in numbers that JSON has, and no yes that its own interval contradicts."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.gate import decide, judge, summarise
from promptops.rules import Finding, Measured, Policy, Rule
from promptops.stats.bets import Bet
from promptops.stats.results import Status

VALUES = {
    "binary": st.sampled_from([0.0, 1.0]),
    "bounded": st.sampled_from([0.0, 1e-12, 0.3, 0.3 + 1e-15, 0.5, 0.7, 1.0]) | st.floats(0, 1),
    "ratio": st.sampled_from([5e-324, 1e-9, 1.0, 1.0 + 1e-15, 2.0, 1e300]) | st.floats(0.5, 2),
}
WEIGHTS = st.sampled_from([1e-300, 1e-9, 0.5, 1.0, 1.0 + 1e-15, 3.0, 1e9, 1e300])


@st.composite
def columns(draw: st.DrawFn, kind: str) -> Measured:
    n = draw(st.integers(0, 40))
    repeats = draw(st.sampled_from([1, 1, 3]))
    one = VALUES[kind] if draw(st.booleans()) else VALUES[kind] | st.just(math.nan)
    column = st.lists(one, min_size=n * repeats, max_size=n * repeats)
    shape = (n,) if repeats == 1 else (repeats, n)
    before = np.asarray(draw(column), dtype=float)
    after = before.copy() if draw(st.booleans()) else np.asarray(draw(column), dtype=float)
    few = st.lists(st.integers(0, draw(st.integers(0, 12))), min_size=n, max_size=n)
    codes = np.asarray(draw(few), dtype=int) if draw(st.booleans()) else None
    weighed = st.lists(WEIGHTS, min_size=n, max_size=n)
    weights = np.asarray(draw(weighed), dtype=float) if draw(st.booleans()) else None
    mask = np.asarray(draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
    worst = draw(st.sampled_from([None, 60.0])) if kind == "ratio" else None
    return Measured(
        baseline=before.reshape(shape),
        candidate=after.reshape(shape),
        worst=worst,
        clusters=codes,
        weights=weights,
        slices={"language=de": mask},
    )


def rules(kind: str) -> tuple[Rule, ...]:
    scored: dict[str, Any] = {} if kind == "ratio" else {"value_range": (0.0, 1.0)}
    made = [
        Rule(metric="g", kind=kind, margin=0.2, **scored),
        Rule(metric="t", kind=kind, margin=0.2, guardrail=False, target=True, **scored),
        Rule(metric="g", kind=kind, margin=0.2, slice="language=de", **scored),
    ]
    if scored:
        made += [
            Rule(metric="f", kind=kind, margin=0.2, floor=0.4, **scored),
            Rule(metric="n", kind=kind, margin=0.2, never=True, **scored),
        ]
    return tuple(made)


@given(st.sampled_from(sorted(VALUES)).flatmap(lambda kind: st.tuples(st.just(kind), columns(kind))))
@settings(deadline=None, max_examples=150)
def test_nothing_legal_raises_and_no_yes_contradicts_its_numbers(drawn: tuple[str, Measured]) -> None:
    kind, measured = drawn
    policy = Policy(rules=rules(kind))
    found = decide(policy, {rule.metric: measured for rule in policy.rules})
    for one in found.metrics:
        result = one.result
        json.dumps(result.as_json(), allow_nan=False)
        for p in (result.p_noninferior, result.p_harm, result.p_superior, one.p_harm_adjusted):
            assert p is None or 0 <= p <= 1
        if result.lower is not None and result.upper is not None and result.difference is not None:
            slack = 1e-9 * max(1.0, abs(result.difference))
            assert result.lower - slack <= result.difference <= result.upper + slack
        if one.guardrail == Status.PASS:
            assert result.p_noninferior <= 0.05
            assert result.upper < 0.2 if kind == "ratio" else result.lower > -0.2
        if one.target == Status.BETTER:
            assert result.p_superior <= 0.05
        if one.status == Status.REGRESSION and one.guardrail == Status.REGRESSION:
            assert one.p_harm_adjusted <= 0.05
        if one.floor is not None:
            json.dumps(one.floor.as_json(), allow_nan=False)


@given(st.sampled_from(sorted(VALUES)).flatmap(lambda kind: st.tuples(st.just(kind), columns(kind))))
@settings(deadline=None, max_examples=80)
def test_what_was_found_judges_the_same_after_it_was_written_down(drawn: tuple[str, Measured]) -> None:
    kind, measured = drawn
    policy = Policy(rules=rules(kind))
    findings = summarise(policy, {rule.metric: measured for rule in policy.rules})
    written = {name: json.loads(json.dumps(one.as_json(), allow_nan=False)) for name, one in findings.items()}
    again = {name: Finding.from_json(one) for name, one in written.items()}
    assert judge(policy, again) == judge(policy, findings)


def test_a_bet_that_lost_everything_is_a_p_value_of_one() -> None:
    lost = Bet(null=0.5, rising=True, threshold=25.0, units=10**6, logs=(-1e5,) * 10)
    assert lost.pvalue == 1.0
    assert not lost.reached
