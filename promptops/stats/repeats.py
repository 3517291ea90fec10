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


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceComponents:
    """Where the variance of one pair's difference comes from, by moments (ddof 1).

    `within_baseline`, `within_candidate`: between the answers to one sample, averaged over the samples that have at
    least two. `between`: of the true differences between samples, 0 where the estimate is negative.
    `var_of_sample_mean_diff`: of the differences of the samples' means, so that
    between = var - within_baseline / k - within_candidate / k. None where the data cannot tell.
    """

    within_baseline: float | None
    within_candidate: float | None
    between: float | None
    var_of_sample_mean_diff: float | None
    n: int


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
    before, after = ([_answers(one) for one in arm] for arm in (baseline, candidate))
    whole = [(b, c) for b, c in zip(before, after, strict=True) if b.size and c.size]
    diffs = np.array([c.mean() - b.mean() for b, c in whole], dtype=np.float64)
    noise_before, noise_after = _within([b for b, _ in whole]), _within([c for _, c in whole])
    total = float(diffs.var(ddof=1)) if diffs.size > 1 else None
    return VarianceComponents(
        within_baseline=noise_before,
        within_candidate=noise_after,
        between=_between(total, noise_before, noise_after, whole),
        var_of_sample_mean_diff=total,
        n=len(whole),
    )


def _answers(values: ArrayLike) -> Floats:
    read = np.asarray(values, dtype=np.float64).reshape(-1)
    if np.isinf(read).any():
        raise BadNumbers("infinite_value", "a value is infinite; a missing one is NaN or None")
    return read[~np.isnan(read)]


def _within(samples: Sequence[Floats]) -> float | None:
    variances = [float(one.var(ddof=1)) for one in samples if one.size > 1]
    return sum(variances) / len(variances) if variances else None


def _between(
    total: float | None, before: float | None, after: float | None, whole: Sequence[tuple[Floats, Floats]]
) -> float | None:
    if total is None or before is None or after is None:
        return None
    noise = sum(before / b.size + after / c.size for b, c in whole) / len(whole)
    return max(0.0, total - noise)


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
