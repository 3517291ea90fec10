"""Designs: a repository, a truth that is drawn for every run, what is done with it, and the claim that would be false.

Every run has a seed of its own, made of the design's and its number, so that no figure depends on how the runs
are shared out. A design says nothing about what the gate should answer in one run, only how seldom it may be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path

import numpy as np
from calibration_world import Arm, Bools, Floats, Project, Setting, Truth, build, line

from promptops.report import Report

ALPHA = 0.05
N = 40
LOOKS, LOOK_N, LOOK_MARGIN = 5, 20, 0.3
# Wide margins and many pairs that differ: 40 of them tell as much as 500 with narrow ones, in a tenth of the time.
MARGIN, SCORE_MARGIN = 0.2, 0.08
LIMITS = {"answered": {"max_drop": 0.5}}  # shown by few ties: what is judged here is something else

Draw = Callable[[np.random.Generator], Truth]
Story = Callable[[Project, np.random.Generator, Draw], list[Report]]
Claim = Callable[[list[Report]], bool]


def once(project: Project, rng: np.random.Generator, draw: Draw) -> list[Report]:
    """One test of a new version that was never tested; what the samples ask is the same in every run."""
    project.begin()
    return [project.test(draw(rng), project.settled)]


def until_it_passes(tests: Iterator[Report]) -> list[Report]:
    """Ask again and again, five times at most, and stop when the answer pleases."""
    reports: list[Report] = []
    for report in islice(tests, LOOKS):
        reports.append(report)
        if report.verdict == "pass":
            break
    return reports


def fresh_samples(project: Project, rng: np.random.Generator, draw: Draw) -> list[Report]:
    """Every look takes other samples."""
    project.begin()
    truth = draw(rng)

    def tests() -> Iterator[Report]:
        for look in count():
            project.put_samples(look * project.setting.n)
            yield project.test(truth, project.plan())

    return until_it_passes(tests())


def one_added_sample(project: Project, rng: np.random.Generator, draw: Draw) -> list[Report]:
    """Every look takes one sample more; what was answered is answered."""
    project.begin()
    truth = draw(rng)

    def tests() -> Iterator[Report]:
        for look in count():
            project.put_samples(0, project.setting.n + look)
            yield project.test(truth, project.plan())

    return until_it_passes(tests())


def peeking(project: Project, rng: np.random.Generator, draw: Draw) -> list[Report]:
    """A sequential test that goes on with as many samples again, as long as the answer does not please."""
    project.begin()
    truth, part = draw(rng), project.setting.n // LOOKS

    def tests() -> Iterator[Report]:
        for look in count(1):
            project.put_samples(0, look * part)
            yield project.test(truth, project.plan())

    return until_it_passes(tests())


def deleted_runs(project: Project, rng: np.random.Generator, draw: Draw) -> list[Report]:
    """Before every further look somebody deletes the runs and the cache, so that all is asked anew."""
    project.begin()

    def tests() -> Iterator[Report]:
        while True:
            yield project.test(draw(rng), project.settled)
            project.tidy_up()

    return until_it_passes(tests())


def clones(project: Project, rng: np.random.Generator, draw: Draw) -> list[Report]:
    """Every look is a job of its own in CI, in a clone that knows nothing of the others."""

    def tests() -> Iterator[Report]:
        while True:
            project.forget()
            yield project.test(draw(rng), project.settled)

    return until_it_passes(tests())


def passes(reports: list[Report]) -> bool:
    return any(report.verdict == "pass" for report in reports)


def regresses(reports: list[Report]) -> bool:
    return any(report.verdict == "regression" for report in reports)


def metric_passes(metric: str) -> Claim:
    def claim(reports: list[Report]) -> bool:
        return any(line(report, metric).status == "PASS" for report in reports)

    return claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """`claim` is false of every truth that `draw` draws; it may be made in a share `level` of the runs.

    With `may_be_unknown` it may be made more often where every report says that it cannot count the looks.
    """

    name: str
    setting: Setting
    draw: Draw
    claim: Claim
    story: Story = once
    level: float = ALPHA
    seed: int = 0
    environ: dict[str, str] = field(default_factory=dict)
    may_be_unknown: bool = False

    @property
    def single(self) -> bool:
        """Whether a run is one test, so that the gate alone can be asked the same."""
        return self.story is once and not self.setting.options and self.setting.languages is None

    def tolerated(self, runs: int) -> float:
        """The level and three standard errors of a share of `runs`."""
        return float(self.level + 3 * (self.level * (1 - self.level) / runs) ** 0.5)

    def run(self, folder: Path, runs: Sequence[int]) -> Iterator[list[Report]]:
        """The reports of each of these runs, in a repository of its own in `folder`."""
        project = build(folder / self.name.replace(" ", "-"), self.setting, environ=self.environ)
        for number in runs:
            yield self.story(project, np.random.default_rng([self.seed, number]), self.draw)


# Scores of one metric in both versions, of shape (2, n)


def ranks(rng: np.random.Generator, metrics: int, n: int, correlation: float) -> Floats:
    """Uniform numbers by metric and sample; those of one sample are correlated over the metrics."""
    from scipy.special import ndtr

    common, own = rng.normal(size=(1, n)), rng.normal(size=(metrics, n))
    return np.asarray(ndtr(np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own))


def checks(rank: Floats, *, fixed: float, broken: float, passing: float = 0.75) -> Floats:
    """Pass and fail: a share of pairs is broken, another fixed, and of the rest a share passes in both."""
    baseline = (rank < broken) | (
        (rank >= broken + fixed) & (rank < broken + fixed + passing * (1 - broken - fixed))
    )
    candidate = baseline & (rank >= broken)
    candidate |= (rank >= broken) & (rank < broken + fixed)
    return np.stack([baseline, candidate]).astype(np.float64)


def scores(rng: np.random.Generator, rank: Floats, *, shift: float, spread: float = 0.25) -> Floats:
    """Scores between 0 and 1 that move by `shift` on average, evenly within `spread` around it."""
    baseline = 0.35 + 0.3 * rng.beta(6, 3, rank.size)
    return np.stack([baseline, baseline + shift + spread * (2 * rank - 1)])


def rare_drops(rng: np.random.Generator, n: int, *, shift: float, share: float = 0.06) -> Floats:
    """Scores that are tied but for a few that drop far."""
    drops = rng.random(n) < share
    return np.stack([np.full(n, 0.9), 0.9 + drops * shift / share])


def both(pairs: Sequence[Floats], **more: Bools | Floats | None) -> Truth:
    """The truth of metrics, each as (2, n); `more` is given to the new version's arm."""
    whole = np.stack(pairs)
    return Truth(live=Arm(scores=whole[:, 0]), new=Arm(scores=whole[:, 1], **more))


