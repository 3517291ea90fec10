"""Several answers per sample: averaged before anything is tested, because they are no further samples.

Running a prompt five times on one sample says more about that sample and nothing about the next one; rows that
are repeats would make every interval too short. Also: how much of the spread repeats can remove, and how many
are worth their price.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from promptops.stats.results import BadNumbers

Floats = NDArray[np.float64]

MOST = 10  # repeats beyond which the estimate of what they save is worth nothing
SAMPLE_COSTS = (
    10  # answers of both versions that it takes to find and check one more sample, where nobody says
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceComponents:
    """Where the variance of one pair's difference comes from, by moments (ddof 1).

    `within_baseline`, `within_candidate`: between the answers to one sample, averaged over the `n` samples that have
    at least two. `between`: of the true differences between samples, 0 where the estimate is negative.
    `var_of_sample_mean_diff`: of the differences of the samples' means, so that with k answers each
    between = var - within_baseline / k - within_candidate / k. None where the data cannot tell.
    """

    n: int
    within_baseline: float | None = None
    within_candidate: float | None = None
    between: float | None = None
    var_of_sample_mean_diff: float | None = None


def averaged(values: ArrayLike, *, missing: float | None) -> Floats:
    """Return one value per sample from values of shape (n,) or (repeats, n); NaN is a missing answer.

    With `missing` None the answers that are there are averaged, NaN only where none is; otherwise a missing answer
    counts as `missing`. Identical repeats give that value exactly, whatever their number.
    """
    read = np.asarray(values, dtype=np.float64)
    if read.ndim not in (1, 2) or (read.ndim == 2 and read.shape[0] == 0):
        raise BadNumbers("not_a_column", "repeated values have one row per repeat, one column per sample")
    filled = read if missing is None else np.where(np.isnan(read), missing, read)
    return _mean_of_rows(filled) if filled.ndim == 2 else filled


def _mean_of_rows(rows: Floats) -> Floats:
    if rows.shape[0] == 1:
        return rows.reshape(-1)
    # Offsets from one of the values: the mean of three times 0.1 is 0.1, not 0.10000000000000002.
    base = np.fmax.reduce(rows, axis=0)
    there = np.count_nonzero(~np.isnan(rows), axis=0)
    offsets = np.nansum(rows - base, axis=0)
    return np.asarray(base + offsets / np.maximum(there, 1), dtype=np.float64)


def variance_components(baseline: Sequence[ArrayLike], candidate: Sequence[ArrayLike]) -> VarianceComponents:
    """Split the variance of paired differences into what differs between samples and between answers.

    `baseline[i]` and `candidate[i]` are the values of the answers to sample i (NaN and None: missing); the numbers of
    answers may differ between samples and arms. Samples without an answer in one of the arms are left out.

    Raises:
        BadNumbers: another number of samples in one arm, or a value that is infinite.
    """
    if len(baseline) != len(candidate):
        raise BadNumbers(
            "length_mismatch", f"{len(baseline)} baseline but {len(candidate)} candidate samples"
        )
    return components_of(_rows(baseline), _rows(candidate))


def _rows(samples: Sequence[ArrayLike]) -> Floats:
    """Turn lists of answers of any length into one row per repeat, filled up with NaN."""
    read = [np.asarray(one, dtype=np.float64).reshape(-1) for one in samples]
    rows = np.full((max((one.size for one in read), default=0), len(read)), np.nan)
    for place, one in enumerate(read):
        rows[: one.size, place] = one
    if np.isinf(rows).any():
        raise BadNumbers("infinite_value", "a value is infinite; a missing one is NaN or None")
    return rows


def components_of(before: Floats, after: Floats) -> VarianceComponents:
    """`variance_components` of two arrays with one row per repeat and one column per sample."""
    old, new = _answers(before), _answers(after)
    whole = (old > 0) & (new > 0)
    if not whole.any():
        return VarianceComponents(n=0)
    before, after, old, new = before[:, whole], after[:, whole], old[whole], new[whole]
    diffs = _mean_of_rows(after) - _mean_of_rows(before)
    noise_before, noise_after = _within(before, old), _within(after, new)
    total = float(diffs.var(ddof=1)) if diffs.size > 1 else None
    between = None
    if total is not None and noise_before is not None and noise_after is not None:
        between = max(
            0.0, total - noise_before * float(np.mean(1 / old)) - noise_after * float(np.mean(1 / new))
        )
    return VarianceComponents(
        n=diffs.size,
        within_baseline=noise_before,
        within_candidate=noise_after,
        between=between,
        var_of_sample_mean_diff=total,
    )


def _answers(rows: Floats) -> NDArray[np.intp]:
    return np.asarray(np.count_nonzero(~np.isnan(rows), axis=0))


def _within(rows: Floats, answers: NDArray[np.intp]) -> float | None:
    several = answers > 1
    if not several.any():
        return None
    offsets = rows[:, several] - _mean_of_rows(rows[:, several])
    return float(np.mean(np.nansum(offsets * offsets, axis=0) / (answers[several] - 1)))


def optimal_repeats(
    *,
    between: float,
    within_baseline: float,
    within_candidate: float,
    cost_per_sample: float,
    cost_per_run: float,
    most: int = MOST,
) -> int:
    """Return the number of repeats that gives the shortest interval for the money.

    `cost_per_sample` is the price of one more sample (labelling, recording), `cost_per_run` that of one more answer
    of both arms, in one currency. sqrt((sample / run) (within_b + within_c) / between), to the nearest whole number, at
    least 1 and at most `most`. Where a sample costs no more than a run, further samples always beat repeats.
    """
    parts = (between, within_baseline, within_candidate, cost_per_sample)
    if not (
        all(math.isfinite(x) and x >= 0 for x in parts) and math.isfinite(cost_per_run) and cost_per_run > 0
    ):
        raise BadNumbers("bad_costs", "variances and prices are not negative, and a run costs something")
    noise = within_baseline + within_candidate
    if noise == 0 or cost_per_sample == 0:
        return 1
    if between == 0:
        return most
    return max(1, min(most, round(math.sqrt(cost_per_sample / cost_per_run * noise / between))))


def best_repeats(found: VarianceComponents) -> int | None:
    """`optimal_repeats` where nothing is known of prices: a sample costs `SAMPLE_COSTS` answers of both versions."""
    if found.between is None or found.within_baseline is None or found.within_candidate is None:
        return None
    return optimal_repeats(
        between=found.between,
        within_baseline=found.within_baseline,
        within_candidate=found.within_candidate,
        cost_per_sample=SAMPLE_COSTS,
        cost_per_run=1,
    )


def repeats_instead(found: VarianceComponents, *, needed: int, most: int = MOST) -> int | None:
    """Return how many answers to each of the `n` samples at hand say as much as one more each on `needed` samples do.

    `needed` samples were planned with the variance that was measured. None where no number up to `most` does: what
    differs between samples stays, however often they are asked.
    """
    noise = (found.within_baseline or 0.0) + (found.within_candidate or 0.0)
    if found.between is None or not found.var_of_sample_mean_diff or needed <= 0:
        return None
    left = found.var_of_sample_mean_diff * found.n / needed - found.between
    if left <= 0:
        return None
    wanted = max(1, math.ceil(noise / left * (1 - 1e-12)))
    return wanted if wanted <= most else None
