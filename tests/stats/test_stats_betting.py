"""Bets: the e-process, its state of ten numbers, and the limits that follow from it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.stats.betting import (
    Bettor,
    confidence_sequence,
    e_process,
    log_mean_exp,
    lower_limit,
    stakes,
    upper_limit,
)
from promptops.stats.results import BadNumbers

ALPHA = 0.05
diffs = st.lists(st.sampled_from([-1.0, -0.25, 0.0, 0.5, 1.0]), min_size=1, max_size=40)


def played(bettor: Bettor, values: list[float]) -> Bettor:
    for value in values:
        bettor.update(value)
    return bettor


@given(diffs, st.sampled_from(["noninferiority", "harm", "superiority"]))
def test_one_sample_at_a_time_comes_to_the_same(values: list[float], direction: str) -> None:
    path = e_process(values, margin=0.1, direction=direction)
    null = -0.1 if direction == "noninferiority" else 0.0
    bettor = played(Bettor(null, value_range=(-1, 1), rising=direction != "harm"), values)
    assert bettor.log_e == pytest.approx(path.final, abs=1e-12)
    assert path.max == max(path.log_e)
    assert path.n == len(values)


def test_ten_numbers_are_the_whole_state() -> None:
    values = [0.0, 1.0, -1.0, 0.0, 1.0] * 9
    whole = played(Bettor(-0.05, value_range=(-1, 1)), values)
    half = played(Bettor(-0.05, value_range=(-1, 1)), values[:20])
    resumed = played(Bettor(-0.05, value_range=(-1, 1), logs=half.logs), values[20:])
    assert resumed.logs == whole.logs
    assert log_mean_exp(whole.logs) == whole.log_e
    assert whole.reached(whole.log_e)
    assert not whole.reached(whole.log_e + 1e-9)


@given(diffs, st.randoms())
def test_the_order_so_far_does_not_matter(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (e_process(order, margin=0.05).final for order in (values, shuffled))
    assert one == pytest.approx(other, abs=1e-12)


@given(diffs)
def test_harm_is_superiority_in_the_mirror(values: list[float]) -> None:
    harm = e_process(values, direction="harm").log_e
    better = e_process([-value for value in values], direction="superiority").log_e
    assert harm == pytest.approx(better, abs=1e-12)


def test_a_missing_answer_is_the_worst_for_a_claim_and_left_out_of_an_accusation() -> None:
    assert e_process([0.0, None], margin=0.05).final == e_process([0.0, -1.0], margin=0.05).final
    assert e_process([0.0, None], direction="superiority").final < 0
    assert e_process([-1.0, None], direction="harm").final == e_process([-1.0], direction="harm").final


def test_no_capital_is_ever_lost_whole() -> None:
    bettor = played(Bettor(-0.05, value_range=(-1, 1)), [-1.0] * 5000)
    assert all(math.isfinite(log) for log in bettor.logs)
    assert e_process([1.0] * 5000, margin=0.05).final > 1000


def test_the_stakes_never_risk_more_than_what_is_there() -> None:
    for share in (0.01, 0.475, 0.5, 0.99):
        assert len(stakes(share)) == 10
        assert max(stakes(share)) * share == pytest.approx(0.95)


@given(diffs, st.sampled_from([0.02, 0.05, 0.3]))
def test_the_interval_and_the_test_agree(values: list[float], margin: float) -> None:
    for direction, null in (("noninferiority", -margin), ("superiority", 0.0)):
        refuted = e_process(values, margin=margin, direction=direction).final >= math.log(1 / ALPHA)
        assert (lower_limit(values, value_range=(-1, 1), alpha=ALPHA, around=null) > null) == refuted
    harmed = e_process(values, direction="harm").final >= math.log(1 / ALPHA)
    assert (upper_limit(values, value_range=(-1, 1), alpha=ALPHA, around=0.0) < 0) == harmed


@given(diffs)
def test_more_confidence_nests_and_the_estimate_lies_inside(values: list[float]) -> None:
    narrow, wide = (confidence_sequence(values, confidence=level) for level in (0.8, 0.95))
    assert wide.lower <= narrow.lower <= narrow.estimate <= narrow.upper <= wide.upper
    assert narrow.estimate == pytest.approx(sum(values) / len(values))


@given(diffs)
def test_the_interval_mirrors(values: list[float]) -> None:
    one, other = confidence_sequence(values), confidence_sequence([-value for value in values])
    assert one.lower == pytest.approx(-other.upper, abs=1e-12)
    assert one.upper == pytest.approx(-other.lower, abs=1e-12)


def test_a_missing_value_widens_the_interval_downwards_only() -> None:
    whole, holed = confidence_sequence([0.0] * 50), confidence_sequence([0.0] * 50 + [math.nan] * 5)
    assert holed.lower < whole.lower
    assert holed.upper == whole.upper
    assert (holed.n, holed.estimate) == (55, 0.0)


def test_a_scale_of_its_own_gives_the_same_bets() -> None:
    shares = e_process([0.5, -0.25, 0.0], margin=0.05)
    points = e_process([2.0, -1.0, 0.0], margin=0.2, value_range=(-4, 4))
    assert points.log_e == pytest.approx(shares.log_e)
    limits = lower_limit([2.0, 4.0, 3.0] * 9, value_range=(1, 5), alpha=ALPHA)
    assert 1 < limits < 3


def test_clusters_of_one_are_single_samples() -> None:
    values = [0.0, 1.0, -1.0, 0.0, 0.5]
    single = played(Bettor(-0.05, value_range=(-1, 1)), values)
    clustered = Bettor(-0.05, value_range=(-1, 1), largest=1)
    for value in values:
        clustered.update(value, 1)
    assert single.logs == clustered.logs


def test_the_limit_of_clusters_agrees_with_their_bets() -> None:
    totals, sizes = [3.0, -1.0, 0.0, 4.0, 2.0, 1.0, 5.0] * 6, [5, 2, 1, 4, 3, 2, 5] * 6
    for null in (-0.3, 0.1, 0.3, 0.5):
        bettor = Bettor(null, value_range=(-1, 1), largest=5)
        for total, size in zip(totals, sizes, strict=True):
            bettor.update(total, size)
        limit = lower_limit(totals, sizes, value_range=(-1, 1), alpha=ALPHA, largest=5, around=null)
        assert (limit > null) == bettor.reached(math.log(1 / ALPHA))


def test_whoever_never_moves_passes_at_103_pairs() -> None:
    # 59 pairs would do for the test of one fixed size; this is what looking at every moment costs.
    path = e_process([0.0] * 200, margin=0.05).log_e
    assert int(np.argmax(path >= math.log(1 / ALPHA))) + 1 == 103


def draws(rng: np.random.Generator, mean: float, discordant: float, shape: tuple[int, int]) -> np.ndarray:
    up, down = (discordant + mean) / 2, (discordant - mean) / 2
    return rng.choice([1.0, -1.0, 0.0], shape, p=[up, down, 1 - up - down])


@pytest.mark.parametrize(
    ("mean", "direction"),
    [(-0.05, "noninferiority"), (0.0, "harm"), (0.0, "superiority"), (-0.08, "superiority")],
)
def test_under_the_hypothesis_money_is_not_made_on_average(mean: float, direction: str) -> None:
    rng = np.random.default_rng(51)
    ends = [
        math.exp(e_process(row, margin=0.05, direction=direction).final)
        for row in draws(rng, mean, 0.1, (2000, 40))
    ]
    assert np.mean(ends) <= 1 + 3 * np.std(ends) / len(ends) ** 0.5


@pytest.mark.parametrize(("mean", "direction"), [(-0.05, "noninferiority"), (0.0, "harm")])
def test_looking_after_every_pair_stays_within_alpha(mean: float, direction: str) -> None:
    rng = np.random.default_rng(52)
    claims = [
        e_process(row, margin=0.05, direction=direction).max >= math.log(1 / ALPHA)
        for row in draws(rng, mean, 0.1, (600, 400))
    ]
    assert np.mean(claims) <= ALPHA + 3 * (ALPHA * (1 - ALPHA) / 600) ** 0.5


@pytest.mark.slow
def test_clusters_of_unequal_sizes_stay_within_alpha() -> None:
    # Large clusters are the worse ones, so cluster means would be wrong; the mean of the samples is -0.05.
    rng, wrong, runs = np.random.default_rng(53), 0, 600
    for _ in range(runs):
        bettor = Bettor(-0.05, value_range=(-1, 1), largest=8)
        reached = False
        for _ in range(150):
            size, mean = (8, -0.08) if rng.random() < 0.5 else (2, 0.07)
            shift = rng.choice([-0.2, 0.2])
            bettor.update(float(draws(rng, mean + shift, 0.4, (1, size)).sum()), size)
            reached = reached or bettor.reached(math.log(1 / ALPHA))
        wrong += reached
    assert wrong / runs <= ALPHA + 3 * (ALPHA * (1 - ALPHA) / runs) ** 0.5


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"diffs": [], "margin": 0.05}, "no_pairs"),
        ({"diffs": [0.0]}, "bad_margin"),
        ({"diffs": [0.0], "margin": 0.0}, "bad_margin"),
        ({"diffs": [0.0], "margin": 1.0}, "bad_margin"),
        ({"diffs": [0.0], "margin": math.nan}, "bad_margin"),
        ({"diffs": [1.5], "margin": 0.05}, "outside_range"),
        ({"diffs": [math.inf], "margin": 0.05}, "infinite_value"),
        ({"diffs": [0.0], "margin": 0.05, "value_range": (1, -1)}, "bad_range"),
        ({"diffs": [0.0], "margin": 0.05, "direction": "sideways"}, "unknown_direction"),
    ],
)
def test_numbers_that_nobody_can_bet_on_are_refused(arguments: dict[str, object], code: str) -> None:
    with pytest.raises(BadNumbers) as refused:
        e_process(**arguments)  # type: ignore[arg-type]
    assert refused.value.code == code


def test_nothing_seen_has_no_interval() -> None:
    with pytest.raises(BadNumbers, match="every value is missing"):
        confidence_sequence([None, math.nan])
    assert lower_limit([], value_range=(-1, 1), alpha=ALPHA) == -1
    assert upper_limit([], value_range=(-1, 1), alpha=ALPHA) == 1
