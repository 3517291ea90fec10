from __future__ import annotations

import json
import math
from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.stats.binary import paired_proportion_ci
from promptops.stats.facts import facts_alone
from promptops.stats.metric import evaluate_metric, uncompared
from promptops.stats.question import ask
from promptops.stats.results import BadNumbers, MetricResult, Status

NAN = math.nan


def pairs(
    *, fixed: int = 0, broken: int = 0, both: int = 0, neither: int = 0
) -> tuple[list[float], list[float]]:
    baseline = [0.0] * fixed + [1.0] * broken + [1.0] * both + [0.0] * neither
    candidate = [1.0] * fixed + [0.0] * broken + [1.0] * both + [0.0] * neither
    return baseline, candidate


def binary(baseline: list[float], candidate: list[float], **options) -> MetricResult:
    return evaluate_metric("binary", baseline, candidate, **{"margin": 0.05, **options})


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"both": 58}, "INCONCLUSIVE"),
        ({"both": 59}, "PASS"),
        ({"fixed": 8, "both": 200}, "PASS"),
        ({"broken": 12, "both": 28}, "REGRESSION"),
        ({"broken": 2, "fixed": 1, "both": 40}, "INCONCLUSIVE"),
    ],
)
def test_the_interval_and_the_harm_test_decide(counts: dict[str, int], expected: str) -> None:
    assert binary(*pairs(**counts)).status == expected


def test_a_guardrail_may_pass_and_still_be_worse() -> None:
    found = binary(*pairs(broken=20, both=1480))
    assert found.status == Status.PASS
    assert found.upper < 0
    assert found.notes == ("worse_within_margin",)


def test_a_regression_beyond_the_margin_is_named_so() -> None:
    assert binary(*pairs(broken=40, both=160)).notes == ("beyond_margin",)
    assert binary(*pairs(broken=12, both=180)).notes == ()


def test_the_numbers_of_a_binary_metric_fit_together() -> None:
    found = binary(*pairs(fixed=6, broken=10, both=150, neither=34))
    tango = paired_proportion_ci(6, 10, 200)
    assert (found.fixed, found.broken, found.discordant, found.wins) == (6, 10, 16, None)
    assert (found.lower, found.upper) == pytest.approx((tango.lower, tango.upper))
    assert found.difference == found.mean == pytest.approx(-0.02)
    assert found.candidate_mean - found.baseline_mean == pytest.approx(found.difference)
    assert found.se == pytest.approx(tango.se)
    assert found.p_exact == found.p_noninferior
    assert found.confidence == pytest.approx(0.9)


@pytest.mark.parametrize("alpha", [0.04, 0.01])
def test_the_interval_takes_the_alpha_that_was_given(alpha: float) -> None:
    found = binary(*pairs(both=70), alpha=alpha)
    assert found.confidence == pytest.approx(1 - 2 * alpha)
    assert found.lower == pytest.approx(paired_proportion_ci(0, 0, 70, confidence=1 - 2 * alpha).lower)
    assert (found.status == Status.PASS) == (alpha >= 0.95**70)


def test_at_the_first_look_sixty_three_ties_are_needed() -> None:
    assert binary(*pairs(both=62), alpha=0.04).status == Status.INCONCLUSIVE
    assert binary(*pairs(both=63), alpha=0.04).status == Status.PASS


def test_beyond_two_thousand_pairs_the_score_test_decides() -> None:
    found = binary(*pairs(fixed=100, broken=100, both=1801))
    assert (found.status, found.p_exact, found.method) == (Status.PASS, None, "tango")
    assert found.p_noninferior < 0.05


def test_all_failing_warns_and_so_does_all_passing() -> None:
    assert binary(*pairs(neither=80)).warnings == ("all_fail_both",)
    assert binary(*pairs(both=80)).warnings == ("all_pass_both",)
    assert binary([1.0] * 40 + [0.0] * 40, [1.0] * 40 + [0.0] * 40).warnings == ()
    low = evaluate_metric("bounded", [1.0] * 80, [1.0] * 80, margin=0.2, value_range=(1, 5))
    assert low.warnings == ("all_fail_both",)


