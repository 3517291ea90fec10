"""How many samples a question needs; normal approximations, for planning only, never for deciding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from promptops.stats.binary import paired_proportion_noninferiority
from promptops.stats.distributions import chi2_quantile, normal_quantile
from promptops.stats.results import BadNumbers, check_alpha
from promptops.stats.sides import EXACT_UP_TO

ENOUGH = 5  # pairs below which no interval of a ratio is worth having
POWER = 0.80


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSize:
    """`n` pairs give `power` at one-sided `alpha`; None: no number of samples can show it."""

    n: int | None
    alpha: float
    power: float
    method: str


def sample_size(
    *,
    sd_diff: float,
    margin: float,
    true_difference: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.80,
    design_effect: float = 1.0,
) -> SampleSize:
    """Pairs needed to show non-inferiority when the true difference (oriented) is `true_difference`.

    `sd_diff` is the standard deviation of one pair's difference, on the scale of `margin`.
    """
    if margin <= 0:
        raise BadNumbers("bad_margin", f"a margin is positive, got {margin!r}")
    n = _pairs(sd_diff, margin + true_difference, alpha, power, design_effect)
    return SampleSize(n=n, alpha=alpha, power=power, method="non-inferiority")


def superiority_sample_size(
    *,
    sd_diff: float,
    effect: float,
    targets: int = 1,
    alpha: float = 0.05,
    power: float = 0.80,
    design_effect: float = 1.0,
) -> SampleSize:
    """Pairs needed to show an improvement of `effect`, one of `targets` sharing alpha."""
    n = _pairs(sd_diff, effect, alpha / targets, power, design_effect)
    return SampleSize(n=n, alpha=alpha, power=power, method="superiority")


def minimum_detectable_effect(
    *, sd_diff: float, n: int, alpha: float = 0.05, power: float = 0.80, design_effect: float = 1.0
) -> float:
    """The difference that `n` pairs show with `power`: smaller ones are invisible."""
    if n < 1:
        raise BadNumbers("no_pairs", "a detectable effect needs at least one pair")
    return _z_sum(alpha, power) * sd_diff * math.sqrt(design_effect / n)


def minimum_n_zero_discordant(margin: float, alpha: float = 0.05) -> int:
    """Pairs that prove `margin` (a share of the range) when not one differs: (1 - margin)^n <= alpha."""
    check_alpha(alpha)
    if not 0 < margin < 1:
        raise BadNumbers("bad_margin", f"a margin for proportions lies between 0 and 1, got {margin!r}")
    n = max(1, math.ceil(math.log(alpha) / math.log1p(-margin)) - 1)
    while (1 - margin) ** n > alpha:
        n += 1
    return n


def tied_pairs_to_pass(margin: float, alpha: float = 0.05) -> int:
    """Pairs with which PASS is reached when not one differs: exact test and interval both have to show it.

    At alpha = 0.04 and above that is where (1 - margin)^n falls to alpha. Below, as at every later look, tables with
    many differences that cancel out are as likely under the margin, and weigh in the exact test; and Tango's lower
    limit, -z²/(n + z²), takes more pairs as well.
    """
    z_squared = normal_quantile(1 - alpha) ** 2
    inside = math.floor(z_squared * (1 - margin) / margin) + 1
    n = max(minimum_n_zero_discordant(margin, alpha), inside)
    while n <= EXACT_UP_TO and paired_proportion_noninferiority(0, 0, n, margin=margin).pvalue > alpha:
        n += 1
    return n


def design_effect(
    *, icc: float, mean_cluster_size: float | None = None, sizes: Sequence[int] | None = None
) -> float:
    """How many times more samples are needed because samples of one cluster resemble each other (Kish).

    `icc` is the intraclass correlation of the differences, `sizes` the numbers of samples in each cluster:
    1 + (sum n_g^2 / n - 1) icc; with equal clusters of `mean_cluster_size` m it is 1 + (m - 1) icc.
    """
    if not -1 <= icc <= 1:
        raise BadNumbers("bad_icc", f"an intraclass correlation lies between -1 and 1, got {icc!r}")
    if sizes:
        mean_cluster_size = sum(size * size for size in sizes) / sum(sizes)
    if mean_cluster_size is None or not 1 <= mean_cluster_size < math.inf:
        raise BadNumbers("bad_cluster_size", "a design effect needs the sizes of its clusters, at least 1")
    return 1 + (mean_cluster_size - 1) * icc


def shared_power(guardrails: int, power: float = POWER) -> float:
    """The power to plan each of several guardrails with, so that all pass together with `power`."""
    return 1 - (1 - power) / max(1, guardrails)


def cautious_sd(sd: float, n: int) -> float:
    """The standard deviation to plan with: below 30 values its upper 80 % bound."""
    return sd * math.sqrt((n - 1) / chi2_quantile(0.2, n - 1)) if 2 <= n < 30 else sd


def _pairs(sd: float, distance: float, alpha: float, power: float, design_effect: float) -> int | None:
    if distance <= 0:
        return None
    return max(1, math.ceil(_z_sum(alpha, power) ** 2 * sd**2 * design_effect / distance**2))


def _z_sum(alpha: float, power: float) -> float:
    check_alpha(alpha)
    if not 0 < power < 1:
        raise BadNumbers("bad_power", f"power lies between 0 and 1, got {power!r}")
    return normal_quantile(1 - alpha) + normal_quantile(power)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """How many pairs would settle an open question; `n` None: no number would, or more are no cure."""

    n: int | None = None
    least: int = 0
    notes: tuple[str, ...] = ()


def pairs_to_pass(
    n: int,
    *,
    mean: float,
    sd: float,
    margin: float,
    value_range: float | None,
    alpha: float,
    power: float = POWER,
    pairs_a_unit: float = 1.0,
) -> Need:
    """Pairs with which an equally good candidate passes with `power`, given what `n` of them showed.

    Of clusters or weighted pairs, `sd` is what one pair adds to the mean's error times the root of `n`, and
    `pairs_a_unit` how many make one independent unit: units, not pairs, prove that nothing differs.
    Where `n` should have been enough, the truth is probably worse than equal: then it is planned for the
    difference that was seen, and not at all when that lies beyond the margin.
    """
    fewest = ENOUGH if value_range is None else tied_pairs_to_pass(margin / value_range, alpha)
    least = math.ceil(fewest * max(1.0, pairs_a_unit) - 1e-6)  # five pairs a unit may read 5.000000001

    def planned(difference: float) -> int | None:
        return sample_size(
            sd_diff=sd,
            margin=margin,
            true_difference=difference,
            alpha=alpha,
            power=power,
        ).n

    equal = _at_least(planned(0.0), least)
    notes = ("more_samples_likelier_confirm",) if mean < -margin else ()
    if equal is None or equal > n:
        return Need(n=equal, least=least, notes=notes)
    seen = planned(min(mean, 0.0))
    return Need(n=_at_least(seen, n + 1), least=least, notes=(*notes, "planned_at_observed"))


def pairs_to_improve(n: int, *, mean: float, sd: float, targets: int, alpha: float) -> Need:
    """Pairs with which the improvement that was seen is shown with power 0.80; none if there was none."""
    seen = superiority_sample_size(sd_diff=sd, effect=mean, targets=targets, alpha=alpha).n
    return Need(n=_at_least(seen, n + 1), notes=("planned_at_observed",))


def _at_least(n: int | None, least: int) -> int | None:
    return None if n is None else max(n, least)
