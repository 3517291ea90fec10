"""How far a judge can be trusted: its agreement with a person on the same answers, corrected for chance.

The interval resamples whole clusters, so that ten answers of one conversation do not count as ten. Refuses an
interval from fewer than 5 clusters, and one without width where the raters happened never to differ.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from promptops.stats.binary import clopper_pearson_lower
from promptops.stats.kappa import apart, coefficients, one, squared_ranks, squared_steps
from promptops.stats.results import BadNumbers, as_json, check_confidence

Floats = NDArray[np.float64]
Limits = tuple[float, float] | None

WEAK = 0.4  # below it agreement is called fair at best (Landis & Koch 1977)
ENOUGH_CLUSTERS = 5
CHUNK = 4_000_000  # numbers drawn at once: 32 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Agreement of two raters on `n` items; the `missing` ones that lack a rating are left out.

    Coefficients are None where they are undefined; intervals are (lower, upper), None where there is none.
    """

    n: int
    n_clusters: int
    missing: int
    agreement: float | None
    kappa: float | None
    weighted_kappa: float | None
    alpha_ordinal: float | None
    agreement_interval: Limits
    kappa_interval: Limits
    weighted_kappa_interval: Limits
    alpha_ordinal_interval: Limits
    confidence: float
    resamples: int
    seed: int
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return as_json(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rated:
    """The items that both rated: the cell of the table that each falls into, and its cluster's number."""

    size: int
    cells: NDArray[np.int64]
    members: NDArray[np.int64]
    clusters: int
    missing: int

    @property
    def table(self) -> Floats:
        return np.bincount(self.cells, minlength=self.size**2).astype(np.float64)

    @property
    def agrees(self) -> bool:
        return bool((self.cells % (self.size + 1) == 0).all())


def rater_agreement(
    judge: ArrayLike,
    human: ArrayLike,
    *,
    clusters: Sequence[Hashable] | None = None,
    categories: Sequence[float] | None = None,
    confidence: float = 0.90,
    resamples: int = 2000,
    seed: int = 0,
) -> Agreement:
    """Compare a judge's ratings with a person's on the same items, paired by index; NaN or None is missing.

    Ratings are numbers: 0 and 1 for pass/fail, steps of a scale otherwise. `categories` lists the scale in order;
    without it the ratings that were used are the scale, so declare it when some step was never given: quadratic
    weights count steps. Percent agreement, Cohen's kappa, quadratic weighted kappa, Krippendorff's ordinal alpha
    (see `kappa`), each with the percentile interval of a cluster bootstrap.

    Assumes that items (or `clusters` of them) are independent draws. Warns `weak_judge` where the lower limit of
    kappa (weighted, with more than two ratings) is below 0.4, `one_category` where kappa is undefined, and
    `no_disagreement` where the raters never differed: the bootstrap has no width then, and the lower limits come
    from Clopper & Pearson's limit of how often they may differ.

    Raises:
        BadNumbers: columns of different lengths, infinite ratings, ratings that are not on the declared scale.
    """
    check_confidence(confidence)
    rated = _read(judge, human, clusters, categories)
    found = {name: one(f, rated.table) for name, f in coefficients(rated.size).items()}
    limits = _intervals(rated, (1 - confidence) / 2, resamples, seed)
    intervals = {name: None if found[name] is None else limits[name] for name in found}
    return Agreement(
        n=rated.cells.size,
        n_clusters=rated.clusters,
        missing=rated.missing,
        agreement=found["agreement"],
        kappa=found["kappa"],
        weighted_kappa=found["weighted_kappa"],
        alpha_ordinal=found["alpha_ordinal"],
        agreement_interval=intervals["agreement"],
        kappa_interval=intervals["kappa"],
        weighted_kappa_interval=intervals["weighted_kappa"],
        alpha_ordinal_interval=intervals["alpha_ordinal"],
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        warnings=_warnings(rated, intervals),
    )


def _read(
    judge: ArrayLike,
    human: ArrayLike,
    clusters: Sequence[Hashable] | None,
    categories: Sequence[float] | None,
) -> _Rated:
    first, second = np.asarray(judge, dtype=np.float64), np.asarray(human, dtype=np.float64)
    named = range(first.size) if clusters is None else clusters
    if first.ndim != 1 or first.shape != second.shape or len(named) != first.size:
        raise BadNumbers("length_mismatch", "judge, human and clusters are columns of one length")
    if np.isinf(first).any() or np.isinf(second).any():
        raise BadNumbers("infinite_value", "a rating is infinite; a missing one is NaN or None")
    known = ~(np.isnan(first) | np.isnan(second))
    scale = _scale(np.concatenate([first[known], second[known]]), categories)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(named))}
    groups = np.array([numbers[name] for name in named], dtype=np.int64)[known]
    names, members = np.unique(groups, return_inverse=True)
    return _Rated(
        size=scale.size,
        cells=np.searchsorted(scale, first[known]) * scale.size + np.searchsorted(scale, second[known]),
        members=members,
        clusters=names.size,
        missing=first.size - int(known.sum()),
    )


