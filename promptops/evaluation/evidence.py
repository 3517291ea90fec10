"""From a report to the evidence that is committed: numbers, names, ids and digests; no text of any sample or answer."""

from __future__ import annotations

from typing import Any

from promptops.records import Arm, Evidence, SampleSet
from promptops.report import MetricLine, Report


def evidence_of(report: Report, *, at: str) -> Evidence:
    """Return what the gate saw; `at` is the time of the release, RFC 3339 in UTC."""
    baseline = report.prompt.baseline
    assert report.prompt.candidate.digest is not None
    return Evidence(
        prompt=report.prompt.id,
        baseline=Arm(version=baseline.version, digest=baseline.digest)
        if baseline and baseline.version and baseline.digest
        else None,
        candidate=report.prompt.candidate.digest,
        samples=SampleSet(digest=report.samples.digest, n=report.samples.n),
        policy=report.digests["policy"],
        verdict=report.verdict,
        reasons=report.reasons,
        metrics=[_row(line) for line in report.metrics],
        alpha=report.alpha,
        basis=report.basis or None,
        look=report.looks,
        anchors=report.anchors or None,
        imported=report.cost.imported or None,
        tool_version=report.tool_version,
        model=report.models["candidate"].partition("/")[2],
        provider=report.models["candidate"].partition("/")[0],
        run=report.run,
        at=at,
    )


def _row(line: MetricLine) -> dict[str, Any]:
    return line.model_dump(mode="json", exclude_defaults=True)
