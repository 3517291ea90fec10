"""Corrections for asking several questions at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from promptops.stats.results import BadNumbers


def adjust_pvalues(pvalues: Sequence[float], *, method: Literal["holm", "bh"] = "holm") -> tuple[float, ...]:
    """Return adjusted p-values in the order given; compare them with the level of the whole family.

    "holm" (1979) keeps the chance of any false claim at alpha under every dependence; "bh" (Benjamini &
    Hochberg 1995) keeps the expected share of false claims at q under independence or positive dependence.
    """
    if any(not 0 <= p <= 1 for p in pvalues):
        raise BadNumbers("bad_pvalue", f"p-values lie between 0 and 1, got {list(pvalues)}")
    if method == "holm":
        return _holm(pvalues)
    if method == "bh":
        return _benjamini_hochberg(pvalues)
    raise BadNumbers("unknown_method", f"unknown correction {method!r}: holm or bh")


def _holm(pvalues: Sequence[float]) -> tuple[float, ...]:
    adjusted, running = [0.0] * len(pvalues), 0.0
    for rank, index in enumerate(sorted(range(len(pvalues)), key=pvalues.__getitem__)):
        running = max(running, (len(pvalues) - rank) * pvalues[index])
        adjusted[index] = min(1.0, running)
    return tuple(adjusted)


def _benjamini_hochberg(pvalues: Sequence[float]) -> tuple[float, ...]:
    count = len(pvalues)
    adjusted, running = [0.0] * count, 1.0
    order = sorted(range(count), key=pvalues.__getitem__)
    for rank, index in reversed(list(enumerate(order, start=1))):
        running = min(running, pvalues[index] * count / rank)
        adjusted[index] = running
    return tuple(adjusted)
