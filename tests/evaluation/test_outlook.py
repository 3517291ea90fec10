"""What is planned with, before anything is asked: earlier tests, else the usual, and what follows from either."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from promptops.evaluation.earlier import Past, Spread, level, spread, tokens_a_call, usd_a_call
from promptops.evaluation.foretelling import tell
from promptops.evaluation.money import Money, recorded_tokens
from promptops.evaluation.outlook import Outlook
from promptops.evaluation.prospects import (
    Frame,
    floor_prospect,
    guardrail_prospect,
    never_prospect,
    target_prospect,
)
from promptops.report import MetricLine
from promptops.reports.numbers import dollars
from promptops.rules import Rule
from promptops.samples import Sample
from promptops.stats.planning import sample_size
from promptops.stats.power import chance_of_passing

FRAME = Frame(n=100, alpha=0.05)
QUEUE = Rule(metric="queue", kind="binary", value_range=(0.0, 1.0), margin=0.05)
TONE = Rule(metric="tone", kind="bounded", value_range=(1.0, 5.0), margin=0.2)
LATENCY = Rule(metric="latency", kind="ratio", margin=0.2)


def line(name: str = "queue", kind: str = "binary", **more: object) -> MetricLine:
    values = {
        "role": "guardrail",
        "unit": "share",
        "method": "tango",
        "n": 100,
        "baseline_mean": 0.9,
        "candidate_mean": 0.8,
        "difference": -0.1,
        "lower": -0.2,
        "upper": 0.0,
        "confidence": 0.9,
        "margin": 0.05,
        "status": "PASS",
    }
    return MetricLine.model_validate({**values, "name": name, "kind": kind, **more})


def past(*lines: MetricLine, **more: object) -> Past:
    return replace(Past(run="r", digests=("old", "new"), lines=lines), **more)


def test_earlier_tests_are_pooled_by_their_size() -> None:
    tests = [past(line(fixed=2, broken=3)), past(line(n=300, fixed=5, broken=10)), past(line("other"))]
    found = spread(tests, "queue", "binary")
    assert found == Spread(sd=math.sqrt(20.5 / 401), pairs=400, runs=2)
    assert spread(tests, "tone", "bounded") is None
    assert spread([past(line(n=0, fixed=0, broken=0))], "queue", "binary") is None


def test_none_that_differed_does_not_mean_that_none_ever_will() -> None:
    found = spread([past(line(fixed=0, broken=0))], "queue", "binary")
    assert found is not None
    assert found.sd > 0


def test_a_score_varies_as_its_standard_error_says_without_what_its_clusters_add() -> None:
    alone = line("tone", "bounded", n=100, se=0.05)
    assert spread([past(alone)], "tone", "bounded") == Spread(sd=pytest.approx(0.5), pairs=100, runs=1)
    clustered = line("tone", "bounded", n=100, se=0.1, deff=4.0, icc=0.4, n_clusters=20)
    assert spread([past(clustered)], "tone", "bounded") == Spread(
        sd=pytest.approx(0.5), pairs=100, runs=1, icc=0.4
    )
    few = line("tone", "bounded", n=10, se=0.1)
    assert spread([past(few)], "tone", "bounded").sd > 0.1 * math.sqrt(10), "ten pairs may have been lucky"
    assert spread([past(line("tone", "bounded", se=None))], "tone", "bounded") is None


def test_what_repeats_told_is_planned_with_for_any_number_of_them() -> None:
    means = {
        "fixed": 30,
        "broken": 40,
        "se": 0.02,
    }  # of means of three: not the pass/fail pairs that differed
    told = {"repeats": 3, "between": 0.01, "within_baseline": 0.03, "within_candidate": 0.06}
    tests = [past(line("tone", "bounded", **means, **told))]
    for repeats, variance in ((1, 0.10), (3, 0.04), (9, 0.02)):
        found = spread(tests, "tone", "bounded", repeats=repeats)
        assert found is not None
        assert found.sd == pytest.approx(math.sqrt(variance))
    silent = spread([past(line(**means, repeats=3))], "queue", "binary")
    assert silent is not None
    assert silent.sd == pytest.approx(math.sqrt((100 * 0.04 + 0.5) / 101))


def test_numbers_that_no_test_can_have_found_plan_nothing() -> None:
    odd = [
        line("tone", "bounded", se=math.inf),
        line("tone", "bounded", se=math.nan),
        line("tone", "bounded", n=-3, se=0.1),
        line("tone", "bounded", se=0.1, deff=-4.0),
    ]
    assert all(spread([past(one)], "tone", "bounded") is None for one in odd)
    assert spread([past(line(fixed=-90, broken=3))], "queue", "binary") is None
    wild = line("tone", "bounded", se=0.05, icc=40.0, n_clusters=20)
    assert spread([past(wild)], "tone", "bounded").icc is None
    assert level([past(line(baseline_mean=math.nan))], "queue", "old") is None
    models = frozenset({"a/small"})
    assert usd_a_call([past(models=models, calls=-1, usd=1.0)], models) is None
    assert usd_a_call([past(models=models, calls=9, usd=math.inf)], models) is None
    assert (
        tokens_a_call([past(line("input_tokens", "ratio", baseline_mean=-1.0, candidate_mean=math.nan))])
        is None
    )
    beyond = floor_prospect(replace(QUEUE, floor=0.8), 7.0, FRAME)
    assert beyond.chance == 1.0


def test_the_live_version_is_as_good_as_it_was_in_the_newest_test() -> None:
    tests = [past(line(baseline_mean=0.7)), past(line(baseline_mean=0.6), digests=("new", "x"))]
    assert level(tests, "queue", "old") == 0.7
    assert level(tests, "queue", "new") == 0.8
    assert level(tests, "queue", "unknown") is None
    assert level(tests, "queue", None) is None


def test_a_call_costs_what_it_did_with_the_same_models_and_is_else_unknown() -> None:
    cheap, dear = frozenset({"a/small"}), frozenset({"a/big"})
    tests = [
        past(models=cheap, calls=100, usd=1.0),
        past(models=cheap, calls=300, usd=1.0),
        past(models=dear, calls=10, usd=9.0),
        past(models=cheap, calls=50, usd=None),
        past(models=cheap, calls=0, usd=0.0),
    ]
    assert usd_a_call(tests, cheap) == pytest.approx(2 / 400)
    assert usd_a_call(tests, frozenset({"a/other"})) is None
    assert usd_a_call([past(models=cheap, calls=50, usd=None)], cheap) is None


def test_tokens_are_known_when_both_ways_are() -> None:
    read = line("input_tokens", "ratio", baseline_mean=100, candidate_mean=200)
    written = line("output_tokens", "ratio", baseline_mean=None, candidate_mean=20)
    assert tokens_a_call([past(read), past(read, written)]) == (150, 20)
    assert tokens_a_call([past(read)]) is None
    usage = [{"input_tokens": 10, "output_tokens": 2}, {"input_tokens": 20, "output_tokens": 4}, {}, None]
    assert recorded_tokens(Sample(inputs={}, usage=one) for one in usage) == (15, 3)


def test_a_pass_rate_that_was_never_measured_is_planned_as_the_design_says() -> None:
    found = guardrail_prospect(QUEUE, None, FRAME)
    assert found.chance == pytest.approx(0.43, abs=0.01)
    assert (found.needed, found.least, found.spread) == (263, 59, None)


def test_the_needed_number_grows_with_the_guardrails_that_have_to_hold_together() -> None:
    four = guardrail_prospect(QUEUE, None, replace(FRAME, guardrails=4))
    assert (four.needed or 0) > (sample_size(sd_diff=0.1**0.5, margin=0.05, power=0.95).n or 0)
    assert chance_of_passing(four.needed or 0, margin=0.05) >= 0.95
    answered = Rule(metric="answered", kind="binary", value_range=(0.0, 1.0), margin=0.05)
    found = guardrail_prospect(answered, None, replace(FRAME, guardrails=4))
    assert (found.needed, found.chance) == (59, 1.0)


def test_a_score_is_planned_with_its_own_spread() -> None:
    found = guardrail_prospect(TONE, Spread(sd=1.2, pairs=500, runs=2), FRAME)
    assert found.needed == sample_size(sd_diff=1.2, margin=0.2).n == 223
    assert found.chance == pytest.approx(0.51, abs=0.01)
    assert found.visible == pytest.approx(0.298, abs=0.001)
    assert guardrail_prospect(TONE, None, FRAME).sd == pytest.approx(4 * 0.1**0.5)


def test_scores_that_hardly_move_pass_no_earlier_than_ties() -> None:
    jitter = Spread(sd=0.02, pairs=500, runs=1)
    assert guardrail_prospect(TONE, jitter, replace(FRAME, n=40)).chance < 0.1
    assert guardrail_prospect(TONE, jitter, FRAME).chance > 0.9


def test_a_ratio_is_planned_on_its_logarithm() -> None:
    found = guardrail_prospect(LATENCY, Spread(sd=0.5, pairs=100, runs=1), FRAME)
    assert found.needed == sample_size(sd_diff=0.5, margin=math.log1p(0.2)).n == 47
    assert found.least == 5
    assert found.visible == pytest.approx(math.expm1(0.1243), abs=0.001)
    better = target_prospect(LATENCY, Spread(sd=0.5, pairs=100, runs=1), FRAME)
    assert better.visible == pytest.approx(-math.expm1(-0.1243), abs=0.001)


def test_what_is_too_small_a_scale_is_invisible_altogether() -> None:
    assert guardrail_prospect(TONE, Spread(sd=3.0, pairs=9, runs=1), replace(FRAME, n=3)).visible is None


def test_clusters_and_weights_lengthen_every_number() -> None:
    alone = guardrail_prospect(QUEUE, None, FRAME)
    clustered = guardrail_prospect(QUEUE, None, replace(FRAME, cluster_size=10.0))
    assert clustered.needed == pytest.approx(3.7 * (alone.needed or 0), rel=0.02)
    assert clustered.least == 590
    assert clustered.chance < alone.chance
    assert clustered.visible > alone.visible
    measured = guardrail_prospect(
        QUEUE, Spread(sd=0.1**0.5, pairs=100, runs=1, icc=0.0), replace(FRAME, cluster_size=10.0)
    )
    assert measured.chance == pytest.approx(alone.chance)
    weighted = guardrail_prospect(QUEUE, None, replace(FRAME, kish=50.0))
    assert weighted.needed == pytest.approx(2 * (alone.needed or 0), rel=0.02)


def test_a_floor_says_how_good_it_takes_and_how_likely_that_is() -> None:
    rule = replace(QUEUE, floor=0.8)
    found = floor_prospect(rule, 0.9, FRAME)
    assert (found.right, found.mean, found.least) == (87, 0.87, 14)
    assert found.chance == pytest.approx(0.876, abs=0.001)
    assert found.needed == 83
    assert floor_prospect(rule, None, FRAME).chance is None
    hopeless = floor_prospect(rule, 0.7, FRAME)
    assert (hopeless.needed, hopeless.chance) == (None, pytest.approx(0.0, abs=1e-3))
    few = floor_prospect(rule, 0.9, replace(FRAME, n=13))
    assert (few.right, few.mean, few.chance) == (None, None, 0.0)
    score = floor_prospect(replace(TONE, floor=4.0), 4.5, FRAME)
    assert score.mean == pytest.approx(1 + 4 * 83 / 100)


def test_what_must_never_happen_is_bounded_and_not_excluded() -> None:
    assert never_prospect(replace(QUEUE, never=True), FRAME).rate == pytest.approx(0.0295, abs=1e-4)


OUTLOOK = Outlook(
    prompt="support",
    run="support-1",
    samples=100,
    clusters=100,
    icc=None,
    weighted=False,
    effective=100.0,
    calls=200,
    price=Money(usd=0.0001, source="as in earlier tests"),
    budget=None,
    alpha=0.04,
    look=1,
    said=(),
    prospects=(),
    floors=(),
    nevers=(),
    together=None,
)


def test_a_measured_spread_names_its_tests_and_money_its_source() -> None:
    seen = Spread(sd=1.2, pairs=500, runs=2)
    frame = replace(FRAME, alpha=0.04)
    two = (guardrail_prospect(TONE, seen, frame), guardrail_prospect(LATENCY, None, frame))
    lines = tell(replace(OUTLOOK, prospects=two, together=0.004))
    assert lines[0].startswith("support: 100 samples, up to 200 calls, about $0.02 (as in earlier tests);")
    assert "  tone, which may fall by 0.2: an unchanged prompt passes about 47 % of the time" in lines[2]
    assert "142 more (284 calls, about $0.03)" in lines[2]
    assert lines[4] == (
        "    as in 2 earlier tests of 500 pairs: a pair's difference has a standard deviation of 1.2"
    )
    assert lines[5].startswith("  latency, which may rise by 20 %: an unchanged prompt passes about 97 %")
    assert lines[-1] == "  all of it together: an unchanged prompt hardly ever passes"


def test_an_icc_that_was_measured_is_said_with_its_source() -> None:
    clustered = replace(OUTLOOK, clusters=20, icc=0.123, effective=50.0, weighted=True)
    assert tell(clustered)[2] == (
        "  they count like about 50 independent samples: they come from 20 conversations or traces "
        "(correlation within one: 0.12 in earlier tests), and they stand for different numbers of calls "
        "(inclusion_prob)"
    )


@pytest.mark.parametrize(
    ("usd", "text"), [(1234.5, "$1,234.50"), (0.014, "$0.01"), (0.00123, "$0.0012"), (0.0, "$0.00")]
)
def test_money_is_never_rounded_to_nothing(usd: float, text: str) -> None:
    assert dollars(usd) == text


def test_a_score_has_its_own_words() -> None:
    floor = floor_prospect(replace(TONE, floor=4.0), None, FRAME)
    wide = guardrail_prospect(TONE, Spread(sd=3.0, pairs=9, runs=1), replace(FRAME, n=3))
    lines = tell(replace(OUTLOOK, prospects=(wide,), floors=(floor,)))
    assert any("no fall is large enough to be seen with so few samples" in one for one in lines)
    assert lines[-1] == "  tone: its floor of 4 is shown from 4.32 on"
