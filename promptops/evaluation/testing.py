"""`promptops test`: which prompts, against what, and one answer for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from promptops.errors import ConfigError, NothingToDo, RunStopped
from promptops.evaluation.evaluate import Options, evaluate
from promptops.evaluation.foretelling import tell
from promptops.evaluation.outlook import Outlook, outlook
from promptops.evaluation.plan import Plan, make_plan
from promptops.evaluation.policy import nothing_to_judge
from promptops.reading import Contender, contender, live_contender, prompt_ids
from promptops.report import Report
from promptops.samplesource import source_of
from promptops.workspace import Workspace

# The gravest answer speaks for all: harm first, then what could not finish, then what is open.
_GRAVITY = (3, 7, 4, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to test: references (none: all that differ from live), against what, on which samples.

    `sequential` stops as soon as it is decided; each sample is answered `repeats` times by each version.
    """

    references: tuple[str, ...] = ()
    against: str | None = None
    ids: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    sequential: bool = False
    repeats: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """The reports, and what there is to say besides."""

    reports: tuple[Report, ...] = ()
    said: tuple[str, ...] = ()
    stopped: str = ""
    outlooks: tuple[Outlook, ...] = ()

    def exit_code(self) -> int:
        codes = {report.exit_code() for report in self.reports} | ({7} if self.stopped else set())
        return next((code for code in _GRAVITY if code in codes), 0)

    def as_json(self) -> dict[str, Any]:
        if self.outlooks:
            plans = [one.as_json() for one in self.outlooks]
            return {"schema": "promptops.outlook/1", "plans": plans, "said": list(self.said)}
        return {
            "schema": "promptops.test/1",
            "reports": [report.model_dump(mode="json", by_alias=True) for report in self.reports],
            "said": list(self.said),
            "stopped": self.stopped,
        }


async def test_prompts(
    workspace: Workspace,
    selection: Selection,
    *,
    options: Options,
    before_asking: Callable[[Plan], None],
    dry_run: bool = False,
) -> Tested:
    """Test what is named, or everything that differs from what is live; every plan is settled before any is run.

    Raises:
        PromptopsError: what is missing or wrong with any of them; then nothing was asked.
    """
    plans, said = _plans(workspace, selection)
    if dry_run:
        outlooks = tuple(outlook(plan) for plan in plans)
        return Tested(said=(*said, *(line for one in outlooks for line in tell(one))), outlooks=outlooks)
    reports: list[Report] = []
    for plan in plans:
        before_asking(plan)
        try:
            reports.append(await evaluate(plan, options))
        except RunStopped as error:
            if not reports:
                raise
            # What was decided before is decided; the verdicts are shown with what stopped the rest.
            return Tested(reports=tuple(reports), said=said, stopped=f"{plan.id}: {error}")
    return Tested(reports=tuple(reports), said=said)


def _plans(workspace: Workspace, selection: Selection) -> tuple[list[Plan], tuple[str, ...]]:
    plans, unchanged, unjudged = [], [], []
    references = selection.references or prompt_ids(workspace)
    if not references:
        raise NothingToDo(f"no prompts in {', '.join(workspace.roots)}; promptops new ID writes one")
    for reference in references:
        candidate = contender(workspace, reference)
        baseline = _baseline(workspace, candidate, selection)
        if baseline is not None and baseline.prompt.digest == candidate.prompt.digest:
            unchanged.append(f"{candidate.prompt.id}: nothing differs from {baseline.side.ref}")
        elif baseline is None and not candidate.prompt.spec.has_floor:
            unjudged.append(
                f"{nothing_to_judge(candidate.prompt.id)}; promptops promote {candidate.prompt.id} --first adopts it"
            )
        else:
            plans.append(_plan(workspace, baseline, candidate, selection))
    if unjudged and (selection.references or not (plans or unchanged)):
        raise NothingToDo("\n".join(unjudged))
    return plans, (*unchanged, *unjudged)


def _baseline(workspace: Workspace, candidate: Contender, selection: Selection) -> Contender | None:
    if selection.against is None:
        return live_contender(workspace, candidate.prompt.id)
    if selection.against == "recorded":
        raise ConfigError("--against recorded is not available yet")
    return contender(workspace, f"{candidate.prompt.id}@{selection.against}")


def _plan(
    workspace: Workspace, baseline: Contender | None, candidate: Contender, selection: Selection
) -> Plan:
    source = source_of(candidate.prompt, root=workspace.top, ids=selection.ids, where=selection.where)
    return make_plan(
        workspace,
        baseline=baseline,
        candidate=candidate,
        source=source,
        sequential=selection.sequential,
        repeats=selection.repeats,
    )
