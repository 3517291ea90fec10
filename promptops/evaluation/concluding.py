"""What was measured → verdict → report. Needed when the last answer has come, and not before: it rests on numpy."""

from __future__ import annotations

from dataclasses import replace

from promptops.basis import Basis
from promptops.evaluation.advice import advised
from promptops.evaluation.columns import Columns
from promptops.evaluation.ledger import Look, at_level
from promptops.evaluation.plan import Plan
from promptops.evaluation.policy import TIMES
from promptops.evaluation.reporting import Judged, report_of
from promptops.evaluation.sequential import Course
from promptops.evaluation.stopping import about_order
from promptops.report import Report
from promptops.rules import summarise
from promptops.runs.journal import Journal
from promptops.runs.spending import Spending


def conclude(
    plan: Plan, look: Look, columns: Columns, course: Course | None, *, spending: Spending, journal: Journal
) -> Report:
    """Reach the verdict of a test that has been asked, and say what follows from it."""
    judged = _judged(plan, look, columns, course)
    return advised(report_of(judged, look, spending, journal), judged.plan, judged.basis, look)


def _judged(plan: Plan, look: Look, columns: Columns, course: Course | None) -> Judged:
    """Sum up what was measured: all of it, or the samples at which a sequential test stopped."""
    if course is None:
        return Judged(plan=plan, columns=columns, basis=basis_of(at_level(plan, look), columns))
    ending = course.end(at_level(plan, look).policy)
    counted = replace(
        plan,
        samples=ending.samples,
        warnings=(*plan.warnings, *about_order(course.order, slices=_explores(plan))),
    )
    basis = ending.claim(basis_of(at_level(counted, look), ending.columns))
    return Judged(plan=counted, columns=ending.columns, basis=basis, stopping=ending.stopping(basis))


def _explores(plan: Plan) -> bool:
    """Whether slices are looked at that are not critical."""
    slices = plan.candidate.prompt.spec.gate.slices
    return plan.baseline is not None and slices is not None and bool(slices.by)


def basis_of(plan: Plan, columns: Columns) -> Basis:
    """Sum up the columns: from here on nothing needs a sample."""
    policy, deadline = plan.policy, plan.workspace.config.limits.deadline
    # What never came took at least the whole deadline; what it would have cost nobody can know.
    measured = {
        name: column.measured(plan.samples, worst=deadline if name in TIMES else None)
        for name, column in columns.by_name.items()
    }
    if plan.baseline is None:
        measured = {name: replace(one, baseline=()) for name, one in measured.items()}
    return Basis(policy=policy, findings=summarise(policy, measured), first=plan.baseline is None)
