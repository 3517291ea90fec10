"""What a number of samples can show: the chance that a prompt which did not change passes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from promptops.stats.distributions import normal_quantile
from promptops.stats.planning import minimum_n_zero_discordant
from promptops.stats.results import check_alpha
from promptops.stats.tango import score

USUAL_DISCORDANT = 0.10
ENUMERATED = 5000


def chance_of_passing(
    n: int, *, margin: float, discordant: float = USUAL_DISCORDANT, alpha: float = 0.05
) -> float:
    """Return P(PASS) of a binary guardrail when the true difference is 0.

    `n` pairs, of which a share `discordant` differs in truth, half each way; `margin` on the scale 0 to 1, `alpha`
    one-sided. Enumerates Tango's score test over the counts of fixed and broken pairs (Tango 1998); the exact
    test that the gate adds costs at most .02 of power from n = 50. Beyond 5,000 pairs the answer is that of 5,000.
    """
    check_alpha(alpha)
    if n < 1:
        return 0.0
    n = min(n, ENUMERATED)
    totals = np.arange(_low(n, discordant), _high(n, discordant) + 1)
    weights = _binomial(n, discordant, totals)
    chances = [_given(int(total), n, margin, alpha) for total in totals]
    return float(np.clip(np.dot(weights, chances), 0.0, 1.0))


def _given(total: int, n: int, margin: float, alpha: float) -> float:
    """The chance of passing given the number of discordant pairs."""
    if total == 0:
        return float(n >= minimum_n_zero_discordant(margin, alpha))
    fixed = np.arange(total + 1)
    passes = score(fixed, total - fixed, n, -margin) >= normal_quantile(1 - alpha)
    return float(_binomial(total, 0.5, fixed)[passes].sum())


def _binomial(
    n: int, p: float, counts: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    from scipy.special import gammaln

    logs = gammaln(n + 1) - gammaln(counts + 1) - gammaln(n - counts + 1)
    masses: NDArray[np.float64] = np.exp(logs + counts * np.log(p) + (n - counts) * np.log1p(-p))
    return masses


def _low(n: int, p: float) -> int:
    return max(0, int(n * p - 8 * (n * p * (1 - p)) ** 0.5) - 1)


def _high(n: int, p: float) -> int:
    return min(n, int(n * p + 8 * (n * p * (1 - p)) ** 0.5) + 1)