def test_lower_can_be_better() -> None:
    baseline, candidate = pairs(fixed=8, both=150)
    found = binary(baseline, candidate, higher_is_better=False)
    assert (found.fixed, found.broken) == (0, 8)
    assert found.difference < 0 < found.candidate_mean - found.baseline_mean


# Missing values


def test_a_missing_candidate_counts_as_the_worst_for_a_pass() -> None:
    baseline, candidate = pairs(both=196)
    found = binary(baseline + [1.0] * 4, candidate + [NAN] * 4)
    full = binary(*pairs(both=196, broken=4))
    assert (found.lower, found.p_exact) == (full.lower, full.p_exact)
    assert (found.fixed, found.broken, found.difference) == (0, 0, 0)
    assert (found.n, found.n_complete, found.candidate_unscored) == (200, 196, 4)


def test_a_missing_baseline_counts_as_the_best_for_a_pass() -> None:
    baseline, candidate = pairs(both=196)
    found = binary([*baseline, *[NAN] * 4], [*candidate, 0.0, 0.0, 1.0, 1.0])
    assert found.lower == binary(*pairs(both=198, broken=2)).lower
    assert found.dropped_baseline_missing == 4


def test_missing_pairs_are_left_out_of_a_regression() -> None:
    baseline, candidate = pairs(both=90)
    found = binary(baseline + [1.0] * 5, candidate + [NAN] * 5)
    assert found.p_harm == 1.0
    assert found.status == Status.INCONCLUSIVE
    assert found.upper == binary(*pairs(both=90)).upper


@pytest.mark.parametrize(
    ("lost_baseline", "lost_candidate", "warned", "passable"),
    [
        (5, 5, False, True),
        (6, 6, True, True),
        (21, 20, True, False),
        (0, 10, False, True),
        (0, 11, True, False),
    ],
)
def test_too_much_missing_is_no_pass(
    lost_baseline: int, lost_candidate: int, warned: bool, passable: bool
) -> None:
    n = 200
    baseline = [NAN] * lost_baseline + [0.0] * (n - lost_baseline)
    candidate = [1.0] * (n - lost_candidate) + [NAN] * lost_candidate
    found = binary(baseline, candidate)
    assert ("missing_rate" in found.warnings) == warned
    assert found.passable == passable
    assert found.status == (Status.PASS if passable else Status.INCONCLUSIVE)
    assert found.reason == ("" if passable else "missing")
    assert binary(baseline, candidate, role="target").status == (
        Status.BETTER if passable else Status.NOT_SHOWN
    )


def test_a_regression_stays_one_when_much_is_missing() -> None:
    baseline, candidate = pairs(broken=30, both=30)
    assert binary(baseline + [1.0] * 40, candidate + [NAN] * 40).status == Status.REGRESSION


def test_a_fall_within_the_margin_is_no_regression_because_answers_are_missing() -> None:
    baseline, candidate = pairs(broken=20, both=1480)
    assert binary(baseline, candidate).notes == ("worse_within_margin",)
    found = binary(baseline + [1.0] * 60, candidate + [NAN] * 60)
    assert found.p_harm < 0.001
    assert found.lower < -0.05
    assert (found.status, found.reason) == (Status.INCONCLUSIVE, "missing")


@pytest.mark.parametrize("kind", ["binary", "bounded", "ratio"])
def test_nothing_scored_is_inconclusive(kind: str) -> None:
    scale = {"value_range": (0, 1)} if kind == "bounded" else {}
    found = evaluate_metric(kind, [1.0, 1.0], [None, None], margin=0.05, **scale)
    assert (found.status, found.reason, found.n_complete) == (Status.INCONCLUSIVE, "missing", 0)
    assert (found.difference, found.lower, found.upper, found.p_harm) == (None, None, None, None)
    assert found.method == "none"


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=120),
    st.data(),
)
@settings(deadline=None, max_examples=60)
def test_losing_an_answer_never_turns_a_verdict_into_a_pass(values, data) -> None:
    baseline, candidate = (list(column) for column in zip(*values, strict=True))
    full = binary(baseline, candidate, margin=0.2)
    for lost in data.draw(st.lists(st.integers(0, len(values) - 1), max_size=4)):
        (baseline if data.draw(st.booleans()) else candidate)[lost] = NAN
    found = binary(baseline, candidate, margin=0.2)
    assert found.status != Status.PASS or full.status == Status.PASS


