"""How often clustered, weighted and repeated data pass wrongly, by simulation; seeds and tolerances are written down.

The candidate is worse by exactly the margin; nominal .05, tolerated .06 plus three of the simulation's standard
errors. What a naive analysis of the same data would have said stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from promptops.stats.binary import tango_limits
from promptops.stats.clusters import cluster_robust_mean, grouped
from promptops.stats.metric import evaluate_metric
from promptops.stats.paired import paired_mean_ci
from promptops.stats.results import Status

MARGIN = 0.05
HUGE = np.array([100] + [1] * 60)  # samples of each cluster
SIZES = {
    "20 equal": np.full(20, 10),
    "20 unequal": np.array([1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 7, 7, 9, 10, 12, 15, 18, 22, 30, 40]),
    "8 unequal": np.array([4, 8, 12, 18, 24, 32, 42, 60]),
    "5 unequal": np.array([10, 20, 35, 55, 80]),
}
Draw = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def alike(rng: np.random.Generator, codes: np.ndarray) -> np.ndarray:
    """Differences with an intraclass correlation of .3, standard deviation .3."""
    shared = rng.standard_normal(codes.max() + 1)[codes] * math.sqrt(0.3)
    return -MARGIN + 0.3 * (shared + math.sqrt(0.7) * rng.standard_normal(codes.size))


def whole_clusters_fall(rng: np.random.Generator, codes: np.ndarray) -> np.ndarray:
    """In 7 % of the clusters every answer falls by .7; jitter everywhere."""
    fallen = rng.random(codes.max() + 1) < MARGIN / 0.7
    return np.where(fallen[codes], -0.7, 0.0) + rng.uniform(-0.005, 0.005, codes.size)


def half_of_a_cluster_falls(rng: np.random.Generator, codes: np.ndarray) -> np.ndarray:
    fallen = rng.random(codes.max() + 1) < 2 * MARGIN / 0.7
    return np.where(fallen[codes] & (rng.random(codes.size) < 0.5), -0.7, 0.0)


def broken_answers(rng: np.random.Generator, codes: np.ndarray) -> np.ndarray:
    """Pass/fail: 10 % differ, in some conversations far more than in others."""
    differs = rng.random(codes.size) < rng.beta(0.1 * 0.7 / 0.3, 0.9 * 0.7 / 0.3, codes.max() + 1)[codes]
    return np.where(differs, np.where(rng.random(codes.size) < 0.75, -1.0, 1.0), 0.0)


def passes(diffs: np.ndarray, **options: object) -> bool:
    baseline = (
        np.where(diffs < 0, 1.0, 0.0) if set(np.unique(diffs)) <= {-1.0, 0.0, 1.0} else np.zeros(diffs.size)
    )
    found = evaluate_metric(
        "bounded", baseline, np.clip(baseline + diffs, -1, 1), margin=MARGIN, value_range=(-1, 1), **options
    )
    return found.status == Status.PASS


def share_of_passes(draw: Draw, sizes: np.ndarray, replicates: int, seed: int) -> float:
    rng, codes = np.random.default_rng(seed), np.repeat(np.arange(sizes.size), sizes)
    return sum(passes(draw(rng, codes), clusters=codes) for _ in range(replicates)) / replicates


def tolerated(replicates: int) -> float:
    return 0.06 + 3 * math.sqrt(0.06 * 0.94 / replicates)


@pytest.mark.parametrize("draw", [alike, whole_clusters_fall, broken_answers])
def test_few_clusters_rarely_pass_wrongly(draw: Draw) -> None:
    assert share_of_passes(draw, SIZES["20 unequal"], 200, seed=3) <= tolerated(200)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("draw", [alike, whole_clusters_fall, half_of_a_cluster_falls, broken_answers])
def test_clusters_keep_their_size(draw: Draw, name: str) -> None:
    replicates = 2000 if draw is alike else 800
    assert share_of_passes(draw, SIZES[name], replicates, seed=5) <= tolerated(replicates)


@pytest.mark.slow
@pytest.mark.parametrize("draw", [alike, whole_clusters_fall, half_of_a_cluster_falls, broken_answers])
def test_many_clusters_keep_their_size(draw: Draw) -> None:
    sizes = np.tile([1, 1, 1, 1, 2, 2, 3, 5], 25)
    assert share_of_passes(draw, sizes, 2000, seed=7) <= tolerated(2000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "naive", "cr1"),
    [("20 equal", 0.13, 0.04), ("20 unequal", 0.13, 0.04), ("8 unequal", 0.18, 0.06)],
)
def test_forgotten_clusters_pass_wrongly_and_cr2_does_not(name: str, naive: float, cr1: float) -> None:
    rng, codes = np.random.default_rng(11), np.repeat(np.arange(SIZES[name].size), SIZES[name])
    counts = np.zeros(3)
    for _ in range(2000):
        diffs = alike(rng, codes)
        intervals = (
            paired_mean_ci(diffs, method="t"),
            cluster_robust_mean(diffs, codes, kind="CR1"),
            cluster_robust_mean(diffs, codes),
        )
        counts += [interval.lower is not None and interval.lower > -MARGIN for interval in intervals]
    as_samples, sandwich, chosen = counts / 2000
    assert as_samples > naive
    assert sandwich > cr1
    assert abs(chosen - 0.05) <= 0.01 + 3 * math.sqrt(0.05 * 0.95 / 2000)


def test_one_huge_conversation_weighs_what_its_samples_weigh() -> None:
    """Ties everywhere but in one conversation of 100 samples: the mean of the cluster means would not see it."""
    codes = np.repeat(np.arange(HUGE.size), HUGE)
    diffs = np.where((codes == 0) & (np.arange(codes.size) % 10 == 0), -1.0, 0.0)
    units = grouped(diffs, clusters=codes, edge=1e-9, margin=MARGIN)
    of_means, _ = tango_limits(0.0, 0.1, HUGE.size, alpha=0.05)
    chosen, _ = tango_limits(units.gain, units.loss, units.effective, alpha=0.05)
    assert units.mean == pytest.approx(-10 / 160)  # beyond the margin
    assert of_means > -MARGIN  # and yet the plain mean of cluster means, -0.1 / 61, would call it safe
    assert chosen < -MARGIN
    assert not passes(diffs, clusters=codes)


@pytest.mark.slow
def test_the_mean_of_cluster_means_would_pass_what_a_huge_conversation_loses() -> None:
    rng, codes, wrong, right = np.random.default_rng(13), np.repeat(np.arange(HUGE.size), HUGE), 0, 0
    for _ in range(1000):
        diffs = np.where(
            (codes == 0) & (rng.random(codes.size) < 0.08), -1.0, 0.0
        )  # mean -.05 over all samples
        loss = float(-diffs[codes == 0].mean())
        wrong += tango_limits(0.0, loss, HUGE.size, alpha=0.05)[0] > -MARGIN
        right += passes(diffs, clusters=codes)
    assert wrong / 1000 > 0.9
    assert right / 1000 <= tolerated(1000)


@pytest.mark.slow
def test_repeats_are_averaged_and_not_taken_for_samples() -> None:
    rng, as_rows, averaged = np.random.default_rng(17), 0, 0
    for _ in range(2000):
        truth = rng.normal(-MARGIN, 0.15, 50)
        baseline, candidate = (rng.uniform(-0.1, 0.1, (5, 50)) for _ in range(2))
        candidate = np.clip(candidate + truth, -1, 1)
        found = evaluate_metric("bounded", baseline, candidate, margin=MARGIN, value_range=(-1, 1))
        averaged += found.status == Status.PASS
        as_rows += passes((candidate - baseline).reshape(-1))
    assert as_rows / 2000 > 0.15
    assert averaged / 2000 <= tolerated(2000)


@pytest.mark.slow
@pytest.mark.parametrize("together", [1, 4])
def test_samples_drawn_with_different_chances_speak_for_all_once_they_are_weighted(together: int) -> None:
    """Hard questions are one in five, fall by .25, and half as many of them were kept."""
    rng, plain, weighted = np.random.default_rng(19), 0, 0
    for _ in range(2000):
        hard = np.repeat(rng.random(600 // together) < 0.2, together)
        kept = rng.random(hard.size) < np.where(hard, 0.15, 0.5)
        codes = np.repeat(np.arange(hard.size // together), together)[kept]
        diffs = np.where(hard, -0.25, 0.0)[kept] + rng.normal(0, 0.1, int(kept.sum()))
        plain += passes(diffs, clusters=codes)
        weighted += passes(diffs, clusters=codes, weights=np.where(hard, 1 / 0.15, 2.0)[kept])
    assert plain / 2000 > 0.5
    assert weighted / 2000 <= tolerated(2000)
