"""What each method behind a verdict is called, why it was taken, what it computes and assumes, and who published it.

The names are those that results carry in `method`. Every expression uses the names of the numbers that a
`Summary` holds, so that a reader with these numbers can compute the p-value again. Computes nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from promptops.stats.results import BadNumbers, as_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method: `how` is the expression in plain text, `D0` in it the difference of the null hypothesis."""

    name: str
    formula: str
    why: str
    how: str
    assumes: str
    source: str

    def as_json(self) -> dict[str, Any]:
        return as_json(self)


def method(name: str) -> Method:
    """Return what is known of a method by the name that a result carries.

    Raises:
        BadNumbers: no such method.
    """
    found = next((one for one in METHODS if one.name == name), None)
    if found is None:
        raise BadNumbers("unknown_method", f"no method is called {name!r}")
    return found


PAIRS = "Pairs are independent draws from the samples that the prompt will meet."
CLUSTERS = "Clusters are independent draws; samples of one cluster may resemble one another in any way."
BOUNDED = "Scores stay inside their declared range."
ONCE = "The level was fixed before the answers were seen (looks share it)."
TANGO = "Tango 1998, Statistics in Medicine 17:891"
HALL = "Hall 1992, Journal of the Royal Statistical Society B 54:221"
BETTING = "Waudby-Smith & Ramdas 2024, Journal of the Royal Statistical Society B 86:1; Ville 1939"
CR2 = "Bell & McCaffrey 2002, Survey Methodology 28:169; Pustejovsky & Tipton 2018, JBES 36:672"

_PAIRED = (
    Method(
        name="exact-unconditional",
        formula="exact unconditional test of non-inferiority",
        why="pass/fail scores of up to 2,000 pairs: every possible table is counted, so the error is never above alpha",
        how="p = the largest P(T >= T seen) over q, with T Tango's score at D0, n pairs of which q are fixed and "
        "q - D0 broken by chance; (1 + D0)^n where no pair differs",
        assumes=PAIRS,
        source="Hsueh, Liu & Chen 2001, Biometrics 57:478; Berger & Boos 1994, JASA 89:1012",
    ),
    Method(
        name="tango-score",
        formula="Tango's score test for paired proportions",
        why="pass/fail scores of more than 2,000 pairs: the score test's error is at its nominal level there",
        how="p = P(Z > T), T = (ups - downs - n D0) / sqrt(n (2 q + D0 (1 - D0))), q the larger root of "
        "2 n q^2 + ((2 n - ups + downs) D0 - ups - downs) q - downs D0 (1 - D0) = 0",
        assumes=f"{PAIRS} Asymptotic.",
        source=TANGO,
    ),
    Method(
        name="tango",
        formula="Tango's score interval for paired proportions",
        why="pass/fail scores: the interval keeps its level in small samples and always has a width",
        how="the D0 at which Tango's score T reaches the normal quantile of 1 - alpha, on either side",
        assumes=f"{PAIRS} Asymptotic.",
        source=TANGO,
    ),
    Method(
        name="mcnemar-midp",
        formula="McNemar's test, mid-p",
        why="pass/fail scores: only pairs that differ say which version is better, each like the toss of a coin",
        how="p = P(X > k) + P(X = k) / 2, X binomial with ups + downs tosses of a fair coin, k = downs for worse and "
        "ups for better; 1 where no pair differs",
        assumes=f"{PAIRS} Its size stays at the nominal level in practice, without a guarantee.",
        source="Fagerland, Lydersen & Laake 2013, BMC Medical Research Methodology 13:91",
    ),
    Method(
        name="mcnemar-exact",
        formula="McNemar's test, exact",
        why="the guarantee that mid-p lacks, for less power",
        how="p = P(X >= k), X binomial with ups + downs tosses of a fair coin",
        assumes=PAIRS,
        source="McNemar 1947, Psychometrika 12:153",
    ),
    Method(
        name="hall-t",
        formula="the more cautious of Hall's skewness-corrected t and the ordinary paired t",
        why="scores on a scale: their differences are skewed, and neither test alone is cautious on coarse scores",
        how="t = (mean - D0) / (sd / sqrt(n)), s = skew / sqrt(n), g = t + s (t^2 / 3 + 1 / 6) + s^2 t^3 / 27; p = the "
        "larger of P(T > t) and P(T > g), T with n - 1 degrees of freedom; for worse, mean and skew change sign",
        assumes=f"{PAIRS} {BOUNDED}",
        source=HALL,
    ),
    Method(
        name="bounded-score",
        formula="Tango's score on gains and losses as fractions of the scale",
        why="fewer than five differences are large enough to matter: their spread is unknown, only their bounds are",
        how="b = gain / R, c = loss / R used as fixed and broken in Tango's score with D0 / R, R the size of the scale "
        "(ratio: the larger of log 4, twice the margin and the largest log ratio); p = P(Z > T), at the margin at "
        "least (1 - margin / R)^n, at 0 with fewer than five differences at least McNemar's mid-p of their signs; n is "
        "`effective` for clusters; for worse, gain and loss change places",
        assumes=f"{PAIRS} {BOUNDED} No difference varies more than one of 0 or the whole scale with the same mean.",
        source=f"{TANGO}, on fractional counts",
    ),
    Method(
        name="cr2-hall-t",
        formula="the more cautious of cluster-robust t (CR2, Satterthwaite's df) and Hall's correction of it",
        why="samples of one conversation or user resemble each other: the clusters are what was drawn independently",
        how="t = (mean - D0) / se, g = t + skew (t^2 / 3 + 1 / 6) + skew^2 t^3 / 27; p = the larger of P(T > t) and "
        "P(T > g), T with df degrees of freedom; all of them of the clusters, skew that of the mean itself; for worse, "
        "mean and skew change sign",
        assumes=CLUSTERS,
        source=f"{CR2}; {HALL}",
    ),
    Method(
        name="hajek-hall-t",
        formula="Hájek's weighted mean with the CR2 standard error, or Hall's correction of it if more cautious",
        why="samples were drawn with different chances: each counts for as many as it stands for",
        how="as cr2-hall-t, with the weighted mean and its standard error",
        assumes=f"{CLUSTERS} The chances of being drawn are known.",
        source=f"Hájek 1971 (comment in Foundations of Statistical Inference); {CR2}",
    ),
    Method(
        name="log-t",
        formula="paired t on log ratios",
        why="seconds, dollars and tokens have heavy tails: the typical ratio is compared, not the sum",
        how="p = P(T > (mean - D0) / (sd / sqrt(n))), T with n - 1 degrees of freedom; mean and sd are those of "
        "-log(candidate / baseline), D0 is minus the log of 1 + the allowed rise",
        assumes=f"{PAIRS} Log ratios have a finite variance. Says nothing about the slowest answers, nor about a sum.",
        source="Student 1908, Biometrika 6:1, on the scale of logs",
    ),
    Method(
        name="none",
        formula="no test",
        why="there is nothing to compare: no pair has both values, or there is no baseline",
        how="no p-value",
        assumes="Nothing.",
        source="none",
    ),
)

