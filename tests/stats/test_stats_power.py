from __future__ import annotations

import math

import pytest

from promptops.stats.binary import mcnemar_test, proportion_ci
from promptops.stats.planning import sample_size
from promptops.stats.power import (
    answers_to_hold,
    chance_of_holding,
    chance_of_passing,
    chance_within,
    detectable_fall,
    least_right,
    pairs_for_chance,
)
from promptops.stats.results import BadNumbers


@pytest.mark.parametrize(("n", "chance"), [(30, 0.13), (100, 0.43), (300, 0.85)])
def test_the_chance_that_an_unchanged_prompt_passes_is_that_of_the_design(n: int, chance: float) -> None:
    assert chance_of_passing(n, margin=0.05) == pytest.approx(chance, abs=0.01)


def test_no_sample_shows_nothing_and_very_many_show_everything() -> None:
    assert chance_of_passing(0, margin=0.05) == 0.0
    assert chance_of_passing(10**6, margin=0.05) == pytest.approx(1.0)


def test_without_discordant_pairs_the_exact_rule_decides() -> None:
    assert chance_of_passing(58, margin=0.05, discordant=1e-12) == pytest.approx(0.0, abs=1e-9)
    assert chance_of_passing(59, margin=0.05, discordant=1e-12) == pytest.approx(1.0)
    assert chance_of_passing(59, margin=0.05, discordant=0.0) == 1.0
    assert chance_of_passing(58, margin=0.05, discordant=0.0) == 0.0


def test_samples_that_resemble_each_other_count_for_fewer() -> None:
    assert chance_of_passing(370, margin=0.05, design_effect=3.7) == chance_of_passing(100, margin=0.05)
    assert chance_within(370, sd=0.3, margin=0.05, design_effect=3.7) == pytest.approx(
        chance_within(100, sd=0.3, margin=0.05)
    )
    assert chance_of_passing(3, margin=0.05, design_effect=4) == 0.0


def test_a_mean_is_planned_as_the_design_says() -> None:
    assert chance_within(223, sd=0.3, margin=0.05) == pytest.approx(0.80, abs=0.002)
    assert chance_within(4, sd=0.01, margin=0.05) == 0.0
    assert chance_within(5, sd=0.0, margin=0.05) == 1.0


@pytest.mark.parametrize("discordant", [0.005, 0.02, 0.1, 0.3])
@pytest.mark.parametrize("alpha", [0.04, 0.005])
def test_the_pairs_that_are_promised_pass_four_times_in_five(discordant: float, alpha: float) -> None:
    start = sample_size(sd_diff=discordant**0.5, margin=0.05, alpha=alpha).n or 0
    n = pairs_for_chance(start, margin=0.05, discordant=discordant, alpha=alpha)
    assert n >= start
    assert chance_of_passing(n, margin=0.05, discordant=discordant, alpha=alpha) >= 0.8
    assert chance_of_passing(int(n * 0.9), margin=0.05, discordant=discordant, alpha=alpha) < 0.8


def test_a_true_fall_takes_more_pairs_and_very_many_are_left_to_the_approximation() -> None:
    equal = pairs_for_chance(1, margin=0.05, discordant=0.1)
    assert pairs_for_chance(1, margin=0.05, discordant=0.1, difference=-0.02) > 2 * equal
    assert chance_of_passing(300, margin=0.05, discordant=0.1, difference=-0.05) < 0.06
    assert pairs_for_chance(20_000, margin=0.01, discordant=0.9) == 20_000
    assert pairs_for_chance(1, margin=0.05, discordant=0.1, design_effect=2.0) == pytest.approx(
        2 * equal, rel=0.03
    )


def power_of_mcnemar(n: int, discordant: float, fall: float, alpha: float) -> float:
    """By enumeration of every table."""
    broken, fixed = (max(discordant, fall) + fall) / 2, (max(discordant, fall) - fall) / 2
    found = 0.0
    for downs in range(n + 1):
        for ups in range(n - downs + 1):
            if fixed == 0 and ups:
                break
            if mcnemar_test(ups, downs, alternative="less").pvalue <= alpha:
                ways = math.comb(n, downs) * math.comb(n - downs, ups)
                found += ways * broken**downs * fixed**ups * (1 - broken - fixed) ** (n - downs - ups)
    return found


@pytest.mark.parametrize(("n", "discordant"), [(20, 0.02), (20, 0.3), (40, 0.1)])
def test_the_detectable_fall_is_seen_about_four_times_in_five(n: int, discordant: float) -> None:
    fall = detectable_fall(n, discordant=discordant, alpha=0.04)
    assert power_of_mcnemar(n, discordant, fall, 0.04) == pytest.approx(0.80, abs=0.08)
    assert power_of_mcnemar(n, discordant, fall / 3, 0.04) < 0.5


def test_a_floor_needs_as_many_right_answers_as_its_lower_limit_says() -> None:
    least = least_right(100, floor=0.8)
    assert least == 87
    assert proportion_ci(87, 100, method="clopper-pearson").lower > 0.8
    assert proportion_ci(86, 100, method="clopper-pearson").lower <= 0.8
    assert least_right(13, floor=0.8) is None
    assert least_right(14, floor=0.8) == 14
    assert least_right(0, floor=0.8) is None


def test_the_planned_number_of_answers_shows_a_floor_about_four_times_in_five() -> None:
    n = answers_to_hold(mean=0.9, floor=0.8)
    assert n is not None
    assert chance_of_holding(n, mean=0.9, floor=0.8) == pytest.approx(0.80, abs=0.04)
    assert answers_to_hold(mean=1.0, floor=0.8) == 14
    assert chance_of_holding(14, mean=1.0, floor=0.8) == 1.0
    assert answers_to_hold(mean=0.8, floor=0.8) is None
    assert chance_of_holding(5, mean=0.99, floor=0.8) == 0.0
    with pytest.raises(BadNumbers, match="between the worst and the best"):
        answers_to_hold(mean=1.0, floor=1.0)
