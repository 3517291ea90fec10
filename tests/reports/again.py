"""Read a printed explanation back, and compute its p-values and limits again with scipy.stats.

Uses what a person sees and nothing else: no function of the statistics under test is called here.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np
from scipy import optimize
from scipy import stats as scipy_stats

CLAIM = re.compile(r"^    H0: (?P<what>D|mean|it) (?P<null>.*?)(?:   (?P<results>.*))?$")
NUMBER = re.compile(r"(\w+) = (\S+)")
FAMILY = re.compile(r'^Family "(\w+)", adjusted by (\w+) over (\d+)$')
MEMBER = re.compile(r"^  (.+): p = (\S+)   adjusted = (\S+)$")


@dataclass
class Printed:
    """One claim as read back from the text."""

    metric: str
    null: str
    over: str
    results: dict[str, float]
    numbers: dict[str, float]
    method: str
    limit_method: str = ""


@dataclass
class Text:
    level: float
    claims: list[Printed] = field(default_factory=list)
    families: dict[str, list[tuple[str, float, float]]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)


def read(lines: list[str]) -> Text:
    """Parse what a person sees; nothing else is used by the tests below."""
    text = Text(level=float(re.search(r"level (\S+),", "\n".join(lines))[1]))
    metric, family = "", ""
    for number, line in enumerate(lines):
        if found := re.match(r"^(\S.*?): [A-Z_]+( \(\w+\))?   ", line):
            metric = found[1]
        if found := CLAIM.match(line):
            over, numbers = re.fullmatch(r"    (.*?): ?(.*)", lines[number + 1]).groups()
            by = re.match(r"    by (\S+) \(", lines[number + 2])[1]
            other = re.match(r"    limit by (\S+) \(", [*lines, ""][number + 3])
            text.claims.append(
                Printed(
                    metric=metric,
                    null=found["null"],
                    over=over,
                    results={name: float(value) for name, value in NUMBER.findall(found["results"] or "")},
                    numbers={name: float(value) for name, value in NUMBER.findall(numbers)},
                    method=by,
                    limit_method=other[1] if other else by,
                )
            )
        if found := FAMILY.match(line):
            family = found[1]
            text.families[family], text.sizes[family] = [], int(found[3])
        elif (found := MEMBER.match(line)) and family:
            text.families[family].append((found[1], float(found[2]), float(found[3])))
    return text


def tango_z(fixed: float, broken: float, n: float, d0: float) -> float:
    """Tango (1998), with the restricted estimate found numerically instead of by its formula."""
    top = fixed - broken - n * d0
    if top == 0:
        return 0.0

    least, rest = max(0.0, -d0), n - fixed - broken
    width = (1 - abs(d0)) / 2

    def slope(
        x: float,
    ) -> float:  # of the log likelihood in the chance of a broken pair, from its least value on
        return fixed / (x + max(d0, 0.0)) + broken / (x + least) - rest / (width - x)

    low, high = 1e-14 * width, (1 - 1e-14) * width
    if slope(low) <= 0:
        q = least
    elif slope(high) >= 0:
        q = least + width
    else:
        q = least + optimize.brentq(slope, low, high, xtol=1e-18, rtol=8.9e-16)
    return top / math.sqrt(n * (2 * q + d0 * (1 - d0)))


def exact_tail(fixed: int, broken: int, n: int, d0: float) -> float:
    """The largest tail over the nuisance parameter, every table counted with scipy's multinomial."""
    seen = tango_z(fixed, broken, n, d0)
    tables = []
    for down in range(n + 1):  # the score rises in the number of fixed pairs
        room = range(n - down + 1)
        least = bisect_left(room, seen - 1e-9, key=lambda up, down=down: tango_z(up, down, n, d0))
        tables += [(up, down) for up in room[least:]]
    ups, downs = np.array(tables).T
    counts = np.stack([ups, downs, n - ups - downs], axis=1)

    def tail(q: float) -> float:
        chances = np.clip([q, q - d0, 1 - 2 * q + d0], 0, 1)
        return float(scipy_stats.multinomial.pmf(counts, n, chances / chances.sum()).sum())

    grid = np.unique(
        np.concatenate([[0.0], np.geomspace(1e-5, (1 + d0) / 2, 60), np.linspace(0, (1 + d0) / 2, 60)])
    )
    best = int(np.argmax([tail(q) for q in grid]))
    near = np.linspace(grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)], 40)
    return max(tail(q) for q in near)


