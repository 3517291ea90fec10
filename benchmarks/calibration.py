"""How often the gate is wrong and how often it is right, beside what was measured when it was designed.

    python benchmarks/calibration.py [--runs 2000] [--designs WORD …] [--processes 2]

*Counted*: pass and fail, every table of pairs, no simulation. *Through the pipeline*: a model with a
known truth, and samples, replay, journal, cache, scores, ledger and gate as they are; every run has a fixed seed, so
the figures are the same on every machine. *Stopping early*: what a sequential test takes beside one of fixed size, by
the bets alone and through the pipeline. *Releases in a row*: at which one creep stops what no single test may.
"Designed" are the figures of the statistical design. A row is marked where it is off by more than the simulation's
own error (three standard errors), or above what is promised; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "calibration"))

import calibration_designs as designs
import numpy as np
import sequential
from calibration_designs import Design, both, checks, passes, ranks, regresses, setting
from calibration_world import Arm, Truth
from creep import PLANS, creep_table

from promptops.stats.binary import mcnemar_test
from promptops.stats.looks import alpha_at
from promptops.stats.metric import evaluate_metric
from promptops.stats.planning import sample_size
from promptops.stats.results import Status

CHUNK = 100  # runs that share a repository and a process
# The first look is tested at .8 alpha; with this, at the .05 that the design was measured at.
WHOLE = {"alpha": 0.0625}
OUTCOMES = ("pass", "regression", "inconclusive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number beside the designed one; `off` where they disagree."""

    what: str
    found: float
    designed: str
    off: bool

    def __str__(self) -> str:
        return f"{self.what:68}{self.found:8.3f}   {self.designed:>10}{'   <-- off' if self.off else ''}"


def near(what: str, found: float, designed: float, *, within: float) -> Figure:
    return Figure(what=what, found=found, designed=f"{designed:.3f}", off=abs(found - designed) > within)


# Counted


def pairs(fixed: int, broken: int, n: int) -> tuple[list[float], list[float]]:
    tied = n - fixed - broken
    return [0.0] * fixed + [1.0] * (broken + tied), [1.0] * fixed + [0.0] * broken + [1.0] * tied


@cache
def least_fixed(n: int, margin: float, alpha: float) -> tuple[int, ...]:
    """For each number of broken pairs the least number of fixed ones that passes; one too many where none does."""

    def holds(fixed: int, broken: int) -> bool:
        found = evaluate_metric("binary", *pairs(fixed, broken, n), margin=margin, alpha=alpha)
        return found.status == Status.PASS

    found = []
    for broken in range(n + 1):
        low, high = found[-1] if found else 0, n - broken + 1
        low = min(low, high)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if holds(middle, broken) else (middle + 1, high)
        found.append(low)
    return tuple(found)


def chance(least: Sequence[int], better: float, worse: float) -> float:
    """P(at least so many fixed pairs) where a pair is fixed with probability `better` and broken with `worse`."""
    from scipy.stats import binom

    n = len(least) - 1
    broken = np.arange(n + 1)
    tails = binom.sf(np.asarray(least) - 1, n - broken, min(1.0, better / (1 - worse)))
    return float(np.dot(binom.pmf(broken, n, worse), tails))


@cache
def least_better(n: int, alpha: float) -> tuple[int, ...]:
    """The same for an improvement that is shown by McNemar's mid-p test."""
    found = []
    for broken in range(n + 1):
        fixed = range(n - broken + 1)
        shown = (one for one in fixed if mcnemar_test(one, broken, alternative="greater").pvalue <= alpha)
        found.append(next(shown, n - broken + 1))
    return tuple(found)


def counted() -> Iterator[Figure]:
    sizes = {20: (0.047, 0.07), 50: (0.040, 0.24), 100: (0.046, 0.54), 200: (0.045, 0.83)}
    for n, (size, power) in sizes.items():
        least = least_fixed(n, 0.05, 0.05)
        worst = max(chance(least, q, q + 0.05) for q in np.linspace(0, 0.475, 200))
        yield near(f"pass/fail at the margin .05, n = {n}: largest size", worst, size, within=0.002)
        yield near(
            f"  power when equal, 6 % different, n = {n}", chance(least, 0.03, 0.03), power, within=0.006
        )
    for n, power in {50: 0.44, 200: 0.97}.items():
        least = least_better(n, 0.05)
        worst = max(chance(least, q, q) for q in np.linspace(0, 0.2, 100))
        yield near(
            f"improvement by mid-p, up to 40 % different, n = {n}: largest size", worst, 0.05, within=0.002
        )
        yield near(
            f"  power at +.08 (10 % fixed, 2 % broken), n = {n}",
            chance(least, 0.10, 0.02),
            power,
            within=0.006,
        )


# Through the pipeline


