"""The only place that decides: a policy and measured columns in, a verdict with its reasons out.

Guardrails are an intersection-union test: each at the full alpha, PASS needs all. Harm is one Holm family
over all guardrails and targets, improvement one over the targets. Refuses to say PASS where nothing says
what is right, where a metric scored zero everywhere, and where too many answers are missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

from promptops import reasons as why
from promptops.errors import ConfigError
from promptops.stats.families import adjust_pvalues
from promptops.stats.results import BadNumbers, FloorResult, Kind, MetricResult, NeverResult, Role, Status
from promptops.stats.verdict import decide as decide_statuses
from promptops.stats.verdict import gravest, settle, statuses_of

# numpy and what rests on it is imported where it is needed: `promptops status` knows policies, not columns.

ANSWERED = "answered"  # whether an answer came; says nothing about whether it is right


class Outcome(StrEnum):
    """What the gate says."""

    PASS = "pass"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one metric must do. `never` and `observe` replace the guardrail; `floor` comes on top of it."""

    metric: str
    kind: Kind
    value_range: tuple[float, float] | None = None
    guardrail: bool = True
    margin: float | None = None
    margin_is_default: bool = False
    target: bool = False
    floor: float | None = None
    never: bool = False
    observe: bool = False

    def __post_init__(self) -> None:
        if self.observe and (self.target or self.never or self.floor is not None):
            raise ConfigError(f"{self.metric}: observe never gates; drop it, or drop must, min and never")
        if self.kind == "ratio" and (self.never or self.floor is not None):
            raise ConfigError(f"{self.metric}: min and never need a scored metric, not a measured ratio")

    @property
    def role(self) -> Role:
        """How the comparison with the baseline counts."""
        guarded = self.guardrail and not (self.never or self.observe)
        if guarded and self.target:
            return "both"
        return "guardrail" if guarded else "target" if self.target else "observe"

    @property
    def gates(self) -> bool:
        return self.role != "observe" or self.never or self.floor is not None

    @property
    def says_what_is_right(self) -> bool:
        """Whether it judges answers, rather than their coming, their price or their speed."""
        return self.gates and self.kind != "ratio" and self.metric != ANSWERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What was declared before the run. `inconclusive` is for the caller: it changes no outcome here."""

    rules: tuple[Rule, ...]
    alpha: float = 0.05
    targets: Literal["any", "all"] = "any"
    inconclusive: Literal["review", "block", "allow"] = "review"

    def __post_init__(self) -> None:
        names = [rule.metric for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"more than one rule for {', '.join(twice)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One metric's two columns, paired by index; NaN or None is an answer that never came.

    `worst` and `best` bound a ratio's missing values: the deadline, the fastest answer.
    """

    baseline: Any
    candidate: Any
    worst: float | None = None
    best: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricVerdict:
    """One metric with its rule, its numbers, and what they mean; `status` is the gravest of its roles."""

    rule: Rule
    result: MetricResult
    status: Status
    guardrail: Status | None = None
    target: Status | None = None
    p_harm_adjusted: float | None = None
    p_superior_adjusted: float | None = None
    floor: FloorResult | None = None
    never: NeverResult | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome, why (the most important first), and every metric in the policy's order."""

    outcome: Outcome
    reasons: tuple[str, ...]
    metrics: tuple[MetricVerdict, ...]
    alpha: float


def decide(policy: Policy, measured: Mapping[str, Measured], *, complete: bool = True) -> Verdict:
    """Judge a candidate against its baseline.

    `measured` holds the columns by metric; one that a rule names and that is missing or empty was measured on
    no pair. `complete` is False when not every sample was answered: then no `never` is kept.

    Raises:
        BadNumbers: values that do not fit their rule (named in the message), or columns without a rule.
    """
    _check_columns(policy, measured)
    results = [_measure(rule, measured.get(rule.metric), policy) for rule in policy.rules]
    harm = _adjusted([result.p_harm for result in results], [rule.role != "observe" for rule in policy.rules])
    better = _adjusted([result.p_superior for result in results], [rule.target for rule in policy.rules])
    metrics = tuple(
        _alone(
            _compared(rule, result, p_harm, p_superior, policy), measured.get(rule.metric), policy, complete
        )
        for rule, result, p_harm, p_superior in zip(policy.rules, results, harm, better, strict=True)
    )
    return _verdict(policy, metrics)


def decide_first(policy: Policy, candidate: Mapping[str, Any], *, complete: bool = True) -> Verdict:
    """Judge a first release, which has nothing to be compared with: only floors and nevers decide.

    `candidate` holds the candidate's column by metric.

    Raises:
        BadNumbers: as `decide`.
    """
    columns = {name: Measured(baseline=(), candidate=values) for name, values in candidate.items()}
    _check_columns(policy, columns)
    metrics = tuple(
        _alone(_observed(rule, columns.get(rule.metric), policy), columns.get(rule.metric), policy, complete)
        for rule in policy.rules
    )
    statuses = _lone_statuses(metrics)
    reasons = why.regressions(metrics) + why.open_questions(metrics, policy)
    if not statuses:
        reasons = [why.NOTHING_TO_COMPARE_WITH]
    outcome = Outcome(decide_statuses(statuses).lower())
    return Verdict(
        outcome=outcome,
        reasons=tuple(reasons or [why.FLOORS_HOLD]),
        metrics=metrics,
        alpha=policy.alpha,
    )


