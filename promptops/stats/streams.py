"""Whether what comes in still is what was tested: an alarm on a stream of scores, and the mix of categories.

Functions only; nothing here decides a release. Refuses to be asked again and again where the answer is good for
one look: two windows are compared once (`windows`), a stream is watched by `e_detector`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from promptops.stats.distributions import chi2_tail
from promptops.stats.results import BadNumbers, as_json

Floats = NDArray[np.float64]
DetectorKind = Literal["shiryaev-roberts", "cusum"]

BETS = (0.1, 0.2, 0.4, 0.8, 1.2)
THRESHOLD = 10_000.0
HIGHEST = 1e300  # evidence is kept finite; an alarm came long before


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A watched stream: the evidence after each score, and the index of the first alarm (None: no alarm).

    `state` is the evidence of each bet: hand it back as `start` with the scores that came since.
    """

    path: tuple[float, ...]
    alarm: int | None
    threshold: float
    state: tuple[float, ...]
    method: str

    def as_json(self) -> dict[str, Any]:
        return as_json(self)


def e_detector(
    scores: ArrayLike,
    *,
    mean_floor: float,
    bets: Sequence[float] = BETS,
    kind: DetectorKind = "shiryaev-roberts",
    threshold: float = THRESHOLD,
    start: Sequence[float] | None = None,
) -> Watch:
    """Watch scores on 0..1 in the order they came for a mean that has fallen below `mean_floor`.

    The mixture over `bets` of M <- (1 + bet (mean_floor - x)) (M + 1), or max(M, 1) for "cusum" (Shin, Ramdas &
    Rinaldo 2022); alarm at `threshold` A. While every mean given the past stays at or above the floor, the expected
    time to a false alarm is at least A, whatever the distribution. Choose the floor below the mean that was
    measured, by the fall that is allowed: that mean is an estimate too.

    Raises:
        BadNumbers: scores outside 0..1 or missing, a floor outside (0, 1), bets not in (0, 1 / (1 - mean_floor)).
    """
    values = np.asarray(scores, dtype=np.float64)
    _check_stream(values, mean_floor, bets, kind, threshold)
    if start is not None and (len(start) != len(bets) or not all(0 <= one <= HIGHEST for one in start)):
        raise BadNumbers("bad_state", "a state is one finite number, not below 0, for each bet")
    stakes = np.asarray(bets, dtype=np.float64)
    state = np.zeros(stakes.size) if start is None else np.asarray(start, dtype=np.float64)
    path: list[float] = []
    for score in values.tolist():
        base = state + 1 if kind == "shiryaev-roberts" else np.maximum(state, 1)
        state = np.minimum((1 + stakes * (mean_floor - score)) * base, HIGHEST)
        path.append(min(float(state.mean()), HIGHEST))
    return Watch(
        path=tuple(path),
        alarm=next((index for index, value in enumerate(path) if value >= threshold), None),
        threshold=threshold,
        state=tuple(state.tolist()),
        method=kind,
    )


def _check_stream(
    values: Floats, mean_floor: float, bets: Sequence[float], kind: str, threshold: float
) -> None:
    if values.ndim != 1 or not (np.isfinite(values) & (values >= 0) & (values <= 1)).all():
        raise BadNumbers("outside_range", "a stream's scores lie between 0 and 1, none missing")
    if not 0 < mean_floor < 1:
        raise BadNumbers("bad_floor", f"a floor for scores from 0 to 1 lies between them, got {mean_floor!r}")
    if not bets or not all(0 < bet < 1 / (1 - mean_floor) for bet in bets):
        raise BadNumbers("bad_bets", f"bets lie between 0 and {1 / (1 - mean_floor):g}, got {list(bets)}")
    if kind not in ("shiryaev-roberts", "cusum"):
        raise BadNumbers("unknown_method", f"unknown detector {kind!r}: shiryaev-roberts or cusum")
    if not (np.isfinite(threshold) and threshold >= 1):
        raise BadNumbers("bad_threshold", f"a threshold is a finite number from 1 on, got {threshold!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """How far the mix of categories moved.

    `psi` is the population stability index; `corrected` is what remains of it after its mean under no drift is
    taken off (it may be negative); `chi2_pvalue` tests that both windows have one mix.
    """

    psi: float
    corrected: float
    expected: float
    chi2: float
    chi2_pvalue: float
    df: int
    n_reference: int
    n_current: int
    method: str = "psi"
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return as_json(self)


def psi(reference: ArrayLike, current: ArrayLike, *, pseudo_count: float = 0.5) -> Mix:
    """Compare two windows' counts by category, same order in both.

    PSI sums (q - p) log(q / p) over the categories, with `pseudo_count` added to each. Without any drift its mean
    is about (B - 1)(1/n + 1/m) for B categories, so the usual cut-offs of 0.1 and 0.2 mislead in small windows: read
    `corrected`, or the p-value of Pearson's chi-square on the same table (no continuity correction, categories seen
    in neither window left out; warns `small_counts` where an expected count is below 5). Assumes independent
    observations: count conversations, not their turns.

    Raises:
        BadNumbers: different numbers of categories, fewer than two, counts negative or not whole, an empty window.
    """
    before, after = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    _check_mix(before, after, pseudo_count)
    n, m, bins = float(before.sum()), float(after.sum()), before.size
    p = (before + pseudo_count) / (n + pseudo_count * bins)
    q = (after + pseudo_count) / (m + pseudo_count * bins)
    index = float(((q - p) * np.log(q / p)).sum())
    chi2, df, smallest = _chi_square(before, after)
    expected = df * (1 / n + 1 / m)
    return Mix(
        psi=index,
        corrected=index - expected,
        expected=expected,
        chi2=chi2,
        chi2_pvalue=chi2_tail(chi2, df) if df else 1.0,
        df=df,
        n_reference=int(n),
        n_current=int(m),
        warnings=("small_counts",) if smallest < 5 else (),
    )


def _check_mix(before: Floats, after: Floats, pseudo_count: float) -> None:
    if before.ndim != 1 or before.shape != after.shape or before.size < 2:
        raise BadNumbers("length_mismatch", "two windows have counts of the same categories, at least two")
    counts = np.concatenate([before, after])
    if not (np.isfinite(counts) & (counts >= 0) & (counts == np.floor(counts))).all():
        raise BadNumbers("bad_counts", "counts are whole numbers, not below 0")
    if before.sum() == 0 or after.sum() == 0:
        raise BadNumbers("no_pairs", "a window without an observation has no mix")
    if not (np.isfinite(pseudo_count) and pseudo_count > 0):
        raise BadNumbers("bad_pseudo_count", f"a pseudo count is positive, got {pseudo_count!r}")


def _chi_square(before: Floats, after: Floats) -> tuple[float, int, float]:
    """Pearson's statistic, its degrees of freedom, and the smallest expected count."""
    seen = before + after > 0
    table = np.stack([before[seen], after[seen]])
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(((table - expected) ** 2 / expected).sum()), int(seen.sum()) - 1, float(expected.min())
