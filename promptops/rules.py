"""What was declared before a run, and what the columns say of it: rules in, a few numbers a rule out.

`summarise` is the last that sees values of samples; the gate judges its `Findings` alone, and so can anybody who
has them, today or from committed evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Self

from promptops.creep import Drift
from promptops.errors import ConfigError
from promptops.stats.results import BadNumbers, Kind, Role

# numpy and what rests on it is imported where it is needed: `promptops status` knows policies, not columns.
if TYPE_CHECKING:
    from promptops.stats.bets import Bets
    from promptops.stats.facts import Facts
    from promptops.stats.floors import Lone
    from promptops.stats.question import Question

ANSWERED = "answered"  # whether an answer came; says nothing about whether it is right
GUARDED = ("guardrail", "both")  # roles


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one metric must do, of all samples or of one `slice` (`language=de`).

    `never` and `observe` replace the guardrail; `floor` comes on top of it. `drift` is how far the metric has moved
    since its anchor.
    """

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
    slice: str | None = None
    drift: Drift | None = None

    def __post_init__(self) -> None:
        if self.observe and (self.target or self.never or self.floor is not None):
            raise ConfigError(f"{self.metric}: observe never gates; drop it, or drop must, min and never")
        if self.kind == "ratio" and (self.never or self.floor is not None):
            raise ConfigError(f"{self.metric}: min and never need a scored metric, not a measured ratio")

    @property
    def name(self) -> str:
        """What the rule is called: its metric, and the slice where it is about one."""
        return self.metric if self.slice is None else f"{self.metric} [{self.slice}]"

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

    def as_json(self) -> dict[str, Any]:
        """Return the fields that are not at their default."""
        found = {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if getattr(self, one.name) != one.default
        }
        return {name: _plain(value) for name, value in found.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read back what `as_json` wrote.

        Raises:
            TypeError: it is something else.
        """
        scale, drift = values.get("value_range"), values.get("drift")
        known = {
            "value_range": None if scale is None else tuple(scale),
            "drift": None if drift is None else Drift(**drift),
        }
        return cls(**{**values, **known})


def _plain(value: Any) -> Any:
    if isinstance(value, Drift):
        return asdict(value)
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What was declared before the run; `alpha` is the level at which this look is tested.

    `look` is its number, None where nobody knows; it changes words and no outcome.
    `explored` are the rules of slices that are only looked at; `slices_block` lets those that look worse keep the
    verdict open. `inconclusive` is for the caller: it changes no outcome here.
    """

    rules: tuple[Rule, ...]
    alpha: float = 0.05
    look: int | None = None
    targets: Literal["any", "all"] = "any"
    inconclusive: Literal["review", "block", "allow"] = "review"
    explored: tuple[Rule, ...] = ()
    slices_block: bool = False

    def __post_init__(self) -> None:
        names = [rule.name for rule in (*self.rules, *self.explored)]
        twice = sorted(name for name, times in Counter(names).items() if times > 1)
        if twice:
            raise ConfigError(f"more than one rule for {', '.join(twice)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One metric's two columns by sample, of shape (n,) or (repeats, n); NaN or None is an answer that never came.

    `worst` and `best` bound a ratio's missing values: the deadline, the fastest answer. `clusters` is an integer
    code a sample, `weights` one over its chance of being in the set; None where samples are independent and equally
    likely. `slices` says by name which samples belong to a slice, as a mask.
    """

    baseline: Any
    candidate: Any
    worst: float | None = None
    best: float | None = None
    clusters: Any = None
    weights: Any = None
    slices: Mapping[str, Any] = field(default_factory=dict)

    def within(self, mask: Any) -> Measured:
        """The same of some samples only; `mask` has a true value for each that stays."""
        import numpy as np

        kept = np.asarray(mask).astype(bool)

        def chosen(values: Any) -> Any:
            # An arm without values (a first release has no baseline) stays without.
            return values if values is None or not len(values) else np.asarray(values)[..., kept]

        return Measured(
            baseline=chosen(self.baseline),
            candidate=chosen(self.candidate),
            worst=self.worst,
            best=self.best,
            clusters=chosen(self.clusters),
            weights=chosen(self.weights),
            slices={name: chosen(one) for name, one in self.slices.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the columns say of one rule: both arms compared, and the candidate alone where a floor or never asks.

    `bets` is what a sequential test claims instead of a test of fixed size. `problem` is a code where the values fit
    no ratio and the rule only shows them.
    """

    compared: Facts
    lone: Lone | None = None
    bets: Bets | None = None
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"compared": self.compared.as_json()}
        if self.lone is not None:
            found["lone"] = self.lone.as_json()
        if self.bets is not None:
            found["bets"] = self.bets.as_json()
        return found | ({"problem": self.problem} if self.problem else {})

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read back what `as_json` wrote.

        Raises:
            TypeError, KeyError: it is something else.
        """
        from promptops.stats.bets import Bets
        from promptops.stats.facts import Facts
        from promptops.stats.floors import Lone

        lone, bets = values.get("lone"), values.get("bets")
        return cls(
            compared=Facts.from_json(values["compared"]),
            lone=None if lone is None else Lone.from_json(lone),
            bets=None if bets is None else Bets.from_json(bets),
            problem=values.get("problem", ""),
        )


Findings = Mapping[str, Finding]


def question_of(rule: Rule, policy: Policy) -> Question:
    """Return what the comparison of a rule's metric asks.

    Raises:
        BadNumbers: a margin that the scale cannot have.
    """
    from promptops.stats.question import ask

    with named(rule):
        return ask(
            rule.kind,
            margin=rule.margin,
            value_range=rule.value_range,
            role=rule.role,
            alpha=policy.alpha,
            targets=max(1, sum(other.target for other in policy.rules)),
            # Being answered is planned to be certain: it takes nothing from the power of the others.
            guardrails=max(
                1, sum(other.role in GUARDED and other.metric != ANSWERED for other in policy.rules)
            ),
        )


def summarise(policy: Policy, measured: Mapping[str, Measured]) -> dict[str, Finding]:
    """Sum up the columns of every rule, by the rule's name; a metric that was measured on no pair has n = 0.

    `measured` holds the columns by metric. One whose baseline is empty was not compared: a first release.

    Raises:
        BadNumbers: values that do not fit their rule (named in the message), or columns without a rule.
    """
    undeclared = sorted(set(measured) - {rule.metric for rule in policy.rules})
    if undeclared:
        raise BadNumbers("undeclared_metric", f"values without a rule: {', '.join(undeclared)}")
    rules = (*policy.rules, *policy.explored)
    return {rule.name: finding_of(rule, policy, measured.get(rule.metric)) for rule in rules}


def finding_of(rule: Rule, policy: Policy, columns: Measured | None) -> Finding:
    """Sum up the columns of one rule.

    Raises:
        BadNumbers: values that do not fit the rule.
    """
    from promptops.stats.facts import Facts
    from promptops.stats.floors import lone_of

    if columns is not None and rule.slice is not None:
        mask = columns.slices.get(rule.slice)
        columns = replace(columns, slices={}).within(mask) if mask is not None else None
    needs_lone = rule.floor is not None or rule.never
    values = () if columns is None else columns.candidate
    with named(rule):
        lone = (
            lone_of(
                rule.kind,
                values,
                floor=rule.floor,
                value_range=rule.value_range,
                clusters=columns.clusters if columns else None,
                weights=columns.weights if columns else None,
            )
            if needs_lone
            else None
        )
        try:
            return Finding(compared=_compared(question_of(rule, policy), columns), lone=lone)
        except BadNumbers as error:
            if rule.gates:
                raise
            # A free model costs 0: what is only shown must not stop what decides.
            return Finding(compared=Facts(n=0), problem=error.code)


def _compared(question: Question, columns: Measured | None) -> Facts:
    from promptops.stats.facts import Facts, facts_alone, facts_of

    if columns is None or _size(columns.candidate) == _size(columns.baseline) == 0:
        return Facts(n=0)
    if _size(columns.baseline) == 0:
        return facts_alone(question, columns.candidate, weights=columns.weights)
    return facts_of(
        question,
        columns.baseline,
        columns.candidate,
        worst=columns.worst,
        best=columns.best,
        clusters=columns.clusters,
        weights=columns.weights,
    )


def _size(values: Any) -> int:
    return int(values.size) if hasattr(values, "size") else len(values)


@contextmanager
def named(rule: Rule) -> Iterator[None]:
    """Say which metric's numbers are bad."""
    try:
        yield
    except BadNumbers as error:
        if str(error).startswith(f"{rule.name}: "):
            raise
        raise BadNumbers(error.code, f"{rule.name}: {error}") from error
