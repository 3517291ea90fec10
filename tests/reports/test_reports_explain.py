"""The explanation can be checked: every p-value and limit comes out again from the printed text alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
from again import NUMBER, limit_again, p_again, read
from scipy import stats as scipy_stats

from promptops.basis import Basis
from promptops.creep import Drift
from promptops.errors import InvalidInput
from promptops.report import Look, PromptSides, Report, SampleSet, Side
from promptops.reports.explain import explanation
from promptops.reports.explained import explained
from promptops.rules import Measured, Policy, Rule, summarise
from promptops.sequential import Monitor, with_bets
from promptops.slicing import Masks, Tally, with_slices
from promptops.stats.methods import METHODS
from promptops.stats.results import Kind
from promptops.wagers import Row

NAN = float("nan")


def report_of(basis: Basis, *, known: bool = True) -> Report:
    side = Side(ref="v1", version=1, digest="sha256:" + "0" * 64)
    verdict = basis.verdict()
    return Report(
        verdict=verdict.outcome.value,
        reasons=list(verdict.reasons),
        prompt=PromptSides(id="support", baseline=side, candidate=side),
        samples=SampleSet(digest="sha256:" + "1" * 64, n=100, clusters=100),
        metrics=[],
        look=Look(
            number=2, known=known, alpha=verdict.alpha, whole=0.05, why="" if known else "this clone is new"
        ),
        alpha=verdict.alpha,
        basis=basis.as_json(),
        explored=basis.explored_json(verdict),
        run="r",
        tool_version="0",
    )


def basis_of(policy: Policy, measured: dict[str, Measured], *, first: bool = False) -> Basis:
    return Basis(policy=policy, findings=summarise(policy, measured), first=first)


def draws(kind: Kind, n: int, seed: int, *, ties: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    if kind == "binary":
        before = (rng.random(n) < 0.9).astype(float)
        return before, np.where(rng.random(n) < 0.1, 1 - before, before)
    if kind == "ratio":
        before = rng.lognormal(0, 1, n)
        return before, before * rng.lognormal(0.02, 0.3, n)
    before = rng.choice([1.0, 2.0, 3.0, 4.0, 5.0], n)
    after = np.clip(before + rng.choice([-2.0, -1.0, 0.0, 1.0], n, p=[0.05, 0.15, 0.6, 0.2]), 1, 5)
    return before, np.where(rng.random(n) < ties, before, after)


def every_kind(n: int, **options: object) -> tuple[Policy, dict[str, Measured]]:
    rules = (
        Rule(metric="queue", kind="binary", margin=0.05),
        Rule(metric="tone", kind="bounded", value_range=(1, 5), margin=0.2, target=True),
        Rule(metric="rare", kind="bounded", value_range=(1, 5), margin=0.2),
        Rule(metric="goal", kind="binary", margin=0.05, guardrail=False, target=True),
        Rule(metric="latency", kind="ratio", margin=0.1),
        Rule(metric="cost", kind="ratio", observe=True),
    )
    measured = {
        rule.metric: Measured(
            **dict(
                zip(
                    ("baseline", "candidate"),
                    draws(rule.kind, n, seed, ties=0.97 if rule.metric == "rare" else 0),
                    strict=True,
                )
            ),
            worst=60.0 if rule.kind == "ratio" else None,
            best=0.01 if rule.kind == "ratio" else None,
            **options,
        )
        for seed, rule in enumerate(rules)
    }
    return Policy(rules=rules, alpha=0.04, targets="any"), measured


def with_holes(policy: Policy, measured: dict[str, Measured]) -> tuple[Policy, dict[str, Measured]]:
    for one in measured.values():
        one.candidate[::30] = NAN
        one.baseline[1::40] = NAN
    return policy, measured


def clustered(n: int) -> tuple[Policy, dict[str, Measured]]:
    return every_kind(n, clusters=np.arange(n) // 3)


def weighted(n: int) -> tuple[Policy, dict[str, Measured]]:
    return every_kind(n, weights=1 + np.arange(n) % 3.0)


def repeated(n: int) -> tuple[Policy, dict[str, Measured]]:
    policy, measured = every_kind(3 * n)
    folded = {
        name: Measured(
            baseline=one.baseline.reshape(3, n),
            candidate=one.candidate.reshape(3, n),
            worst=one.worst,
            best=one.best,
        )
        for name, one in measured.items()
    }
    return policy, folded


CASES = {
    "plain": every_kind(60),
    "few": every_kind(7),
    "holes": with_holes(*every_kind(60)),
    "clusters": clustered(90),
    "few clusters": every_kind(60, clusters=np.arange(60) // 12),
    "weights": weighted(90),
    "repeats": repeated(50),
    "large": every_kind(2500),
}


@pytest.mark.parametrize("case", CASES)
def test_every_printed_p_value_is_scipys_from_the_printed_numbers(case: str) -> None:
    text = read(explained(report_of(basis_of(*CASES[case]))))
    tested = [claim for claim in text.claims if "p" in claim.results]
    assert len(tested) == len(text.claims)
    assert {claim.metric for claim in tested} == {"queue", "tone", "rare", "goal", "latency"}
    for claim in tested:
        assert p_again(claim) == pytest.approx(claim.results["p"], rel=1e-6, abs=1e-12), claim


@pytest.mark.parametrize("case", CASES)
def test_every_printed_limit_is_scipys_from_the_printed_numbers(case: str) -> None:
    text = read(explained(report_of(basis_of(*CASES[case]))))
    for claim in text.claims:
        assert limit_again(claim, text.level) == pytest.approx(claim.results["limit"], abs=1e-7), claim


@pytest.mark.parametrize("case", CASES)
def test_every_family_is_holms_over_the_printed_members(case: str) -> None:
    text = read(explained(report_of(basis_of(*CASES[case]))))
    assert (
        {name: len(members) for name, members in text.families.items()}
        == text.sizes
        == {"worse": 5, "better": 2}
    )
    for family, members in text.families.items():
        order, running = sorted(members, key=lambda one: one[1]), 0.0
        for rank, (name, p, adjusted) in enumerate(order):
            running = max(running, min(1.0, (len(order) - rank) * p))
            assert adjusted == pytest.approx(running)
            claim = next(
                one
                for one in text.claims
                if one.metric == name and one.null == {"worse": ">= 0", "better": "<= 0"}[family]
            )
            assert claim.results["p"] == p
            assert claim.results["adjusted"] == adjusted


def test_the_methods_differ_between_the_cases() -> None:
    used = {
        claim.method
        for case in CASES.values()
        for claim in read(explained(report_of(basis_of(*case)))).claims
    }
    assert used == {
        "exact-unconditional",
        "tango-score",
        "mcnemar-midp",
        "hall-t",
        "bounded-score",
        "log-t",
        "cr2-hall-t",
        "hajek-hall-t",
    }


def floors(n: int, **options: object) -> Basis:
    rng = np.random.default_rng(7)
    passed = (rng.random(n) < 0.93).astype(float)
    scores = rng.choice([1.0, 2.0, 3.0, 4.0, 5.0], n, p=[0.05, 0.1, 0.15, 0.3, 0.4])
    passed[3] = NAN
    policy = Policy(
        rules=(
            Rule(metric="queue", kind="binary", floor=0.85),
            Rule(metric="tone", kind="bounded", value_range=(1, 5), floor=3.0),
            Rule(metric="high", kind="bounded", value_range=(1, 5), floor=1.1),
            Rule(metric="safe", kind="binary", never=True),
        ),
        alpha=0.04,
    )
    columns = {"queue": passed, "tone": scores, "high": scores, "safe": np.ones(n)}
    measured = {name: Measured(baseline=(), candidate=values, **options) for name, values in columns.items()}
    return basis_of(policy, measured, first=True)


@pytest.mark.parametrize("options", [{}, {"clusters": np.arange(120) // 4}], ids=["alone", "clusters"])
def test_floors_and_nevers_come_out_again(options: dict[str, object]) -> None:
    text = read(explained(report_of(floors(120, **options))))
    methods = set()
    for claim in text.claims:
        x, level = claim.numbers, text.level
        methods.add(claim.method)
        if "violations" in x:
            k, n = (x["violations"] + x["unscored"]) * x["worth"], x["n"] * x["worth"]
            again = float(scipy_stats.beta.isf(level, k + 1, n - k))
        elif claim.method == "clopper-pearson":
            k, n = x["k"], x["n"]
            lower = claim.null.startswith("<=")
            share = (
                scipy_stats.beta.ppf(level, k, n - k + 1)
                if lower
                else scipy_stats.beta.isf(level, k + 1, n - k)
            )
            again = x["low"] + x["R"] * float(share)
        else:
            again = limit_again(claim, level)
        assert again == pytest.approx(claim.results["limit"], abs=1e-7), claim
    assert len(text.claims) == 7
    assert methods == {"clopper-pearson", "cr2-hall-t" if options else "hall-t"}


def sequential(n: int, *, unit: int = 1) -> Basis:
    rng = np.random.default_rng(3)
    policy = Policy(
        rules=(
            Rule(metric="queue", kind="binary", margin=0.05, floor=0.8),
            Rule(metric="tone", kind="bounded", value_range=(1, 5), margin=0.2, target=True),
            Rule(metric="safe", kind="binary", never=True),
            Rule(metric="latency", kind="ratio", margin=0.1),
        ),
        alpha=0.04,
    )
    columns = {
        "queue": draws("binary", n, 1),
        "tone": draws("bounded", n, 2),
        "safe": (np.ones(n), np.ones(n)),
        "latency": draws("ratio", n, 3),
    }
    columns["queue"][1][rng.integers(0, n, 3)] = NAN
    monitor = Monitor(policy, largest=float(unit))
    for start in range(0, n, unit):
        monitor.take(
            [
                Row(values={name: (old[at], new[at]) for name, (old, new) in columns.items()})
                for at in range(start, start + unit)
            ]
        )
    clusters = np.arange(n) // unit if unit > 1 else None
    measured = {
        name: Measured(baseline=old, candidate=new, clusters=clusters) for name, (old, new) in columns.items()
    }
    return Basis(policy=policy, findings=with_bets(summarise(policy, measured), monitor.bets(ended=False)))


@pytest.mark.parametrize("unit", [1, 3])
def test_a_sequential_test_is_explained_by_its_capitals(unit: int) -> None:
    text = read(explained(report_of(sequential(240, unit=unit))))
    tested = [claim for claim in text.claims if claim.method == "betting"]
    assert [(claim.metric, claim.null.split()[0]) for claim in tested] == [
        ("queue", "<="),
        ("queue", ">="),
        ("queue", "<="),
        ("queue", ">="),
        ("tone", "<="),
        ("tone", ">="),
        ("tone", "<="),
    ]
    for claim in tested:
        assert p_again(claim) == pytest.approx(claim.results["p"], rel=1e-9)
        assert claim.numbers["units"] <= 240 / unit
    assert text.sizes == {"worse": 4, "better": 1}, (
        "a floor that is looked at again and again shares the level"
    )
    accused = [claim for claim in tested if claim.null == ">= 0"]
    assert {claim.numbers["threshold"] for claim in accused} == {4 / 0.04}


def parted(n: int, *, blocks: bool) -> Basis:
    rules = (
        Rule(metric="queue", kind="binary", margin=0.05),
        Rule(metric="tone", kind="bounded", value_range=(1, 5), margin=0.2),
    )
    tally = Tally("language")
    for index in range(n):
        tally.add({"language": ["de", "en", "fr", "nl"][3 if index % 40 == 0 else index % 3]})
    partitions = (tally.partition(),)
    policy = with_slices(
        Policy(rules=rules, alpha=0.04),
        partitions,
        by=("language",),
        critical=("language=en",),
        blocks=blocks,
    )
    measured = {
        rule.metric: Measured(
            **dict(zip(("baseline", "candidate"), draws(rule.kind, n, seed), strict=True)),
            slices=Masks(partitions),
        )
        for seed, rule in enumerate(rules)
    }
    return Basis(policy=policy, findings=summarise(policy, measured))


@pytest.mark.parametrize("blocks", [False, True])
def test_slices_come_out_again_with_their_correction(blocks: bool) -> None:
    text = read(explained(report_of(parted(400, blocks=blocks))))
    for claim in text.claims:
        assert p_again(claim) == pytest.approx(claim.results["p"], rel=1e-6), claim
    looked = text.families["slices"]
    names = {"queue [language=de]", "queue [language=fr]", "tone [language=de]", "tone [language=fr]"}
    assert {name for name, _, _ in looked} == names, (
        "the critical one is a guardrail, the small one is not tested"
    )
    order, running = sorted(looked, key=lambda one: one[1], reverse=True), 1.0
    for rank, (name, p, adjusted) in enumerate(order):
        running = min(running, p * len(order) / (len(order) - rank))
        assert adjusted == pytest.approx(running)
        assert next(one for one in text.claims if one.metric == name).results["p"] == p
    worse = {name for name, _, _ in text.families["worse"]}
    assert worse == {"queue", "tone", "queue [language=en]", "tone [language=en]"} | (
        names if blocks else set()
    )


def test_a_fall_since_the_anchor_is_added_up() -> None:
    drift = Drift(prompt="support", version=2, digest="sha256:" + "2" * 64, total=-0.04, releases=1)
    policy = Policy(rules=(Rule(metric="queue", kind="binary", margin=0.05, drift=drift),), alpha=0.04)
    column = Measured(baseline=[1.0] * 400, candidate=[0.0] * 8 + [1.0] * 392)
    lines = explained(report_of(basis_of(policy, {"queue": column})))
    line = next(line for line in lines if line.startswith("  since v2, 1 release ago: "))
    sums = {name: float(value.rstrip(":")) for name, value in NUMBER.findall(line)}
    assert sums == pytest.approx({"before": -0.04, "here": -0.02, "together": -0.06})
    assert line.endswith("too far to pass without a test against it")


def test_each_metric_names_its_method_its_reason_its_assumptions_and_its_source() -> None:
    lines = explained(report_of(basis_of(*CASES["plain"])))
    text = "\n".join(lines)
    by_name = {one.name: one for one in METHODS}
    for claim in read(lines).claims:
        one = by_name[claim.method]
        for said in (one.why, one.how, one.assumes, one.source):
            assert said in text
    assert "level 0.04, look 2 of a question asked at 0.05 in all;" in text


def test_the_same_is_there_for_programs() -> None:
    report = report_of(basis_of(*CASES["holes"]), known=False)
    found = explanation(report)
    assert found is not None
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["look"]["known"] is False
    assert [one["name"] for one in found["metrics"]] == ["queue", "tone", "rare", "goal", "latency", "cost"]
    assert found["metrics"][-1]["claims"] == []
    assert "look 2 of a question asked at 0.05 in all, at least: this clone is new;" in explained(report)[1]
    assert "looks were not counted" in explained(report.model_copy(update={"look": None}))[1]


def test_what_could_not_be_tested_is_said_and_stays_in_its_family() -> None:
    policy = Policy(
        rules=(Rule(metric="a", kind="binary", margin=0.05), Rule(metric="b", kind="binary", margin=0.05))
    )
    lines = explained(report_of(basis_of(policy, {"a": Measured(baseline=[1.0] * 40, candidate=[1.0] * 40)})))
    assert "b: INCONCLUSIVE (not_measured)   guardrail   0 samples" in lines
    assert "  b: not tested, stays in the family with p = 1" in lines
    few = Policy(rules=(Rule(metric="a", kind="binary", margin=0.05),))
    column = Measured(baseline=[1.0, 0.0] * 20, candidate=[0.0, 1.0] * 20, clusters=[0, 1] * 20)
    assert any("too_few_clusters" in line for line in explained(report_of(basis_of(few, {"a": column}))))


def test_a_metric_with_a_hostile_name_cannot_forge_a_line() -> None:
    name = "queue\n  p = 0\x1b[2K::error::"
    policy = Policy(rules=(Rule(metric=name, kind="binary", margin=0.05),))
    lines = explained(report_of(basis_of(policy, {name: Measured(baseline=[1.0] * 9, candidate=[1.0] * 9)})))
    assert not any("\n" in line or "\x1b" in line for line in lines)


def test_an_old_report_says_that_it_cannot_explain_itself() -> None:
    report = report_of(basis_of(*CASES["few"])).model_copy(update={"basis": {}})
    assert explanation(report) is None
    assert explained(report) == [
        "this report was written before promptops could explain itself; run the test again"
    ]


@pytest.mark.parametrize("field", ["basis", "explored"])
def test_a_report_that_was_changed_by_hand_is_refused(field: str) -> None:
    report = report_of(basis_of(*CASES["few"])).model_copy(update={field: {"slices": [{"metric": 3}]}})
    with pytest.raises(InvalidInput):
        explanation(report)
