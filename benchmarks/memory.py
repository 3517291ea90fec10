"""How much memory a test takes while it runs, and the picture of it in docs/engine.md.

    python benchmarks/memory.py [--samples 5000 100000] [--at-once 64]     measure, and write docs/pictures/memory.csv
    python benchmarks/memory.py --draw                                     draw docs/pictures/memory.svg from it

Each number of samples is tested in a process of its own against the server of the other benchmarks, which answers at
once. The curve is what the system says this process holds (VmRSS, Linux only) at every hundredth of its pairs; the
first point is a process that has only imported the same modules, the last one has written its report.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from replay import load, peak, run_test
from world import build, server

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from svg import Picture, Scale

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
TABLE, DRAWN = FOLDER / "memory.csv", FOLDER / "memory.svg"
COLUMNS = ("samples", "stage", "share", "megabytes")
Row = tuple[int, str, float, float]


def held() -> float:
    """The memory that this process holds now, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not say how much memory a process holds")


def measure(folder: Path, samples: int) -> None:
    """Test once, and print a row for every hundredth of the pairs."""
    writer = csv.writer(sys.stdout)
    load()

    def note(stage: str, share: float, megabytes: float) -> None:
        writer.writerow((samples, stage, f"{share:.2f}", f"{megabytes:.1f}"))
        sys.stdout.flush()

    def on_progress(progress: Any) -> None:
        if progress.done % max(1, samples // 100) == 0:
            note("asked", progress.done / samples, held())

    note("imported", 0, held())
    run_test(folder, on_progress)
    note("reported", 1, held())
    note("peak", 1, peak())


def rows(samples: int, at_once: int) -> Iterator[list[str]]:
    with server(0.0) as url, tempfile.TemporaryDirectory() as folder:
        build(Path(folder), url=url, samples=samples, at_once=at_once)
        command = [sys.executable, __file__, "--measure", folder, "--samples", str(samples)]
        yield from csv.reader(subprocess.check_output(command, text=True).splitlines())


def read() -> list[Row]:
    with TABLE.open(newline="") as file:
        return [
            (int(row["samples"]), row["stage"], float(row["share"]), float(row["megabytes"]))
            for row in csv.DictReader(file)
        ]


def stage_of(found: Sequence[Row], stage: str) -> float:
    return next(megabytes for _, name, _, megabytes in found if name == stage)


def summary(found: Sequence[Row]) -> str:
    imported, most = stage_of(found, "imported"), stage_of(found, "peak")
    return f"{found[0][0]:,} samples: {most:.0f} MB at most, {most - imported:.0f} more than imports alone"


def draw(found: Sequence[Row]) -> str:
    """Draw the curves, each over the share of its own samples."""
    curves = [list(group) for _, group in groupby(found, key=lambda row: row[0])]
    picture = Picture(
        "Memory of a test while it runs",
        "Memory held by the process over the share of the samples that are done. "
        + ". ".join(map(summary, curves)),
        height=300,
    )
    x, y = Scale(0, 1, 80, 500), Scale(0, 160, 246, 24)
    picture.upright(y, 80, [(value, f"{value} MB") for value in (0, 50, 100, 150)], right=500)
    picture.axis(x, 246, [(share / 4, f"{25 * share} %") for share in range(5)])
    picture.say(290, 286, "of the samples asked and scored", "small faint", at="middle")
    for curve, kind in zip(curves, ("plain", "open"), strict=False):
        points = [(x(share), y(megabytes)) for _, stage, share, megabytes in curve if stage != "peak"]
        picture.path(points, f"s{kind}")
        row = min(points[-1][1], 230) + (14 if kind == "plain" else -6)
        picture.say(512, row, f"{curve[0][0]:,} samples", f"bold {kind}")
    return picture.text()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--samples", type=int, nargs="+", default=[5_000, 100_000])
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--draw", action="store_true")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.samples[0])
        return
    if not options.draw:
        with TABLE.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for samples in options.samples:
                writer.writerows(rows(samples, options.at_once))
    found = read()
    for _, group in groupby(found, key=lambda row: row[0]):
        print(summary(list(group)))
    DRAWN.write_text(draw(found), encoding="utf-8")


if __name__ == "__main__":
    main()
