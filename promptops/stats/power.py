"""What a number of samples can show: the chance that a prompt which did not change passes, and the least visible fall.

For planning only, never for deciding. Samples that resemble each other, or that are weighted, count for fewer:
`design_effect` is how many of them say as much as one independent one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from promptops.stats.binary import clopper_pearson_lower
from promptops.stats.distributions import normal_quantile, normal_tail
from promptops.stats.planning import ENOUGH, POWER, minimum_detectable_effect, tied_pairs_to_pass
from promptops.stats.results import BadNumbers, check_alpha
from promptops.stats.tango import score

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Counts = np.ndarray[tuple[int], np.dtype[np.int64]]

USUAL_DISCORDANT = 0.10
ENUMERATED = 5000


def chance_of_passing(
    n: int,
    *,
    margin: float,
    discordant: float = USUAL_DISCORDANT,
    difference: float = 0.0,
    alpha: float = 0.05,
    design_effect: float = 1.0,
) -> float:
    """Return P(PASS) of a binary guardrail when the true difference is `difference`.

    `n` pairs, of which a share `discordant` differs in truth; `margin` on the scale 0 to 1, `alpha`
    one-sided. Enumerates Tango's score test over the counts of fixed and broken pairs (Tango 1998); the exact
    test that the gate adds costs at most .02 of power from n = 50. Beyond 5,000 pairs the answer is that of 5,000.
    """
    check_alpha(alpha)
    n = min(int(n / design_effect), ENUMERATED)
    if n < 1:
        return 0.0
    if discordant <= 0:
        return float(n >= tied_pairs_to_pass(margin, alpha))
    totals = np.arange(_low(n, discordant), _high(n, discordant) + 1)
    weights = _binomial(n, discordant, totals)
    up = min(1.0, max(0.0, (1 + difference / discordant) / 2))
    chances = [_given(int(total), n, margin, alpha, up) for total in totals]
    return float(np.clip(np.dot(weights, chances), 0.0, 1.0))


def pairs_for_chance(
    start: int,
    *,
    margin: float,
    discordant: float,
    difference: float = 0.0,
    alpha: float = 0.05,
    power: float = POWER,
    design_effect: float = 1.0,
) -> int:
    """Return how many pairs, at least `start`, pass a binary guardrail with `power`: `chance_of_passing` turned round.

    Where few pairs differ, the normal approximation of `planning.sample_size` promises too much: with 2 % it gives 54
    pairs (alpha = .04, margin .05), of which a quarter pass; this gives 108. Within 1 %, as the chance rises by steps.
    """

    def enough(n: int) -> bool:
        if n / design_effect > ENUMERATED:
            return True  # there the approximation is as good
        found = chance_of_passing(
            n,
            margin=margin,
            discordant=discordant,
            difference=difference,
            alpha=alpha,
            design_effect=design_effect,
        )
        return found >= power

    low = high = max(1, start)
    while not enough(high):
        low, high = high, math.ceil(high * 1.25) + 1
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def chance_within(
    n: int, *, sd: float, margin: float, alpha: float = 0.05, design_effect: float = 1.0
) -> float:
    """Return P(lower limit > -margin) of a mean of differences whose true value is 0, by the normal approximation.

    `sd` of one pair's difference and `margin` are on one scale (logs for ratios). Fewer than 5 pairs show nothing.
    """
    check_alpha(alpha)
    if n / design_effect < ENOUGH:
        return 0.0
    if sd <= 0:
        return 1.0
    return normal_tail(normal_quantile(1 - alpha) - margin * math.sqrt(n / design_effect) / sd)


def detectable_fall(
    n: int, *, discordant: float, alpha: float = 0.05, power: float = POWER, design_effect: float = 1.0
) -> float:
    """Return the fall of a pass rate (a share) that `n` pairs show with `power`: smaller ones are invisible.

    `minimum_detectable_effect` with the variance that a fall D brings along: pi - D^2, where the share pi of pairs
    that differ is at least D. Measured by enumeration, the power of McNemar's mid-p there is .74 to .94.
    """
    spread = minimum_detectable_effect(
        sd_diff=1.0, n=n, alpha=alpha, power=power, design_effect=design_effect
    )
    ratio = spread * spread
    fall = math.sqrt(ratio * discordant / (1 + ratio))
    return fall if fall <= discordant else ratio / (1 + ratio)


def least_right(n: int, *, floor: float, alpha: float = 0.05) -> int | None:
    """Return how many of `n` answers must be right to show a rate above `floor`, a share inside (0, 1).

    By Clopper & Pearson's lower limit, as the gate decides it; None where not even all of them are enough.
    """
    if n < 1 or clopper_pearson_lower(n, n, alpha) <= floor:
        return None
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if clopper_pearson_lower(middle, n, alpha) > floor:
            high = middle
        else:
            low = middle + 1
    return low


def chance_of_holding(n: int, *, mean: float, floor: float, alpha: float = 0.05) -> float:
    """Return P(a floor is shown to hold) when each of `n` independent answers is right with probability `mean`."""
    from scipy.special import bdtrc

    check_alpha(alpha)
    least = least_right(n, floor=floor, alpha=alpha)
    return 0.0 if least is None else float(bdtrc(least - 1, n, mean))


def answers_to_hold(*, mean: float, floor: float, alpha: float = 0.05, power: float = POWER) -> int | None:
    """Return how many answers show a rate of `mean` to lie above `floor`; None where it does not.

    The normal approximation for one proportion, and never fewer than it takes when every answer is right.
    """
    check_alpha(alpha)
    if not 0 < floor < 1:
        raise BadNumbers("bad_floor", f"a floor lies between the worst and the best value, got {floor!r}")
    if mean <= floor:
        return None
    all_right = math.ceil(math.log(alpha) / math.log(floor))
    at_floor = normal_quantile(1 - alpha) * math.sqrt(floor * (1 - floor))
    at_mean = normal_quantile(power) * math.sqrt(max(0.0, mean * (1 - mean)))
    return max(all_right, math.ceil(((at_floor + at_mean) / (mean - floor)) ** 2))


def _given(total: int, n: int, margin: float, alpha: float, up: float) -> float:
    """The chance of passing given the number of discordant pairs."""
    if total == 0:
        return float(n >= tied_pairs_to_pass(margin, alpha))
    fixed = np.arange(total + 1)
    passes = score(fixed, total - fixed, n, -margin) >= normal_quantile(1 - alpha)
    return float(_binomial(total, up, fixed)[passes].sum())


def _binomial(n: int, p: float, counts: Counts) -> Floats:
    from scipy.special import gammaln, xlog1py, xlogy

    logs = gammaln(n + 1) - gammaln(counts + 1) - gammaln(n - counts + 1)
    masses: NDArray[np.float64] = np.exp(logs + xlogy(counts, p) + xlog1py(n - counts, -p))
    return masses


def _low(n: int, p: float) -> int:
    return max(0, int(n * p - 8 * (n * p * (1 - p)) ** 0.5) - 1)


def _high(n: int, p: float) -> int:
    return min(n, int(n * p + 8 * (n * p * (1 - p)) ** 0.5) + 1)