@given(
    st.lists(
        st.tuples(*[st.one_of(st.just(NAN), st.floats(0, 1).map(lambda x: round(x, 2)))] * 2),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from(["guardrail", "target", "both", "observe"]),
)
@settings(deadline=None, max_examples=100)
def test_what_is_shown_never_contradicts_the_status(values, role: str) -> None:
    baseline, candidate = zip(*values, strict=True)
    found = evaluate_metric("bounded", baseline, candidate, margin=0.1, value_range=(0, 1), role=role)
    if found.difference is not None:
        assert found.lower <= found.difference + 1e-12
        assert found.difference <= found.upper + 1e-12
        assert found.lower < found.upper
    if found.status == Status.PASS:
        assert found.lower > -0.1
    if found.status == Status.BETTER:
        assert found.p_superior <= 0.05
    assert "NaN" not in json.dumps(found.as_json())


MARGINS = (0.02, 0.05, 0.2, 0.6)


def passes_upwards(found: list[MetricResult]) -> bool:
    statuses = [one.status == Status.PASS for one in found]
    return statuses == sorted(statuses)


@given(st.integers(0, 8), st.integers(0, 8), st.integers(1, 150))
@settings(deadline=None, max_examples=40)
def test_a_wider_margin_never_loses_a_pass(fixed: int, broken: int, both: int) -> None:
    columns = pairs(fixed=fixed, broken=broken, both=both)
    assert passes_upwards([binary(*columns, margin=margin) for margin in MARGINS])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60))
@settings(deadline=None, max_examples=60)
def test_a_wider_margin_never_loses_a_pass_while_the_method_stays(values) -> None:
    found = [
        evaluate_metric("bounded", *zip(*values, strict=True), margin=margin, value_range=(0, 1))
        for margin in MARGINS
    ]
    for method in {one.method for one in found}:
        assert passes_upwards([one for one in found if one.method == method])


def test_a_margin_that_no_difference_reaches_asks_for_more_pairs() -> None:
    # The fallback looks for differences that could matter: a wider margin may leave too few of them.
    baseline, candidate = [0.5] * 20, [0.555, 0.445] * 10
    methods = [
        evaluate_metric("bounded", baseline, candidate, margin=margin, value_range=(0, 1)).method
        for margin in (0.05, 0.06)
    ]
    assert methods == ["hall-t", "bounded-score / hall-t"]


# Bounded scores


def test_thirty_identical_pairs_prove_nothing() -> None:
    found = evaluate_metric("bounded", [0.7] * 30, [0.7] * 30, margin=0.05, value_range=(0, 1))
    assert (found.status, found.reason, found.method) == (
        Status.INCONCLUSIVE,
        "too_few_pairs",
        "bounded-score",
    )
    assert found.lower < -0.05
    assert (found.wins, found.ties, found.losses) == (0, 30, 0)


@pytest.mark.parametrize(("n", "expected"), [(58, "INCONCLUSIVE"), (59, "PASS")])
def test_scores_that_never_move_need_as_many_pairs_as_passes(n: int, expected: str) -> None:
    found = evaluate_metric("bounded", [3.0] * n, [3.0] * n, margin=0.2, value_range=(1, 5))
    assert found.status == expected


