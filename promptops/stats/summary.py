"""A column of oriented differences, summed up: the few numbers that every test of their mean uses.

Whatever the tests say can be said again from a `Summary` alone, so it is what evidence keeps and `--explain`
prints. Reads no column twice and keeps none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from promptops.stats.clusters import Grouped, grouped
from promptops.stats.sandwich import all_alone

Floats = NDArray[np.float64]

HALF_A_DEGREE = 0.5  # of freedom: there are never fewer than one, but for what floating point loses
ENOUGH = 5  # differences that carry information; with fewer, a standard deviation means little
TINY = 1e-9  # of the range: what floating point leaves of a constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Size, mean, standard deviation (ddof 1) and skewness of some differences."""

    n: int
    mean: float
    sd: float
    skew: float

    @property
    def se(self) -> float:
        return self.sd / math.sqrt(self.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary(Moments):
    """What the tests of one mean use of the data.

    `gain` and `loss` are the sums of what rose and of what fell, `ups` and `downs` how many did (beyond rounding),
    `telling` how many reach the margin, `largest` the largest size. `grouped` is there when the values belong to
    clusters of more than one, or have weights: then its mean, its standard error and its masses count.
    """

    gain: float
    loss: float
    ups: int
    downs: int
    telling: int
    largest: float
    grouped: Grouped | None = None

    @property
    def units(self) -> int:
        """How many independent draws there are: samples, or clusters."""
        return self.n if self.grouped is None else self.grouped.clusters

    @property
    def moved(self) -> int:
        """How many of these units differ at all."""
        return self.ups + self.downs if self.grouped is None else self.grouped.moved

    @property
    def informative(self) -> int:
        """How many of these units hold a difference that reaches the margin, and do not cancel it inside."""
        return self.telling if self.grouped is None else min(self.grouped.telling, self.grouped.moved)

    @property
    def spread(self) -> float:
        """The standard deviation of one unit, as far as the mean's error tells it.

        0, which tells nothing, where one unit carries so nearly all of the weight that no degree of freedom is left.
        """
        if self.grouped is not None and self.grouped.df < HALF_A_DEGREE:
            return 0.0
        return self.error * math.sqrt(self.units)

    @property
    def centre(self) -> float:
        """The estimate: weighted where the samples are."""
        return self.mean if self.grouped is None else self.grouped.mean

    @property
    def error(self) -> float:
        """The standard error of the estimate."""
        return self.se if self.grouped is None else self.grouped.se

    def mirrored(self) -> Self:
        """The summary of the same values with their signs changed."""
        return replace(
            self,
            mean=-self.mean,
            skew=-self.skew,
            gain=self.loss,
            loss=self.gain,
            ups=self.downs,
            downs=self.ups,
            grouped=self.grouped and self.grouped.mirrored(),
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read back what `results.as_json` wrote.

        Raises:
            TypeError: it is something else.
        """
        inner = values.get("grouped")
        return cls(**{**values, "grouped": None if inner is None else Grouped(**inner)})


def read_summaries(values: Mapping[str, Any], *names: str) -> dict[str, Summary | None]:
    """Read back the summaries that `as_numbers` wrote under these names; None where it wrote none.

    Raises:
        TypeError: it is something else.
    """
    written = {name: values.get(name) for name in names}
    return {name: None if one is None else Summary.from_json(one) for name, one in written.items()}


def moments(values: Floats) -> Moments:
    n, mean = values.size, float(values.mean())
    sd = float(values.std(ddof=1)) if n > 1 else 0.0
    scaled = (values - mean) / sd if sd > 0 else np.zeros(1)
    skew = float(np.mean(scaled * scaled * scaled))  # a power of 3 takes five times as long
    return Moments(n=n, mean=mean, sd=sd, skew=skew)


def summarise(
    values: Floats,
    *,
    edge: float,
    margin: float,
    clusters: Any = None,
    weights: Any = None,
) -> Summary:
    """Sum up at least one finite value; a size up to `edge` is none, one from `margin` on is telling.

    `clusters` (an integer code a value) and `weights` pair up with the values.
    """
    whole = moments(values)
    return Summary(
        n=whole.n,
        mean=whole.mean,
        sd=whole.sd,
        skew=whole.skew,
        gain=float(values[values > 0].sum()),
        loss=float(-values[values < 0].sum()),
        ups=int(np.count_nonzero(values > edge)),
        downs=int(np.count_nonzero(values < -edge)),
        telling=int(np.count_nonzero(np.abs(values) >= max(edge, margin * (1 - TINY)))),
        largest=float(np.abs(values).max()),
        grouped=_grouped(values, clusters, weights, edge, margin),
    )


def _grouped(values: Floats, clusters: Any, weights: Any, edge: float, margin: float) -> Grouped | None:
    """Only where there is something to group: clusters of one with equal weights are independent pairs."""
    if clusters is not None and all_alone(clusters):
        clusters = None
    if weights is not None and np.ptp(weights) <= TINY * np.max(weights):
        weights = None
    if clusters is None and weights is None:
        return None
    return grouped(values, clusters=clusters, weights=weights, edge=edge, margin=margin)


def as_numbers(value: Any) -> dict[str, Any]:
    """Return a summary's fields as plain JSON, nested values too, without those that hold nothing."""
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: _plain(one) for name, one in found.items() if one is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return as_numbers(value) if hasattr(value, "__dataclass_fields__") else value