_ALONE = (
    Method(
        name="clopper-pearson",
        formula="Clopper & Pearson's exact limit of a proportion",
        why="a floor or a never is a claim about one version alone, and this limit is never too bold",
        how="lower = the alpha quantile of Beta(k, n - k + 1), upper = the 1 - alpha quantile of Beta(k + 1, n - k), k "
        "the passes (or the mass of the scores as a fraction of the scale), n the answers (`effective` for clusters)",
        assumes="Answers are independent draws; a bounded score varies less than a pass/fail one with its mean.",
        source="Clopper & Pearson 1934, Biometrika 26:404",
    ),
    Method(
        name="wilson",
        formula="Wilson's score interval of a proportion",
        why="for reading, where no guarantee is needed",
        how="the proportions at which the score test of k of n reaches the normal quantile",
        assumes="Answers are independent draws. Asymptotic.",
        source="Wilson 1927, JASA 22:209",
    ),
)

_SEQUENTIAL = (
    Method(
        name="betting",
        formula="mixture of ten constant bets",
        why="the run may stop at any moment, so the evidence must hold however often one looks",
        how="E = the mean of ten capitals exp(log1) … exp(log10), each the product over the units of 1 + bet (x - m0), "
        "x the difference (for worse, mirrored) and m0 that of the null hypothesis on the scale 0 to 1; shown "
        "when E reaches the threshold; p = 1 / E, at most 1",
        assumes=f"Samples, or whole clusters, come in an order that does not look at the answers. {BOUNDED}",
        source=BETTING,
    ),
)

_FAMILIES = (
    Method(
        name="holm",
        formula="Holm's correction",
        why="something is called worse (or better) if any one of several tests says so",
        how="the smallest of m p-values times m, the next times m - 1, …, never falling, at most 1",
        assumes="Nothing about how the tests hang together.",
        source="Holm 1979, Scandinavian Journal of Statistics 6:65",
    ),
    Method(
        name="bh",
        formula="Benjamini & Hochberg's correction",
        why="many slices are looked through for those worth a look; of those flagged, about q may be false",
        how="the largest of m p-values times 1, the next times m / (m - 1), …, never rising, at most 1",
        assumes="Tests are independent or hang together positively.",
        source="Benjamini & Hochberg 1995, Journal of the Royal Statistical Society B 57:289",
    ),
    Method(
        name="intersection-union",
        formula="intersection-union test",
        why="PASS claims that every guardrail holds, so each is tested at the full level and all must hold",
        how="PASS where the largest of the p-values at the margin is at most alpha",
        assumes=ONCE,
        source="Berger 1982, Technometrics 24:295",
    ),
)

METHODS = _PAIRED + _ALONE + _SEQUENTIAL + _FAMILIES
