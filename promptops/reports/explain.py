"""`--explain`: how a verdict was reached, for whoever wants to check it with paper or another program.

Every p-value stands beside the numbers it was computed from, printed with all their digits, and beside the method's
expression in the same names. Says nothing that is not in the basis of the verdict; shows no sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from promptops.basis import Basis
from promptops.gate import MetricVerdict, Verdict
from promptops.report import Report
from promptops.reports.claim import Claim
from promptops.reports.claims import claims_of
from promptops.reports.escape import one_line
from promptops.stats.methods import METHODS, Method
from promptops.stats.results import as_json

UNITS = (
    "D is the mean difference, candidate minus baseline, positive is better (seconds, dollars, tokens: minus the mean "
    "log of candidate / baseline)"
)


def explanation(report: Report) -> dict[str, Any] | None:
    """Return everything that is explained as JSON; None for a report that was written before there was a basis.

    Raises:
        InvalidInput: the report's basis cannot be read.
    """
    if not report.basis:
        return None
    basis = Basis.from_json(report.basis)
    verdict = basis.verdict()
    found = [(one, claims_of(basis, one)) for one in verdict.metrics]
    return {
        "verdict": verdict.outcome.value,
        "level": verdict.alpha,
        "look": report.looks,
        "metrics": [_metric(one, claims) for one, claims in found],
        "families": _families(basis, verdict),
        "methods": [as_json(one) for one in _methods(claim for _, claims in found for claim in claims)],
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
        "clusters": result.n_clusters,
        "claims": [as_json(claim) for claim in claims],
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
    return [_family(name, members) for name, members in (("worse", worse), ("better", better)) if members]


def _family(name: str, members: Sequence[tuple[str, float | None, float | None]]) -> dict[str, Any]:
    rows = [{"name": one, "p": p, "adjusted": adjusted} for one, p, adjusted in members]
    return {"name": name, "correction": "holm", "members": rows}


def _methods(claims: Iterable[Claim]) -> list[Method]:
    """The methods used, in the order of the catalogue; the two corrections always."""
    used = {name for claim in claims for name in (claim.method, claim.limit_method)}
    return [one for one in METHODS if one.name in used | {"holm", "intersection-union"}]


def explained(report: Report) -> list[str]:
    """Return the explanation as lines of text, safe to print.

    Raises:
        InvalidInput: the report's basis cannot be read.
    """
    found = explanation(report)
    if found is None:
        return ["this report was written before promptops could explain itself; run the test again"]
    methods = {one["name"]: one for one in found["methods"]}
    lines = ["", f"How this was reached: level {_number(found['level'])}, {_look(found['look'])}; {UNITS}."]
    for metric in found["metrics"]:
        lines += ["", *_metric_lines(metric, methods)]
    for family in found["families"]:
        lines += ["", *_family_lines(family)]
    lines += ["", "PASS: every guardrail is shown within its allowance, each at the whole level."]
    lines += ["", "Methods"]
    for one in methods.values():
        lines += _method_lines(one)
    return [one_line(line) for line in lines]


def _look(look: int | None) -> str:
    return "looks unknown, taken for the first" if look is None else f"look {look}"


def _metric_lines(metric: dict[str, Any], methods: dict[str, Any]) -> list[str]:
    reason = f" ({metric['reason']})" if metric["reason"] else ""
    lines = [f"{metric['name']}: {metric['status']}{reason}   {metric['role']}   {_size(metric)}"]
    if not metric["claims"]:
        return [*lines, "  no test: nothing is claimed about it"]
    for claim in metric["claims"]:
        lines += _claim_lines(claim, methods)
    return lines


def _size(metric: dict[str, Any]) -> str:
    parts = [f"{metric['n']} samples"]
    if metric["n_complete"] not in (metric["n"], 0):
        parts.append(f"{metric['n_complete']} with both values")
    if metric["repeats"] > 1:
        parts.append(f"mean of {metric['repeats']} repeats each")
    if metric["clusters"] is not None:
        parts.append(f"{metric['clusters']} clusters")
    return ", ".join(parts)


def _claim_lines(claim: dict[str, Any], methods: dict[str, Any]) -> list[str]:
    method, limit = methods[claim["method"]], methods[claim["limit_method"]]
    results = {"p": claim["p"], "adjusted": claim["adjusted"], "limit": claim["limit"]}
    lines = [
        f"  {claim['says']}: {'shown' if claim['shown'] else 'not shown'}",
        f"    H0: {claim['null']}   {_pairs(results)}",
        f"    {claim['over']}: {_pairs(claim['numbers'])}",
        f"    by {method['name']} ({method['formula']}): {method['why']}",
    ]
    if limit is not method:
        lines.append(f"    limit by {limit['name']} ({limit['formula']})")
    return lines


def _pairs(values: dict[str, float | None]) -> str:
    return "   ".join(f"{name} = {_number(value)}" for name, value in values.items() if value is not None)


def _number(value: float) -> str:
    """All digits: whoever reads the number back has the same one."""
    return repr(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def _family_lines(family: dict[str, Any]) -> list[str]:
    lines = [f'Family "{family["name"]}", adjusted by {family["correction"]} over {len(family["members"])}']
    for one in family["members"]:
        if one["p"] is None:
            lines.append(f"  {one['name']}: not tested, stays in the family with p = 1")
        else:
            lines.append(f"  {one['name']}: p = {_number(one['p'])}   adjusted = {_number(one['adjusted'])}")
    return lines


def _method_lines(method: dict[str, Any]) -> list[str]:
    return [
        f"  {method['name']}: {method['formula']}",
        f"    computes {method['how']}",
        f"    assumes  {method['assumes']}",
        f"    source   {method['source']}",
    ]
