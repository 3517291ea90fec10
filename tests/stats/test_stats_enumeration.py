"""Every table that up to twelve pass/fail pairs can form: sizes without a simulation's error.

The nuisance (how many pairs differ although nothing changed) runs over a grid; tolerances are those of the grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations, product

import numpy as np
import pytest

from promptops.gate import Measured, Outcome, Policy, Rule, decide
from promptops.stats.binary import mcnemar_test, paired_proportion_noninferiority
from promptops.stats.floors import floor_result, never_result
from promptops.stats.metric import evaluate_metric
from promptops.stats.results import MetricResult, Status
from promptops.stats.signflip import sign_flip_test
from promptops.stats.tango import score

ALPHA = 0.05
MOST = 12
MARGINS = (0.05, 0.2, 0.6)
# margin and alpha: .04 is the level of the first look, .2 lets small tables pass
CASES = ((0.05, 0.05), (0.05, 0.04), (0.2, 0.05), (0.2, 0.2), (0.6, 0.04))

Table = tuple[int, int, int]


def tables(n: int) -> Iterator[Table]:
    """(fixed, broken, n) for every table of `n` pairs."""
    return ((fixed, broken, n) for fixed in range(n + 1) for broken in range(n + 1 - fixed))


def columns(table: Table) -> tuple[list[float], list[float]]:
    fixed, broken, n = table
    tied = n - fixed - broken
    return [0.0] * fixed + [1.0] * (broken + tied), [1.0] * fixed + [0.0] * broken + [1.0] * tied


@cache
def measured(table: Table, margin: float, alpha: float) -> MetricResult:
    return evaluate_metric("binary", *columns(table), margin=margin, alpha=alpha)


def chance(table: Table, better: np.ndarray, worse: np.ndarray) -> np.ndarray:
    """P(table) where a pair is fixed with probability `better` and broken with `worse`."""
    fixed, broken, n = table
    ways = math.comb(n, fixed) * math.comb(n - fixed, broken)
    rest = np.clip(1 - better - worse, 0, 1)
    return ways * better**fixed * worse**broken * rest ** (n - fixed - broken)


def size(n: int, claims: Callable[[Table], bool], *, difference: float, most: float = 1.0) -> float:
    """The largest chance of the claim over the nuisance, where the true difference is `difference`.

    At most a share `most` of the pairs differs in truth.
    """
    better = np.linspace(max(0.0, difference), (most + difference) / 2, 150)
    claimed = [chance(table, better, better - difference) for table in tables(n) if claims(table)]
    return float(np.max(np.sum(claimed, axis=0)))


@pytest.mark.parametrize(("margin", "alpha"), CASES)
def test_no_nuisance_makes_a_false_pass_likelier_than_alpha(margin: float, alpha: float) -> None:
    for n in range(1, MOST + 1):
        found = size(n, lambda t: measured(t, margin, alpha).status == Status.PASS, difference=-margin)
        assert found <= alpha + 1e-9, n


@pytest.mark.parametrize(("margin", "alpha"), CASES)
def test_a_candidate_that_is_worse_than_the_margin_passes_even_more_seldom(
    margin: float, alpha: float
) -> None:
    for beyond in (margin + 0.05, (1 + margin) / 2):
        found = size(MOST, lambda t: measured(t, margin, alpha).status == Status.PASS, difference=-beyond)
        assert found <= alpha


@pytest.mark.parametrize(("margin", "alpha"), CASES)
def test_a_pass_and_the_interval_shown_agree_on_every_table(margin: float, alpha: float) -> None:
    for table in (one for n in range(1, MOST + 1) for one in tables(n)):
        found = measured(table, margin, alpha)
        assert found.lower <= found.difference <= found.upper, table
        holds = found.p_exact <= alpha and found.lower > -margin
        assert (found.status == Status.PASS) == holds, table
        if found.status == Status.REGRESSION:
            assert found.p_harm <= alpha, table
            assert found.difference < 0, table


@pytest.mark.parametrize("n", [1, 2, 5, 9, 12])
@pytest.mark.parametrize("margin", [0.05, 0.2, 0.6])
def test_the_exact_p_value_is_the_largest_tail_on_every_table(n: int, margin: float) -> None:
    better = np.linspace(0, (1 - margin) / 2, 801)
    all_tables = list(tables(n))
    chances = np.array([chance(table, better, better + margin) for table in all_tables])
    scores = np.array([float(score(*table, -margin)) for table in all_tables])
    for table, observed in zip(all_tables, scores, strict=True):
        tail = float(chances[scores >= observed - 1e-10].sum(axis=0).max())
        found = paired_proportion_noninferiority(*table, margin=margin).pvalue
        assert found == pytest.approx(tail, abs=5e-6), table


@pytest.mark.parametrize("margin", MARGINS)
def test_a_fixed_pair_never_hurts_and_a_broken_one_never_helps(margin: float) -> None:
    for fixed, broken, n in (table for count in range(1, MOST + 1) for table in tables(count)):
        if fixed + broken == n:
            continue
        here = paired_proportion_noninferiority(fixed, broken, n, margin=margin).pvalue
        assert paired_proportion_noninferiority(fixed + 1, broken, n, margin=margin).pvalue <= here + 1e-9
        assert paired_proportion_noninferiority(fixed, broken + 1, n, margin=margin).pvalue >= here - 1e-9


@pytest.mark.parametrize("pairs", range(1, MOST + 1))
def test_exact_mcnemar_counts_the_ways_to_throw_the_coins(pairs: int) -> None:
    throws = [sum(coins) for coins in product((0, 1), repeat=pairs)]
    for fixed in range(pairs + 1):
        found = mcnemar_test(fixed, pairs - fixed, method="exact", alternative="greater").pvalue
        assert found == pytest.approx(sum(heads >= fixed for heads in throws) / len(throws))
        half = mcnemar_test(fixed, pairs - fixed, alternative="greater").pvalue
        at_least = sum(heads > fixed for heads in throws) + 0.5 * sum(heads == fixed for heads in throws)
        assert half == pytest.approx(at_least / len(throws))


def claims_harm(method: str, alpha: float) -> Callable[[Table], bool]:
    def claims(table: Table) -> bool:
        return mcnemar_test(table[0], table[1], method=method, alternative="less").pvalue <= alpha

    return claims


@pytest.mark.parametrize("n", [5, 8, 10, 12, 20, 30])
@pytest.mark.parametrize("alpha", [0.05, 0.04, 0.025, 0.0125])
def test_harm_is_seldom_claimed_where_nothing_changed(n: int, alpha: float) -> None:
    """Exactly kept by the exact test; by mid-p wherever no more than 40 % of the pairs differ in truth.

    Beyond that mid-p, which has no guarantee, reaches 1.6 times alpha where every pair differs (n = 12: .073).
    """
    assert size(n, claims_harm("exact", alpha), difference=0.0) <= alpha
    assert size(n, claims_harm("midp", alpha), difference=0.0, most=0.4) <= alpha
    assert size(n, claims_harm("midp", alpha), difference=0.0) <= 1.6 * alpha


@pytest.mark.parametrize("alpha", [0.05, 0.04])
def test_a_whole_guardrail_seldom_calls_an_equal_candidate_a_regression(alpha: float) -> None:
    for n in range(1, MOST + 1):
        found = size(
            n, lambda t: measured(t, 0.05, alpha).status == Status.REGRESSION, difference=0.0, most=0.4
        )
        assert found <= alpha, n


def test_improving_is_seldom_claimed_where_nothing_changed() -> None:
    def better(table: Table) -> bool:
        return evaluate_metric("binary", *columns(table), margin=0.05, role="target").status == Status.BETTER

    assert size(MOST, better, difference=0.0, most=0.4) <= ALPHA


@pytest.mark.parametrize("n", range(1, MOST + 1))
def test_a_floor_is_seldom_wrong_in_either_direction(n: int) -> None:
    for floor in (0.2, 0.5, 0.8, 0.9):
        found = [
            floor_result("binary", [1.0] * k + [0.0] * (n - k), floor=floor).status for k in range(n + 1)
        ]
        masses = [math.comb(n, k) * floor**k * (1 - floor) ** (n - k) for k in range(n + 1)]
        for status in (Status.PASS, Status.REGRESSION):
            wrong = sum(mass for mass, one in zip(masses, found, strict=True) if one == status)
            assert wrong <= ALPHA + 1e-12, (floor, status)


@pytest.mark.parametrize("n", range(1, MOST + 1))
def test_the_rate_that_a_never_rules_out_is_seldom_the_true_one(n: int) -> None:
    uppers = [never_result("binary", [1.0] * (n - k) + [0.0] * k).rate_upper for k in range(n + 1)]
    for rate in np.linspace(0.001, 0.999, 200):
        masses = [math.comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(n + 1)]
        assert sum(mass for mass, upper in zip(masses, uppers, strict=True) if upper < rate) <= ALPHA + 1e-12


def test_the_sign_flip_test_flips_every_sign() -> None:
    values = [0.3, -0.1, 0.25, 0.4, -0.05, 0.2, 0.15]
    sums = [sum(s * v for s, v in zip(signs, values, strict=True)) for signs in product((1, -1), repeat=7)]
    share = sum(one >= sum(values) - 1e-12 for one in sums) / len(sums)
    assert sign_flip_test(values).pvalue == pytest.approx(share)


# Two metrics, every pair of tables


@cache
def both(first: Table, second: Table, *, goal: bool) -> Outcome:
    """The verdict over two independent metrics; with `goal` the second must improve."""
    rules = (
        Rule(metric="a", kind="binary", value_range=(0, 1), margin=0.6),
        Rule(metric="b", kind="binary", value_range=(0, 1), margin=0.6, target=goal, guardrail=not goal),
    )
    found = {
        name: Measured(baseline=before, candidate=after)
        for name, (before, after) in (("a", columns(first)), ("b", columns(second)))
    }
    return decide(Policy(rules=rules), found).outcome


def joint(outcome: Outcome, chances: dict[Table, np.ndarray], *, goal: bool) -> float:
    """The largest chance of an outcome where both metrics have the same truth and are independent."""
    total = sum(
        chances[first] * chances[second]
        for first, second in product(chances, repeat=2)
        if both(first, second, goal=goal) == outcome
    )
    return float(np.max(total))


@pytest.mark.parametrize("goal", [False, True])
def test_a_family_of_two_keeps_the_chance_of_a_false_regression(goal: bool) -> None:
    n = 5
    nuisance = np.linspace(0, 0.3, 60)  # up to 60 % of the pairs differ
    chances = {table: chance(table, nuisance, nuisance) for table in tables(n)}
    assert joint(Outcome.REGRESSION, chances, goal=goal) <= ALPHA


def test_a_pass_needs_both_guardrails_so_one_at_its_margin_is_enough_to_hold_it() -> None:
    n = 5
    nuisance = np.linspace(0, 0.2, 40)
    at_margin = {table: chance(table, nuisance, nuisance + 0.6) for table in tables(n)}
    perfect = (0, 0, n)
    passing = sum(
        mass for table, mass in at_margin.items() if both(table, perfect, goal=False) == Outcome.PASS
    )
    assert float(np.max(passing)) <= ALPHA
    assert both(perfect, perfect, goal=False) == Outcome.PASS


def test_missing_answers_never_turn_into_a_pass_on_any_table() -> None:
    """Every way to lose one or two answers of six pairs: no better than with any answer in their place."""
    margin, n = 0.6, 6
    for table in tables(n):
        before, after = columns(table)
        for lost in (*combinations(range(n), 1), *combinations(range(n), 2)):
            holes = [math.nan if index in lost else value for index, value in enumerate(after)]
            found = evaluate_metric("binary", before, holes, margin=margin)
            if found.status != Status.PASS:
                continue
            for filled in product((0.0, 1.0), repeat=len(lost)):
                whole = list(after)
                for index, value in zip(lost, filled, strict=True):
                    whole[index] = value
                assert evaluate_metric("binary", before, whole, margin=margin).status == Status.PASS
