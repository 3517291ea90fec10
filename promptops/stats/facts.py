"""What one metric's two columns say, in a few numbers: everything that a verdict uses, and nothing of the samples.

From `Facts` a verdict can be reached again without the columns; that is what evidence keeps. Differences are
oriented: positive is better (ratio: minus the log ratio).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from promptops.stats.blocks import blocks, joined, mean_of
from promptops.stats.columns import SLACK, Floats, check_values, column
from promptops.stats.question import Question
from promptops.stats.repeats import VarianceComponents, averaged, components_of
from promptops.stats.results import BadNumbers
from promptops.stats.summary import TINY, Summary, as_numbers, read_summaries, summarise


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One metric of one test, summed up.

    `n` counts samples, each with `repeats` pairs of answers; `baseline_missing` and `candidate_missing` count values
    that are missing, `touched` the pairs of which one is. `seen`: the differences of the samples with values in both
    arms. `against`: of all samples, every missing value counted against the candidate; None where nothing is missing,
    or where a ratio's missing value has no known worst. The means are those of `seen`'s samples.
    `components` split the variance where there are repeats, on the scale of the differences, weights left out.
    """

    n: int
    repeats: int = 1
    baseline_missing: int = 0
    candidate_missing: int = 0
    touched: int = 0
    baseline_mean: float | None = None
    candidate_mean: float | None = None
    all_fail: bool = False
    all_pass: bool = False
    seen: Summary | None = None
    against: Summary | None = None
    components: VarianceComponents | None = None

    @property
    def n_complete(self) -> int:
        return 0 if self.seen is None else self.seen.n

    def as_json(self) -> dict[str, Any]:
        return as_numbers(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read back what `as_json` wrote.

        Raises:
            TypeError: it is something else.
        """
        parts = values.get("components")
        components = None if parts is None else VarianceComponents(**parts)
        return cls(**{**values, **read_summaries(values, "seen", "against"), "components": components})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arms:
    """Both columns oriented and averaged over repeats, and the ends of their scale."""

    before: Floats
    after: Floats
    low: float
    high: float

    def filled(self, before: Floats, after: Floats) -> Floats:
        """The differences with every missing value counted against the candidate."""
        return averaged(after, missing=self.low) - averaged(before, missing=self.high)


def facts_of(
    question: Question,
    baseline: Any,
    candidate: Any,
    *,
    worst: float | None = None,
    best: float | None = None,
    clusters: Any = None,
    weights: Any = None,
) -> Facts:
    """Sum up two columns that pair up by sample, each of shape (n,) or (repeats, n).

    `worst` and `best` stand for a ratio's missing values. `clusters` is an integer code a sample, `weights` a
    positive number a sample; None where samples are independent and equally likely.

    Raises:
        BadNumbers: columns that do not pair up, no pair, infinities, values outside the range.
    """
    old, new = column(baseline), column(candidate)
    if old.shape != new.shape:
        raise BadNumbers("length_mismatch", f"{old.shape[-1]} baseline but {new.shape[-1]} candidate values")
    if old.size == 0:
        raise BadNumbers("no_pairs", "there is no pair to compare")
    for part in blocks(old.shape[-1]):
        check_values(question.kind, old[..., part], question.scale)
        check_values(question.kind, new[..., part], question.scale)
    ends = _ends(question, old, new, worst, best)
    if old.ndim > 1 or clusters is not None or weights is not None:
        return _part(question, old, new, ends, clusters, weights)
    parts = [_part(question, old[part], new[part], ends) for part in blocks(old.size)]
    return parts[0] if len(parts) == 1 else _joined(parts, ratio=question.scale is None)


def _part(
    question: Question,
    old: Floats,
    new: Floats,
    ends: tuple[float, float],
    clusters: Any = None,
    weights: Any = None,
) -> Facts:
    (low, high), before, after = ends, _oriented(question, old), _oriented(question, new)
    lost, unscored = np.isnan(before), np.isnan(after)
    arms = _Arms(
        before=averaged(before, missing=None), after=averaged(after, missing=None), low=low, high=high
    )
    whole = ~(np.isnan(arms.before) | np.isnan(arms.after))
    touched = int(np.count_nonzero(lost | unscored))
    against = arms.filled(before, after) if touched else None
    known = against is not None and not np.isnan(against).any()
    edge = 0.0 if question.scale is None else SLACK * (high - low)
    some = bool(whole.any())
    return Facts(
        n=whole.size,
        repeats=_repeats(old),
        baseline_missing=int(np.count_nonzero(lost)),
        candidate_missing=int(np.count_nonzero(unscored)),
        touched=touched,
        baseline_mean=_mean(question, arms.before, whole, weights),
        candidate_mean=_mean(question, arms.after, whole, weights),
        all_fail=some and edge > 0 and _extreme(arms, whole, np.max) <= low + edge,
        all_pass=some and edge > 0 and _extreme(arms, whole, np.min) >= high - edge,
        seen=_summary(
            question, (arms.after - arms.before)[whole], _chosen(clusters, whole), _chosen(weights, whole)
        )
        if some
        else None,
        against=_summary(question, against, clusters, weights) if known and against is not None else None,
        components=components_of(before, after) if before.ndim == 2 and before.shape[0] > 1 else None,
    )


def facts_alone(question: Question, candidate: Any, *, weights: Any = None) -> Facts:
    """Sum up a column that has no baseline: how many values there are, and their mean.

    Raises:
        BadNumbers: values that the scale cannot have.
    """
    values = column(candidate)
    check_values(question.kind, values, question.scale)
    oriented = -np.log(values) if question.scale is None else values
    one = averaged(oriented, missing=None)
    known = ~np.isnan(one)
    missing = int(np.count_nonzero(np.isnan(values)))
    mean = _weighted(one, known, weights)
    if mean is not None and question.scale is None:
        mean = float(np.exp(-mean))
    return Facts(
        n=one.size,
        repeats=_repeats(values),
        candidate_missing=missing,
        touched=missing,
        candidate_mean=mean,
    )


def _joined(parts: Sequence[Facts], *, ratio: bool) -> Facts:
    """What several parts of two columns say together."""
    scored = [(part, part.seen) for part in parts if part.seen is not None]
    touched = sum(part.touched for part in parts)
    # A part where nothing is missing has nothing to count against the candidate.
    against = [part.against if part.touched else part.seen for part in parts] if touched else []
    known = [one for one in against if one is not None]
    return Facts(
        n=sum(part.n for part in parts),
        baseline_missing=sum(part.baseline_missing for part in parts),
        candidate_missing=sum(part.candidate_missing for part in parts),
        touched=touched,
        baseline_mean=mean_of([(part.baseline_mean, seen.n) for part, seen in scored], geometric=ratio),
        candidate_mean=mean_of([(part.candidate_mean, seen.n) for part, seen in scored], geometric=ratio),
        all_fail=bool(scored) and all(part.all_fail for part, _ in scored),
        all_pass=bool(scored) and all(part.all_pass for part, _ in scored),
        seen=joined([seen for _, seen in scored]) if scored else None,
        against=joined(known) if known and len(known) == len(against) else None,
    )


def _oriented(question: Question, values: Floats) -> Floats:
    """A column so that higher is better."""
    if question.scale is None:
        return np.asarray(-np.log(values), dtype=np.float64)
    return values if question.higher_is_better else -values


def _ends(
    question: Question, old: Floats, new: Floats, worst: float | None, best: float | None
) -> tuple[float, float]:
    """The worst and best value, oriented, that a missing one can have had."""
    if question.scale is None:
        return _ratio_ends(old, new, worst, best)
    low, high = question.scale
    return (low, high) if question.higher_is_better else (-high, -low)


def _ratio_ends(
    before: Floats, after: Floats, worst: float | None, best: float | None
) -> tuple[float, float]:
    """Oriented ends of a ratio's scale: a missing value is never better than one that was seen."""
    for name, end in (("worst", worst), ("best", best)):
        if end is not None and not (np.isfinite(end) and end > 0):
            raise BadNumbers("nonpositive_value", f"the {name} value of a ratio is positive, got {end!r}")
    slowest = np.nan if worst is None else np.fmax.reduce(after, axis=None, initial=worst)
    fastest = np.fmin.reduce(before, axis=None, initial=np.nan if best is None else best)
    return float(-np.log(slowest)), float(-np.log(fastest))


def _repeats(values: Floats) -> int:
    return values.shape[0] if values.ndim == 2 else 1


def _chosen(values: Any, mask: NDArray[np.bool_]) -> Any:
    return None if values is None else np.asarray(values)[mask]


def _summary(question: Question, differences: Floats, clusters: Any, weights: Any) -> Summary:
    reach = question.reach
    return summarise(
        differences,
        edge=TINY * (1.0 if reach is None else reach),
        margin=question.oriented_margin,
        clusters=clusters,
        weights=weights,
    )


def _extreme(arms: _Arms, whole: NDArray[np.bool_], pick: Any) -> float:
    return float(pick([pick(arms.before[whole]), pick(arms.after[whole])]))


def _mean(question: Question, values: Floats, whole: NDArray[np.bool_], weights: Any) -> float | None:
    """The mean on the metric's own scale: geometric for a ratio, with its own sign where less is better."""
    mean = _weighted(values, whole, weights)
    if mean is None:
        return None
    if question.scale is None:
        return float(np.exp(-mean))
    return mean if question.higher_is_better else -mean


def _weighted(values: Floats, chosen: NDArray[np.bool_], weights: Any) -> float | None:
    if not chosen.any():
        return None
    return float(np.average(values[chosen], weights=_chosen(weights, chosen)))
