"""How a verdict was reached, as values: every p-value with its hypothesis, its numbers, its method and its family.

Says nothing that is not in the basis of the verdict, except what was found of slices that were only looked at; shows
no sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from promptops.basis import Basis
from promptops.creep import gained
from promptops.exploring import SliceVerdict
from promptops.gate import MetricVerdict, Verdict
from promptops.reasons import creeps
from promptops.report import Report
from promptops.reports.claim import Claim
from promptops.reports.claims import claims_of, slice_claim
from promptops.stats.methods import METHODS, Method
from promptops.stats.results import MetricResult, as_json


def explanation(report: Report) -> dict[str, Any] | None:
    """Return everything that is explained as JSON; None for a report that was written before there was a basis.

    Raises:
        InvalidInput: the report's basis cannot be read.
    """
    if not report.basis:
        return None
    basis = Basis.from_json(report.basis).with_explored(report.explored)
    verdict = basis.verdict()
    found = [(one, claims_of(basis, one)) for one in verdict.metrics]
    slices = [(one, slice_claim(basis, one)) for one in verdict.slices]
    claims = chain(*(claims for _, claims in found), (claim for _, claim in slices if claim is not None))
    families = _families(basis, verdict)
    return {
        "verdict": verdict.outcome.value,
        "level": verdict.alpha,
        "look": None if report.look is None else report.look.model_dump(mode="json"),
        "metrics": [_metric(one, claims) for one, claims in found],
        "slices": [_slice(one, claim) for one, claim in slices if claim is not None],
        "families": families,
        "targets": basis.policy.targets,
        "methods": [as_json(one) for one in _methods(claims, families)],
    }


def with_explanation(report: Report) -> dict[str, Any]:
    """Return the report as JSON values with its explanation under `explain`.

    Raises:
        InvalidInput: the report's basis cannot be read.
    """
    return {**report.model_dump(mode="json", by_alias=True), "explain": explanation(report)}


def _metric(one: MetricVerdict, claims: Sequence[Claim]) -> dict[str, Any]:
    rule, result = one.rule, one.result
    return {
        "name": rule.name,
        "kind": rule.kind,
        "role": _role(one),
        "status": one.status.value,
        "reason": result.reason,
        "n": result.n,
        "n_complete": result.n_complete,
        "repeats": result.repeats,
        "spread": _spread(result),
        "clusters": result.n_clusters,
        "drift": _drift(one),
        "claims": [as_json(claim) for claim in claims],
    }


def _slice(one: SliceVerdict, claim: Claim) -> dict[str, Any]:
    result = one.result
    return {
        "name": one.rule.name,
        "kind": one.rule.kind,
        "role": "slice, only looked at" if one.p_harm_adjusted is None else "slice that may block",
        "status": one.status.value,
        "reason": "",
        "n": result.n,
        "n_complete": result.n_complete,
        "repeats": result.repeats,
        "spread": _spread(result),
        "clusters": result.n_clusters,
        "drift": None,
        "claims": [as_json(claim)],
    }


def _spread(result: MetricResult) -> dict[str, Any] | None:
    """Where the differences come from, where repeats tell: variances, and how many answers each they are worth."""
    if result.between is None:
        return None
    return {
        name: getattr(result, name)
        for name in ("within_baseline", "within_candidate", "between", "best_repeats")
    }


def _drift(one: MetricVerdict) -> dict[str, Any] | None:
    """How far the metric moved since its anchor, on the scale of the differences."""
    rule, result = one.rule, one.result
    if rule.drift is None or not rule.drift.releases or one.guardrail is None:
        return None
    here = gained(rule.kind, result.difference or 0.0)
    return {
        "anchor": rule.drift.version,
        "releases": rule.drift.releases,
        "before": rule.drift.total,
        "here": here,
        "together": rule.drift.total + here,
        "held": creeps(one),
    }


def _role(one: MetricVerdict) -> str:
    rule = one.rule
    words = {
        "guardrail": one.guardrail is not None,
        "must improve": rule.target,
        "floor": rule.floor is not None,
        "never": rule.never,
    }
    return ", ".join(word for word, holds in words.items() if holds) or "only shown"


def _families(basis: Basis, verdict: Verdict) -> list[dict[str, Any]]:
    worse = [
        (one.rule.name, one.result.p_harm, one.p_harm_adjusted)
        for one in verdict.metrics
        if one.rule.role != "observe" and not basis.first
    ]
    worse += [
        (one.rule.name, one.result.p_harm, one.p_harm_adjusted)
        for one in verdict.slices
        if one.p_harm_adjusted is not None
    ]
    # A sequential test looks at its floors again and again: they share the level.
    worse += [
        (f"{rule.name}, its floor", None, None)
        for rule in basis.policy.rules
        if rule.floor is not None and any(found.bets is not None for found in basis.findings.values())
    ]
    better = [
        (one.rule.name, one.result.p_superior, one.p_superior_adjusted)
        for one in verdict.metrics
        if one.rule.target and not basis.first
    ]
    looked = [
        (one.rule.name, one.result.p_harm, one.p_adjusted)
        for one in verdict.slices
        if one.p_adjusted is not None
    ]
    families = (("worse", "holm", worse), ("better", "holm", better), ("slices", "bh", looked))
    return [_family(name, correction, members) for name, correction, members in families if members]


def _family(
    name: str, correction: str, members: Sequence[tuple[str, float | None, float | None]]
) -> dict[str, Any]:
    rows = [{"name": one, "p": p, "adjusted": adjusted} for one, p, adjusted in members]
    return {"name": name, "correction": correction, "members": rows}


def _methods(claims: Iterable[Claim], families: Iterable[dict[str, Any]]) -> list[Method]:
    """The methods used, in the order of the catalogue."""
    used = {name for claim in claims for name in (claim.method, claim.limit_method)}
    used |= {family["correction"] for family in families} | {"intersection-union"}
    return [one for one in METHODS if one.name in used]