def t_tail(mean: float, se: float, df: float, skew: float, d0: float, *, hall: bool) -> float:
    t = (mean - d0) / se
    corrected = t + skew * (t**2 / 3 + 1 / 6) + skew**2 * t**3 / 27
    return max(float(scipy_stats.t.sf(one, df)) for one in ((t, corrected) if hall else (t,)))


def p_again(claim: Printed) -> float:
    """Compute the p-value with scipy.stats from the printed numbers and the printed hypothesis."""
    sign, bound = claim.null.split()
    d0, worse, x = float(bound), sign == ">=", claim.numbers
    ups, downs = (x.get("downs", 0), x.get("ups", 0)) if worse else (x.get("ups", 0), x.get("downs", 0))
    match claim.method:
        case "exact-unconditional":
            return exact_tail(int(x["ups"]), int(x["downs"]), int(x["n"]), d0)
        case "tango-score":
            return float(scipy_stats.norm.sf(tango_z(x["ups"], x["downs"], x["n"], d0)))
        case "mcnemar-midp":
            throws = scipy_stats.binom(int(ups + downs), 0.5)
            return float(throws.sf(ups) + throws.pmf(ups) / 2) if ups + downs else 1.0
        case "hall-t" | "log-t":
            flip = -1 if worse else 1
            se, skew = x["sd"] / math.sqrt(x["n"]), x.get("skew", 0.0) / math.sqrt(x["n"])
            return t_tail(flip * x["mean"], se, x["n"] - 1, flip * skew, d0, hall=claim.method == "hall-t")
        case "cr2-hall-t" | "hajek-hall-t":
            flip = -1 if worse else 1
            return t_tail(flip * x["mean"], x["se"], x["df"], flip * x["skew"], d0, hall=True)
        case "betting":
            logs = [x[f"log{place}"] for place in range(1, 11)]
            return min(1.0, 1 / float(np.mean(np.exp(logs))))
        case "bounded-score":
            n = x.get("effective", x.get("n"))
            gain, loss = (x["loss"], x["gain"]) if worse else (x["gain"], x["loss"])
            p = float(scipy_stats.norm.sf(tango_z(gain / x["R"], loss / x["R"], n, d0 / x["R"])))
            if d0:
                return max(p, (1 + d0 / x["R"]) ** n)
            throws = scipy_stats.binom(int(ups + downs), 0.5)
            sign_p = (
                (throws.sf(ups) + throws.pmf(ups) / 2 if ups + downs else 1.0) if ups + downs < 5 else 0.0
            )
            return max(p, float(sign_p))
    raise AssertionError(claim.method)


def limit_again(claim: Printed, level: float) -> float:
    """Compute the confidence limit of a comparison: where the p-value of the same numbers is the level."""
    x, flip = claim.numbers, -1 if ">=" in claim.null else 1
    if claim.limit_method in ("tango", "bounded-score"):
        size, n = x.get("R", 1.0), x.get("effective", x.get("n"))
        gain, loss = x.get("gain", x.get("ups")) / size, x.get("loss", x.get("downs")) / size
        gain, loss = (loss, gain) if flip < 0 else (gain, loss)
        z = scipy_stats.norm.isf(level)
        low = optimize.brentq(
            lambda d: tango_z(gain, loss, n, d) - z, -1 + 1e-9, (gain - loss) / n, xtol=1e-14
        )
        return flip * size * low
    se = x["se"] if "se" in x else x["sd"] / math.sqrt(x["n"])
    df = x["df"] if "df" in x else x["n"] - 1
    skew = flip * (x["skew"] if "se" in x else x.get("skew", 0.0) / math.sqrt(x["n"]))
    hall = claim.limit_method != "log-t"
    mean = flip * x["mean"]

    def gap(d0: float) -> float:
        return t_tail(mean, se, df, skew, d0, hall=hall) - level

    return flip * optimize.brentq(gap, mean - 60 * se, mean + se, xtol=1e-14)