def test_a_scale_is_only_a_unit() -> None:
    rng = np.random.default_rng(1)
    baseline, candidate = rng.random(50), rng.random(50)
    unit = evaluate_metric("bounded", baseline, candidate, margin=0.05, value_range=(0, 1))
    wide = evaluate_metric("bounded", 1 + 4 * baseline, 1 + 4 * candidate, margin=0.2, value_range=(1, 5))
    assert wide.lower == pytest.approx(4 * unit.lower)
    assert wide.p_noninferior == pytest.approx(unit.p_noninferior)


def test_swapping_the_arms_mirrors_the_interval() -> None:
    rng = np.random.default_rng(2)
    one, other = rng.random(40), rng.random(40)
    there = evaluate_metric("bounded", one, other, margin=0.05, value_range=(0, 1))
    back = evaluate_metric("bounded", other, one, margin=0.05, value_range=(0, 1))
    assert (there.lower, there.upper) == pytest.approx((-back.upper, -back.lower))
    assert there.p_harm == pytest.approx(back.p_superior)


def test_lower_bounded_scores_can_be_better() -> None:
    rng = np.random.default_rng(3)
    baseline = rng.random(40)
    found = evaluate_metric(
        "bounded", baseline, baseline * 0.5, margin=0.05, value_range=(0, 1), higher_is_better=False
    )
    assert found.status == Status.PASS
    assert found.lower > 0
    assert found.candidate_mean == pytest.approx(0.5 * found.baseline_mean)
    nothing = evaluate_metric(
        "bounded", [0.5], [NAN], margin=0.05, value_range=(0, 1), higher_is_better=False
    )
    assert nothing.baseline_mean is None


# Ratios


