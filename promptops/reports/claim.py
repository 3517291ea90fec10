"""One claim of a verdict with everything it rests on, and which numbers each method needs."""

from __future__ import annotations

from dataclasses import dataclass

from promptops.gate import MetricVerdict
from promptops.stats.facts import Facts
from promptops.stats.question import Question
from promptops.stats.ratios import CLIP
from promptops.stats.summary import Summary

Numbers = dict[str, float]

FELL_LITTLE = "it did not fall by as much as is allowed"
WORSE, BETTER = "it got worse", "it got better"
ABOVE, BELOW = "its mean lies above its floor", "its mean lies below its floor"
ALL_PAIRS = "every pair"
AGAINST = "every pair, a missing value counted against the candidate"
SEEN = "the pairs with both values"

_SAMPLES = {
    "exact-unconditional": ("n", "ups", "downs"),
    "tango-score": ("n", "ups", "downs"),
    "mcnemar-midp": ("n", "ups", "downs"),
    "hall-t": ("n", "mean", "sd", "skew"),
    "log-t": ("n", "mean", "sd"),
    "bounded-score": ("n", "gain", "loss", "ups", "downs"),
}
_CLUSTERS = {
    "bounded-score": ("effective", "gain", "loss", "ups", "downs"),
    "cr2-hall-t": ("clusters", "mean", "se", "df", "skew"),
    "hajek-hall-t": ("clusters", "mean", "se", "df", "skew"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim about one metric.

    `says` is the claim in words, `null` the hypothesis that must be refuted for it. `numbers` are all that `p` and
    `limit` were computed from, `over` what they were counted over. `limit` is the confidence limit on the side of
    the claim, on the scale of the differences; `adjusted` is `p` within its `family`. None: there is none.
    """

    says: str
    null: str
    method: str
    limit_method: str
    numbers: Numbers
    over: str
    p: float | None = None
    limit: float | None = None
    adjusted: float | None = None
    family: str = ""
    shown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One compared metric: what was asked, what was found, and what the gate made of it."""

    question: Question
    facts: Facts
    verdict: MetricVerdict
    alpha: float


def numbers_of(question: Question, method: str, found: Summary | None) -> Numbers:
    """The numbers that the method's expression names."""
    if found is None or method == "none":
        return {}
    units = found.grouped
    if units is None:
        values: Numbers = {name: getattr(found, name) for name in _SAMPLES[method]}
    else:
        values = {name: getattr(units, name) for name in _CLUSTERS[method]}
    return values | ({"R": _reach(question, found)} if method == "bounded-score" else {})


def _reach(question: Question, found: Summary) -> float:
    """The size of the scale, for a ratio the one that the fallback takes."""
    return question.reach or max(CLIP, 2 * question.oriented_margin, found.largest)


def shifted(found: Summary, method: str, end: float) -> Numbers:
    """The numbers of a mean that was measured from one end of the scale."""
    names = _SAMPLES if found.grouped is None else _CLUSTERS
    values = {name: getattr(found.grouped or found, name) for name in names[method]}
    return values | {"mean": end + values["mean"]}