def equal_pass_and_fail(n: int) -> Design:
    """One pass/fail metric, 10 % of the pairs different, nothing changed."""

    def draw(rng: np.random.Generator) -> Truth:
        return both([checks(rng.random(n), fixed=0.05, broken=0.05)])

    scorers = {"ok": {"python": "scores:b0", "max_drop": 0.05}}
    return Design(
        name=f"pass/fail, equal, 10 % different, n = {n}",
        setting=setting(scorers, n=n, gate=WHOLE, limits={"answered": {"max_drop": 0.2}}),
        draw=draw,
        claim=passes,
        seed=100 + n,
    )


def verdict_level(name: str, shifts: Sequence[float], seed: int) -> Design:
    """Four guardrails and a target (the last), correlated .5, sd .3, margin .05, 300 samples."""
    n = 300

    def draw(rng: np.random.Generator) -> Truth:
        from scipy.special import ndtri

        normal = 0.3 * ndtri(ranks(rng, 5, n, 0.5))
        return Truth(live=Arm(scores=np.zeros((5, n))), new=Arm(scores=normal + np.reshape(shifts, (5, 1))))

    words = {"range": [-4, 4]}
    scorers = {f"g{k}": {"python": f"scores:s{k}", "max_drop": 0.05, **words} for k in range(4)}
    scorers["goal"] = {"python": "scores:s4", "must": "improve", **words}
    return Design(name=name, setting=setting(scorers, n=n, gate=WHOLE), draw=draw, claim=passes, seed=seed)


def tied(n: int) -> Design:
    def draw(rng: np.random.Generator) -> Truth:
        return both([designs.rare_drops(rng, n, shift=-0.04)])

    scorers = {"tone": {"python": "scores:s0", "max_drop": 0.04}}
    return Design(
        name=f"94 % ties, at the margin, n = {n}",
        setting=setting(scorers, n=n, gate=WHOLE),
        draw=draw,
        claim=passes,
        seed=300 + n,
    )


# What section 12 says of PASS and REGRESSION; None where it says nothing.
MEASURED: tuple[tuple[Design, float | None, float | None], ...] = (
    (equal_pass_and_fail(30), 0.13, None),
    (equal_pass_and_fail(100), 0.43, None),
    (equal_pass_and_fail(300), 0.85, None),
    (verdict_level("4 guardrails, 1 target: all equal", [0, 0, 0, 0, 0], 201), 0.050, 0.040),
    (verdict_level("4 guardrails, 1 target: target +.06", [0, 0, 0, 0, 0.06], 202), 0.72, None),
    (verdict_level("4 guardrails, 1 target: one at the margin", [-0.05, 0, 0, 0, 0.06], 203), 0.050, 0.74),
    (verdict_level("4 guardrails, 1 target: one at -.10", [-0.10, 0, 0, 0, 0.06], 204), None, 1.00),
    (tied(50), 0.0, None),
    (tied(200), 0.036, None),
)


def stops_early(difference: float) -> Design:
    """Pass/fail, 10 % of the pairs different, a margin of .05, bets on a thousand samples at most."""
    n = 1000

    def draw(rng: np.random.Generator) -> Truth:
        return both([checks(rng.random(n), fixed=0.05 + difference / 2, broken=0.05 - difference / 2)])

    return Design(
        name=f"sequential, true difference {difference:+.2f}",
        setting=setting({"ok": {"python": "scores:b0", "max_drop": 0.05}}, n=n, options={"sequential": True}),
        draw=draw,
        claim=passes if difference < 0 else regresses,
        seed=400,
    )


# The largest share of a fixed size's calls that is promised; None where nothing is.
STOPPING: tuple[tuple[Design, float | None], ...] = (
    (stops_early(0.03), 0.65),
    (stops_early(0.0), None),
    (stops_early(-0.05), None),
    (stops_early(-0.10), 0.40),
)


def everything() -> dict[str, Design]:
    measured = (row[0] for row in (*MEASURED, *STOPPING))
    return {one.name: one for one in (*measured, *designs.DESIGNS)}


Task = tuple[str, int, int]


def work(task: Task) -> tuple[str, Counter[str]]:
    """Run a share of a design: how often each verdict came last, and how often the false claim was made."""
    name, first, after = task
    chosen, counts = everything()[name], Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for reports in chosen.run(Path(folder), range(first, after)):
            counts[reports[-1].verdict] += 1
            counts["claim"] += chosen.claim(reports)
            counts["unknown"] += all(report.looks is None for report in reports)
            stopping = reports[-1].sequential
            samples = stopping.stopped_at if stopping is not None else reports[-1].samples.n
            counts.update(samples=samples, squares=samples * samples)
    return name, counts


def simulated(names: Sequence[str], runs: int, processes: int) -> dict[str, Counter[str]]:
    tasks = [(name, first, min(first + CHUNK, runs)) for name in names for first in range(0, runs, CHUNK)]
    found: dict[str, Counter[str]] = {name: Counter() for name in names}
    with get_context("spawn").Pool(processes) as pool:
        for done, (name, counts) in enumerate(pool.imap_unordered(work, tasks), start=1):
            found[name] += counts
            print(f"\r{done} of {len(tasks)} parts", end="", file=sys.stderr, flush=True)
    print(f"\r{'':30}\r", end="", file=sys.stderr)
    return found


