"""From committed evidence to what each metric has lost since its anchor, and the tests here that lift the doubt.

Walks from the version that a candidate is compared with back through the evidence with which each one went live;
forced and accepted releases count like any other. Where a version has no evidence the walk ends, and it is said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from promptops.creep import Direct, Drift, Seen, Step, drift_of
from promptops.errors import NotFound
from promptops.gitstore.releases import Releases, read_releases, release_ref
from promptops.prompts.model import Prompt
from promptops.reading import Contender
from promptops.records import AnchorTest, Evidence
from promptops.report import Report
from promptops.rules import Policy, Rule
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What is committed about one prompt: its releases, and every piece of evidence with its hash."""

    prompt: str
    releases: Releases
    evidence: tuple[tuple[str, Evidence], ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        return self.releases.numbers(self.prompt)

    def first_by_candidate(self) -> dict[str, Evidence]:
        """The evidence with which each version first went live: later tests of it compare it with what came after."""
        in_time = sorted(self.evidence, key=lambda one: (one[1].at, one[0]), reverse=True)
        return {one.candidate: one for _, one in in_time if one.prompt == self.prompt}


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """A policy whose rules know their drift, the tests against anchors that hold, and what a reader should know."""

    policy: Policy
    tests: tuple[AnchorTest, ...] = ()
    warnings: tuple[str, ...] = ()


def committed(workspace: Workspace, prompt: Prompt) -> Committed:
    """Return what is known of a prompt's releases here: those of the release branch, and those of this branch.

    Raises:
        RepoError: objects are missing.
        InvalidFile: evidence cannot be read.
    """
    releases = _releases(workspace, prompt)
    return Committed(prompt=prompt.id, releases=releases, evidence=tuple(releases.all_evidence(prompt.id)))


def _releases(workspace: Workspace, prompt: Prompt) -> Releases:
    repo, ref = workspace.repo, release_ref(workspace.repo, workspace.config.release_branch)
    head = repo.head()
    for root in (workspace.root_of(prompt.path), *workspace.roots):
        there = read_releases(repo, ref.commit, root=root, prompt=prompt.id)
        here = there if head == ref.commit else read_releases(repo, head, root=root, prompt=prompt.id)
        if here.files or there.files:
            return Releases(root=root, files={**here.files, **there.files})
    return Releases(root=workspace.roots[0], files={})


def anchored(
    workspace: Workspace,
    policy: Policy,
    known: Committed,
    *,
    baseline: Contender | None,
    candidate: Prompt,
    digests: Mapping[str, str],
) -> Anchored:
    """Tell every guardrail how far its metric has moved since its anchor.

    `digests` are those of the plan: what a test against the anchor has to have in common with it.

    Raises:
        NotFound: the prompt file names a version that does not exist.
    """
    named = _anchor_named(candidate, known)
    if baseline is None:
        return Anchored(policy=policy)
    steps = tuple(_steps(known, baseline))
    drifts = {
        rule.metric: drift_of(candidate.id, rule.metric, rule.kind, steps, anchor=named)
        for rule in policy.rules
        if _can_creep(rule)
    }
    found = {name: drift for name, drift in drifts.items() if drift is not None and drift.releases}
    tests = tuple(_tests(workspace, candidate.id, found, digests))
    lifted = {name for test in tests for name in test.differences}
    rules = tuple(_with_drift(rule, found, lifted) for rule in policy.rules)
    return Anchored(
        policy=replace(policy, rules=rules),
        tests=tests,
        warnings=_about(known, steps, named),
    )


def _can_creep(rule: Rule) -> bool:
    return rule.slice is None and rule.role in ("guardrail", "both") and rule.margin is not None


def _with_drift(rule: Rule, drifts: Mapping[str, Drift], lifted: set[str]) -> Rule:
    drift = drifts.get(rule.metric)
    if drift is None or not _can_creep(rule):
        return rule
    return replace(rule, drift=replace(drift, lifted=rule.metric in lifted))


def _anchor_named(candidate: Prompt, known: Committed) -> int | None:
    """The version that `gate.anchor` names.

    Raises:
        NotFound: there is no such version.
    """
    anchor = candidate.spec.gate.anchor
    if anchor is None:
        return None
    number = next((number for number in known.numbers if anchor == f"v{number}"), None)
    if number is None:
        names = [f"v{number}" for number in known.numbers]
        hint = f"there is {', '.join(names[-8:])}" if names else "it was never released"
        raise NotFound(f"version of {candidate.id}", anchor, hint=f"{hint} ({candidate.path}: gate.anchor)")
    return number


def _steps(known: Committed, baseline: Contender) -> Iterator[Step]:
    """Walk from the baseline to the version before it, and so on; the last step has nothing to be compared with."""
    digest = baseline.prompt.digest
    version = baseline.side.version or known.releases.number_of(known.prompt, digest)
    left = known.first_by_candidate()
    while version is not None:
        evidence = left.pop(digest, None)  # each once: forged evidence may go round in a circle
        if evidence is None or evidence.baseline is None:
            yield Step(version=version, digest=digest)
            return
        yield Step(version=version, digest=digest, seen=_seen(evidence.metrics), direct=_direct(evidence))
        version, digest = evidence.baseline.version, evidence.baseline.digest


def _seen(rows: list[dict[str, Any]]) -> dict[str, Seen]:
    """What the rows of some evidence say; a row that cannot be read says nothing, as if it was not measured."""
    read = ((row.get("name"), row.get("kind"), row.get("difference"), row) for row in rows)
    return {
        name: Seen(
            kind=kind,
            difference=_number(difference),
            better=_is_better(row),
        )
        for name, kind, difference, row in read
        if isinstance(name, str) and kind in ("binary", "bounded", "ratio")
    }


def _number(value: Any) -> float | None:
    """A NaN would make every sum one that is never too far."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _is_better(row: Mapping[str, Any]) -> bool:
    """Whether a metric was shown better: it had to be, and was, or its whole interval lies above no change."""
    is_ratio = row.get("kind") == "ratio"
    edge = _number(row.get("upper" if is_ratio else "lower"))
    return row.get("status") == "BETTER" or (edge is not None and (edge < 0 if is_ratio else edge > 0))


def _direct(evidence: Evidence) -> tuple[Direct, ...]:
    seen = _seen(evidence.metrics)
    return tuple(
        Direct(
            version=test.version,
            digest=test.digest,
            seen={
                name: Seen(kind=seen[name].kind, difference=difference)
                for name, difference in test.differences.items()
                if name in seen
            },
        )
        for test in evidence.anchors or ()
    )


def _tests(
    workspace: Workspace, prompt: str, drifts: Mapping[str, Drift], digests: Mapping[str, str]
) -> Iterator[AnchorTest]:
    """Find, for every anchor, a test here of the same candidate, samples and policy against it that passed."""
    for version, digest in sorted({(drift.version, drift.digest) for drift in drifts.values()}):
        names = [name for name, drift in drifts.items() if drift.digest == digest]
        report = _passed(workspace, prompt, {**digests, "baseline": digest})
        if report is None:
            continue
        shown = {line.name: line.difference for line in report.metrics if line.name in names}
        differences = {name: value for name, value in shown.items() if value is not None}
        yield AnchorTest(version=version, digest=digest, run=report.run, differences=differences)


def _passed(workspace: Workspace, prompt: str, digests: Mapping[str, str]) -> Report | None:
    """Return the report of a run here that says PASS to this very question."""
    for path in sorted((workspace.state / "runs").glob(f"{prompt}-*/report.json")):
        try:
            report = Report.model_validate(json.loads(path.read_bytes()))
        except (ValueError, OSError, RecursionError):
            continue  # written by another version of this tool, or just being written
        same = all(report.digests.get(name) == digests[name] for name in ("baseline", "candidate", "policy"))
        # A sequential test goes on with more samples: they are not in its name.
        same = same and report.digests.get("samples", digests["samples"]) == digests["samples"]
        if same and report.verdict == "pass":
            return report
    return None


def _about(known: Committed, steps: tuple[Step, ...], named: int | None) -> tuple[str, ...]:
    said = []
    first, evidence = min(known.numbers, default=None), known.first_by_candidate()
    for last in steps[-1:]:
        if last.version != first and last.digest not in evidence:
            said.append(f"v{last.version} has no evidence: what was lost before it is not counted")
    if named is not None and steps and named not in [step.version for step in steps]:
        said.append(f"gate.anchor: v{named} is none of the versions that led to v{steps[0].version}")
    return tuple(said)
