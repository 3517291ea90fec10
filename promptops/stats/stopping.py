"""When a sequential test is likely to stop: for planning only.

A bet of size lambda wins or loses its share with every pair; its capital grows by exp(g(lambda)) a pair, and the
mixture of ten bets stops when their mean has grown to 1/alpha.
"""

from __future__ import annotations

import math

import numpy as np

from promptops.stats.betting import STAKES, stakes
from promptops.stats.results import check_alpha


def expected_stop(*, moved: float, margin: float, difference: float = 0.0, alpha: float = 0.05) -> int | None:
    """Return after about how many pairs non-inferiority is shown by betting; None where it never is.

    `moved` is the share of pairs that differ (for scores: the variance of a pair's difference over the squared
    range), `margin` and the true `difference` are shares of the range. Time to log(1/alpha) at the fastest bet's
    growth, and half of log 10 more for the mixture, which spreads its capital over ten (compared with simulation
    in the tests: within a quarter).
    """
    check_alpha(alpha)
    m0 = (1 - margin) / 2
    up, down = max(0.0, (moved + difference) / 2), max(0.0, (moved - difference) / 2)
    bets = np.asarray(stakes(m0))
    growth = (
        up * np.log1p(bets * (1 - m0))
        + down * np.log1p(-bets * m0)
        + max(0.0, 1 - up - down) * np.log1p(bets * (0.5 - m0))
    )
    best = float(growth.max())
    return math.ceil((math.log(1 / alpha) + math.log(STAKES) / 2) / best) if best > 0 else None
