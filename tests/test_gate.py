from __future__ import annotations

import math

import numpy as np
import pytest

from promptops.errors import ConfigError
from promptops.gate import Measured, Outcome, Policy, Rule, Verdict, decide, decide_first
from promptops.stats.families import adjust_pvalues
from promptops.stats.results import BadNumbers, Status

NAN = math.nan


def counts(*, fixed: int = 0, broken: int = 0, both: int = 0, neither: int = 0) -> Measured:
    return Measured(
        baseline=[0.0] * fixed + [1.0] * (broken + both) + [0.0] * neither,
        candidate=[1.0] * fixed + [0.0] * broken + [1.0] * both + [0.0] * neither,
    )


GOOD = counts(fixed=2, broken=2, both=296)
BAD = counts(broken=30, both=270)
OPEN = counts(fixed=5, broken=5, both=70)
BETTER = counts(fixed=30, both=270)


def binary(metric: str = "queue", **options) -> Rule:
    return Rule(metric=metric, kind="binary", **{"margin": 0.05, **options})


def judge(*rules: Rule, policy: dict[str, object] | None = None, **measured: Measured) -> Verdict:
    return decide(Policy(rules=rules, **(policy or {})), measured)


@pytest.mark.parametrize(
    ("columns", "outcome", "status"),
    [
        (GOOD, "pass", Status.PASS),
        (BAD, "regression", Status.REGRESSION),
        (OPEN, "inconclusive", Status.INCONCLUSIVE),
    ],
)
def test_one_guardrail_decides(columns: Measured, outcome: str, status: Status) -> None:
    found = judge(binary(), queue=columns)
    assert found.outcome == outcome
    assert (found.metrics[0].status, found.metrics[0].guardrail, found.metrics[0].target) == (
        status,
        status,
        None,
    )
    assert found.alpha == 0.05


def test_the_first_reason_is_the_gravest() -> None:
    found = judge(binary("tone"), binary("queue"), binary("calls", never=True),
                  tone=OPEN, queue=BAD, calls=counts(broken=1, both=299))  # fmt: skip
    assert found.outcome == Outcome.REGRESSION
    assert found.reasons[0] == "calls: 1 of 300 answers did what must never happen"
    assert found.reasons[1] == "queue fell by 10 points (allowed 5)"
    assert found.reasons[2].startswith("tone: a fall beyond the allowed 5 points is not ruled out")


def test_a_pass_says_what_held() -> None:
    assert judge(binary(), queue=GOOD).reasons == ("nothing fell by more than is allowed",)
    goal = judge(binary(target=True), queue=BETTER)
    assert goal.reasons == ("queue rose by 10 points", "nothing fell by more than is allowed")
    alone = judge(binary(target=True, guardrail=False), queue=BETTER)
    assert alone.reasons == ("queue rose by 10 points",)


# Families


def test_harm_is_one_family_over_guardrails_and_targets() -> None:
    slight = counts(broken=6, fixed=1, both=73)
    alone = judge(binary("a"), a=slight)
    assert alone.outcome == Outcome.REGRESSION
    rules = [binary("a"), *[binary(name) for name in "bcd"], binary("t", guardrail=False, target=True)]
    crowd = judge(*rules, a=slight, b=GOOD, c=GOOD, d=GOOD, t=BETTER)
    raw = [one.result.p_harm for one in crowd.metrics]
    assert [one.p_harm_adjusted for one in crowd.metrics] == list(adjust_pvalues(raw))
    assert crowd.metrics[0].p_harm_adjusted == pytest.approx(5 * alone.metrics[0].result.p_harm)
    assert crowd.outcome == Outcome.INCONCLUSIVE
    assert crowd.metrics[0].result.status == Status.INCONCLUSIVE
    assert crowd.metrics[0].result.n_required is not None


def test_observed_and_never_metrics_are_outside_the_families() -> None:
    found = judge(
        binary("a"), binary("o", observe=True), binary("n", never=True), a=GOOD, o=BAD, n=counts(both=300)
    )
    assert found.outcome == Outcome.PASS
    assert found.metrics[0].p_harm_adjusted == found.metrics[0].result.p_harm
    assert [one.p_harm_adjusted for one in found.metrics[1:]] == [None, None]
    assert found.metrics[1].status == Status.OBSERVED
    assert found.metrics[2].status == Status.PASS


