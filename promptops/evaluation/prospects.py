"""What so many samples can show of one rule: numbers for `test --dry-run`, computed from nothing that was asked."""

from __future__ import annotations

import math
from dataclasses import dataclass

from promptops.evaluation.earlier import Spread
from promptops.rules import ANSWERED, Rule
from promptops.stats.binary import clopper_pearson_upper
from promptops.stats.distributions import normal_tail
from promptops.stats.planning import (
    ENOUGH,
    POWER,
    design_effect,
    minimum_detectable_effect,
    sample_size,
    shared_power,
    tied_pairs_to_pass,
)
from promptops.stats.power import (
    USUAL_DISCORDANT,
    answers_to_hold,
    chance_of_holding,
    chance_of_passing,
    chance_within,
    detectable_fall,
    least_right,
    pairs_for_chance,
)
from promptops.stats.results import Kind

USUAL_ICC = 0.3  # of the differences within one conversation, where nothing was measured
USUAL_LOG_SD = 0.5  # of a ratio that was never measured: two pairs in three within a factor of 1.6
_MEAN_OF_HALF_NORMAL = math.sqrt(2 / math.pi)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What all rules of a plan share.

    `n` samples are worth `kish` of equal weight and fall into clusters of `cluster_size` (the mean that a sample
    sees, sum n_g^2 / n); `guardrails` have to hold together, `family` metrics may show harm.
    """

    n: int
    alpha: float
    guardrails: int = 1
    family: int = 1
    targets: int = 1
    cluster_size: float = 1.0
    kish: float | None = None

    def design_effect(self, icc: float | None = None) -> float:
        """How many samples say as much as one independent one; `icc` None is the usual."""
        alike = USUAL_ICC if icc is None else min(1.0, max(0.0, icc))
        return design_effect(icc=alike, mean_cluster_size=self.cluster_size) * self._weighting

    @property
    def pairs_a_unit(self) -> float:
        """How many samples make one unit when no sample differs: clusters prove it, not samples."""
        return self.cluster_size * self._weighting

    @property
    def _weighting(self) -> float:
        return 1.0 if self.kish is None else self.n / self.kish


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """A comparison with what is live, of all samples or of the `n` of one slice. `chance` and `needed` are for a
    candidate that is equally good.

    `needed` samples pass with a chance of 80 % for all guardrails together; `least` are needed even if not one
    pair differs; `visible` is the smallest change for the worse (for a target: the better) that is shown four
    times in five, a relative rise for ratios, None where no change of this scale is. `spread` is None where
    nothing was measured and the usual is assumed.
    """

    metric: str
    n: int
    kind: Kind
    target: bool
    margin: float | None
    sd: float
    spread: Spread | None
    chance: float | None = None
    needed: int | None = None
    least: int | None = None
    visible: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorProspect:
    """What a floor takes: `mean` is the least that must be seen, `live` what the live version reached, if known."""

    metric: str
    kind: Kind
    floor: float
    mean: float | None
    right: int | None
    least: int
    live: float | None
    chance: float | None
    needed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverProspect:
    """What `never` shows at best: the upper limit of the rate when it happened in none of the samples."""

    metric: str
    rate: float


def guardrail_prospect(rule: Rule, seen: Spread | None, frame: Frame) -> Prospect:
    """Foresee a guardrail; the metric's margin has to be set."""
    assert rule.margin is not None
    sd, margin = _sd(rule, seen), math.log1p(rule.margin) if rule.kind == "ratio" else rule.margin
    deff = frame.design_effect(seen.icc if seen else None)
    least = math.ceil(_fewest(rule, margin, frame.alpha) * frame.pairs_a_unit)
    moved = _moved(rule, sd, margin, frame.n)
    return Prospect(
        metric=rule.name,
        n=frame.n,
        kind=rule.kind,
        target=False,
        margin=rule.margin,
        sd=sd,
        spread=seen,
        chance=_chance(rule, sd, margin, frame, deff, moved),
        needed=_needed(rule, sd, margin, frame, deff, moved, least),
        least=least,
        visible=_visible(rule, sd, frame.alpha / frame.family, frame.n, deff),
    )


def target_prospect(rule: Rule, seen: Spread | None, frame: Frame) -> Prospect:
    """Foresee a target: how large an improvement has to be."""
    sd, deff = _sd(rule, seen), frame.design_effect(seen.icc if seen else None)
    return Prospect(
        metric=rule.name,
        n=frame.n,
        kind=rule.kind,
        target=True,
        margin=None,
        sd=sd,
        spread=seen,
        visible=_visible(rule, sd, frame.alpha / frame.targets, frame.n, deff, better=True),
    )