# What the repositories declare

BINARY = {"ok": {"python": "scores:b0", "max_drop": MARGIN}}
BOUNDED = {"tone": {"python": "scores:s0", "max_drop": SCORE_MARGIN}}
FAMILY = {
    "ok": {"python": "scores:b0", "max_drop": MARGIN},
    "tone": {"python": "scores:s1", "max_drop": SCORE_MARGIN},
    "brief": {"python": "scores:s2", "must": "improve"},
    "warm": {"python": "scores:b3", "must": "improve", "max_drop": MARGIN},
}
FOUR = {f"g{place}": {"python": f"scores:s{place}", "max_drop": SCORE_MARGIN} for place in range(4)}


def setting(scorers: dict[str, object], *, n: int = N, **more: object) -> Setting:
    return Setting(n=n, scorers=scorers, **{"limits": LIMITS, **more})  # type: ignore[arg-type]


# The truths


def nothing_changed(rng: np.random.Generator) -> Truth:
    rank = ranks(rng, 4, N, 0.5)
    return both(
        [
            checks(rank[0], fixed=0.15, broken=0.15),
            scores(rng, rank[1], shift=0.0),
            scores(rng, rank[2], shift=0.0),
            checks(rank[3], fixed=0.1, broken=0.1),
        ]
    )


def at_the_margin(rng: np.random.Generator) -> Truth:
    """Worse by exactly what is allowed, 35 % of the pairs different."""
    return both([checks(rng.random(N), fixed=0.075, broken=0.275)])


def one_of_a_family_at_its_margin(rng: np.random.Generator) -> Truth:
    """Everything improves but one guardrail, which falls by what is allowed."""
    rank = ranks(rng, 4, N, 0.5)
    return both(
        [
            checks(rank[0], fixed=0.075, broken=0.275),
            scores(rng, rank[1], shift=0.1, spread=0.1),
            scores(rng, rank[2], shift=0.1),
            checks(rank[3], fixed=0.3, broken=0.05),
        ]
    )


def no_target_improves(rng: np.random.Generator) -> Truth:
    """Every guardrail improves, and both targets stay where they were."""
    rank = ranks(rng, 4, N, 0.5)
    return both(
        [
            checks(rank[0], fixed=0.3, broken=0.05),
            scores(rng, rank[1], shift=0.1),
            scores(rng, rank[2], shift=0.0),
            checks(rank[3], fixed=0.15, broken=0.15),
        ]
    )


