"""From the gate's verdict to the lines of a report: numbers copied, codes put into words, nothing decided."""

from __future__ import annotations

from typing import Literal

from promptops.gate import MetricVerdict, Verdict
from promptops.report import MetricLine
from promptops.stats.results import MetricResult, Status

Unit = Literal["share", "score", "seconds", "dollars", "tokens"]
_UNITS: dict[str, Unit] = {
    "latency": "seconds",
    "time_to_first_token": "seconds",
    "cost": "dollars",
    "input_tokens": "tokens",
    "output_tokens": "tokens",
}
_NOTES = {
    "worse_within_margin": "shown to be worse, by less than is allowed",
    "beyond_margin": "the fall is shown to be larger than what is allowed",
}


def metric_lines(verdict: Verdict) -> list[MetricLine]:
    """Return a line for every metric that was measured or that gates, in the policy's order."""
    return [_line(one, verdict.alpha) for one in verdict.metrics if one.result.n or one.rule.gates]


def _line(one: MetricVerdict, alpha: float) -> MetricLine:
    rule, result = one.rule, one.result
    guards = rule.role in ("guardrail", "both") and result.baseline_mean is not None
    return MetricLine(
        name=rule.name,
        role=_role(one),
        kind=rule.kind,
        unit=_unit(one),
        method=result.method,
        n=result.n,
        baseline_mean=result.baseline_mean,
        candidate_mean=result.candidate_mean,
        difference=result.difference,
        lower=result.lower,
        upper=result.upper,
        confidence=result.confidence,
        margin=rule.margin if guards else None,
        margin_is_default=rule.margin_is_default and guards,
        floor=rule.floor,
        status=one.status.value,
        p_noninferior=result.p_noninferior,
        p_harm=result.p_harm,
        p_harm_adjusted=one.p_harm_adjusted,
        p_superior=result.p_superior,
        # Pass/fail scores that were averaged over repeats are won and lost like any other.
        fixed=None if rule.kind == "ratio" else result.wins if result.fixed is None else result.fixed,
        broken=None if rule.kind == "ratio" else result.losses if result.broken is None else result.broken,
        n_required=result.n_required,
        n_clusters=result.n_clusters,
        repeats=result.repeats,
        se=result.se,
        df=result.df,
        deff=result.deff,
        icc=result.icc,
        within_baseline=result.within_baseline,
        within_candidate=result.within_candidate,
        between=result.between,
        best_repeats=result.best_repeats,
        reason=result.reason,
        warnings=_warnings(one, alpha),
        notes=[_NOTES[note] for note in result.notes if note in _NOTES],
    )


def _role(one: MetricVerdict) -> str:
    if one.rule.never:
        return "never"
    if one.rule.floor is not None and one.rule.role == "observe":
        return "floor"
    return {"both": "target and guardrail"}.get(one.rule.role, one.rule.role)


def _unit(one: MetricVerdict) -> Unit:
    if one.rule.kind == "ratio":
        return _UNITS.get(one.rule.metric, "tokens")
    return "share" if one.rule.kind == "binary" else "score"


def _warnings(one: MetricVerdict, alpha: float) -> list[str]:
    # Nearly every run answers everything: only what says what is right is worth a word about it.
    codes = [code for code in one.warnings if code != "all_pass_both" or one.rule.says_what_is_right]
    words = [_warning(code, one.result) for code in codes]
    if one.never is not None and one.never.status == Status.PASS:
        words.append(
            f"none in {one.never.n} answers; the true rate is below {one.never.rate_upper:.2%} "
            f"with {one.never.confidence:.0%} confidence"
        )
    return [text for text in words if text]


def _about_missing(result: MetricResult) -> str:
    if result.repeats == 1:
        missing = result.n - result.n_complete
        return f"{missing} of {result.n} pairs lack an answer; each counts against the candidate"
    lost, unscored = result.dropped_baseline_missing, result.candidate_unscored
    return (
        f"{lost} of {result.n * result.repeats} values of the baseline and {unscored} of the candidate are missing; "
        "each counts against the candidate"
    )


def _warning(code: str, result: MetricResult) -> str:
    match code:
        case "missing_rate":
            return _about_missing(result)
        case "low_df":
            return f"{result.n_clusters} clusters of very unequal size say little more than {result.df:.1f} equal ones"
        case "all_pass_both":
            return "both versions are right on every sample: these samples cannot tell them apart"
        case "all_fail_both":
            return "both versions fail on every sample: check what the scorer expects"
        case "default_margin":
            return ""  # the table marks it
        case "nonpositive_value":
            return "some values are 0, so there is no ratio"
        case _:
            return code.replace("_", " ")