def test_improvement_is_one_family_over_the_targets() -> None:
    slight = counts(fixed=5, both=75)
    goals = [binary(name, guardrail=False, target=True) for name in ("s", "t")]
    assert judge(goals[0], s=slight).outcome == Outcome.PASS
    found = judge(*goals, s=slight, t=counts(fixed=1, broken=1, both=78))
    assert found.metrics[0].p_superior_adjusted == pytest.approx(2 * found.metrics[0].result.p_superior)
    assert found.metrics[0].target == Status.BETTER
    three = [*goals, binary("u", guardrail=False, target=True), binary("v", guardrail=False, target=True)]
    tied = counts(fixed=1, broken=1, both=78)
    crowd = judge(*three, s=slight, t=tied, u=tied, v=tied)
    assert crowd.metrics[0].target == Status.NOT_SHOWN
    assert crowd.outcome == Outcome.INCONCLUSIVE


def test_a_metric_that_could_not_be_tested_keeps_its_place_in_the_family() -> None:
    found = judge(
        binary("a"), binary("b"), a=counts(broken=5, both=20), b=Measured(baseline=[], candidate=[])
    )
    assert found.metrics[0].p_harm_adjusted == pytest.approx(2 * found.metrics[0].result.p_harm)
    assert found.metrics[1].p_harm_adjusted is None


# Targets


@pytest.mark.parametrize(
    ("second", "policy", "outcome"),
    [
        (OPEN, "any", "pass"),
        (OPEN, "all", "inconclusive"),
        (BETTER, "all", "pass"),
        (BAD, "any", "regression"),
    ],
)
def test_any_or_all_targets_must_improve(second: Measured, policy: str, outcome: str) -> None:
    goals = [binary(name, guardrail=False, target=True) for name in ("s", "t")]
    assert judge(*goals, policy={"targets": policy}, s=BETTER, t=second).outcome == outcome


def test_a_target_that_is_not_shown_keeps_the_verdict_open() -> None:
    found = judge(binary(), binary("t", guardrail=False, target=True), queue=GOOD, t=GOOD)
    assert found.outcome == Outcome.INCONCLUSIVE
    assert found.reasons == ("t must improve, which is not shown: it did not change over 300 samples",)


def test_a_target_that_fell_is_a_regression() -> None:
    found = judge(binary("t", guardrail=False, target=True), t=BAD)
    assert found.outcome == Outcome.REGRESSION
    assert found.reasons == ("t must improve, but fell by 10 points",)
    assert found.metrics[0].status == Status.WORSE


def test_a_target_with_a_margin_is_also_a_guardrail() -> None:
    found = judge(binary(target=True), queue=counts(broken=20, both=1480))
    assert (found.metrics[0].guardrail, found.metrics[0].target) == (Status.PASS, Status.WORSE)
    assert found.metrics[0].status == Status.WORSE
    assert found.outcome == Outcome.REGRESSION


# Floors and nevers


@pytest.mark.parametrize(
    ("floor", "outcome"), [(0.90, "pass"), (0.97, "inconclusive"), (0.999, "regression")]
)
def test_a_floor_comes_on_top_of_the_guardrail(floor: float, outcome: str) -> None:
    found = judge(binary(floor=floor), queue=counts(fixed=2, broken=2, both=291, neither=5))
    assert found.outcome == outcome
    assert found.metrics[0].guardrail == Status.PASS
    assert found.metrics[0].floor.status == found.metrics[0].status
    if outcome != "pass":
        assert "its floor" in found.reasons[0]


@pytest.mark.parametrize(
    ("columns", "outcome"),
    [
        (counts(both=300), "pass"),
        (counts(both=299, broken=1), "regression"),
        (counts(both=299, neither=1), "regression"),
        (Measured(baseline=[1.0] * 300, candidate=[1.0] * 299 + [NAN]), "inconclusive"),
        (Measured(baseline=[NAN] * 300, candidate=[1.0] * 300), "pass"),
        (Measured(baseline=[], candidate=[]), "inconclusive"),
    ],
)
def test_one_violation_is_a_regression_and_only_a_full_set_keeps_a_never(columns, outcome: str) -> None:
    found = judge(binary("calls", never=True), calls=columns)
    assert found.outcome == outcome
    assert found.metrics[0].guardrail is None


def test_an_unfinished_run_keeps_no_never() -> None:
    policy = Policy(rules=(binary("calls", never=True),))
    found = decide(policy, {"calls": counts(both=300)}, complete=False)
    assert found.outcome == Outcome.INCONCLUSIVE
    assert found.reasons == (
        "calls: not every sample was answered, so what must never happen is not ruled out",
    )
    broken = decide(policy, {"calls": counts(broken=1, both=99)}, complete=False)
    assert broken.outcome == Outcome.REGRESSION


# Doubts


