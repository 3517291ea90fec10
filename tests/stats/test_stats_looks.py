from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.stats.looks import SMALLEST, alpha_at
from promptops.stats.planning import minimum_n_zero_discordant
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


def test_a_five_point_margin_takes_63_tied_pairs_at_the_first_look() -> None:
    assert minimum_n_zero_discordant(0.05, alpha_at(1)) == 63
    assert minimum_n_zero_discordant(0.05, alpha_at(2)) == 104


@pytest.mark.parametrize("look", [0, -1])
def test_looks_are_counted_from_one(look: int) -> None:
    with pytest.raises(BadNumbers, match="counted from 1"):
        alpha_at(look)


def test_a_level_of_zero_is_refused() -> None:
    with pytest.raises(BadNumbers):
        alpha_at(1, 0.0)
