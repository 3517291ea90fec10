"""What a test would ask and what its samples can show, before anything is spent (`test --dry-run`)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from promptops.evaluation.earlier import Past, earlier_tests, level, spread
from promptops.evaluation.ledger import about, next_look
from promptops.evaluation.money import Money, price_of
from promptops.evaluation.plan import Plan
from promptops.evaluation.prospects import (
    FloorProspect,
    Frame,
    NeverProspect,
    Prospect,
    floor_prospect,
    guardrail_prospect,
    never_prospect,
    target_prospect,
)
from promptops.rules import ANSWERED, Policy, Rule
from promptops.sampling import SampleSet
from promptops.slicing import samples_in
from promptops.stats.stopping import expected_stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """One plan foreseen.

    `samples` is how many may be asked; a sequential test `stops` after about so many if both versions are equally
    good (None: it asks all, or nobody knows). `effective` is how many independent samples say as much, with the `icc`
    of earlier tests (the largest), None where the usual one is assumed. `said` is what there is to know about the
    look. `together` is the chance that an equally good candidate passes everything.
    """

    prompt: str
    run: str
    samples: int
    clusters: int
    icc: float | None
    weighted: bool
    effective: float
    calls: int
    price: Money
    budget: float | None
    alpha: float
    look: int
    said: tuple[str, ...]
    prospects: tuple[Prospect, ...]
    floors: tuple[FloorProspect, ...]
    nevers: tuple[NeverProspect, ...]
    together: float | None
    sequential: bool = False
    stops: int | None = None

    @property
    def usd(self) -> float | None:
        return None if self.price.usd is None else self.price.usd * self.calls

    @property
    def calls_a_sample(self) -> int:
        return self.calls // self.samples

    @property
    def needed(self) -> int | None:
        """How many samples would do for every question that is planned for."""
        found = [math.ceil((one.needed or 0) * self.samples / max(1, one.n)) for one in self.prospects]
        found += [max(one.needed or 0, one.least) for one in self.floors]
        return max(found, default=0) or None

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"usd": self.usd, "needed": self.needed}


def outlook(plan: Plan) -> Outlook:
    """Foresee one plan; reads earlier reports, the committed evidence, and the samples' recorded usage."""
    tests, look = earlier_tests(plan.workspace, plan.id, plan.evidence), next_look(plan)
    asked = plan.pairs // plan.repeats
    frame = replace(frame_of(plan.policy, plan.samples, look.alpha(plan.policy.alpha)), n=asked)
    prospects = tuple(_prospects(plan, tests, frame))
    icc = _icc(prospects)
    floors = tuple(_floor(plan, rule, tests, frame) for rule in plan.policy.rules if rule.floor is not None)
    return Outlook(
        prompt=plan.id,
        run=plan.run,
        samples=asked,
        clusters=min(plan.samples.units, asked),
        icc=icc,
        weighted=plan.samples.weights is not None,
        effective=asked / frame.design_effect(icc),
        calls=plan.calls,
        price=price_of(plan, tests),
        budget=plan.workspace.config.limits.budget_usd,
        alpha=frame.alpha,
        look=look.number,
        said=tuple(about(look, plan.policy.alpha)),
        prospects=prospects,
        floors=floors,
        nevers=tuple(never_prospect(rule, frame) for rule in plan.policy.rules if rule.never),
        together=_together(prospects, floors),
        sequential=plan.sequential,
        stops=_stops(plan.policy, prospects, frame, icc) if plan.sequential else None,
    )


def _stops(policy: Policy, prospects: Sequence[Prospect], frame: Frame, icc: float | None) -> int | None:
    """After about how many samples a sequential test stops if both versions are equally good."""
    if any(one.target or one.kind == "ratio" for one in prospects):
        return None  # a target has to improve, and a ratio is tested at the end
    reaches = {rule.name: rule.value_range or (0.0, 1.0) for rule in policy.rules}
    found = []
    for one in prospects:
        low, high = reaches[one.metric]
        share = one.n / frame.n
        at = expected_stop(
            moved=min(1.0, (one.sd / (high - low)) ** 2),
            margin=(one.margin or 0.0) / (high - low),
            alpha=frame.alpha,
        )
        found.append(None if at is None else math.ceil(at * frame.design_effect(icc) / share))
    known = [at for at in found if at is not None]
    return max(known) if known and len(known) == len(found) else None


def _prospects(plan: Plan, tests: Sequence[Past], frame: Frame) -> Iterator[Prospect]:
    for rule in plan.policy.rules if plan.baseline is not None else ():
        seen = spread(tests, rule.metric, rule.kind, repeats=plan.repeats)
        here = replace(frame, n=round(_size(plan.samples, rule.slice) * frame.n / plan.samples.n))
        if here.n == 0:
            continue  # a test of some samples may be without a critical slice
        if rule.role in ("guardrail", "both"):
            yield guardrail_prospect(rule, seen, here)
        if rule.target:
            yield target_prospect(rule, seen, here)


def _size(samples: SampleSet, name: str | None) -> int:
    """How many samples a rule is about."""
    return samples.n if name is None else samples_in(samples.slices, name)


def frame_of(policy: Policy, samples: SampleSet, alpha: float) -> Frame:
    """Return what all rules share: the clusters and weights of the samples, and how many are judged together."""
    guarded = [rule for rule in policy.rules if rule.role in ("guardrail", "both")]
    sizes = Counter(samples.clusters or ()).values()
    return Frame(
        n=samples.n,
        alpha=alpha,
        # Being answered is planned to be certain: it takes nothing from the power of the others.
        guardrails=max(1, sum(rule.metric != ANSWERED for rule in guarded)),
        family=max(1, sum(rule.role != "observe" for rule in policy.rules)),
        targets=max(1, sum(rule.target for rule in policy.rules)),
        cluster_size=sum(size * size for size in sizes) / samples.n if sizes else 1.0,
        kish=None if samples.weights is None else _kish(samples.weights),
    )


def _kish(weights: Sequence[float]) -> float:
    """How many samples of equal weight say as much (Kish)."""
    return math.fsum(weights) ** 2 / math.fsum(one * one for one in weights)


def _floor(plan: Plan, rule: Rule, tests: Sequence[Past], frame: Frame) -> FloorProspect:
    digest = plan.baseline.prompt.digest if plan.baseline is not None else plan.candidate.prompt.digest
    return floor_prospect(rule, level(tests, rule.metric, digest), frame)


def _icc(prospects: Sequence[Prospect]) -> float | None:
    known = [one.spread.icc for one in prospects if one.spread is not None and one.spread.icc is not None]
    return max(known, default=None)


def _together(prospects: Sequence[Prospect], floors: Sequence[FloorProspect]) -> float | None:
    """As if independent; None with a target, which a prompt that is only as good never reaches."""
    if any(one.target for one in prospects):
        return None
    chances = [one.chance for one in prospects] + [one.chance for one in floors]
    known = [chance for chance in chances if chance is not None]
    return math.prod(known) if known else None
