"""How long a user waits for nothing: CPU seconds of whole processes, beside bare Python, in one run.

    python benchmarks/start.py [--runs 9]

The operating system's account of the finished process (user + system, children included); medians.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def cpu(command: list[str], cwd: Path) -> float:
    """CPU seconds of one finished process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    tool = [sys.executable, "-P", "-m", "promptops"]
    commands = {
        "bare Python": [sys.executable, "-c", "pass"],
        "promptops --help": [*tool, "--help"],
        "promptops status": [*tool, "status"],
    }
    for command in commands.values():
        cpu(command, ROOT / "examples")
    measured = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            measured[name].append(cpu(command, ROOT / "examples"))
    bare = statistics.median(measured["bare Python"])
    print(f"{'':<20}{'CPU ms':>8}{'min':>8}{'× bare':>8}")
    for name, values in measured.items():
        median = statistics.median(values)
        print(f"{name:<20}{median * 1000:>8.0f}{min(values) * 1000:>8.0f}{median / bare:>8.1f}")


if __name__ == "__main__":
    main()
