"""`--explain` as text, for whoever wants to check a verdict with paper or another program.

Every p-value stands beside the numbers it was computed from, printed with all their digits, and beside the method's
expression in the same names.
"""

from __future__ import annotations

from typing import Any

from promptops.report import Report
from promptops.reports.escape import one_line
from promptops.reports.explain import explanation

UNITS = (
    "D is the mean difference, candidate minus baseline, positive is better (seconds, dollars, tokens: minus the mean "
    "log of candidate / baseline)"
)


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
    for metric in (*found["metrics"], *found["slices"]):
        lines += ["", *_metric_lines(metric, methods)]
    for family in found["families"]:
        lines += ["", *_family_lines(family)]
    lines += ["", _rule_of_pass(found)]
    lines += ["", "Methods"]
    for one in methods.values():
        lines += _method_lines(one)
    return [one_line(line) for line in lines]


def _rule_of_pass(found: dict[str, Any]) -> str:
    improves = any(family["name"] == "better" for family in found["families"])
    targets = f", and {found['targets']} of what must improve" if improves else ""
    return f"PASS needs every guardrail, each at the whole level{targets}."


def _look(look: dict[str, Any] | None) -> str:
    if look is None:
        return "looks were not counted"
    said = f"look {look['number']} of a question asked at {_number(look['whole'])} in all"
    return said if look["known"] else f"{said}, at least: {look['why']}"


def _metric_lines(metric: dict[str, Any], methods: dict[str, Any]) -> list[str]:
    reason = f" ({metric['reason']})" if metric["reason"] else ""
    lines = [f"{metric['name']}: {metric['status'].upper()}{reason}   {metric['role']}   {_size(metric)}"]
    if metric["spread"] is not None:
        lines.append(_spread_line(metric["spread"]))
    if metric["drift"] is not None:
        lines.append(_drift_line(metric["drift"]))
    if not metric["claims"]:
        return [*lines, "  no test: nothing is claimed about it"]
    for claim in metric["claims"]:
        lines += _claim_lines(claim, methods)
    return lines


def _spread_line(spread: dict[str, Any]) -> str:
    """The variances, and what they mean for the next test: nobody knows here what a sample costs."""
    variances = _pairs({name: spread[name] for name in ("within_baseline", "within_candidate", "between")})
    best = spread["best_repeats"]
    worth = "one answer each is" if best == 1 else f"{best} answers each are"
    said = f"{worth} best where a further sample costs ten"
    return f"  variance of answers to one sample, and between samples: {variances}: {said}"


def _drift_line(drift: dict[str, Any]) -> str:
    sums = _pairs({name: drift[name] for name in ("before", "here", "together")})
    held = "too far to pass without a test against it" if drift["held"] else "not too far"
    ago = "1 release" if drift["releases"] == 1 else f"{drift['releases']} releases"
    return f"  since v{drift['anchor']}, {ago} ago: {sums}: {held}"


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
