"""The few tails and quantiles the tests need, from `scipy.special`.

Never `scipy.stats`: importing it takes three times as long as everything else a binary verdict needs.
"""

from __future__ import annotations

import math


def normal_quantile(p: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(p))


def normal_tail(z: float) -> float:
    """P(Z > z)."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def t_quantile(p: float, df: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


def chi2_tail(x: float, df: float) -> float:
    """P(X > x) with `df` degrees of freedom."""
    from scipy.special import chdtrc

    return float(chdtrc(df, x))


def t_tail(t: float, df: float) -> float:
    """P(T > t) with `df` degrees of freedom."""
    from scipy.special import stdtr

    return float(stdtr(df, -t))


def beta_quantile(p: float, a: float, b: float) -> float:
    from scipy.special import betaincinv

    return float(betaincinv(a, b, p))


def chi2_quantile(p: float, df: float) -> float:
    from scipy.special import gammaincinv

    return 2 * float(gammaincinv(df / 2, p))


def fair_coin_tail(heads: int, throws: int) -> float:
    """P(X > heads) for X ~ Bin(throws, 1/2)."""
    if heads >= throws:
        return 0.0
    from scipy.special import betainc

    return float(betainc(heads + 1, throws - heads, 0.5))


def fair_coin_mass(heads: int, throws: int) -> float:
    """P(X = heads) for X ~ Bin(throws, 1/2)."""
    log_ways = math.lgamma(throws + 1) - math.lgamma(heads + 1) - math.lgamma(throws - heads + 1)
    return math.exp(log_ways - throws * math.log(2))