FLOOR = 0.8


def exactly_at_the_floor(rng: np.random.Generator) -> Truth:
    """As good as live, and no better than the floor."""
    return both([checks(rng.random(N), fixed=0.1, broken=0.1, passing=(FLOOR - 0.1) / 0.8)])


def scores_at_the_margin(rng: np.random.Generator) -> Truth:
    return both([scores(rng, rng.random(N), shift=-SCORE_MARGIN)])


def four_unchanged(rng: np.random.Generator) -> Truth:
    rank = ranks(rng, 4, N, 0.5)
    return both([scores(rng, one, shift=0.0) for one in rank])


def one_of_four_at_its_margin(rng: np.random.Generator) -> Truth:
    rank = ranks(rng, 4, N, 0.5)
    shifts = (-SCORE_MARGIN, 0.05, 0.05, 0.05)
    return both([scores(rng, one, shift=shift) for one, shift in zip(rank, shifts, strict=True)])


TIES_N = 120


def many_ties(rng: np.random.Generator) -> Truth:
    """94 % of the scores are tied, the others fall by two thirds: .04 on average, what is allowed."""
    return both([rare_drops(rng, TIES_N, shift=-0.04)])


def lost_on_hard_samples(rng: np.random.Generator, *, shift: float) -> Truth:
    """5 % of the answers never come; a hard sample (one that live fails) loses three times as many."""
    rank = rng.random(N)
    pair = checks(rank, fixed=0.175 + shift / 2, broken=0.175 - shift / 2)
    chance = np.where(pair[0] == 0, 0.09, 0.03)
    return Truth(
        live=Arm(scores=pair[:1], lost=rng.random(N) < chance),
        new=Arm(scores=pair[1:], lost=rng.random(N) < chance),
    )


def losing_what_it_would_break(rng: np.random.Generator) -> Truth:
    """At its margin, and up to 4 points of what the new version breaks are answers that never come."""
    pair = checks(rng.random(N), fixed=0.075, broken=0.275)
    broken = np.flatnonzero(pair[0] > pair[1])
    lost = np.zeros(N, dtype=np.bool_)
    lost[broken[: int(0.04 * N)]] = True
    return both([pair], lost=lost)


LATENCY_N = 100


def hanging(rng: np.random.Generator) -> Truth:
    """As fast as live, but 4.5 % of the new version's calls never end: at a deadline of 60 s, 20 % more on average."""
    right = np.ones((1, LATENCY_N))
    seconds = rng.lognormal(0, 0.2, (2, LATENCY_N))
    hangs = np.zeros(LATENCY_N, dtype=np.bool_)
    hangs[rng.permutation(LATENCY_N)[: int(rng.choice([4, 5]))]] = True
    return Truth(
        live=Arm(scores=right, seconds=seconds[0]), new=Arm(scores=right, seconds=seconds[1], hangs=hangs)
    )


def slower_by_the_limit(rng: np.random.Generator) -> Truth:
    right = np.ones((1, N))
    seconds = rng.lognormal(0, 0.5, N)
    slower = seconds * rng.lognormal(np.log(1.15), 0.3, N)
    return Truth(live=Arm(scores=right, seconds=seconds), new=Arm(scores=right, seconds=slower))


EQUAL = tuple(np.repeat(np.arange(20), 3).tolist())
UNEQUAL = tuple(np.repeat(np.arange(20), [1] * 5 + [2] * 5 + [3] * 5 + [6] * 5).tolist())


def alike(rng: np.random.Generator, clusters: Sequence[int], icc: float = 0.3) -> Floats:
    """Uniform numbers by sample, as alike within a cluster as `icc` says."""
    from scipy.special import ndtr

    codes = np.asarray(clusters)
    common, own = rng.normal(size=codes.max() + 1)[codes], rng.normal(size=codes.size)
    return np.asarray(ndtr(np.sqrt(icc) * common + np.sqrt(1 - icc) * own))


def conversations(clusters: Sequence[int], shift: float) -> Draw:
    def draw(rng: np.random.Generator) -> Truth:
        return both([scores(rng, alike(rng, clusters), shift=shift)])

    return draw


def conversations_unchanged(rng: np.random.Generator) -> Truth:
    return both([checks(alike(rng, UNEQUAL), fixed=0.15, broken=0.15)])


# The first thirty were drawn for certain, the others one of four: .1 better there, .125 worse here, .08 worse in all.
CHANCES = (1.0,) * 30 + (0.25,) * 30


