"""What looking after every sample costs and saves: updates a second, wrong verdicts, samples beside a fixed size.

    python benchmarks/sequential.py [--runs 2000] [--seed 1]

Binary scores, a tenth of all pairs differing, a margin of 5 points, at most 1,000 samples. "Designed" are the figures
of the statistical design; a row is marked where it is off by more than three standard errors of the simulation, and
where more calls are made than promised; then the exit code is 1. A fixed size is the one with power 0.80 at no
difference. The last column is the same with `answered` as a second guardrail at the level of a first look (4 %), as
`promptops test --sequential` plays it.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from promptops.rules import ANSWERED, Policy, Rule
from promptops.sequential import Monitor
from promptops.stats.betting import Bettor, e_process
from promptops.stats.looks import alpha_at
from promptops.stats.planning import sample_size
from promptops.wagers import Row

ALPHA, MARGIN, DISCORDANT, MOST = 0.05, 0.05, 0.10, 1000
UPDATES, AT_LEAST = 200_000, 200_000
# (true difference, PASS, harm claimed, mean samples) as designed; calls as a share of a fixed size, at most
DESIGNED = (
    (0.03, 1.00, None, 148, 0.65),
    (0.0, 0.977, 0.016, 348, None),
    (-0.05, 0.025, 0.974, 312, None),
    (-0.10, None, 1.00, 80, 0.40),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Many runs at one true difference: shares of verdicts, and the samples that they took."""

    passed: float
    harmed: float
    samples: float
    spread: float


def thresholds(alpha: float, guardrails: int) -> tuple[float, float]:
    return math.log(1 / alpha), math.log(guardrails / alpha)


def first(path: np.ndarray, level: float) -> int:
    """At which sample a path first reaches a level; one beyond the last where it never does."""
    reached = path >= level
    return int(np.argmax(reached)) + 1 if reached.any() else path.size + 1


def play(difference: float, runs: int, seed: int, *, alpha: float, guardrails: int, least: int = 0) -> Played:
    """Play whole runs by their paths; `least` is when a guardrail on which nothing ever differs is shown to hold."""
    rng, counted, samples = np.random.default_rng(seed), Counter[str](), []
    up, down = (DISCORDANT + difference) / 2, (DISCORDANT - difference) / 2
    hold, harm = thresholds(alpha, guardrails)
    for _ in range(runs):
        diffs = rng.choice([1.0, -1.0, 0.0], MOST, p=[up, down, 1 - up - down])
        passes = max(first(e_process(diffs, margin=MARGIN).log_e, hold), least)
        harmed = first(e_process(diffs, direction="harm").log_e, harm)
        held = first(e_process(diffs, margin=MARGIN).log_e, hold)
        # Once it is shown to hold, it is not accused any more.
        harmed = harmed if harmed < held else MOST + 1
        counted["pass" if passes < harmed and passes <= MOST else "harm" if harmed <= MOST else "open"] += 1
        samples.append(min(passes, harmed, MOST))
    return Played(
        passed=counted["pass"] / runs,
        harmed=counted["harm"] / runs,
        samples=float(np.mean(samples)),
        spread=float(np.std(samples)) / math.sqrt(runs),
    )


def updates_a_second() -> float:
    """One sample of one metric: its value drawn beforehand, the bet updated, the threshold looked at."""
    values = random.Random(1).choices([0.0, 1.0, -1.0], weights=[90, 5, 5], k=UPDATES)
    bettor, level = Bettor(-MARGIN, value_range=(-1.0, 1.0)), 1e9
    begun = time.process_time()
    for value in values:
        bettor.update(value)
        bettor.reached(level)
    return UPDATES / (time.process_time() - begun)


def monitored_a_second() -> float:
    """One sample through everything that a run watches of two metrics: three bets each, and whether it is decided."""
    policy = Policy(
        rules=tuple(Rule(metric=name, kind="binary", margin=1e-3) for name in ("right", ANSWERED))
    )
    monitor, rows = Monitor(policy), [[Row(values={"right": (1.0, 1.0), ANSWERED: (1.0, 1.0)})]] * 20_000
    begun = time.process_time()
    for row in rows:
        monitor.take(row)
        assert not monitor.decided or monitor.samples > 1000
    return len(rows) / (time.process_time() - begun)


def off(found: float, designed: float | None, runs: int) -> bool:
    """Whether a share is off by more than three standard errors, its own and that of the designed one (2,000 runs)."""
    if designed is None:
        return False
    variance = max(designed * (1 - designed), 0.002)
    return abs(found - designed) > 3 * math.sqrt(variance * (1 / runs + 1 / 2000)) + 0.0005


def main(runs: int, seed: int) -> int:
    wrong = False
    speed = updates_a_second()
    wrong |= speed < AT_LEAST
    print(f"updates of one bet           {speed:>10,.0f} /s   (at least {AT_LEAST:,})")
    print(
        f"samples of two metrics       {monitored_a_second():>10,.0f} /s   (three bets each, and whether it is decided)"
    )
    fixed = sample_size(sd_diff=math.sqrt(DISCORDANT), margin=MARGIN, alpha=ALPHA).n or 0
    look = alpha_at(1, ALPHA)
    fixed_look = sample_size(sd_diff=math.sqrt(DISCORDANT), margin=MARGIN, alpha=look).n or 0
    least = first(e_process(np.zeros(MOST), margin=MARGIN).log_e, math.log(1 / look))
    print(f"samples of a fixed size      {fixed:>10}      (at a first look {fixed_look})\n")
    print(f"{'true':>6}{'PASS':>16}{'harm':>16}{'samples':>16}{'of fixed':>12}{'as tested':>26}")
    for difference, passed, harmed, samples, share in DESIGNED:
        found = play(difference, runs, seed, alpha=ALPHA, guardrails=1)
        tested = play(difference, runs, seed, alpha=look, guardrails=2, least=least)
        mistakes = [
            off(found.passed, passed, runs),
            off(found.harmed, harmed, runs),
            abs(found.samples - samples)
            > 3 * math.hypot(found.spread, found.spread * math.sqrt(runs / 2000)) + 0.5,
            share is not None and found.samples / fixed > share,
            share is not None and tested.samples / fixed_look > share,
            difference <= -MARGIN and found.passed > ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / runs),
        ]
        wrong |= any(mistakes)
        text: Callable[[float | None], str] = lambda value: "-" if value is None else f"{value:.3f}"  # noqa: E731
        print(
            f"{difference:>+6.2f}{found.passed:>8.3f} {text(passed):>7}{found.harmed:>8.3f} {text(harmed):>7}"
            f"{found.samples:>9.0f} {samples:>6}{found.samples / fixed:>12.2f}"
            f"{tested.passed:>9.3f}{tested.harmed:>7.3f}{tested.samples:>5.0f}{tested.samples / fixed_look:>5.2f}"
            f"{'   <-- off' if any(mistakes) else ''}"
        )
    return int(wrong)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    sys.exit(main(arguments.runs, arguments.seed))