def error(share: float, runs: int) -> float:
    """Three standard errors of a share, and half a digit of a designed figure."""
    return 3 * float(np.sqrt(max(share * (1 - share), 1 / runs) / runs)) + 0.005


def shares(counts: Counter[str], runs: int) -> dict[str, float]:
    return {key: counts[key] / runs for key in (*OUTCOMES, "claim", "unknown", "samples", "squares")}


def beside_the_design(
    one: Design, wanted: dict[str, float | None], share: dict[str, float], runs: int
) -> tuple[str, bool]:
    said = {key: value for key, value in wanted.items() if value is not None}
    off = any(abs(share[key] - value) > error(value, runs) for key, value in said.items())
    designed = ", ".join(f"{key} {value:.3f}" for key, value in said.items())
    return row(one.name, [share[key] for key in OUTCOMES], designed, off), off


def beside_the_promise(one: Design, share: dict[str, float], runs: int) -> tuple[str, bool]:
    unknown = one.may_be_unknown and share["unknown"] == 1.0
    off = not unknown and share["claim"] > one.tolerated(runs)
    promised = "looks: unknown" if unknown else f"<= {one.level:.3f}"
    return row(one.name, [share[key] for key in (*OUTCOMES, "claim")], promised, off), off


def row(name: str, cells: Sequence[float], beside: str, off: bool) -> str:
    numbers = "".join(f"{cell:8.3f}" for cell in cells)
    return f"{name:54}{numbers:32}   {beside}{'   <-- off' if off else ''}"


def piped(names: Sequence[str], runs: int, processes: int) -> bool:
    """Print both tables of the pipeline; True where nothing is off."""
    found = {name: shares(counts, runs) for name, counts in simulated(names, runs, processes).items()}
    rows = []
    print(f"\nThrough the pipeline, {runs} runs each\n{'':54}    PASS   REGR.    OPEN           designed")
    for one, passing, regressing in MEASURED:
        if one.name in found:
            wanted = {"pass": passing, "regression": regressing}
            rows.append(beside_the_design(one, wanted, found[one.name], runs))
            print(rows[-1][0])
    print(f"\nA claim that is false in every run\n{'':54}    PASS   REGR.    OPEN   false   promised")
    for one in designs.DESIGNS:
        if one.name in found:
            rows.append(beside_the_promise(one, found[one.name], runs))
            print(rows[-1][0])
    return not any(off for _, off in rows)


def stopping(names: Sequence[str], runs: int, processes: int) -> bool:
    """Print what sequential tests take, at the level of a first look; True where nothing is off."""
    found = {name: shares(counts, runs) for name, counts in simulated(names, runs, processes).items()}
    alpha = alpha_at(1)
    fixed = sample_size(sd_diff=0.1**0.5, margin=0.05, alpha=alpha).n or 0
    print(f"\nStopping early, through the pipeline, {runs} runs each; a fixed size takes {fixed} samples")
    print(f"{'':54}    PASS   REGR.    OPEN   of fixed   promised")
    fine = True
    for one, most in STOPPING:
        if one.name in found:
            share = found[one.name]
            ratio = share["samples"] / fixed
            spread = 3 * ((share["squares"] - share["samples"] ** 2) / runs) ** 0.5 / fixed
            off = (most is not None and ratio > most + spread) or share["claim"] > one.tolerated(runs)
            promised = "" if most is None else f"<= {most:.2f}"
            print(row(one.name, [share[key] for key in OUTCOMES] + [ratio], promised, off))
            fine &= not off
    return fine


def count() -> bool:
    print(f"Counted\n{'':68}   found     designed")
    figures = []
    for figure in counted():
        print(figure, flush=True)
        figures.append(figure)
    return not any(figure.off for figure in figures)


def creeping(runs: int) -> None:
    """Ten releases in a row, each 4 points worse where 5 are allowed."""
    print("\nReleases in a row, each 4 points worse where 5 are allowed")
    print("samples a test, release: stopped by its own test, by creep, still going, points lost by then")
    for n, mode, who in PLANS:
        print(f"{n} samples, {who}")
        for one in creep_table(runs=runs, n=n, mode=mode, seed=1):
            if one.own_test + one.creep + one.live:
                print(
                    f"{one.release:8}{one.own_test:12.3f}{one.creep:10.3f}{one.live:14.3f}{100 * one.lost:10.0f}"
                )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000, help="of every design")
    parser.add_argument(
        "--designs", nargs="*", metavar="WORD", help="only those whose name has one of the words"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    words = options.designs
    names = [name for name in everything() if words is None or any(word in name for word in words)]
    begun = time.monotonic()
    early = [one.name for one, _ in STOPPING if one.name in names]
    fine = [piped([name for name in names if name not in early], options.runs, options.processes)]
    if early:
        fine.append(stopping(early, max(100, options.runs // 10), options.processes))
    if words is None:
        fine.append(sequential.main(options.runs, 1) == 0)
        fine.append(count())
        creeping(min(options.runs, 200))
    print(f"\n{time.monotonic() - begun:.0f} s, {'nothing is off' if all(fine) else 'something is off'}")
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