def weighted(rng: np.random.Generator) -> Truth:
    shift = np.where(np.asarray(CHANCES) == 1.0, 0.1, -0.125)
    pair = scores(rng, rng.random(len(CHANCES)), shift=0.0, spread=0.2)
    return both([pair + np.stack([np.zeros(len(CHANCES)), shift])])


REPEATS = 3


def repeated(rng: np.random.Generator) -> Truth:
    """Every sample is answered three times; answers to one sample differ more than samples do."""
    shift = -SCORE_MARGIN + rng.uniform(-0.1, 0.1, N)
    noise = rng.uniform(-0.2, 0.2, (2, 1, REPEATS, N))
    return Truth(live=Arm(scores=0.5 + noise[0]), new=Arm(scores=0.5 + shift + noise[1]))


LANGUAGES = ("de", "en") * 30


def critical_slice_at_its_margin(rng: np.random.Generator) -> Truth:
    """Worse in German by what is allowed, and better in English by more than that."""
    german = np.asarray(LANGUAGES) == "de"
    pair = scores(rng, rng.random(german.size), shift=0.0)
    return both([pair + np.stack([np.zeros(german.size), np.where(german, -SCORE_MARGIN, 0.09)])])


def slices_unchanged(rng: np.random.Generator) -> Truth:
    return both([scores(rng, rng.random(len(LANGUAGES)), shift=0.0)])


SEQUENTIAL_N, SEQUENTIAL_MARGIN = 60, 0.35


def sequential(
    name: str,
    shift: float,
    claim: Claim,
    seed: int,
    *,
    story: Story = once,
    clusters: Sequence[int] | None = None,
    losing: float = 0.0,
) -> Design:
    """Half of the pairs differ; bets decide as answers arrive, on sixty samples at most.

    `losing`: the share of answers that never come, most of them where live fails.
    """

    def draw(rng: np.random.Generator) -> Truth:
        rank = rng.random(SEQUENTIAL_N) if clusters is None else alike(rng, clusters)
        pair = checks(rank, fixed=0.25 + shift / 2, broken=0.25 - shift / 2)
        chance = losing * np.where(pair[0] == 0, 1.5, 0.75)
        lost = rng.random((2, SEQUENTIAL_N)) < chance
        return Truth(live=Arm(scores=pair[:1], lost=lost[0]), new=Arm(scores=pair[1:], lost=lost[1]))

    scorers = {"ok": {"python": "scores:b0", "max_drop": SEQUENTIAL_MARGIN}}
    return Design(
        name=f"sequential, {name}",
        setting=setting(scorers, n=SEQUENTIAL_N, clusters=clusters, options={"sequential": True}),
        draw=draw,
        claim=claim,
        story=story,
        seed=seed,
    )


def at_the_margin_in_every_look(rng: np.random.Generator) -> Truth:
    return both([checks(rng.random(LOOKS * LOOK_N), fixed=0.1, broken=0.4)])


def looking(name: str, story: Story, seed: int, *, environ: dict[str, str] | None = None) -> Design:
    scorers = {"ok": {"python": "scores:b0", "max_drop": LOOK_MARGIN}}
    return Design(
        name=name,
        setting=setting(scorers, n=LOOK_N),
        draw=at_the_margin_in_every_look,
        claim=passes,
        story=story,
        environ=environ or {},
        may_be_unknown=environ is not None,
        seed=seed,
    )


