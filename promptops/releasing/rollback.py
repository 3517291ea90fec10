"""Rollback: versions that were live before are live again, from the files of one commit: no network, no history.

Several prompts go back in one commit, or none of them does. The engine is not needed, and not imported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from promptops.errors import ConfigError, InvalidInput, NotFound, NothingToDo
from promptops.gitstore.mending import mend
from promptops.gitstore.releases import (
    Releases,
    folder,
    pointer_path,
    read_releases,
    release_files,
)
from promptops.records import Release, Version, canonical, sha256
from promptops.releasing.base import Ground, base_commit, check_not_behind, grounds, where_live
from promptops.releasing.outcome import Outcome, already, moment_text, outcomes
from promptops.releasing.pushing import Draft, Grounds, land
from promptops.succession import following
from promptops.workspace import Workspace

if TYPE_CHECKING:
    from promptops.releasing.retest import Retest


@dataclass(frozen=True, slots=True, kw_only=True)
class Retreat:
    """What a person asks for: prompt → version number (None: the one before), why, and whether without evidence."""

    environment: str
    prompts: Mapping[str, int | None]
    reason: str = ""
    force: bool = False
    push: bool = False
    branch: str | None = None


def named(prompts: Sequence[str], to: str | None) -> dict[str, int | None]:
    """Return prompt → version number of what a person names (`ID`, `ID@v11`, or one `ID` and `--to v11`).

    Raises:
        InvalidInput: not a version, or one prompt with two of them.
        ConfigError: `--to` with several prompts.
    """
    if to and len(prompts) > 1:
        raise ConfigError(f"--to is for one prompt; of several, write each with its own: {prompts[0]}@{to}")
    found: dict[str, int | None] = {}
    for prompt in prompts:
        name, _, version = prompt.partition("@")
        wanted = to or version
        if wanted and not re.fullmatch(r"v?[1-9][0-9]{0,8}", wanted):
            raise InvalidInput(f"{wanted!r} is not a version; versions are called v11")
        number = int(wanted.removeprefix("v")) if wanted else None
        if found.get(name, number) != number:
            raise InvalidInput(f"{name} is named twice, with two versions")
        found[name] = number
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The version to go back to, and the evidence that allows it; None where it went live without any.

    `mended` is a sentence about an earlier release that had been killed.
    """

    found: Ground
    pointer: Release
    version: Version
    evidence: str | None
    mended: str | None = None

    @property
    def is_there(self) -> bool:
        return self.version.version == self.pointer.version


def targets(workspace: Workspace, wish: Retreat) -> tuple[Target, ...]:
    """Find what to go back to; what a kill left of an earlier release is mended first.

    If that was this very rollback, it is done: typing a command again does not go back twice.

    Raises:
        NothingToDo: one is not live, or nothing was live before it.
        NotFound: no such prompt or version.
        RepoError: this branch lacks a release of the release branch.
    """
    mended = mend(workspace.repo, online=wish.push)
    roots = _roots(workspace, wish)
    found = grounds(workspace, roots, branch=wish.branch, on_release=wish.push)
    pointers = {pointer_path(root, name, wish.environment) for name, root in roots.items()}
    done = mended is not None and mended.done and pointers <= mended.paths
    wanted = tuple(_target(one, wish, done=done) for one in found)
    return (replace(wanted[0], mended=mended.said), *wanted[1:]) if mended else wanted


def _roots(workspace: Workspace, wish: Retreat) -> dict[str, str]:
    """Return prompt → its prompts folder, as the commit has them that the release is put on."""
    repo = workspace.repo
    ref = where_live(workspace, on_release=wish.push)
    commit = base_commit(workspace, ref, branch=wish.branch, on_release=wish.push)
    wanted = {f"{folder(root)}/{name}/": (name, root) for root in workspace.roots for name in wish.prompts}
    found: dict[str, str] = {}
    for path in repo.tree_paths(commit, wanted):
        name, root = next(pair for start, pair in wanted.items() if path.startswith(start))
        found.setdefault(name, root)
    for name in wish.prompts:
        if name not in found:
            known = [one for root in workspace.roots for one in read_releases(repo, commit, root=root).ids()]
            raise NotFound("released prompt", name, known)
    return {name: found[name] for name in wish.prompts}


def _target(found: Ground, wish: Retreat, *, done: bool) -> Target:
    pointer = check_not_behind(found, wish.environment)
    if pointer is None:
        raise NothingToDo(f"{found.prompt} is not live in {wish.environment}; there is nothing to roll back")
    number = wish.prompts[found.prompt]
    if number is None:
        number = pointer.version if done and pointer.kind == "rollback" else _before(pointer)
    version = found.here.version(found.prompt, number)
    evidence = _evidence(found.here, pointer, version)
    return Target(found=found, pointer=pointer, version=version, evidence=evidence)


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
    there = tuple(_already(one) for one in wanted if one.is_there)
    moving = [one for one in wanted if not one.is_there]
    if not moving:
        return there
    tests = tested or {}
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
    first = (step.target.mended,) if step.target.mended else ()
    return replace(outcome, said=(*first, outcome.said[0], step.how, *outcome.said[1:]), report=report)


def _already(target: Target) -> Outcome:
    said = already(target.found, target.pointer)
    first = (target.mended,) if target.mended else ()
    return Outcome(prompt=target.pointer.id, environment=target.pointer.environment, said=(*first, said))


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


def _before(pointer: Release) -> int:
    """Return the last version that was live and was not itself rolled back from; the pointer lists them."""
    if not pointer.fallbacks:
        raise NothingToDo(
            f"nothing was live before {pointer.id} v{pointer.version}; there is nothing to go back to"
        )
    return pointer.fallbacks[0].version


def _evidence(releases: Releases, pointer: Release, target: Version) -> str | None:
    """Return the evidence with which a version went live: what the pointer remembers, else a PASS in the tree."""
    for one in pointer.fallbacks:
        if one.version == target.version and one.evidence is not None:
            return one.evidence
    passed = [one for one in releases.evidence_of(target.id, target.digest) if one[1].verdict == "pass"]
    return min(passed, key=lambda one: (one[1].at, one[0]))[0] if passed else None


def _message(records: Sequence[Release], before: Sequence[Release]) -> str:
    first, reason = records[0], [records[0].reason] if records[0].reason else []
    if len(records) == 1:
        subject = f"Roll {first.id} back to v{first.version} in {first.environment}"
        return "\n\n".join([subject, *reason, f"From v{before[0].version}."])
    rows = [
        f"{one.id} to v{one.version}, from v{old.version}" for one, old in zip(records, before, strict=True)
    ]
    return "\n\n".join([f"Roll {len(records)} prompts back in {first.environment}", *reason, "\n".join(rows)])
