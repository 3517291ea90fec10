"""What was found, said whole: the verdict's numbers, the changed answers, the cost, and what to be warned of."""

from __future__ import annotations

from dataclasses import dataclass

from promptops.basis import Basis
from promptops.evaluation.changes import changes_of
from promptops.evaluation.columns import Columns
from promptops.evaluation.costs import spend_of
from promptops.evaluation.ledger import Look, about
from promptops.evaluation.lines import metric_lines
from promptops.evaluation.plan import Plan
from promptops.evaluation.slices import flagged_slices, slice_lines
from promptops.report import PromptSides, Report, SampleSet, Stopping, Unscored
from promptops.runs.journal import Journal
from promptops.runs.spending import Spending
from promptops.version import tool_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A plan with the samples that count, their columns, and what was found of them."""

    plan: Plan
    columns: Columns
    basis: Basis
    stopping: Stopping | None = None


def report_of(judged: Judged, look: Look, spending: Spending, journal: Journal) -> Report:
    """Say of a test what it found, what it cost, and what people should know of it."""
    plan, columns, basis = judged.plan, judged.columns, judged.basis
    verdict = basis.verdict()
    lines = metric_lines(verdict)
    changes, changed = changes_of(plan, columns, journal)
    return Report(
        verdict=verdict.outcome.value,
        reasons=list(verdict.reasons),
        prompt=PromptSides(
            id=plan.id,
            baseline=plan.baseline.side if plan.baseline else None,
            candidate=plan.candidate.side,
        ),
        samples=_sample_set(plan),
        metrics=lines,
        slices=slice_lines(verdict),
        changes=changes,
        changed=changed,
        unscored=_unscored(columns),
        cost=spend_of(spending),
        tokens={line.name: line.candidate_mean for line in lines if line.unit == "tokens"},
        latency={line.name: line.candidate_mean for line in lines if line.unit == "seconds"},
        digests=dict(plan.digests),
        models=plan.models,
        alpha=verdict.alpha,
        looks=look.number if look.known else None,
        candidates_tried=look.tried,
        look=look.line(plan.policy.alpha),
        sequential=judged.stopping,
        anchors=list(plan.anchors),
        basis=basis.as_json(),
        explored=basis.explored_json(verdict),
        inconclusive=plan.policy.inconclusive,
        warnings=[
            *about(look, plan.policy.alpha),
            *plan.warnings,
            *_about_imported(spending),
            *flagged_slices(verdict, plan.policy),
        ],
        run=plan.run,
        tool_version=tool_version(),
    )


def _sample_set(plan: Plan) -> SampleSet:
    samples = plan.samples
    return SampleSet(
        digest=samples.digest,
        n=samples.n,
        clusters=samples.units,
        unit_kinds=dict(samples.unit_kinds),
        weighted=samples.weights is not None,
        repeats=plan.repeats,
    )


def _about_imported(spending: Spending) -> list[str]:
    """Nobody here saw the model say them: they are worth what the file is worth that they came in."""
    if not spending.imported:
        return []
    return [f"{spending.imported} answers were imported from a file and not asked for here"]


def _unscored(columns: Columns) -> Unscored:
    baseline, candidate = columns.unscored["baseline"], columns.unscored["candidate"]
    return Unscored(
        baseline=baseline.total(),
        candidate=candidate.total(),
        by_kind=dict(sorted((baseline + candidate).items())),
    )
