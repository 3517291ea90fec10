"""What the statistics cost: CPU seconds and memory of a large verdict, and of the exact test.

Fills the columns of a run (6 metrics, two arms, 20 slices of two keys) and reaches the verdict as a test does, from
the columns to the reasons. Memory beside the columns is what Python and numpy ask for while they are summed up,
compared between two sizes: what grows with the values, and what does not. Every measurement is a process of its own;
the best of the rounds counts, since a busy machine only ever adds.

    python benchmarks/verdict.py [--pairs 100000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import tracemalloc
from typing import Any

METRICS = 6
ARMS = 2
KEYS = {"language": 8, "intent": 12}  # 20 slices
AT_MOST = {"seconds": 2.0, "bytes": 8.0, "exact": 0.5}


def fill(pairs: int, clusters: int | None) -> tuple[Any, dict[str, Any]]:
    """Return a policy and the columns of every metric."""
    import numpy as np

    from promptops.evaluation.columns import Column
    from promptops.rules import Measured, Policy, Rule
    from promptops.slicing import Masks, Tally, with_slices

    rng = np.random.default_rng(1)
    tallies = [Tally(key) for key in KEYS]
    for key, tally in zip(KEYS, tallies, strict=True):
        for number in rng.integers(0, KEYS[key], pairs):
            tally.add({key: f"{key}{number}"})
    partitions = tuple(tally.partition() for tally in tallies)
    rules = (
        *(Rule(metric=f"pass{number}", kind="binary", margin=0.05) for number in range(3)),
        *(
            Rule(metric=f"score{number}", kind="bounded", value_range=(1, 5), margin=0.2)
            for number in range(2)
        ),
        Rule(metric="latency", kind="ratio", margin=0.1),
    )
    policy = with_slices(
        Policy(rules=rules, alpha=0.04), partitions, by=tuple(KEYS), critical=(), blocks=True
    )
    codes = None if clusters is None else rng.integers(0, clusters, pairs)
    measured = {}
    for rule in rules:
        column = Column.empty(pairs)
        for index in range(0, pairs, 1000):  # in parts: the draws themselves must not count as memory
            size = min(1000, pairs - index)
            before, after = draw(rng, rule.kind, size)
            for place in range(size):
                column.put(index + place, before[place], after[place])
        measured[rule.metric] = Measured(
            baseline=column.baseline,
            candidate=column.candidate,
            worst=60.0 if rule.kind == "ratio" else None,
            clusters=codes,
            slices=Masks(partitions),
        )
    return policy, measured


def draw(rng: Any, kind: str, size: int) -> tuple[list[float], list[float]]:
    if kind == "binary":
        before = (rng.random(size) < 0.9).astype(float)
        after = (before + (rng.random(size) < 0.1)) % 2
    elif kind == "bounded":
        before = rng.integers(1, 6, size).astype(float)
        after = (before + rng.choice([-1, 0, 0, 0, 1], size)).clip(1, 5)
    else:
        before = rng.lognormal(0, 1, size)
        after = before * rng.lognormal(0, 0.3, size)
    after[rng.random(size) < 0.005] = float("nan")
    return before.tolist(), after.tolist()


def verdict(pairs: int, clusters: int | None) -> dict[str, float]:
    """Fill and judge once; in this process."""
    from promptops.gate import judge
    from promptops.rules import summarise

    policy, measured = fill(pairs, clusters)
    judge(policy, summarise(policy, _small(measured)))  # what is imported late is imported now
    tracemalloc.start()
    summarise(policy, measured)
    during = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = sum(arm.itemsize * len(arm) for one in measured.values() for arm in (one.baseline, one.candidate))
    start = time.process_time()
    judge(policy, summarise(policy, measured))
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "held": held, "during": during, "peak": peak}


def _small(measured: dict[str, Any]) -> dict[str, Any]:
    return {
        name: one.within([index < 200 for index in range(len(one.baseline))])
        for name, one in measured.items()
    }


def exact(pairs: int) -> dict[str, float]:
    from promptops.stats.binary import paired_proportion_noninferiority

    paired_proportion_noninferiority(1, 2, 50, margin=0.05)
    start = time.process_time()
    paired_proportion_noninferiority(pairs // 20, pairs // 20, pairs, margin=0.05)
    return {"seconds": time.process_time() - start}


def fresh(what: str, *arguments: int) -> dict[str, float]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--measure", what, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def best(rounds: int, what: str, *arguments: int) -> dict[str, float]:
    return min((fresh(what, *arguments) for _ in range(rounds)), key=lambda one: one["seconds"])


def row(what: str, value: float, unit: str, limit: float | None = None) -> None:
    note = "" if limit is None else f"   (at most {limit:g}: {'yes' if value <= limit else 'NO'})"
    print(f"{what:58} {value:8.3f} {unit}{note}")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--pairs", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.measure:
        what, *numbers = asked.measure
        sizes = [int(number) for number in numbers]
        found = exact(*sizes) if what == "exact" else verdict(sizes[0], sizes[1] or None)
        print(json.dumps(found))
        return
    alone, grouped = (best(asked.rounds, "verdict", asked.pairs, size) for size in (0, asked.pairs // 5))
    name = f"{asked.pairs:,} pairs x {METRICS} metrics x {sum(KEYS.values())} slices"
    row(name, alone["seconds"], "s CPU", AT_MOST["seconds"])
    row(f"the same in {asked.pairs // 5:,} clusters", grouped["seconds"], "s CPU", AT_MOST["seconds"])
    large = fresh("verdict", 4 * asked.pairs, 0)
    values = asked.pairs * METRICS * ARMS
    growing = (large["during"] - alone["during"]) / 3
    row("memory of the values", alone["held"] / values, "bytes a value", AT_MOST["bytes"])
    row("memory of the verdict beside them", growing / values, "bytes a value")
    row("and what of it does not grow", (alone["during"] - growing) / 1e6, "MB")
    row("memory beside them in clusters", grouped["during"] / values, "bytes a value")
    row("peak of the whole process", alone["peak"] / 1e6, "MB")
    row(
        "exact non-inferiority, n = 2,000",
        best(asked.rounds, "exact", 2000)["seconds"],
        "s CPU",
        AT_MOST["exact"],
    )


if __name__ == "__main__":
    main()
