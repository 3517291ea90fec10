"""The methods that no verdict rests on: cross-checks, judges, streams and plans; described as in `methods`."""

from __future__ import annotations

from promptops.stats.methods import CLUSTERS, CR2, HALL, PAIRS, Method

CHECKS = (
    Method(
        name="hall",
        formula="Hall's skewness-corrected t",
        why="the pure formula, without the cautious rule",
        how="as hall-t, with Hall's p-value alone",
        assumes=PAIRS,
        source=HALL,
    ),
    Method(
        name="t",
        formula="Student's paired t",
        why="the pure formula, without the cautious rule",
        how="p = P(T > (mean - D0) / (sd / sqrt(n))), T with n - 1 degrees of freedom",
        assumes=f"{PAIRS} The mean is nearly normal.",
        source="Student 1908, Biometrika 6:1",
    ),
    Method(
        name="cr2-t",
        formula="cluster-robust t, CR2 with Satterthwaite's degrees of freedom",
        why="the pure formula, without the cautious rule",
        how="p = P(T > (mean - D0) / se), T with df degrees of freedom; mean, se and df are those of the clusters",
        assumes=CLUSTERS,
        source=CR2,
    ),
    Method(
        name="cr1-z",
        formula="cluster-robust CR1 with a normal quantile",
        why="for comparison with other programs; too bold below 50 clusters",
        how="p = P(Z > (mean - D0) / se), se from the clusters' totals times G / (G - 1)",
        assumes=f"{CLUSTERS} Many clusters.",
        source="Liang & Zeger 1986, Biometrika 73:13",
    ),
    Method(
        name="sign-flip",
        formula="sign-flip test, random flips",
        why="a cross-check that needs no distribution",
        how="p = the share of flips of the signs whose sum is at least the one seen, that one counted in",
        assumes=f"{PAIRS} Differences are symmetric around zero under the null hypothesis.",
        source="Fisher 1935, The Design of Experiments",
    ),
    Method(
        name="sign-flip-exact",
        formula="sign-flip test, all flips",
        why="a cross-check that needs no distribution, of up to 16 differences",
        how="p = the share of all 2^n flips of the signs whose sum is at least the one seen",
        assumes=f"{PAIRS} Differences are symmetric around zero under the null hypothesis.",
        source="Fisher 1935, The Design of Experiments",
    ),
)

JUDGES = (
    Method(
        name="ppi-t",
        formula="prediction-powered mean with t limits",
        why="a few human labels correct many scores of a judge",
        how="estimate = mean(human) - lam (mean(judge, labelled) - mean(judge, others)); t with n - 1",
        assumes="The labelled pairs are a random subset; at least 30 of them to gate.",
        source="Angelopoulos et al. 2023, Science 382:669; Angelopoulos, Duchi & Zrnic 2023, arXiv:2311.01453",
    ),
    Method(
        name="binomial-exact",
        formula="exact binomial test against 1/2",
        why="whether a pairwise judge favours the slot that it reads first",
        how="p = twice the smaller tail of first_wins of n_inconsistent tosses of a fair coin",
        assumes="Every pair was judged in both orders; pairs are independent.",
        source="the binomial distribution",
    ),
)

STREAMS = (
    Method(
        name="shiryaev-roberts",
        formula="Shiryaev-Roberts e-detector",
        why="a stream that is watched all the time must not cry wolf",
        how="M <- (1 + bet (floor - x)) (M + 1), the mean over the bets; alarm at the threshold",
        assumes="Scores between 0 and 1; the expected time to a false alarm is at least the threshold.",
        source="Shin, Ramdas & Rinaldo 2022, arXiv:2203.03532",
    ),
    Method(
        name="cusum",
        formula="CUSUM e-detector",
        why="as shiryaev-roberts; counts the best starting point alone instead of all",
        how="M <- (1 + bet (floor - x)) max(M, 1), the mean over the bets; alarm at the threshold",
        assumes="Scores between 0 and 1; the expected time to a false alarm is at least the threshold.",
        source="Shin, Ramdas & Rinaldo 2022, arXiv:2203.03532",
    ),
    Method(
        name="psi",
        formula="population stability index, and Pearson's chi-square",
        why="whether the mix of categories moved",
        how="the sum of (q - p) log(q / p), half a count added to each category; less (B - 1)(1/n + 1/m) for chance",
        assumes="Observations are independent.",
        source="Siddiqi 2006, Credit Risk Scorecards; Pearson 1900",
    ),
    Method(
        name="welch-hall",
        formula="the more cautious of Hall's and Welch's t for two means",
        why="two windows hold different samples, so nothing is paired",
        how="t = (mean - mean before) / sqrt(se^2 + se before^2), Satterthwaite's degrees of freedom; Hall's "
        "correction with the third moment of that difference",
        assumes="Scores are independent draws; the windows are compared once.",
        source=f"Welch 1947, Biometrika 34:28; {HALL}",
    ),
    Method(
        name="welch-cr2",
        formula="Welch's t on cluster-robust variances",
        why="two windows of conversations: the clusters are what was drawn independently",
        how="as welch-hall without Hall's correction, se and degrees of freedom from CR2 in each window",
        assumes=f"{CLUSTERS} No cluster is in both windows.",
        source=CR2,
    ),
)

PLANS = (
    Method(
        name="non-inferiority",
        formula="sample size for non-inferiority",
        why="for planning, never for deciding",
        how="n = (z(1 - alpha) + z(power))^2 sd^2 deff / (margin + D)^2",
        assumes="The mean is nearly normal; the spread is that of earlier runs, or an assumed one.",
        source="Julious 2004, Statistics in Medicine 23:1921",
    ),
    Method(
        name="superiority",
        formula="sample size for an improvement",
        why="for planning, never for deciding",
        how="n = (z(1 - alpha / targets) + z(power))^2 sd^2 deff / effect^2",
        assumes="The mean is nearly normal; the spread is that of earlier runs, or an assumed one.",
        source="Julious 2004, Statistics in Medicine 23:1921",
    ),
)

OTHERS = CHECKS + JUDGES + STREAMS + PLANS
