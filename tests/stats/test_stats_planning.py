from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.stats.planning import (
    cautious_sd,
    design_effect,
    minimum_detectable_effect,
    minimum_n_zero_discordant,
    pairs_to_improve,
    pairs_to_pass,
    sample_size,
    shared_power,
    superiority_sample_size,
)
from promptops.stats.results import BadNumbers


def test_ten_per_cent_discordant_pairs_need_248_for_five_points() -> None:
    assert sample_size(sd_diff=0.1**0.5, margin=0.05).n == 248


@pytest.mark.parametrize(("margin", "n"), [(0.05, 59), (0.02, 149), (0.01, 299)])
def test_ties_that_prove_a_margin(margin: float, n: int) -> None:
    assert minimum_n_zero_discordant(margin) == n


@given(st.floats(0.001, 0.9), st.floats(0.001, 0.4))
def test_one_tie_fewer_would_not_prove_it(margin: float, alpha: float) -> None:
    n = minimum_n_zero_discordant(margin, alpha)
    assert (1 - margin) ** n <= alpha
    assert n == 1 or (1 - margin) ** (n - 1) > alpha * (1 - 1e-9)


@given(st.floats(0.01, 1), st.floats(0.01, 0.5), st.floats(0.001, 0.3))
def test_a_wider_margin_never_needs_more(sd: float, margin: float, more: float) -> None:
    assert sample_size(sd_diff=sd, margin=margin + more).n <= sample_size(sd_diff=sd, margin=margin).n


def test_the_detectable_effect_is_the_inverse_of_the_sample_size() -> None:
    n = superiority_sample_size(sd_diff=0.3, effect=0.06).n
    assert minimum_detectable_effect(sd_diff=0.3, n=n) <= 0.06
    assert minimum_detectable_effect(sd_diff=0.3, n=n - 1) > 0.06


def test_more_targets_need_more_samples() -> None:
    alone, shared = (superiority_sample_size(sd_diff=0.3, effect=0.05, targets=k).n for k in (1, 3))
    assert alone < shared
    assert superiority_sample_size(sd_diff=0.3, effect=0.0).n is None


def test_small_samples_plan_with_a_larger_deviation() -> None:
    assert cautious_sd(0.3, 10) > cautious_sd(0.3, 29) > 0.3
    assert cautious_sd(0.3, 30) == cautious_sd(0.3, 1) == 0.3


def test_a_plan_that_was_enough_gives_way_to_what_was_seen() -> None:
    fresh = pairs_to_pass(100, mean=0.0, sd=0.3, margin=0.05, value_range=1.0, alpha=0.05)
    assert (fresh.n, fresh.least, fresh.notes) == (223, 59, ())
    seen = pairs_to_pass(300, mean=-0.02, sd=0.3, margin=0.05, value_range=1.0, alpha=0.05)
    assert (seen.n, seen.notes) == (619, ("planned_at_observed",))
    hopeless = pairs_to_pass(300, mean=-0.06, sd=0.3, margin=0.05, value_range=1.0, alpha=0.05)
    assert (hopeless.n, hopeless.notes) == (None, ("more_samples_likelier_confirm", "planned_at_observed"))
    ratio = pairs_to_pass(2, mean=0.0, sd=0.01, margin=0.1, value_range=None, alpha=0.05)
    assert (ratio.n, ratio.least) == (5, 5)
    assert pairs_to_improve(50, mean=1.0, sd=0.1, targets=1, alpha=0.05).n == 51


def test_clusters_of_ten_with_an_icc_of_three_tenths_need_three_point_seven_times_as_many() -> None:
    assert design_effect(icc=0.3, mean_cluster_size=10) == pytest.approx(3.7)
    assert design_effect(icc=0.3, sizes=[10] * 7) == pytest.approx(3.7)
    assert design_effect(icc=0.3, sizes=[1] * 50) == 1.0
    assert design_effect(icc=0.3, sizes=[91, 1, 1, 1, 1, 1, 1, 1, 1, 1]) > design_effect(
        icc=0.3, sizes=[10] * 10
    )


def test_several_guardrails_are_each_planned_so_that_all_pass_together() -> None:
    assert shared_power(1) == shared_power(0) == pytest.approx(0.8)
    assert shared_power(4) == pytest.approx(0.95)
    few, many = (
        pairs_to_pass(
            100, mean=0.0, sd=0.3, margin=0.05, value_range=1.0, alpha=0.05, power=shared_power(count)
        ).n
        for count in (1, 4)
    )
    assert few is not None
    assert many is not None
    assert few < many


def test_ties_within_clusters_prove_as_little_as_their_clusters() -> None:
    found = pairs_to_pass(50, mean=0.0, sd=0.0, margin=0.05, value_range=1.0, alpha=0.05, pairs_a_unit=2.0)
    assert (found.n, found.least) == (118, 118)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: sample_size(sd_diff=0.1, margin=0), "bad_margin"),
        (lambda: sample_size(sd_diff=0.1, margin=0.1, alpha=0.7), "bad_alpha"),
        (lambda: sample_size(sd_diff=0.1, margin=0.1, power=1), "bad_power"),
        (lambda: minimum_detectable_effect(sd_diff=0.1, n=0), "no_pairs"),
        (lambda: design_effect(icc=1.5, mean_cluster_size=2), "bad_icc"),
        (lambda: design_effect(icc=0.5), "bad_cluster_size"),
        (lambda: design_effect(icc=0.5, mean_cluster_size=0.5), "bad_cluster_size"),
        (lambda: minimum_n_zero_discordant(1.0), "bad_margin"),
        (lambda: minimum_n_zero_discordant(0.1, 0), "bad_alpha"),
    ],
)
def test_impossible_plans_are_errors_with_a_code(call, code: str) -> None:
    with pytest.raises(BadNumbers) as caught:
        call()
    assert caught.value.code == code
