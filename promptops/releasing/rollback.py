"""Rollback: versions that were live before are live again, from the files of one commit: no network, no history.

Several prompts go back in one commit, or none of them does. The engine is not needed, and not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from promptops.errors import ConfigError
from promptops.gitstore.releases import release_files
from promptops.records import Release, canonical, sha256
from promptops.releasing.outcome import Outcome, already, moment_text, outcomes
from promptops.releasing.pushing import Draft, Grounds, land
from promptops.releasing.targets import Retreat, Target
from promptops.succession import following
from promptops.workspace import Workspace

if TYPE_CHECKING:
    from promptops.releasing.retest import Retest


def rollback(
    workspace: Workspace,
    wanted: Sequence[Target],
    wish: Retreat,
    *,
    now: Callable[[], datetime],
    tested: Mapping[str, Retest] | None = None,
) -> tuple[Outcome, ...]:
    """Commit pointers at earlier versions, all in one commit; return what became of each prompt.

    Each is gated by the evidence with which its version went live, which never expires, or by its test of today
    (`tested`); without either a person has to say why.

    Raises:
        ConfigError: a target has no evidence and nobody forces it.
        RepoError: git refuses; LostRace: somebody was first.
    """
    if wish.force and not wish.reason.strip():
        raise ConfigError('--force needs a reason: -m "why"')
    found = _rollback(workspace, wanted, wish, now, tested or {})
    if mended := wanted[0].mended:
        return (replace(found[0], said=(mended, *found[0].said)), *found[1:])
    return found


def _rollback(
    workspace: Workspace,
    wanted: Sequence[Target],
    wish: Retreat,
    now: Callable[[], datetime],
    tests: Mapping[str, Retest],
) -> tuple[Outcome, ...]:
    there = tuple(_already(one) for one in wanted if one.is_there)
    moving = [one for one in wanted if not one.is_there]
    if not moving:
        return there
    if refused := _refused(moving, wish, tests):
        return refused
    steps = [_step(one, tests.get(one.pointer.id), wish, at=moment_text(now())) for one in moving]
    landed = land(
        workspace,
        tuple(one.found for one in moving),
        lambda on: _draft(workspace, on, steps, wish),
        environment=wish.environment,
        push=wish.push,
        branch=wish.branch,
    )
    return (*there, *map(_told, outcomes(landed), steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One prompt's way back; `files` are the bytes of new evidence by their hash, `how` says what it rests on."""

    target: Target
    at: str
    evidence: str | None
    test: Retest | None
    forced: bool
    how: str


def _step(target: Target, test: Retest | None, wish: Retreat, *, at: str) -> _Step:
    digest = sha256(canonical(test.evidence(at))) if test else target.evidence
    if digest is None and not wish.force:
        raise ConfigError(_without_evidence(target.pointer.id, target.version.version))
    return _Step(
        target=target,
        at=at,
        evidence=digest,
        test=test,
        forced=digest is None or (test is not None and test.report.verdict != "pass"),
        how=_how(target.pointer, tested=test is not None, evidence=digest),
    )


def _draft(workspace: Workspace, on: Grounds, steps: Sequence[_Step], wish: Retreat) -> Draft:
    """Work the pointers out on this ground; what they follow is as it was when the targets were found."""
    by = workspace.repo.identity()
    files: dict[str, bytes] = {}
    records = []
    for found, step in zip(on, steps, strict=True):
        record = following(
            step.target.pointer,
            version=step.target.version,
            environment=wish.environment,
            kind="rollback",
            evidence=step.evidence,
            reason=wish.reason.strip(),
            by=by,
            at=step.at,
            forced=step.forced,
        )
        files |= release_files(
            found.root, record, evidence=step.test.evidence(step.at) if step.test else None
        )
        records.append(record)
    message = _message(records, [step.target.pointer for step in steps])
    return Draft(releases=tuple(records), files=files, message=message)


def _told(outcome: Outcome, step: _Step) -> Outcome:
    report = step.test.report if step.test else None
    return replace(outcome, said=(outcome.said[0], step.how, *outcome.said[1:]), report=report)


def _already(target: Target) -> Outcome:
    said = already(target.found, target.pointer)
    return Outcome(prompt=target.pointer.id, environment=target.pointer.environment, said=(said,))


def _refused(moving: Sequence[Target], wish: Retreat, tests: Mapping[str, Retest]) -> tuple[Outcome, ...]:
    """Say whose test of today does not allow it; then nobody goes back. Nothing where all may."""
    failed = {name for name, test in tests.items() if test.report.verdict != "pass"}
    if wish.force or not failed:
        return ()
    found = []
    for one in moving:
        name, report = one.pointer.id, tests[one.pointer.id].report
        said = f"not rolled back: v{one.version.version} did not pass today's test"
        if name not in failed:
            said = f"{name} not rolled back either: all go back together, or none"
        code = (report.exit_code() or 4) if name in failed else 0
        found.append(
            Outcome(prompt=name, environment=wish.environment, said=(said,), exit_code=code, report=report)
        )
    return tuple(found)


def _without_evidence(prompt: str, number: int) -> str:
    return (
        f"v{number} went live without any evidence; test it now: promptops rollback {prompt} --to v{number} --test, "
        f'or overrule that, visibly for ever: promptops rollback {prompt} --to v{number} --force -m "why"'
    )


def _how(pointer: Release, *, tested: bool, evidence: str | None) -> str:
    if tested:
        return f"rolled back from v{pointer.version}, tested today"
    basis = "its evidence is the one it went live with" if evidence else "it has no evidence"
    return f"rolled back from v{pointer.version}, not re-tested: {basis}"


def _message(records: Sequence[Release], before: Sequence[Release]) -> str:
    first, reason = records[0], [records[0].reason] if records[0].reason else []
    if len(records) == 1:
        subject = f"Roll {first.id} back to v{first.version} in {first.environment}"
        return "\n\n".join([subject, *reason, f"From v{before[0].version}."])
    rows = [
        f"{one.id} to v{one.version}, from v{old.version}" for one, old in zip(records, before, strict=True)
    ]
    return "\n\n".join([f"Roll {len(records)} prompts back in {first.environment}", *reason, "\n".join(rows)])
