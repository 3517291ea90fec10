"""Summaries of parts joined into the summary of the whole: a column of any length is read through one small window.

Assumed: independent samples of one weight. Refuses clusters, whose samples may lie in several parts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import reduce

from promptops.stats.summary import Summary

BLOCK = 65_536  # samples at a time: what their arithmetic takes is half a megabyte an array


def blocks(n: int, size: int = BLOCK) -> Iterator[slice]:
    """Cut n places into parts, none of them empty."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def joined(parts: Sequence[Summary]) -> Summary:
    """Return the summary of all values of some parts, at least one: Chan, Golub & LeVeque's (1983) updates."""
    return reduce(_pair, parts)


def mean_of(means: Sequence[tuple[float | None, int]], *, geometric: bool) -> float | None:
    """The mean of parts, each with its size; None where no part has one."""
    known = [(mean, n) for mean, n in means if mean is not None]
    if not known:
        return None
    whole = sum(n for _, n in known)
    if geometric:
        return math.exp(sum(math.log(mean) * n for mean, n in known) / whole)
    return sum(mean * n for mean, n in known) / whole


def _pair(one: Summary, other: Summary) -> Summary:
    n, gap = one.n + other.n, other.mean - one.mean
    share = other.n / n
    mean = one.mean + gap * share
    second = _second(one) + _second(other) + gap**2 * one.n * share
    third = (
        _third(one)
        + _third(other)
        + gap**3 * one.n * share * (one.n - other.n) / n
        + 3 * gap * (one.n * _second(other) - other.n * _second(one)) / n
    )
    sd = math.sqrt(second / (n - 1))
    return Summary(
        n=n,
        mean=mean,
        sd=sd,
        skew=third / n / sd**3 if sd > 0 else 0.0,
        gain=one.gain + other.gain,
        loss=one.loss + other.loss,
        ups=one.ups + other.ups,
        downs=one.downs + other.downs,
        telling=one.telling + other.telling,
        largest=max(one.largest, other.largest),
    )


def _second(part: Summary) -> float:
    """The sum of squared deviations."""
    return part.sd**2 * (part.n - 1)


def _third(part: Summary) -> float:
    """The sum of cubed deviations."""
    return part.skew * part.sd**3 * part.n