def floor_prospect(rule: Rule, live: float | None, frame: Frame) -> FloorProspect:
    """Foresee a floor; means of scores are treated as pass rates, which is cautious."""
    assert rule.floor is not None
    assert rule.value_range is not None
    low, reach = rule.value_range[0], rule.value_range[1] - rule.value_range[0]
    floor, deff = (rule.floor - low) / reach, frame.design_effect()
    n = int(frame.n / deff)
    right = least_right(n, floor=floor, alpha=frame.alpha)
    share = None if live is None else min(1.0, max(0.0, (live - low) / reach))
    needed = None if share is None else answers_to_hold(mean=share, floor=floor, alpha=frame.alpha)
    least = answers_to_hold(mean=1.0, floor=floor, alpha=frame.alpha) or 1
    return FloorProspect(
        metric=rule.metric,
        kind=rule.kind,
        floor=rule.floor,
        mean=None if right is None else low + reach * right / n,
        right=None if right is None else math.ceil(frame.n * right / n),
        least=math.ceil(least * deff),
        live=live,
        chance=None if share is None else chance_of_holding(n, mean=share, floor=floor, alpha=frame.alpha),
        needed=None if needed is None else math.ceil(needed * deff),
    )


def never_prospect(rule: Rule, frame: Frame) -> NeverProspect:
    """Foresee what must never happen."""
    return NeverProspect(metric=rule.metric, rate=clopper_pearson_upper(0, frame.n, frame.alpha))


def _reach(rule: Rule) -> float | None:
    return None if rule.value_range is None else rule.value_range[1] - rule.value_range[0]


def _sd(rule: Rule, seen: Spread | None) -> float:
    """The standard deviation of one pair's difference: as seen, else the usual."""
    if seen is not None:
        return seen.sd
    if rule.metric == ANSWERED:
        return 0.0  # whoever plans a test plans to be answered
    reach = _reach(rule)
    return USUAL_LOG_SD if reach is None else math.sqrt(USUAL_DISCORDANT) * reach


def _fewest(rule: Rule, margin: float, alpha: float) -> int:
    reach = _reach(rule)
    return ENOUGH if reach is None else tied_pairs_to_pass(margin / reach, alpha)


def _few_tell(rule: Rule, sd: float, margin: float, n: int) -> bool:
    """Whether fewer than 5 of `n` differences would reach the margin: then the bounded-score argument decides."""
    return rule.kind == "bounded" and sd > 0 and n * 2 * normal_tail(margin / sd) < ENOUGH


def _moved(rule: Rule, sd: float, margin: float, n: int) -> float | None:
    """The share of pairs that differ, for the tests that count them; None where a mean is tested."""
    reach = _reach(rule)
    if reach is None or (rule.kind == "bounded" and not _few_tell(rule, sd, margin, n)):
        return None
    return (sd / reach) ** 2 if rule.kind == "binary" else _MEAN_OF_HALF_NORMAL * sd / reach


def _chance(rule: Rule, sd: float, margin: float, frame: Frame, deff: float, moved: float | None) -> float:
    reach, n, alpha = _reach(rule), frame.n, frame.alpha
    if reach is None or moved is None:
        return chance_within(n, sd=sd, margin=margin, alpha=alpha, design_effect=deff)
    units = frame.pairs_a_unit if moved == 0 else deff
    return chance_of_passing(n, margin=margin / reach, discordant=moved, alpha=alpha, design_effect=units)


def _needed(
    rule: Rule, sd: float, margin: float, frame: Frame, deff: float, moved: float | None, least: int
) -> int:
    reach, alpha = _reach(rule), frame.alpha
    power = shared_power(1 if rule.metric == ANSWERED else frame.guardrails)
    if reach is None or moved is None:
        found = sample_size(sd_diff=sd, margin=margin, alpha=alpha, power=power, design_effect=deff).n
        return max(found or least, least)
    if moved == 0:
        return least
    return pairs_for_chance(
        least, margin=margin / reach, discordant=moved, alpha=alpha, power=power, design_effect=deff
    )


def _visible(
    rule: Rule, sd: float, alpha: float, n: int, deff: float, *, better: bool = False
) -> float | None:
    reach = _reach(rule)
    if rule.kind == "binary":
        return detectable_fall(n, discordant=sd * sd, alpha=alpha, power=POWER, design_effect=deff)
    size = minimum_detectable_effect(sd_diff=sd, n=n, alpha=alpha, power=POWER, design_effect=deff)
    if reach is None:
        return -math.expm1(-size) if better else math.expm1(size)
    return size if size < reach else None
