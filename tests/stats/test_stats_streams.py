"""Streams: an alarm that seldom cries wolf, and a mix of categories that is not called drift in small windows."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from promptops.stats.results import BadNumbers
from promptops.stats.streams import BETS, e_detector, psi


def test_a_stream_can_be_watched_in_pieces() -> None:
    scores = np.random.default_rng(1).beta(4, 2, 60)
    whole = e_detector(scores, mean_floor=0.7)
    first = e_detector(scores[:25], mean_floor=0.7)
    second = e_detector(scores[25:], mean_floor=0.7, start=first.state)
    assert first.path + second.path == pytest.approx(whole.path)
    assert second.state == pytest.approx(whole.state)


def test_a_detector_restarts_at_every_score() -> None:
    # The sum over all starting points of the products since then, which the recursion computes in one pass.
    scores, bet, floor = [0.9, 0.2, 0.4, 0.8, 0.1], 0.8, 0.6
    factors = [1 + bet * (floor - score) for score in scores]
    starts = [math.prod(factors[start:]) for start in range(len(scores))]
    assert e_detector(scores, mean_floor=floor, bets=[bet]).path[-1] == pytest.approx(sum(starts))
    assert e_detector(scores, mean_floor=floor, bets=[bet], kind="cusum").path[-1] == pytest.approx(
        max(starts)
    )


def test_an_alarm_names_its_first_score_and_evidence_stays_finite() -> None:
    found = e_detector([0.0] * 3000, mean_floor=0.8)
    assert found.alarm is not None
    assert found.path[found.alarm] >= found.threshold > found.path[found.alarm - 1]
    assert all(math.isfinite(value) for value in found.path)
    assert json.dumps(found.as_json(), allow_nan=False)
    assert e_detector([0.9] * 3000, mean_floor=0.8).alarm is None


def test_a_real_fall_is_noticed_long_before_a_false_alarm_is_due() -> None:
    rng = np.random.default_rng(2)
    scores = (rng.random(2000) < np.where(np.arange(2000) < 500, 0.95, 0.75)).astype(float)
    alarm = e_detector(scores, mean_floor=0.9).alarm
    assert alarm is not None
    assert 500 <= alarm <= 700


def times_to_alarm(
    draw: str, floor: float, threshold: float, streams: int, longest: int, seed: int
) -> list[int]:
    """Scores exactly at the floor, the hardest case; a stream without an alarm counts as the longest."""
    rng, times = np.random.default_rng(seed), []
    for _ in range(streams):
        size = longest
        scores = (
            (rng.random(size) < floor).astype(float)
            if draw == "binary"
            else rng.beta(10 * floor, 10 - 10 * floor, size)
        )
        state, seen, alarm = None, 0, None
        while alarm is None and seen < longest:
            found = e_detector(scores[seen : seen + 250], mean_floor=floor, threshold=threshold, start=state)
            state, alarm, seen = found.state, found.alarm, seen + 250
        times.append(longest if alarm is None else seen - 250 + alarm + 1)
    return times


@pytest.mark.parametrize(
    ("draw", "threshold", "streams", "longest"),
    [
        ("binary", 40.0, 150, 1000),
        pytest.param("binary", 1000.0, 80, 15000, marks=pytest.mark.slow),
        pytest.param("beta", 1000.0, 80, 15000, marks=pytest.mark.slow),
    ],
)
def test_the_time_to_a_false_alarm_is_at_least_the_threshold(
    draw: str, threshold: float, streams: int, longest: int
) -> None:
    # Cutting the longest streams errs on the low side. Three standard errors allowed; seed 3.
    times = times_to_alarm(draw, 0.8, threshold, streams, longest, seed=3)
    assert np.mean(times) + 3 * np.std(times) / streams**0.5 >= threshold


@pytest.mark.parametrize(
    ("scores", "options", "code"),
    [
        ([1.2], {}, "outside_range"),
        ([float("nan")], {}, "outside_range"),
        ([0.5], {"mean_floor": 1.0}, "bad_floor"),
        ([0.5], {"bets": ()}, "bad_bets"),
        ([0.5], {"bets": (5.1,)}, "bad_bets"),
        ([0.5], {"kind": "ewma"}, "unknown_method"),
        ([0.5], {"threshold": 0.5}, "bad_threshold"),
        ([0.5], {"start": (1.0,)}, "bad_state"),
    ],
)
def test_a_stream_that_cannot_be_watched_is_an_error(
    scores: list[float], options: dict[str, object], code: str
) -> None:
    with pytest.raises(BadNumbers) as caught:
        e_detector(scores, **{"mean_floor": 0.8, **options})
    assert caught.value.code == code


def test_no_score_leaves_the_state_as_it_was() -> None:
    found = e_detector([], mean_floor=0.8)
    assert (found.path, found.alarm, found.state) == ((), None, (0.0,) * len(BETS))


counts = st.lists(st.integers(0, 60), min_size=2, max_size=6)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_the_mix_is_tested_as_scipy_does_and_is_symmetric(data: st.DataObject) -> None:
    before = data.draw(counts.filter(any))
    after = data.draw(st.lists(st.integers(0, 60), min_size=len(before), max_size=len(before)).filter(any))
    found = psi(before, after)
    assert found.psi == pytest.approx(psi(after, before).psi)
    assert found.psi >= 0
    table = np.array([before, after])[:, np.array(before) + np.array(after) > 0]
    expected = scipy_stats.chi2_contingency(table, correction=False)
    assert found.chi2_pvalue == pytest.approx(expected.pvalue, abs=1e-12)
    assert found.chi2 == pytest.approx(expected.statistic)
    assert ("small_counts" in found.warnings) == (expected.expected_freq.min() < 5)


def test_the_order_of_categories_changes_nothing() -> None:
    assert psi([40, 30, 20, 10], [35, 25, 25, 15]).psi == pytest.approx(
        psi([10, 40, 20, 30], [15, 35, 25, 25]).psi
    )


def test_one_mix_seen_twice_has_no_drift_left_after_the_correction() -> None:
    # 3,000 windows of 100 against 400, five categories, seed 6; the uncorrected index is above .1 far too often.
    rng = np.random.default_rng(6)
    shares = [0.35, 0.25, 0.2, 0.12, 0.08]
    found = [psi(rng.multinomial(400, shares), rng.multinomial(100, shares)) for _ in range(3000)]
    corrected = np.array([one.corrected for one in found])
    assert abs(corrected.mean()) <= 0.1 * found[0].expected + 3 * corrected.std() / 3000**0.5
    assert np.mean([one.chi2_pvalue <= 0.05 for one in found]) <= 0.05 + 3 * (0.05 * 0.95 / 3000) ** 0.5
    same = [psi(rng.multinomial(100, shares), rng.multinomial(100, shares)).psi for _ in range(3000)]
    assert np.mean(np.array(same) > 0.1) > 0.10


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ([1, 2], [1, 2, 3], "length_mismatch"),
        ([1], [1], "length_mismatch"),
        ([0, 0], [1, 2], "no_pairs"),
        ([1, -1], [1, 2], "bad_counts"),
        ([1.5, 1], [1, 2], "bad_counts"),
    ],
)
def test_counts_that_cannot_be_are_errors(before: list[float], after: list[float], code: str) -> None:
    with pytest.raises(BadNumbers) as caught:
        psi(before, after)
    assert caught.value.code == code
    with pytest.raises(BadNumbers, match="positive"):
        psi([1, 1], [1, 1], pseudo_count=0)


def test_one_category_left_is_no_evidence() -> None:
    found = psi([10, 0], [12, 0])
    assert (found.df, found.chi2_pvalue) == (0, 1.0)
    assert json.dumps(found.as_json(), allow_nan=False)