def _scale(used: Floats, categories: Sequence[float] | None) -> Floats:
    if categories is None:
        return np.unique(used)
    scale = np.unique(np.asarray(categories, dtype=np.float64))
    strange = np.setdiff1d(used, scale)
    if strange.size:
        raise BadNumbers("outside_scale", f"{float(strange[0]):g} is not on the declared scale")
    return scale


def _intervals(rated: _Rated, tail: float, resamples: int, seed: int) -> dict[str, Limits]:
    if rated.clusters < ENOUGH_CLUSTERS:
        return dict.fromkeys(coefficients(rated.size))
    if rated.agrees:
        return _at_worst(rated, tail)
    tables = _resampled(rated, resamples, seed)
    return {name: _percentiles(f(tables), tail) for name, f in coefficients(rated.size).items()}


def _resampled(rated: _Rated, resamples: int, seed: int) -> Floats:
    """Tables of bootstrap samples of whole clusters, shape (resamples, size * size)."""
    draw, size, groups = np.random.default_rng(seed), rated.size**2, rated.clusters
    if groups == rated.cells.size:
        # Items that stand alone: drawing them is drawing the cells of the table.
        return draw.multinomial(groups, rated.table / groups, resamples).astype(np.float64)
    own = np.bincount(rated.members * size + rated.cells, minlength=groups * size).reshape(groups, size)
    step = max(1, CHUNK // groups)
    parts = [
        draw.multinomial(groups, np.full(groups, 1 / groups), min(step, resamples - start)) @ own
        for start in range(0, resamples, step)
    ]
    return np.concatenate(parts).astype(np.float64)


def _percentiles(values: Floats, tail: float) -> Limits:
    known = values[~np.isnan(values)]
    if known.size == 0:
        return None
    lower, upper = np.quantile(known, [tail, 1 - tail])
    return float(lower), float(upper)


def _at_worst(rated: _Rated, tail: float) -> dict[str, Limits]:
    """Intervals of raters that never differed: as often as that may hide, they differ by the whole scale."""
    hidden = 1 - clopper_pearson_lower(rated.clusters, rated.clusters, tail)
    margin = rated.table.reshape(rated.size, rated.size).sum(axis=1) / rated.cells.size
    distances = {
        "kappa": apart(rated.size),
        "weighted_kappa": squared_steps(rated.size),
        "alpha_ordinal": squared_ranks(margin),
    }
    found: dict[str, Limits] = {"agreement": (1 - hidden, 1.0)}
    for name, distance in distances.items():
        expected = float(margin @ distance @ margin)
        found[name] = (max(-1.0, 1 - hidden * float(distance.max()) / expected), 1.0) if expected else None
    return found


def _warnings(rated: _Rated, intervals: dict[str, Limits]) -> tuple[str, ...]:
    if rated.cells.size == 0:
        return ("no_pairs",)
    used = np.unique([rated.cells // rated.size, rated.cells % rated.size]).size
    interval = intervals["kappa" if used == 2 else "weighted_kappa"]
    found = {
        "too_few_clusters": rated.clusters < ENOUGH_CLUSTERS,
        "no_disagreement": rated.agrees,
        "one_category": used == 1,
        "weak_judge": interval is not None and interval[0] < WEAK,
    }
    return tuple(name for name, holds in found.items() if holds)
