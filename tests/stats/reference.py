"""Check the statistics against a file of reference cases: `python tests/stats/reference.py FILE`.

A case has `id`, `function`, `inputs`, `expected` and `abs_tol`; only the keys under `expected` are compared.
The last line is `N passed, M failed`; functions that do not exist yet are counted apart.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from promptops.stats.agreement import rater_agreement
from promptops.stats.betting import e_process
from promptops.stats.binary import (
    mcnemar_test,
    paired_proportion_ci,
    paired_proportion_noninferiority,
    proportion_ci,
)
from promptops.stats.clusters import cluster_robust_mean
from promptops.stats.families import adjust_pvalues
from promptops.stats.judges import position_bias_test, ppi_mean_difference
from promptops.stats.metric import evaluate_metric
from promptops.stats.paired import paired_mean_ci
from promptops.stats.planning import (
    design_effect,
    minimum_detectable_effect,
    minimum_n_zero_discordant,
    sample_size,
)
from promptops.stats.ratios import geometric_mean_ratio
from promptops.stats.repeats import optimal_repeats, variance_components
from promptops.stats.results import Status
from promptops.stats.signflip import sign_flip_test
from promptops.stats.streams import e_detector, psi
from promptops.stats.verdict import decide, guardrail_status

Answer = Mapping[str, Any]


def mcnemar(inputs: dict[str, Any]) -> Answer:
    wanted = inputs.pop("method", None)
    found = {method: mcnemar_test(**inputs, method=method).pvalue for method in ("exact", "midp")}
    return {"p_exact": found["exact"], "p_midp": found["midp"], "pvalue": found[wanted or "midp"]}


def paired_proportion(inputs: dict[str, Any]) -> Answer:
    found = paired_proportion_ci(**inputs)
    return {"lower": found.lower, "upper": found.upper, "estimate": found.estimate}


def noninferiority(inputs: dict[str, Any]) -> Answer:
    wanted = inputs.pop("method", "exact")
    found = {name: paired_proportion_noninferiority(**inputs, method=name) for name in ("score", "exact")}
    return {
        "statistic": found[wanted].statistic,
        "pvalue": found[wanted].pvalue,
        "score_statistic": found["score"].statistic,
        "p_score": found["score"].pvalue,
        "p_exact": found["exact"].pvalue,
    }


def mean(inputs: dict[str, Any]) -> Answer:
    wanted = inputs.pop("method", "hall")
    found = {name: paired_mean_ci(**inputs, method=name) for name in ("hall", "t")}
    one = found[wanted]
    limits = {f"{name}_{end}": getattr(found[name], end) for name in found for end in ("lower", "upper")}
    return {"mean": one.estimate, "se": one.se, "lower": one.lower, "upper": one.upper, **limits}


def clustered(inputs: dict[str, Any]) -> Answer:
    wanted = inputs.pop("kind", "CR2")
    found = {kind: cluster_robust_mean(**inputs, kind=kind) for kind in ("CR1", "CR2")}
    one, cr2 = found[wanted], found["CR2"]
    ends = {
        f"{end}_{kind.lower()}": getattr(found[kind], end)
        for kind in found
        for end in ("se", "lower", "upper")
    }
    return {"mean": one.estimate, "se": one.se, "lower": one.lower, "upper": one.upper, **ends} | {
        "df": cr2.df,
        "df_satterthwaite": cr2.df,
        "n": one.n,
        "n_clusters": one.n_clusters,
        "warning": one.warnings,
    }


def components(inputs: dict[str, Any]) -> Answer:
    found = variance_components(**inputs)
    return {name: getattr(found, name) for name in found.__slots__}


def ratio(inputs: dict[str, Any]) -> Answer:
    found = geometric_mean_ratio(**inputs)
    return {"ratio": found.estimate, "lower": found.lower, "upper": found.upper}


def adjusted(inputs: dict[str, Any]) -> Answer:
    inputs.pop("method", None)
    return {method: adjust_pvalues(**inputs, method=method) for method in ("holm", "bh")}


def proportion(inputs: dict[str, Any]) -> Answer:
    found = proportion_ci(**inputs)
    return {"lower": found.lower, "upper": found.upper}


def bets(inputs: dict[str, Any]) -> Answer:
    found = e_process(**inputs)
    return {"final_log_e": found.final, "max_log_e": found.max}


def metric(inputs: dict[str, Any]) -> Answer:
    found = evaluate_metric(inputs.pop("kind"), inputs.pop("baseline"), inputs.pop("candidate"), **inputs)
    return {**found.as_json(), "mean": found.mean, "warning": found.warnings, "note": found.notes}


def judged(inputs: dict[str, Any]) -> Answer:
    found, whole = ppi_mean_difference(**inputs), ppi_mean_difference(**{**inputs, "lam": 1.0})
    return {**found.as_json(), **{f"lam1_{key}": value for key, value in whole.as_json().items()}}


def statuses(inputs: dict[str, Any]) -> Answer:
    guardrails, targets = ([Status(name) for name in inputs.pop(key)] for key in ("guardrails", "targets"))
    return {"verdict": decide(guardrails, targets, **inputs)}


CALLS: dict[str, Callable[[dict[str, Any]], Answer]] = {
    "mcnemar_test": mcnemar,
    "paired_proportion_ci": paired_proportion,
    "paired_proportion_noninferiority": noninferiority,
    "paired_mean_ci": mean,
    "sign_flip_test": lambda inputs: {"pvalue": sign_flip_test(**inputs).pvalue},
    "geometric_mean_ratio": ratio,
    "cluster_robust_mean": clustered,
    "variance_components": components,
    "optimal_repeats": lambda inputs: {"k": optimal_repeats(**inputs)},
    "adjust_pvalues": adjusted,
    "proportion_ci": proportion,
    "sample_size": lambda inputs: {"n": sample_size(**inputs).n},
    "minimum_detectable_effect": lambda inputs: {"mde": minimum_detectable_effect(**inputs)},
    "design_effect": lambda inputs: {"deff": design_effect(**inputs)},
    "minimum_n_zero_discordant": lambda inputs: {"n": minimum_n_zero_discordant(**inputs)},
    "e_process": bets,
    "evaluate_metric": metric,
    "e_detector": lambda inputs: e_detector(**inputs).as_json(),
    "ppi_mean_difference": judged,
    "rater_agreement": lambda inputs: rater_agreement(**inputs).as_json(),
    "position_bias_test": lambda inputs: position_bias_test(**inputs).as_json(),
    "psi": lambda inputs: psi(**inputs).as_json(),
    "guardrail_status": lambda inputs: {"status": guardrail_status(**inputs)},
    "decide": statuses,
}


def same(found: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, list):
        return len(found) == len(expected) and all(
            same(one, other, tolerance) for one, other in zip(found, expected, strict=True)
        )
    if isinstance(expected, str) and isinstance(found, (tuple, list)):
        return expected in found
    if isinstance(expected, (str, bool)) or expected is None or found is None:
        return bool(found == expected)
    return math.isclose(found, expected, rel_tol=1e-12, abs_tol=tolerance)


def differences(case: Mapping[str, Any]) -> list[str]:
    """What one case gets wrong: empty when it passes."""
    try:
        found = CALLS[case["function"]](dict(case["inputs"]))
        expected = case["expected"].items()
        wrong = [key for key, value in expected if not same(found[key], value, case["abs_tol"])]
    except (KeyError, TypeError, ValueError) as error:
        return [f"{type(error).__name__}: {error}"]
    return [f"{key}: {found[key]!r} instead of {case['expected'][key]!r}" for key in wrong]


def main(path: str) -> int:
    cases = json.loads(Path(path).read_text(encoding="utf-8"))["cases"]
    passed, failed, unavailable = 0, 0, 0
    for case in cases:
        if case["function"] not in CALLS:
            unavailable += 1
            print(f"{case['id']} {case['function']}: not available yet")
            continue
        wrong = differences(case)
        passed, failed = passed + (not wrong), failed + bool(wrong)
        for line in wrong:
            print(f"{case['id']} {case['function']}: {line}")
    if unavailable:
        print(f"{unavailable} not available yet")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
