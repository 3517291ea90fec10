"""How often the tests are wrong, by simulation; seeds and tolerances are written down.

A false PASS is counted where the candidate is worse by exactly the margin; nominal .05, tolerated .06 plus
the simulation's own error.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from promptops.gate import Measured, Outcome, Policy, Rule, decide
from promptops.stats.metric import evaluate_metric
from promptops.stats.results import Status

MARGIN = 0.05
Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


def beta_scores(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    level = rng.beta(6, 3, n)
    baseline = np.clip(level + rng.normal(0, 0.1, n), 0.1, 0.9)
    return baseline, baseline - MARGIN + rng.uniform(-0.05, 0.05, n)


def ordinal(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    steps = rng.choice([-1, 0, 1], n, p=[0.35, 0.5, 0.15])  # mean -.2 steps of .25
    return np.full(n, 0.5), 0.5 + steps * 0.25


def rare_catastrophes(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    drop = rng.choice([0, -0.8], n, p=[1 - MARGIN / 0.8, MARGIN / 0.8])
    return np.full(n, 0.9), 0.9 + drop


def jitter_and_catastrophes(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    drop = rng.choice([0, -0.7], n, p=[1 - MARGIN / 0.7, MARGIN / 0.7])
    return np.full(n, 0.9), 0.9 + drop + rng.uniform(-0.005, 0.005, n)


def many_ties(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    drop = rng.choice([0, -0.4, 0.2], n, p=[0.85, 0.13333, 0.01667])
    return np.full(n, 0.7), 0.7 + drop


def false_passes(draw: Draw, n: int, replicates: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    passes = 0
    for _ in range(replicates):
        baseline, candidate = draw(rng, n)
        found = evaluate_metric("bounded", baseline, candidate, margin=MARGIN, value_range=(0, 1))
        passes += found.status == Status.PASS
    return passes / replicates


@pytest.mark.parametrize("draw", [ordinal, rare_catastrophes, jitter_and_catastrophes])
def test_few_pairs_rarely_pass_wrongly(draw: Draw) -> None:
    assert false_passes(draw, 20, 300, seed=20) <= 0.06 + 3 * (0.06 * 0.94 / 300) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 50, 200])
@pytest.mark.parametrize(
    "draw", [beta_scores, ordinal, rare_catastrophes, jitter_and_catastrophes, many_ties]
)
def test_bounded_scores_keep_their_size(draw: Draw, n: int) -> None:
    assert false_passes(draw, n, 4000, seed=n) <= 0.06 + 2 * (0.06 * 0.94 / 4000) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 200])
def test_ratios_keep_their_size(n: int) -> None:
    rng, passes = np.random.default_rng(n), 0
    for _ in range(4000):
        baseline = rng.lognormal(0, 1, n)
        found = evaluate_metric("ratio", baseline, baseline * 1.2 * rng.lognormal(0, 0.4, n), margin=0.2)
        passes += found.status == Status.PASS
    assert passes / 4000 <= 0.06


def simulated_verdicts(
    shifts: list[float], target: float, replicates: int, seed: int
) -> dict[Outcome, float]:
    """Shares of outcomes for guardrails with the given true differences and one target, correlated .5."""
    rng = np.random.default_rng(seed)
    rules = [
        Rule(metric=f"g{index}", kind="bounded", value_range=(-4, 4), margin=MARGIN)
        for index in range(len(shifts))
    ]
    goal = Rule(metric="t", kind="bounded", value_range=(-4, 4), margin=MARGIN, guardrail=False, target=True)
    policy = Policy(rules=(*rules, goal))
    counts = dict.fromkeys(Outcome, 0)
    for _ in range(replicates):
        common = rng.normal(0, 0.3 * 0.5**0.5, 300)
        measured = {}
        for name, shift in zip([rule.metric for rule in policy.rules], [*shifts, target], strict=True):
            own = rng.normal(0, 0.3 * 0.5**0.5, 300)
            measured[name] = Measured(baseline=np.zeros(300), candidate=shift + common + own)
        counts[decide(policy, measured).outcome] += 1
    return {outcome: count / replicates for outcome, count in counts.items()}


@pytest.mark.slow
def test_equal_versions_are_seldom_called_either() -> None:
    shares = simulated_verdicts([0.0] * 4, 0.0, 1000, seed=1)
    assert shares[Outcome.PASS] <= 0.065
    assert shares[Outcome.REGRESSION] <= 0.06


@pytest.mark.slow
def test_one_guardrail_at_the_margin_seldom_passes_and_a_large_fall_is_seen() -> None:
    assert simulated_verdicts([-MARGIN, 0, 0, 0], 0.06, 1000, seed=2)[Outcome.PASS] <= 0.065
    assert simulated_verdicts([-0.10, 0, 0, 0], 0.06, 200, seed=3)[Outcome.REGRESSION] >= 0.98


def test_the_outcomes_add_up() -> None:
    assert sum(simulated_verdicts([0.0], 0.06, 10, seed=4).values()) == pytest.approx(1.0)
