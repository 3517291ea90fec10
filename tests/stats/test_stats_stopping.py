from __future__ import annotations

import numpy as np
import pytest

from promptops.stats.betting import Bettor
from promptops.stats.stopping import expected_stop


def simulated(difference: float, *, runs: int = 60, seed: int = 7) -> float:
    """The mean number of pairs at which betting shows a margin of 5 points, one pair in ten differing."""
    rng = np.random.default_rng(seed)
    stops = []
    for _ in range(runs):
        bettor = Bettor(-0.05, value_range=(-1.0, 1.0))
        pairs = rng.choice([1.0, -1.0, 0.0], p=[0.05 + difference / 2, 0.05 - difference / 2, 0.9], size=4000)
        for count, value in enumerate(pairs, start=1):
            bettor.update(float(value))
            if bettor.reached(np.log(20)):
                stops.append(count)
                break
    assert len(stops) == runs
    return float(np.mean(stops))


@pytest.mark.parametrize("difference", [0.03, 0.0])
def test_the_expected_stop_is_that_of_a_simulation_within_a_quarter(difference: float) -> None:
    planned = expected_stop(moved=0.1, margin=0.05, difference=difference)
    assert planned == pytest.approx(simulated(difference), rel=0.25)


def test_what_is_worse_than_the_margin_is_never_shown_to_be_within_it() -> None:
    assert expected_stop(moved=0.1, margin=0.05, difference=-0.06) is None


def test_a_smaller_level_and_more_noise_take_longer() -> None:
    usual = expected_stop(moved=0.1, margin=0.05)
    assert usual is not None
    assert (expected_stop(moved=0.1, margin=0.05, alpha=0.005) or 0) > usual
    assert (expected_stop(moved=0.2, margin=0.05) or 0) > usual
    assert (expected_stop(moved=0.0, margin=0.05) or 0) < usual