def test_failing_everywhere_says_nothing() -> None:
    found = judge(binary(), queue=counts(neither=300))
    assert found.metrics[0].guardrail == Status.PASS
    assert found.outcome == Outcome.INCONCLUSIVE
    assert found.reasons[0].startswith("queue: every answer of both versions got the worst score")
    shown = judge(binary(), binary("o", observe=True), queue=GOOD, o=counts(neither=300))
    assert shown.outcome == Outcome.PASS


def test_a_regression_elsewhere_outranks_a_doubt() -> None:
    assert judge(binary("a"), binary("b"), a=counts(neither=300), b=BAD).outcome == Outcome.REGRESSION


def test_passing_everywhere_is_only_a_warning() -> None:
    found = judge(binary(), queue=counts(both=300))
    assert found.outcome == Outcome.PASS
    assert found.metrics[0].warnings == ("all_pass_both",)


@pytest.mark.parametrize(
    "rules",
    [
        (),
        (binary(observe=True),),
        (binary("answered"),),
        (binary("answered"), Rule(metric="latency", kind="ratio", margin=0.2)),
    ],
)
def test_where_nothing_says_what_is_right_nothing_passes(rules: tuple[Rule, ...]) -> None:
    columns = {
        "queue": GOOD,
        "answered": counts(both=300),
        "latency": Measured(baseline=[1.0] * 300, candidate=[1.0] * 300),
    }
    found = decide(Policy(rules=rules), {rule.metric: columns[rule.metric] for rule in rules})
    assert found.outcome == Outcome.INCONCLUSIVE
    assert found.reasons[0].startswith("nothing here says what is right")


def test_too_much_missing_is_inconclusive_and_says_so() -> None:
    found = judge(binary(), queue=Measured(baseline=[1.0] * 300, candidate=[1.0] * 270 + [NAN] * 30))
    assert found.outcome == Outcome.INCONCLUSIVE
    assert found.metrics[0].result.reason == "missing"
    assert found.reasons[0].startswith(
        "queue: 0 of 300 values of the baseline and 30 of the candidate are missing"
    )


@pytest.mark.parametrize("columns", [{}, {"queue": Measured(baseline=[], candidate=[])}])
def test_a_rule_without_values_is_not_shown_to_hold(columns: dict[str, Measured]) -> None:
    found = judge(binary(), **columns)
    assert found.outcome == Outcome.INCONCLUSIVE
    assert found.reasons == ("queue was measured on no pair, so nothing is shown",)
    goal = judge(binary(guardrail=False, target=True), **columns)
    assert goal.reasons == ("queue must improve, but was measured on no pair",)


def test_a_default_margin_warns_however_it_was_given() -> None:
    assert "default_margin" in judge(binary(margin=None), queue=GOOD).metrics[0].warnings
    assert "default_margin" in judge(binary(margin_is_default=True), queue=GOOD).metrics[0].warnings
    both = judge(binary(margin=None, margin_is_default=True), queue=GOOD).metrics[0].warnings
    assert both.count("default_margin") == 1
    assert (
        "default_margin"
        not in judge(binary(margin_is_default=True, observe=True), queue=GOOD).metrics[0].warnings
    )


# Ratios and scores together


def test_a_slower_version_is_a_regression_and_a_missing_answer_the_deadline() -> None:
    rng = np.random.default_rng(1)
    before = rng.lognormal(0, 0.4, 300)
    after = before * 1.05 * rng.lognormal(0, 0.1, 300)
    rules = (binary(), Rule(metric="latency", kind="ratio", margin=0.2))
    assert (
        judge(*rules, queue=GOOD, latency=Measured(baseline=before, candidate=after)).outcome == Outcome.PASS
    )
    slow = judge(*rules, queue=GOOD, latency=Measured(baseline=before, candidate=1.4 * after))
    assert slow.outcome == Outcome.REGRESSION
    assert slow.reasons[0].startswith("latency rose by 4")
    after[:3] = NAN
    unknown = judge(*rules, queue=GOOD, latency=Measured(baseline=before, candidate=after))
    assert unknown.outcome == Outcome.INCONCLUSIVE
    assert unknown.metrics[1].result.p_harm < 0.001
    assert unknown.metrics[1].result.reason == "missing"
    known = judge(*rules, queue=GOOD, latency=Measured(baseline=before, candidate=after, worst=20.0))
    assert known.outcome == Outcome.PASS


