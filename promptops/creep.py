"""Creep: many releases, each within its margin, that together lost more than one may.

Non-inferiority alone lets quality walk away: ten releases of -4 points under a margin of 5 lose 40. So every
metric's differences are added up since its *anchor*: the last version that had nothing before it, on which the
metric was shown better, that the prompt file names, or against which a version was tested directly. When the sum
with the difference of today falls below the margin, no PASS stands until a test against the anchor itself passes.
Sums are of estimates, so this is a doubt and never a regression. Ratios add up as logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from promptops.stats.results import Kind
from promptops.stats.sentences import amount

_ROUNDING = 1e-9  # -0.02 and -0.03 add up to just below -0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a release's evidence says of one metric: the difference as shown, and whether it was shown better."""

    kind: Kind
    difference: float | None
    better: bool = False

    @property
    def gained(self) -> float | None:
        """The difference so that less is worse and that it adds up: minus the log of a ratio."""
        return None if self.difference is None else gained(self.kind, self.difference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """A test of a version against an anchor that its evidence carries: of the metrics that it is the anchor of."""

    version: int
    digest: str
    seen: Mapping[str, Seen]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One released version; `seen` compares it with the step after it in the walk, and is empty where nothing did."""

    version: int
    digest: str
    seen: Mapping[str, Seen] = field(default_factory=dict)
    direct: tuple[Direct, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far a metric has moved since its anchor, before the test of today; `releases` tells in how many steps.

    `total` is oriented (less is worse), on the metric's own scale, logarithmic for a ratio. `lifted` says that a
    test against the anchor itself passed.
    """

    prompt: str
    version: int
    digest: str
    total: float
    releases: int
    lifted: bool = False

    def fall(self, kind: Kind, difference: float | None) -> float:
        """How much worse than the anchor a version is that differs by this from the one before, in all."""
        return -(self.total + gained(kind, difference or 0.0))

    def is_too_far(self, kind: Kind, difference: float | None, margin: float) -> bool:
        """Whether a difference of today (as shown) leads further from the anchor than one release may go."""
        if not self.releases or self.lifted:
            return False
        allowed = -gained(kind, margin if kind == "ratio" else -margin)
        return self.fall(kind, difference) > allowed + _ROUNDING


def gained(kind: Kind, difference: float) -> float:
    """Return a difference as shown on the scale on which differences add up, so that less is worse."""
    return -math.log1p(max(difference, -1 + 1e-12)) if kind == "ratio" else difference


def drift_of(
    prompt: str, metric: str, kind: Kind, steps: Iterable[Step], *, anchor: int | None = None
) -> Drift | None:
    """Add up a metric's differences since its anchor.

    `steps` are the released versions from the one that is live backwards, each compared with the next; the last one
    has nothing to be compared with, or nobody knows. `anchor` is the version that the prompt file names. None where
    there is no released version, so nothing to drift from.
    """
    total, releases, last = 0.0, 0, None
    for step in steps:
        last = step
        seen = step.seen.get(metric)
        if step.version == anchor or seen is None or seen.better or seen.kind != kind:
            break
        direct = _direct(metric, kind, step)
        # Who names an anchor after that one wants to know what happened since then.
        if direct is not None and direct.version >= (anchor or 0):
            total += direct.seen[metric].gained or 0.0
            return _drift(prompt, direct, total, releases + 1)
        if seen.gained is None:
            break
        total, releases = total + seen.gained, releases + 1
    return None if last is None else _drift(prompt, last, total, releases)


def _drift(prompt: str, since: Step | Direct, total: float, releases: int) -> Drift:
    return Drift(prompt=prompt, version=since.version, digest=since.digest, total=total, releases=releases)


def _direct(metric: str, kind: Kind, step: Step) -> Direct | None:
    """The direct test that this metric's sum goes on from."""
    fits = (one for one in step.direct if metric in one.seen and one.seen[metric].kind == kind)
    return next(fits, None)


def sentence(metric: str, kind: Kind, drift: Drift, difference: float | None, margin: float) -> str:
    """Say what creeps, by how much, and what settles it."""
    way = "rose" if kind == "ratio" else "fell"
    worse = -gained(kind, difference or 0.0)
    here = f" by {amount(kind, _shown(kind, worse))} here and" if worse > 0 else ""
    whole = amount(kind, _shown(kind, drift.fall(kind, difference)), unit=not here)
    return (
        f"{metric} {way}{here} by {whole} since v{drift.version}, more than the "
        f"{amount(kind, margin, unit=False)} allowed; "
        f"test against that: promptops test {drift.prompt} --against v{drift.version}"
    )


def _shown(kind: Kind, fall: float) -> float:
    """A fall on the scale that people see: a ratio's relative rise."""
    return math.expm1(fall) if kind == "ratio" else fall
