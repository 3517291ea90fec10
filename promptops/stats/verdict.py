"""From limits and p-values to a status, from statuses to a verdict: the decision table and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from promptops.stats.results import BadNumbers, MetricResult, Role, Status

_GRAVITY = (
    Status.REGRESSION,
    Status.WORSE,
    Status.INCONCLUSIVE,
    Status.NOT_SHOWN,
    Status.BETTER,
    Status.PASS,
    Status.OBSERVED,
)


def guardrail_status(
    lower: float | None,
    upper: float | None,
    *,
    margin: float,
    p_harm_adjusted: float | None,
    alpha: float = 0.05,
) -> Status:
    """PASS where the oriented lower limit lies above -margin (strictly), else REGRESSION where harm is shown.

    `upper` decides nothing: it is taken so that a caller hands over the interval that is shown.
    """
    if margin <= 0:
        raise BadNumbers("bad_margin", f"a margin is positive, got {margin!r}")
    if lower is not None and upper is not None and lower > upper:
        raise BadNumbers("bad_interval", f"the lower limit {lower!r} lies above the upper limit {upper!r}")
    return _guardrail(lower is not None and lower > -margin, p_harm_adjusted, alpha)


def target_status(
    p_superior_adjusted: float | None, p_harm_adjusted: float | None, *, alpha: float = 0.05
) -> Status:
    """WORSE where harm is shown, BETTER where an improvement is."""
    if _shown(p_harm_adjusted, alpha):
        return Status.WORSE
    return Status.BETTER if _shown(p_superior_adjusted, alpha) else Status.NOT_SHOWN


def decide(
    guardrails: Sequence[Status],
    targets: Sequence[Status] = (),
    *,
    target_policy: Literal["any", "all"] = "any",
) -> Status:
    """PASS, REGRESSION or INCONCLUSIVE over all statuses; floors and nevers count as guardrails.

    An intersection-union test: PASS claims that every guardrail holds, so each is tested at the full alpha.
    """
    if Status.REGRESSION in guardrails or Status.WORSE in targets:
        return Status.REGRESSION
    better = [status == Status.BETTER for status in targets]
    improved = not targets or (any(better) if target_policy == "any" else all(better))
    if not (guardrails or targets) or not improved:
        return Status.INCONCLUSIVE
    return Status.PASS if all(status == Status.PASS for status in guardrails) else Status.INCONCLUSIVE


def gravest(statuses: Iterable[Status]) -> Status:
    """The status a metric with several roles is shown under; OBSERVED for none."""
    return min(statuses, key=_GRAVITY.index, default=Status.OBSERVED)


def statuses_of(
    result: MetricResult, *, role: Role, p_harm: float | None, p_superior: float | None, alpha: float
) -> tuple[Status | None, Status | None]:
    """The metric's status as a guardrail and as a target, None for a role it does not have."""
    # Within its margin but for missing answers: those are never charged to the prompt.
    harm = None if result.noninferior_seen else p_harm
    guardrail = _guardrail(result.noninferior, harm, alpha) if role in ("guardrail", "both") else None
    claim = p_superior if result.passable else None
    target = target_status(claim, p_harm, alpha=alpha) if role in ("target", "both") else None
    return guardrail, target


def settle(
    result: MetricResult, *, role: Role, p_harm: float | None, p_superior: float | None, alpha: float
) -> MetricResult:
    """Give a measured metric its status, from p-values that are adjusted for their family or raw."""
    found = statuses_of(result, role=role, p_harm=p_harm, p_superior=p_superior, alpha=alpha)
    status = gravest(one for one in found if one is not None)
    open_question = status in (Status.INCONCLUSIVE, Status.NOT_SHOWN)
    return replace(
        result,
        status=status,
        reason=result.reason if open_question else "",
        n_required=result.n_required if open_question else None,
        n_additional=result.n_additional if open_question else None,
        notes=_notes(result, found[0], open_question),
    )


def _guardrail(noninferior: bool, p_harm: float | None, alpha: float) -> Status:
    if noninferior:
        return Status.PASS
    return Status.REGRESSION if _shown(p_harm, alpha) else Status.INCONCLUSIVE


def _shown(p: float | None, alpha: float) -> bool:
    return p is not None and p <= alpha


def _notes(result: MetricResult, guardrail: Status | None, open_question: bool) -> tuple[str, ...]:
    """Keep what still holds of the measured notes and add what the status says about the margin."""
    kept = tuple(note for note in result.notes if open_question or note not in _PLANNING_NOTES)
    hopeful = result.hopeful_limit
    if hopeful is None:
        return kept
    if guardrail == Status.PASS and hopeful < 0:
        return (*kept, "worse_within_margin")
    if guardrail == Status.REGRESSION and hopeful < -result.margin:
        return (*kept, "beyond_margin")
    return kept


_PLANNING_NOTES = ("more_samples_likelier_confirm", "planned_at_observed")