def test_scores_on_a_scale_gate_on_their_own_margin() -> None:
    rng = np.random.default_rng(2)
    before = rng.choice([3.0, 4.0, 5.0], 300)
    after = np.clip(before + rng.choice([-1.0, 0.0, 1.0], 300, p=[0.05, 0.9, 0.05]), 1, 5)
    rule = Rule(metric="tone", kind="bounded", value_range=(1, 5), margin=0.2)
    assert judge(rule, tone=Measured(baseline=before, candidate=after)).outcome == Outcome.PASS


# Bad input


def test_bad_values_name_their_metric() -> None:
    with pytest.raises(BadNumbers, match="queue: a pass/fail metric has values 0 and 1 only") as caught:
        judge(binary(), queue=Measured(baseline=[0.5], candidate=[1]))
    assert caught.value.code == "not_binary"
    with pytest.raises(BadNumbers, match=r"queue: a floor lies between"):
        judge(binary(floor=2), queue=GOOD)
    with pytest.raises(BadNumbers, match=r"queue: 300 baseline but 2 candidate"):
        judge(binary(), queue=Measured(baseline=GOOD.baseline, candidate=[1, 1]))


def test_what_is_only_shown_does_not_stop_what_decides() -> None:
    free = Measured(baseline=[0.0] * 300, candidate=[0.0] * 300)
    found = judge(binary(), Rule(metric="cost", kind="ratio", observe=True), queue=GOOD, cost=free)
    assert found.outcome == Outcome.PASS
    assert found.metrics[1].warnings == ("nonpositive_value",)
    with pytest.raises(BadNumbers, match="cost: "):
        judge(binary(), Rule(metric="cost", kind="ratio", margin=0.1), queue=GOOD, cost=free)


def test_values_without_a_rule_are_an_error() -> None:
    with pytest.raises(BadNumbers, match="values without a rule: tone"):
        judge(binary(), queue=GOOD, tone=GOOD)


@pytest.mark.parametrize(
    "make",
    [
        lambda: binary(observe=True, target=True),
        lambda: binary(observe=True, never=True),
        lambda: binary(observe=True, floor=0.5),
        lambda: Rule(metric="latency", kind="ratio", never=True),
        lambda: Rule(metric="latency", kind="ratio", floor=1.0),
        lambda: Policy(rules=(binary(), binary())),
    ],
)
def test_rules_that_contradict_themselves_are_refused(make) -> None:
    with pytest.raises(ConfigError):
        make()


# First releases


def test_a_first_release_is_decided_by_floors_and_nevers_alone() -> None:
    policy = Policy(rules=(binary(floor=0.9), binary("calls", never=True), binary("answered"),
                           Rule(metric="latency", kind="ratio", margin=0.2)))  # fmt: skip
    columns = {
        "queue": [1.0] * 297 + [0.0] * 3,
        "calls": [1.0] * 300,
        "answered": [1.0] * 300,
        "latency": [2.0, NAN],
    }
    found = decide_first(policy, columns)
    assert found.outcome == Outcome.PASS
    assert found.reasons == ("every floor holds, and what must never happen did not",)
    assert [one.status for one in found.metrics] == ["PASS", "PASS", "OBSERVED", "OBSERVED"]
    assert found.metrics[3].result.candidate_mean == pytest.approx(2.0)
    low = decide_first(policy, {**columns, "queue": [1.0] * 200 + [0.0] * 100})
    assert (low.outcome, low.reasons[0]) == ("regression", "queue is 66.7 %, below its floor of 90 %")
    assert decide_first(policy, {**columns, "calls": [0.0]}).outcome == Outcome.REGRESSION
    assert decide_first(policy, columns, complete=False).outcome == Outcome.INCONCLUSIVE
    assert decide_first(policy, {}).outcome == Outcome.INCONCLUSIVE


def test_a_first_release_without_a_floor_proves_nothing() -> None:
    found = decide_first(Policy(rules=(binary(),)), {"queue": [1.0] * 300})
    assert found.outcome == Outcome.INCONCLUSIVE
    assert found.reasons[0].startswith("there is nothing to compare with and no floor")
    with pytest.raises(BadNumbers):
        decide_first(Policy(rules=(binary(),)), {"tone": [1.0]})


@pytest.mark.parametrize("alpha", [0.05, 0.04, 0.01])
def test_every_number_takes_the_alpha_of_the_policy(alpha: float) -> None:
    found = judge(binary(floor=0.5), binary("calls", never=True), policy={"alpha": alpha},
                  queue=GOOD, calls=counts(both=300))  # fmt: skip
    assert found.metrics[0].result.confidence == pytest.approx(1 - 2 * alpha)
    assert found.metrics[1].never.confidence == 1 - alpha
    assert found.metrics[1].never.rate_upper == pytest.approx(1 - alpha ** (1 / 300))