def _check_columns(policy: Policy, measured: Mapping[str, Measured]) -> None:
    undeclared = sorted(set(measured) - {rule.metric for rule in policy.rules})
    if undeclared:
        raise BadNumbers("undeclared_metric", f"values without a rule: {', '.join(undeclared)}")


def _measure(rule: Rule, columns: Measured | None, policy: Policy) -> MetricResult:
    from promptops.stats.metric import measure, unmeasured
    from promptops.stats.sides import ask

    with _named(rule):
        question = ask(
            rule.kind,
            margin=rule.margin,
            value_range=rule.value_range,
            role=rule.role,
            alpha=policy.alpha,
            targets=max(1, sum(other.target for other in policy.rules)),
        )
        if columns is None or len(columns.baseline) == len(columns.candidate) == 0:
            return unmeasured(question)
        try:
            return measure(
                question, columns.baseline, columns.candidate, worst=columns.worst, best=columns.best
            )
        except BadNumbers as error:
            if rule.gates:
                raise
            # A free model costs 0: what is only shown must not stop what decides.
            return replace(unmeasured(question), warnings=(error.code,))


@contextmanager
def _named(rule: Rule) -> Iterator[None]:
    """Say which metric's numbers are bad."""
    try:
        yield
    except BadNumbers as error:
        raise BadNumbers(error.code, f"{rule.metric}: {error}") from error


def _adjusted(pvalues: Sequence[float | None], members: Sequence[bool]) -> list[float | None]:
    """Holm over the members of a family; one that could not be tested stays in it with p = 1."""
    chosen = [index for index, member in enumerate(members) if member]
    tested = [pvalues[index] for index in chosen]
    holm = adjust_pvalues([1.0 if p is None else p for p in tested])
    known = {index: p for index, p, raw in zip(chosen, holm, tested, strict=True) if raw is not None}
    return [known.get(index) for index in range(len(pvalues))]


def _compared(
    rule: Rule, result: MetricResult, p_harm: float | None, p_superior: float | None, policy: Policy
) -> MetricVerdict:
    role, alpha = rule.role, policy.alpha
    guardrail, target = statuses_of(result, role=role, p_harm=p_harm, p_superior=p_superior, alpha=alpha)
    settled = settle(result, role=role, p_harm=p_harm, p_superior=p_superior, alpha=alpha)
    by_default = rule.margin_is_default and guardrail is not None
    warnings = result.warnings + (("default_margin",) if by_default else ())
    return MetricVerdict(
        rule=rule,
        result=settled,
        status=settled.status,
        guardrail=guardrail,
        target=target,
        p_harm_adjusted=p_harm,
        p_superior_adjusted=p_superior,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _observed(rule: Rule, columns: Measured | None, policy: Policy) -> MetricVerdict:
    """A metric of a first release: the candidate's mean, and no comparison."""
    from promptops.stats.metric import uncompared
    from promptops.stats.sides import ask

    with _named(rule):
        question = ask(rule.kind, margin=rule.margin, value_range=rule.value_range, alpha=policy.alpha)
        result = uncompared(question, () if columns is None else columns.candidate)
    return MetricVerdict(rule=rule, result=result, status=Status.OBSERVED)


def _alone(found: MetricVerdict, columns: Measured | None, policy: Policy, complete: bool) -> MetricVerdict:
    """Add what the candidate's answers say on their own: floor and never."""
    from promptops.stats.floors import floor_result, never_result

    rule, values = found.rule, () if columns is None else columns.candidate
    floor, never = None, None
    with _named(rule):
        if rule.floor is not None:
            floor = floor_result(
                rule.kind, values, floor=rule.floor, value_range=rule.value_range, alpha=policy.alpha
            )
        if rule.never:
            never = never_result(rule.kind, values, value_range=rule.value_range, alpha=policy.alpha)
    if never is not None and never.status == Status.PASS and not complete:
        never = replace(never, status=Status.INCONCLUSIVE, reason="incomplete")
    lone = [part.status for part in (floor, never) if part is not None]
    status = gravest([found.status, *lone])
    return replace(found, floor=floor, never=never, status=status)


def _verdict(policy: Policy, metrics: tuple[MetricVerdict, ...]) -> Verdict:
    guardrails = [one.guardrail for one in metrics if one.guardrail is not None] + _lone_statuses(metrics)
    targets = [one.target for one in metrics if one.target is not None]
    doubts = why.doubts(policy, metrics)
    guardrails += [Status.INCONCLUSIVE] * len(doubts)
    outcome = Outcome(decide_statuses(guardrails, targets, target_policy=policy.targets).lower())
    reasons = why.regressions(metrics) + doubts + why.open_questions(metrics, policy)
    return Verdict(
        outcome=outcome,
        reasons=tuple(reasons or why.what_holds(metrics)),
        metrics=metrics,
        alpha=policy.alpha,
    )


def _lone_statuses(metrics: tuple[MetricVerdict, ...]) -> list[Status]:
    return [part.status for one in metrics for part in (one.floor, one.never) if part is not None]
