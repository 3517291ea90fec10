"""Ten releases in a row, each truly a little worse: at which of them is the row stopped, and by what.

Every release loses `fall` of a pass rate under a `margin` that is wider, so its own test rightly does not call it
a regression. The rows say what stops it: its own test, or the sum since the first release (creep). Verdicts are the
gate's own; answers are drawn, a tenth of all pairs differing.

    python benchmarks/creep.py [--runs 200] [--seed 1]
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np

from promptops.creep import Seen, Step, drift_of
from promptops.gate import Measured, Outcome, Verdict, decide
from promptops.rules import Policy, Rule
from promptops.stats.looks import alpha_at

METRIC = "queue"
# Only what passes goes live, or a person accepts what is inconclusive, or forces everything: creep alone speaks up.
Mode = Literal["pass", "accept", "force"]
PLANS: tuple[tuple[int, Mode, str], ...] = (
    (300, "accept", "a person accepts what is inconclusive"),
    (300, "force", "a person forces whatever is not creep"),
    (2400, "force", "a person forces whatever is not creep"),
    (6600, "pass", "only what passes goes live"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One release of the row, as shares of all runs; `lost` is what is truly lost by then where nothing stopped."""

    release: int
    own_test: float
    creep: float
    live: float
    lost: float


def creep_table(
    *,
    runs: int,
    n: int,
    mode: Mode,
    releases: int = 10,
    fall: float = 0.04,
    margin: float = 0.05,
    discordant: float = 0.10,
    seed: int = 1,
) -> list[Row]:
    """Return what stops each release; `mode` says what a person lets go live although it did not pass."""
    rng = np.random.default_rng(seed)
    ends = Counter(_row_of_releases(rng, n, mode, releases, fall, margin, discordant) for _ in range(runs))
    rows, live = [], runs
    for release in range(1, releases + 1):
        own, crept = ends[release, "own test"], ends[release, "creep"]
        live -= own + crept
        rows.append(
            Row(
                release=release,
                own_test=own / runs,
                creep=crept / runs,
                live=live / runs,
                lost=release * fall,
            )
        )
    return rows


def _row_of_releases(
    rng: np.random.Generator,
    n: int,
    mode: Mode,
    releases: int,
    fall: float,
    margin: float,
    discordant: float,
) -> tuple[int, str]:
    """Release until something stops it; return which release that was, and what stopped it."""
    steps = [Step(version=1, digest="sha256:1")]
    for release in range(1, releases + 1):
        verdict = _tested(rng, n, steps, fall, margin, discordant)
        (metric,) = verdict.metrics
        crept = metric.result.reason == "creep"
        open_ones = {"pass": (), "accept": (Outcome.INCONCLUSIVE,), "force": tuple(Outcome)}[mode]
        if not crept and verdict.outcome not in (Outcome.PASS, *open_ones):
            return release, "own test"
        if crept:
            return (
                release,
                "own test" if verdict.outcome == Outcome.REGRESSION and mode != "force" else "creep",
            )
        lower = metric.result.lower
        seen = Seen(
            kind="binary", difference=metric.result.difference, better=lower is not None and lower > 0
        )
        steps.insert(0, Step(version=release + 1, digest=f"sha256:{release + 1}", seen={METRIC: seen}))
    return releases, "nothing"


def _tested(
    rng: np.random.Generator, n: int, steps: list[Step], fall: float, margin: float, discordant: float
) -> Verdict:
    fixed, broken, _ = rng.multinomial(n, [(discordant - fall) / 2, (discordant + fall) / 2, 1 - discordant])
    baseline, candidate = np.ones(n), np.ones(n)
    baseline[:fixed] = 0
    candidate[fixed : fixed + broken] = 0
    drift = drift_of("triage", METRIC, "binary", steps)
    rule = Rule(metric=METRIC, kind="binary", margin=margin, drift=drift)
    policy = Policy(rules=(rule,), alpha=alpha_at(1))
    return decide(policy, {METRIC: Measured(baseline=baseline, candidate=candidate)})


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    for n, mode, who in PLANS:
        print(f"\n{n} samples a test, each release 4 points worse, 5 allowed; {who}")
        print("release   stopped by its own test   stopped by creep   still going   points lost by then")
        for row in creep_table(runs=chosen.runs, n=n, mode=mode, seed=chosen.seed):
            if row.own_test + row.creep + row.live == 0:
                break
            print(
                f"{row.release:7d}   {row.own_test:23.3f}   {row.creep:16.3f}   {row.live:11.3f}   "
                f"{row.lost * 100:19.0f}"
            )


if __name__ == "__main__":
    main()
