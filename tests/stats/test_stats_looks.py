from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.gate import decide
from promptops.rules import Measured, Policy, Rule
from promptops.stats.looks import SMALLEST, alpha_at
from promptops.stats.planning import minimum_n_zero_discordant, tied_pairs_to_pass
from promptops.stats.results import BadNumbers


def test_the_first_look_keeps_four_fifths_and_every_later_one_half_of_the_one_before() -> None:
    assert [alpha_at(look) for look in range(1, 6)] == [0.04, 0.005, 0.0025, 0.00125, 0.000625]


@given(alpha=st.floats(1e-6, 0.499), looks=st.integers(1, 3000))
def test_all_looks_together_never_spend_more_than_the_whole(alpha: float, looks: int) -> None:
    levels = [alpha_at(look, alpha) for look in range(1, looks + 1)]
    assert math.fsum(levels) <= alpha * (1 + 1e-12) + looks * SMALLEST
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] > 0


def test_the_shares_add_up_to_the_whole() -> None:
    assert math.fsum(alpha_at(look) for look in range(1, 60)) == pytest.approx(0.05, abs=1e-9)


def test_a_level_after_very_many_looks_is_still_one_that_a_test_can_use() -> None:
    assert 1 - alpha_at(10**6) < 1


def test_a_five_point_margin_takes_63_tied_pairs_at_the_first_look_and_129_at_the_second() -> None:
    assert [tied_pairs_to_pass(0.05, alpha_at(look)) for look in (1, 2)] == [63, 129]
    assert tied_pairs_to_pass(0.05, 0.05) == minimum_n_zero_discordant(0.05, 0.05)


@pytest.mark.parametrize("look", [1, 2, 3, 9])
@pytest.mark.parametrize("margin", [0.02, 0.05, 0.3])
def test_as_many_tied_pairs_as_are_named_pass_and_one_less_does_not(look: int, margin: float) -> None:
    n, alpha = tied_pairs_to_pass(margin, alpha_at(look)), alpha_at(look)
    policy = Policy(rules=(Rule(metric="queue", kind="binary", margin=margin),), alpha=alpha)
    outcomes = [
        decide(policy, {"queue": Measured(baseline=[1.0] * size, candidate=[1.0] * size)}).outcome
        for size in (n, n - 1)
    ]
    assert outcomes == ["pass", "inconclusive"]


@pytest.mark.parametrize("look", [0, -1])
def test_looks_are_counted_from_one(look: int) -> None:
    with pytest.raises(BadNumbers, match="counted from 1"):
        alpha_at(look)


def test_a_level_of_zero_is_refused() -> None:
    with pytest.raises(BadNumbers):
        alpha_at(1, 0.0)
