"""Draw the pictures of docs/statistics.md from the statistics themselves; nothing is drawn by eye.

python scripts/pictures.py            write docs/pictures/*.svg
python scripts/pictures.py --check    say which are out of date; exit code 1 if any is
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from svg import Picture, Scale

from promptops.creep import Seen, Step, drift_of
from promptops.stats.betting import e_process
from promptops.stats.binary import mcnemar_test, paired_proportion_ci
from promptops.stats.clusters import cluster_robust_mean
from promptops.stats.families import adjust_pvalues
from promptops.stats.looks import alpha_at
from promptops.stats.metric import evaluate_metric
from promptops.stats.paired import paired_mean_ci
from promptops.stats.planning import minimum_n_zero_discordant, sample_size
from promptops.stats.results import Status

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
MARGIN = 0.05
LEVEL = alpha_at(1)
SHOWN = 1 - 2 * LEVEL
KIND = {Status.PASS: "pass", Status.REGRESSION: "fail", Status.INCONCLUSIVE: "open"}


def points(share: float) -> str:
    """A share as people say it: signed points."""
    value = round(share * 100, 1)
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{abs(value):g}"


def table(n: int, fixed: int, broken: int) -> tuple[list[float], list[float]]:
    """Two columns of pass/fail scores with so many pairs that differ."""
    same = n - fixed - broken
    return [0.0] * fixed + [1.0] * (broken + same), [1.0] * fixed + [0.0] * broken + [1.0] * same


def margin() -> Picture:
    """Five results and what the gate says of each."""
    cases = ((300, 24, 8), (300, 8, 8), (1200, 20, 42), (60, 2, 4), (400, 10, 34))
    picture = Picture(
        "An interval, and the fall that is allowed",
        "Five differences with their intervals beside the margin of minus five points: two pass clearly, one passes "
        "although it is worse, one is too wide to tell, one is shown to be worse.",
        height=300,
    )
    x = Scale(-0.125, 0.125, 150, 560)
    picture.box(x.start, 38, x(-MARGIN) - x.start, 206, "band fail")
    picture.line(x(-MARGIN), 30, x(-MARGIN), 244, "line sfail dash")
    picture.say(x(-MARGIN), 22, "the fall that is allowed", "small fail", at="middle")
    picture.axis(x, 244, [(tick / 100, points(tick / 100)) for tick in (-10, -5, 0, 5, 10)], top=38)
    picture.say(
        (x.start + x.end) / 2,
        284,
        "points of the pass rate, candidate minus baseline",
        "small faint",
        at="middle",
    )
    for row, (n, fixed, broken) in enumerate(cases):
        y = 60 + row * 40
        found = evaluate_metric("binary", *table(n, fixed, broken), margin=MARGIN, alpha=LEVEL)
        kind = KIND[found.status]
        assert found.lower is not None
        assert found.upper is not None
        assert found.difference is not None
        picture.interval(x, y, found.lower, found.difference, found.upper, kind)
        picture.say(x.start - 12, y + 4, f"{n} samples", "small", at="end")
        picture.say(x.end + 14, y + 4, found.status.value, f"bold {kind}")
    return picture


def thirty() -> Picture:
    """How far the truth may have fallen when not one pair of n differs."""
    least = minimum_n_zero_discordant(MARGIN, LEVEL)
    picture = Picture(
        "What identical pairs prove",
        f"The largest fall that is still possible when no pair differs, by the number of pairs: above ten points at "
        f"30 pairs, five points only at {least}.",
        height=300,
    )
    x, y = Scale(0, 200, 70, 690), Scale(0, 0.30, 250, 30)
    picture.upright(
        y, 70, [(tick / 100, f"−{tick}" if tick else "0") for tick in (0, 5, 10, 15, 20, 25, 30)], right=690
    )
    picture.axis(x, 250, [(n, str(n)) for n in (0, 30, least, 100, 150, 200)])
    picture.say(380, 290, "pairs, none of which differs", "small faint", at="middle")
    picture.say(84, 24, "points that it may have fallen", "small faint")
    picture.line(x(0), y(MARGIN), x(200), y(MARGIN), "line sfail dash")
    picture.path([(x(n), y(possible_fall(n))) for n in range(9, 201)], "splain")
    for n, kind in ((30, "open"), (least, "pass")):
        picture.line(x(n), 250, x(n), y(possible_fall(n)), "axis dash")
        picture.dot(x(n), y(possible_fall(n)), kind)
    picture.say(
        x(30) + 10,
        y(possible_fall(30)) - 8,
        f"30: it may still have fallen by {points(possible_fall(30))} points".replace("+", ""),
        "bold open",
    )
    picture.say(x(least) + 10, y(MARGIN) - 10, f"{least}: a fall of 5 points is ruled out", "bold pass")
    return picture


def possible_fall(n: int) -> float:
    """The fall at which n identical pairs would be seen with the chance of the level."""
    return 1 - LEVEL ** (1 / n)


def looks() -> Picture:
    """The chance of at least one false claim when the same question is asked again and again."""
    picture = Picture(
        "Asking again",
        "The chance of at least one false claim after one to eight tests of the same question on fresh samples: "
        "at five per cent each it grows beyond thirty per cent, with the shares of the levels it stays below five.",
        height=290,
    )
    x, y = Scale(1, 8, 80, 500), Scale(0, 0.40, 240, 24)
    picture.upright(y, 66, [(tick / 100, f"{tick} %") for tick in (0, 5, 10, 20, 30, 40)], right=500)
    picture.axis(x, 240, [(look, str(look)) for look in range(1, 9)])
    picture.say(290, 278, "tests of the same candidate against the same baseline", "small faint", at="middle")
    naive = [1 - (1 - 0.05) ** look for look in range(1, 9)]
    shared, kept = [], 1.0
    for look in range(1, 9):
        kept *= 1 - alpha_at(look)
        shared.append(1 - kept)
    for values, kind in ((naive, "fail"), (shared, "pass")):
        picture.path([(x(look), y(value)) for look, value in enumerate(values, start=1)], f"s{kind}")
        for look, value in enumerate(values, start=1):
            picture.dot(x(look), y(value), kind, radius=3.5)
    picture.say(512, y(naive[-1]) + 4, f"each at 5 %: {naive[-1] * 100:.0f} %", "bold fail")
    picture.say(512, y(shared[-1]) + 4, f"each at its share: {shared[-1] * 100:.1f} %", "bold pass")
    picture.say(512, y(shared[-1]) + 22, "4 %, 0.5 %, 0.25 %, …", "small faint")
    return picture


def conversations(seed: int) -> tuple[list[float], list[int]]:
    """Differences of 200 answers in 20 conversations that resemble each other (icc 0.3), true mean 0."""
    draw = random.Random(seed)
    values, names = [], []
    for name in range(20):
        common = draw.gauss(0, math.sqrt(0.3))
        for _ in range(10):
            values.append(0.3 * (common + draw.gauss(0, math.sqrt(0.7))))
            names.append(name)
    return values, names


def clusters() -> Picture:
    """Forty repetitions with no difference: how often each interval misses the truth."""
    picture = Picture(
        "Ten answers of one conversation are not ten samples",
        "Thirty-six intervals for twenty conversations of ten answers without any true difference. Counted as two "
        "hundred samples too many of them miss zero, counted as twenty conversations about as many as they should.",
        height=330,
    )
    for column, (title, grouped) in enumerate((("as 200 samples", False), ("as 20 conversations", True))):
        x = Scale(-0.3, 0.3, 40 + column * 350, 330 + column * 350)
        missed = 0
        for row in range(36):
            values, names = conversations(row)
            found = (
                cluster_robust_mean(values, names, confidence=0.9)
                if grouped
                else paired_mean_ci(values, method="t")
            )
            assert found.lower is not None
            assert found.upper is not None
            wrong = not found.lower <= 0 <= found.upper
            missed += wrong
            height = 44 + row * 6.6
            picture.path([(x(found.lower), height), (x(found.upper), height)], "sfail" if wrong else "sfaint")
        picture.line(x(0), 34, x(0), 286, "axis")
        picture.say((x.start + x.end) / 2, 22, title, "bold", at="middle")
        picture.say(
            (x.start + x.end) / 2,
            304,
            f"{missed} of 36 intervals miss the truth",
            "fail" if missed > 6 else "",
            at="middle",
        )
    picture.say(
        360,
        324,
        "each line: a 90 % interval of one experiment; the truth is no difference",
        "small faint",
        at="middle",
    )
    return picture


def creep() -> Picture:
    """Releases that each lose four points under an allowance of five."""
    picture = Picture(
        "Many small falls",
        "The pass rate over six releases that each truly lose four points: every single one is within the allowance of "
        "five, the second already lies eight below the anchor and is held.",
        height=300,
    )
    x, y = Scale(0, 6, 90, 500), Scale(0.64, 0.94, 250, 26)
    held = first_held(0.04)
    picture.upright(y, 74, [(tick / 100, f"{tick} %") for tick in (65, 70, 75, 80, 85, 90)], right=500)
    picture.axis(x, 250, [(release, f"v{release + 1}") for release in range(7)])
    picture.line(x(0), y(0.90 - MARGIN), x(6), y(0.90 - MARGIN), "line sfail dash")
    picture.say(512, y(0.90 - MARGIN) + 4, "5 points below the anchor", "small fail")
    rate = [0.90 - 0.04 * release for release in range(7)]
    picture.path([(x(release), y(rate[release])) for release in range(held, 7)], "sfaint dash")
    picture.path([(x(release), y(rate[release])) for release in range(held)], "spass")
    for release in range(7):
        kind = "pass" if release < held else "open"
        picture.dot(x(release), y(rate[release]), kind)
    picture.say(x(0) + 10, y(rate[0]) - 8, "v1, the anchor", "bold pass")
    picture.say(x(held) + 12, y(rate[held]) + 2, f"v{held + 1}: held, 8 points below v1", "bold open")
    picture.say(512, y(rate[6]) + 4, "where it would have gone", "small faint")
    picture.say(295, 290, "each release 4 points worse than the one before", "small faint", at="middle")
    return picture


def first_held(fall: float) -> int:
    """At which release in a row the sum since the anchor is too far."""
    steps = [Step(version=1, digest="1")]
    for release in range(1, 7):
        drift = drift_of("support", "queue", "binary", steps)
        if drift is not None and drift.is_too_far("binary", -fall, MARGIN):
            return release
        seen = {"queue": Seen(kind="binary", difference=-fall)}
        steps.insert(0, Step(version=release + 1, digest=str(release + 1), seen=seen))
    raise AssertionError("creep stops nothing")


def pairs(drop: float, seed: int, n: int = 400) -> list[float]:
    """Pass/fail differences of which a tenth differs, with this true fall."""
    draw = random.Random(seed)
    return [sign(draw.random(), drop) for _ in range(n)]


def sign(place: float, drop: float) -> float:
    return 1.0 if place < (0.1 - drop) / 2 else -1.0 if place < 0.1 else 0.0


def sequential() -> Picture:
    """The evidence of two candidates as their samples arrive."""
    fixed = sample_size(sd_diff=math.sqrt(0.1), margin=MARGIN, alpha=LEVEL).n
    picture = Picture(
        "Stop when it is decided",
        "The evidence for a pass and for harm as samples arrive: a better candidate passes and a bad one is stopped "
        f"long before the {fixed} samples of a test of fixed size.",
        height=310,
    )
    x, y = Scale(0, 280, 80, 500), Scale(-2.2, 4.2, 256, 24)
    picture.upright(
        y,
        80,
        [
            (math.log(value), words)
            for value, words in ((1 / 5, "⅕"), (1, "1"), (5, "5"), (1 / LEVEL, f"{1 / LEVEL:g}"))
        ],
        right=500,
    )
    picture.axis(x, 256, [(n, str(n)) for n in (0, 50, 100, 150, 200, 250)])
    picture.say(290, 296, "samples", "small faint", at="middle")
    picture.line(x(0), y(-math.log(LEVEL)), x(280), y(-math.log(LEVEL)), "line sfaint dash")
    picture.say(512, y(-math.log(LEVEL)) + 4, "enough: 25 to 1", "small faint")
    picture.line(x(fixed or 0), 24, x(fixed or 0), 256, "axis dash")
    picture.say(x(fixed or 0) - 6, 246, f"fixed size: {fixed}", "small faint", at="end")
    for drop, seed, direction, kind, words in (
        (-0.03, 2, "noninferiority", "pass", "3 points better: PASS after"),
        (0.10, 1, "harm", "fail", "10 points worse: REGRESSION after"),
    ):
        path = e_process(pairs(drop, seed), margin=MARGIN, direction=direction)  # type: ignore[arg-type]
        stop = next(index for index, value in enumerate(path.log_e) if value >= -math.log(LEVEL)) + 1
        trace = [(x(0), y(0)), *((x(n + 1), y(path.log_e[n])) for n in range(stop))]
        picture.path(trace, f"s{kind}")
        picture.dot(*trace[-1], kind)
        row = 110 if kind == "pass" else 150
        picture.say(512, row, words.rpartition(": ")[0], f"small {kind}")
        picture.say(512, row + 17, f"{words.rpartition(': ')[2]} {stop}", f"bold {kind}")
    return picture


SLICES = (
    ("language=de", 80, 1, 10),
    ("language=fr", 60, 2, 5),
    ("language=es", 90, 5, 6),
    ("language=en", 240, 12, 9),
    ("language=nl", 12, 0, 2),
)


def slices() -> Picture:
    """One whole and its parts."""
    picture = Picture(
        "Slices: the worst first, the small ones not judged",
        "The difference of five languages with their intervals; German is flagged after looking at all of them, Dutch "
        "has twelve samples and is too small to judge.",
        height=300,
    )
    x = Scale(-0.26, 0.16, 190, 550)
    judged = [one for one in SLICES if one[1] >= 30]
    worse = [mcnemar_test(fixed, broken, alternative="less").pvalue for _, _, fixed, broken in judged]
    flags = dict(zip((name for name, *_ in judged), adjust_pvalues(worse, method="bh"), strict=True))
    picture.axis(x, 244, [(tick / 100, points(tick / 100)) for tick in (-20, -10, 0, 10)], top=30)
    picture.say(
        (x.start + x.end) / 2,
        284,
        "points of the pass rate, candidate minus baseline",
        "small faint",
        at="middle",
    )
    for row, (name, n, fixed, broken) in enumerate(SLICES):
        y = 52 + row * 42
        picture.say(x.start - 12, y + 4, f"{name}, {n}", "small", at="end")
        if name not in flags:
            picture.say(
                x.start + 8, y + 4, f"{broken} broken, {fixed} fixed: too small to judge", "small faint"
            )
            continue
        found = paired_proportion_ci(fixed, broken, n, confidence=SHOWN)
        kind = "fail" if flags[name] <= 0.10 else "plain"
        assert found.lower is not None
        assert found.upper is not None
        picture.interval(x, y, found.lower, found.estimate, found.upper, kind)
        words = f"flagged, p = {flags[name]:.2f}" if kind == "fail" else f"p = {flags[name]:.2f}"
        picture.say(x.end + 14, y + 4, words, f"bold {kind}" if kind == "fail" else "small faint")
    return picture


def missing() -> Picture:
    """The same answers with more and more of the candidate's missing."""
    picture = Picture(
        "An answer that never came is not a pass",
        "The interval of the same three hundred answers when none, three, twelve and seventy of the candidate's never "
        "came: the lower limit counts each as a failure, the upper one leaves it out.",
        height=270,
    )
    x = Scale(-0.28, 0.10, 190, 530)
    picture.line(x(-MARGIN), 22, x(-MARGIN), 204, "line sfail dash")
    picture.axis(
        x, 204, [(tick / 100, points(tick / 100)) for tick in (-25, -20, -15, -10, -5, 0, 5)], top=30
    )
    picture.say(
        (x.start + x.end) / 2,
        246,
        "points of the pass rate, candidate minus baseline",
        "small faint",
        at="middle",
    )
    for row, lost in enumerate((0, 3, 12, 70)):
        y = 50 + row * 42
        baseline, candidate = table(300, 8, 6)
        candidate = [
            float("nan") if index % 300 >= 300 - lost else value for index, value in enumerate(candidate)
        ]
        found = evaluate_metric("binary", baseline, candidate, margin=MARGIN, alpha=LEVEL)
        assert found.lower is not None
        assert found.upper is not None
        assert found.difference is not None
        kind = KIND[found.status]
        picture.interval(x, y, found.lower, found.difference, found.upper, kind)
        picture.say(
            x.start - 12, y + 4, f"{lost} of 300 missing" if lost else "all answered", "small", at="end"
        )
        picture.say(x.end + 14, y + 4, found.status.value, f"bold {kind}")
    return picture


PICTURES: tuple[Callable[[], Picture], ...] = (
    margin,
    thirty,
    looks,
    clusters,
    creep,
    sequential,
    slices,
    missing,
)


def drawn() -> Iterator[tuple[Path, str]]:
    for draw in PICTURES:
        yield FOLDER / f"{draw.__name__}.svg", draw().text()


def main() -> int:
    old = []
    for file, text in drawn():
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            old.append(file.name)
            if "--check" not in sys.argv:
                file.write_text(text, encoding="utf-8")
    print(f"{', '.join(old) or 'nothing'} {'out of date' if '--check' in sys.argv else 'written'}")
    return 1 if old and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
