"""`rollback --test`: evidence for a version that went live without any, or a second look at one that has some.

Apart from rollback.py, because going back in a bad hour must not wait for the engine to be imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from promptops.evaluation.evaluate import Options, evaluate
from promptops.evaluation.evidence import evidence_of
from promptops.evaluation.plan import Plan, make_plan
from promptops.gitstore.references import thaw
from promptops.reading import Contender, frozen_contender
from promptops.records import Evidence
from promptops.releasing.targets import Target
from promptops.report import Report, Side
from promptops.samplesource import source_of
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Retest:
    """A test of today, and the evidence that it makes."""

    report: Report

    def evidence(self, at: str) -> Evidence:
        return evidence_of(self.report, at=at)


async def retest(
    workspace: Workspace, target: Target, *, options: Options, before_asking: Callable[[Plan], None]
) -> Retest:
    """Test a version against what is live now (`rollback --test`).

    Raises:
        RunStopped: the test could not finish.
    """
    prompt, _ = thaw(target.version, root=target.found.root)
    side = Side(ref=f"v{target.version.version}", version=target.version.version, digest=prompt.digest)
    plan = make_plan(
        workspace,
        baseline=frozen_contender(target.found.here, target.pointer),
        candidate=Contender(prompt=prompt, side=side),
        source=source_of(prompt, root=workspace.top),
    )
    before_asking(plan)
    return Retest(report=await evaluate(plan, options))