def latencies(n: int, factor: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    baseline = rng.lognormal(0, 0.5, n)
    return baseline, baseline * factor * rng.lognormal(0, 0.1, n)


@pytest.mark.parametrize(
    ("factor", "expected"), [(0.9, "PASS"), (1.1, "PASS"), (1.2, "REGRESSION"), (1.5, "REGRESSION")]
)
def test_a_rise_beyond_the_allowed_is_a_regression(factor: float, expected: str) -> None:
    found = evaluate_metric("ratio", *latencies(60, factor), margin=0.2)
    assert found.status == expected
    assert found.lower < found.difference < found.upper
    assert found.difference == pytest.approx(factor - 1, abs=0.04)
    assert found.candidate_mean / found.baseline_mean == pytest.approx(1 + found.difference)
    assert (found.upper < 0.2) == (expected == "PASS")


def test_a_rise_within_the_allowed_is_noted() -> None:
    assert evaluate_metric("ratio", *latencies(200, 1.1), margin=0.2).notes == ("worse_within_margin",)
    assert evaluate_metric("ratio", *latencies(200, 1.5), margin=0.2).notes == ("beyond_margin",)


def test_a_missing_latency_counts_as_the_deadline() -> None:
    baseline, candidate = latencies(100, 1.0)
    candidate[0] = NAN
    found = evaluate_metric("ratio", baseline, candidate, margin=0.2, worst=60.0)
    assert found.passable
    assert found.upper > evaluate_metric("ratio", baseline[1:], candidate[1:], margin=0.2).upper
    assert found.lower == evaluate_metric("ratio", baseline[1:], candidate[1:], margin=0.2).lower


def test_a_missing_latency_without_a_deadline_cannot_pass() -> None:
    baseline, candidate = latencies(100, 0.5)
    candidate[0] = NAN
    found = evaluate_metric("ratio", baseline, candidate, margin=0.2)
    assert (found.status, found.reason, found.upper) == (Status.INCONCLUSIVE, "missing", None)
    assert found.lower is not None


def test_a_missing_baseline_latency_counts_as_the_fastest() -> None:
    baseline, candidate = latencies(100, 1.0)
    baseline[0] = NAN
    found = evaluate_metric("ratio", baseline, candidate, margin=0.2)
    given = evaluate_metric("ratio", baseline, candidate, margin=0.2, best=1e-3)
    assert found.passable
    assert given.upper > found.upper


def test_a_missing_value_is_never_better_than_one_that_was_seen() -> None:
    baseline, candidate = latencies(100, 1.0)
    candidate[0] = NAN
    slowest = evaluate_metric("ratio", baseline, candidate, margin=0.2, worst=1e-6)
    assert (
        slowest.upper
        == evaluate_metric("ratio", baseline, candidate, margin=0.2, worst=float(np.nanmax(candidate))).upper
    )


def test_equal_costs_pass_once_there_are_enough() -> None:
    assert evaluate_metric("ratio", [0.01] * 300, [0.01] * 300, margin=0.1).status == Status.PASS
    few = evaluate_metric("ratio", [0.01] * 4, [0.01] * 4, margin=0.1)
    assert (few.status, few.reason) == (Status.INCONCLUSIVE, "too_few_pairs")
    assert evaluate_metric("ratio", [0.01] * 300, [0.013] * 300, margin=0.1).status == Status.REGRESSION


# Targets, roles and planning


def test_a_target_is_better_worse_or_not_shown() -> None:
    assert binary(*pairs(fixed=12, both=90), role="target").status == Status.BETTER
    assert binary(*pairs(broken=12, both=90), role="target").status == Status.WORSE
    found = binary(*pairs(fixed=3, broken=1, both=90), role="target")
    assert (found.status, found.p_exact) == (Status.NOT_SHOWN, None)
    assert found.n_required > found.n


def test_no_number_of_samples_shows_an_improvement_that_is_none() -> None:
    assert binary(*pairs(fixed=1, broken=2, both=90), role="target").n_required is None


def test_a_metric_with_both_roles_shows_the_graver_one() -> None:
    assert binary(*pairs(fixed=1, both=150), role="both").status == Status.NOT_SHOWN
    assert binary(*pairs(fixed=12, both=150), role="both").status == Status.BETTER
    assert binary(*pairs(broken=20, both=1480), role="both").status == Status.WORSE


def test_an_observed_metric_has_numbers_and_no_status() -> None:
    found = binary(*pairs(broken=40, both=10), role="observe")
    assert (found.status, found.n_required, found.p_noninferior) == (Status.OBSERVED, None, None)
    assert found.upper < 0


def test_an_open_question_says_how_many_samples_it_takes() -> None:
    one = binary([1.0], [1.0])
    assert (one.reason, one.n_required, one.n_additional) == ("too_few_pairs", 59, 58)
    found = binary(*pairs(fixed=5, broken=5, both=90))
    assert (found.reason, found.n_required) == ("not_shown", 248)


def test_where_samples_should_have_sufficed_the_seen_difference_is_planned_for() -> None:
    found = binary(*pairs(fixed=6, broken=24, both=470), margin=0.05)
    assert found.status == Status.REGRESSION
    assert found.n_required is None
    open_ = binary(*pairs(fixed=10, broken=18, both=272), margin=0.05)
    assert open_.status == Status.INCONCLUSIVE
    assert open_.n_required > 300
    assert open_.notes == ("planned_at_observed",)


def test_beyond_the_margin_more_samples_are_likelier_to_confirm() -> None:
    found = binary(*pairs(fixed=4, broken=7, both=30), margin=0.05)
    assert found.status == Status.INCONCLUSIVE
    assert found.notes == ("more_samples_likelier_confirm",)


def test_an_undeclared_margin_is_five_per_cent_of_the_range_and_warns() -> None:
    scores = [1.0, 5.0] * 100
    found = evaluate_metric("bounded", scores, scores, margin=None, value_range=(1, 5))
    assert found.margin == pytest.approx(0.2)
    assert "default_margin" in found.warnings
    assert evaluate_metric("ratio", scores, scores, margin=None).margin == 0.10
    assert "default_margin" not in binary([1.0], [1.0], margin=None, role="observe").warnings


# Input


@pytest.mark.parametrize("make", [list, tuple, np.array, lambda values: array("d", values)])
def test_columns_may_come_as_any_sequence(make) -> None:
    baseline, candidate = pairs(fixed=3, broken=2, both=70)
    assert binary(make(baseline), make(candidate)) == binary(baseline, candidate)


def test_none_and_nan_are_the_same_absence() -> None:
    assert binary([1.0, None] * 5, [1.0] * 10) == binary([1.0, NAN] * 5, [1.0] * 10)


@pytest.mark.parametrize(
    ("kind", "baseline", "candidate", "options", "code"),
    [
        ("binary", [1], [1, 0], {}, "length_mismatch"),
        ("binary", [], [], {}, "no_pairs"),
        ("binary", [[[1]]], [[[1]]], {}, "not_a_column"),
        ("binary", [0.5], [1], {}, "not_binary"),
        ("binary", [math.inf], [1], {}, "infinite_value"),
        ("binary", [1], [1], {"margin": 0}, "bad_margin"),
        ("binary", [1], [1], {"margin": NAN}, "bad_margin"),
        ("binary", [1], [1], {"margin": 1}, "bad_margin"),
        ("binary", [1], [1], {"alpha": 0.5}, "bad_alpha"),
        ("bounded", [1], [1], {}, "bad_range"),
        ("bounded", [1], [1], {"value_range": (1, 1)}, "bad_range"),
        ("bounded", [1], [1], {"value_range": (0, math.inf)}, "bad_range"),
        ("bounded", [1.2], [1], {"value_range": (0, 1)}, "outside_range"),
        ("bounded", [0.2], [-1], {"value_range": (0, 1)}, "outside_range"),
        ("ratio", [1], [0], {}, "nonpositive_value"),
        ("ratio", [-1], [1], {}, "nonpositive_value"),
        ("ratio", [1], [1], {"worst": 0}, "nonpositive_value"),
        ("ratio", [1], [1], {"best": math.inf}, "nonpositive_value"),
        ("ratio", [1], [1], {"higher_is_better": True}, "bad_orientation"),
        ("median", [1], [1], {}, "unknown_kind"),
    ],
)
def test_bad_input_is_an_error_with_a_code(kind, baseline, candidate, options, code) -> None:
    with pytest.raises(BadNumbers) as caught:
        evaluate_metric(kind, baseline, candidate, **{"margin": 0.05, **options})
    assert caught.value.code == code


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("values", [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)])
@pytest.mark.parametrize("kind", ["binary", "bounded", "ratio"])
def test_tiny_samples_never_raise_and_never_pass(kind: str, values: tuple[float, float], n: int) -> None:
    shift = 1 if kind == "ratio" else 0
    scale = {"value_range": (0, 1)} if kind == "bounded" else {}
    found = evaluate_metric(
        kind, [values[0] + shift] * n, [values[1] + shift] * n, margin=0.05, role="guardrail", **scale
    )
    improved = values == ((0.0, 1.0) if kind != "ratio" else (1.0, 0.0))
    assert found.status != Status.PASS or improved
    assert found.lower < found.upper


def test_rounding_beyond_the_range_is_forgiven() -> None:
    one = 0.1 + 0.2 + 0.7 + 1e-16
    assert evaluate_metric("bounded", [one], [1.0], margin=0.05, value_range=(0, 1)).n == 1


def test_a_candidate_alone_has_a_mean_and_no_comparison() -> None:
    question = ask("ratio", margin=0.1)
    found = uncompared(question, facts_alone(question, [1.0, 4.0, NAN]))
    assert (found.n, found.candidate_unscored, found.candidate_mean) == (3, 1, pytest.approx(2.0))
    assert uncompared(question, facts_alone(question, [])).candidate_mean is None


def test_numbers_become_json_without_nan() -> None:
    text = json.dumps(binary([1.0], [NAN]).as_json(), allow_nan=False)
    assert json.loads(text)["difference"] is None
    assert json.loads(text)["status"] == "INCONCLUSIVE"


def test_a_column_of_a_hundred_thousand_is_read_without_a_copy() -> None:
    from promptops.stats.columns import column

    values = array("d", bytes(800_000))
    assert np.shares_memory(column(values), np.frombuffer(values))