DESIGNS = (
    Design(
        name="nothing changed",
        setting=setting(FAMILY),
        draw=nothing_changed,
        claim=regresses,
        seed=1,
    ),
    Design(
        name="at the margin",
        setting=setting(BINARY),
        draw=at_the_margin,
        claim=passes,
        seed=2,
    ),
    Design(
        name="one of a family at its margin",
        setting=setting(FAMILY),
        draw=one_of_a_family_at_its_margin,
        claim=passes,
        seed=3,
    ),
    Design(
        name="scores at the margin",
        setting=setting(BOUNDED),
        draw=scores_at_the_margin,
        claim=passes,
        seed=4,
    ),
    Design(
        name="four correlated guardrails unchanged",
        setting=setting(FOUR),
        draw=four_unchanged,
        claim=regresses,
        seed=5,
    ),
    Design(
        name="one of four correlated guardrails at its margin",
        setting=setting(FOUR),
        draw=one_of_four_at_its_margin,
        claim=passes,
        seed=6,
    ),
    Design(
        name="94 % ties",
        setting=setting({"tone": {"python": "scores:s0", "max_drop": 0.04}}, n=TIES_N),
        draw=many_ties,
        claim=passes,
        seed=7,
    ),
    Design(
        name="5 % unscored at the margin",
        setting=setting(BINARY),
        draw=lambda rng: lost_on_hard_samples(rng, shift=-MARGIN),
        claim=passes,
        seed=8,
    ),
    Design(
        name="5 % unscored and nothing changed",
        setting=setting(BINARY),
        draw=lambda rng: lost_on_hard_samples(rng, shift=0.0),
        claim=regresses,
        seed=9,
    ),
    Design(
        name="losing what it would break",
        setting=setting(BINARY),
        draw=losing_what_it_would_break,
        claim=passes,
        seed=10,
    ),
    Design(
        name="hanging candidates",
        setting=setting(BINARY, n=LATENCY_N, limits={**LIMITS, "latency": {"max_rise": 0.15}}),
        draw=hanging,
        claim=metric_passes("latency"),
        seed=11,
    ),
    Design(
        name="slower by what is allowed",
        setting=setting(BINARY, limits={**LIMITS, "latency": {"max_rise": 0.15}}),
        draw=slower_by_the_limit,
        claim=metric_passes("latency"),
        seed=33,
    ),
    Design(
        name="20 equal conversations at the margin",
        setting=setting(BOUNDED, n=60, clusters=EQUAL),
        draw=conversations(EQUAL, -SCORE_MARGIN),
        claim=passes,
        seed=12,
    ),
    Design(
        name="20 unequal conversations at the margin",
        setting=setting(BOUNDED, n=60, clusters=UNEQUAL),
        draw=conversations(UNEQUAL, -SCORE_MARGIN),
        claim=passes,
        seed=13,
    ),
    Design(
        name="20 unequal conversations unchanged",
        setting=setting(BINARY, n=60, clusters=UNEQUAL),
        draw=conversations_unchanged,
        claim=regresses,
        seed=14,
    ),
    Design(
        name="weighted samples at the margin",
        setting=setting(BOUNDED, n=len(CHANCES), chances=CHANCES),
        draw=weighted,
        claim=passes,
        seed=15,
    ),
    Design(
        name="three repeats at the margin",
        setting=setting(BOUNDED, options={"repeats": REPEATS}),
        draw=repeated,
        claim=passes,
        seed=20,
    ),
    Design(
        name="a critical slice at its margin",
        setting=setting(
            BOUNDED,
            n=len(LANGUAGES),
            languages=LANGUAGES,
            gate={"slices": {"by": ["language"], "critical": ["language=de"]}},
        ),
        draw=critical_slice_at_its_margin,
        claim=passes,
        seed=21,
    ),
    Design(
        name="no target improves",
        setting=setting(FAMILY),
        draw=no_target_improves,
        claim=passes,
        seed=26,
    ),
    Design(
        name="no better than its floor",
        setting=setting({"ok": {"python": "scores:b0", "max_drop": 0.5, "min": FLOOR}}),
        draw=exactly_at_the_floor,
        claim=passes,
        seed=27,
    ),
    Design(
        name="at its floor and nothing changed",
        setting=setting({"ok": {"python": "scores:b0", "max_drop": MARGIN, "min": FLOOR}}),
        draw=exactly_at_the_floor,
        claim=regresses,
        seed=28,
    ),
    Design(
        name="slices that may block, nothing changed",
        setting=setting(
            BOUNDED,
            n=len(LANGUAGES),
            languages=LANGUAGES,
            gate={"slices": {"by": ["language"], "policy": "block"}},
        ),
        draw=slices_unchanged,
        claim=regresses,
        seed=29,
    ),
    sequential("at the margin", -SEQUENTIAL_MARGIN, passes, 22),
    sequential("conversations at the margin", -SEQUENTIAL_MARGIN, passes, 30, clusters=EQUAL),
    sequential("conversations unchanged", 0.0, regresses, 31, clusters=EQUAL),
    sequential("5 % unscored at the margin", -SEQUENTIAL_MARGIN, passes, 32, losing=0.05),
    sequential("at the margin, with peeking", -SEQUENTIAL_MARGIN, passes, 23, story=peeking),
    sequential("nothing changed", 0.0, regresses, 24),
    sequential("nothing changed, with peeking", 0.0, regresses, 25, story=peeking),
    looking("five looks, fresh samples", fresh_samples, 16),
    looking("five looks, one added sample each", one_added_sample, 17),
    looking("five looks, runs deleted in between", deleted_runs, 18),
    looking("five looks, each in a clone of CI", clones, 19, environ={"CI": "true"}),
)


def design(name: str) -> Design:
    return next(one for one in DESIGNS if one.name == name)
