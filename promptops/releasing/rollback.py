"""Rollback: the version that was live before is live again, from the files of one commit: no network, no history."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from promptops.errors import ConfigError, InvalidInput, NotFound, NothingToDo
from promptops.evaluation.evidence import evidence_of
from promptops.gitstore.commits import commit_files
from promptops.gitstore.mending import mend
from promptops.gitstore.releases import Releases, read_releases, release_files
from promptops.records import Evidence, Release, Version, canonical, sha256
from promptops.releasing.base import Ground, check_not_behind, ground, push_branch
from promptops.releasing.outcome import Outcome, moment_text, takes_effect
from promptops.releasing.pushing import again_if_others_moved
from promptops.report import Report
from promptops.succession import following
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Retreat:
    """What a person asks for: which version (None: the one before), why, and whether to go without evidence."""

    environment: str
    version: int | None = None
    reason: str = ""
    force: bool = False
    push: bool = False
    branch: str | None = None


def target_of(workspace: Workspace, prompt: str, to: str | None) -> tuple[str, str, int | None]:
    """Return the id, its prompts folder and the version number that a person names (`ID@v11`, or `--to v11`).

    Raises:
        InvalidInput: not a version.
        NotFound: this prompt was never released.
    """
    name, _, version = prompt.partition("@")
    wanted = to or version
    if wanted and not re.fullmatch(r"v?[1-9][0-9]{0,8}", wanted):
        raise InvalidInput(f"{wanted!r} is not a version; versions are called v11")
    known: list[str] = []
    for root in workspace.roots:
        releases = read_releases(workspace.repo, workspace.repo.head(), root=root)
        known += releases.ids()
        if name in releases.ids():
            return name, root, int(wanted.removeprefix("v")) if wanted else None
    raise NotFound("released prompt", name, known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The version to go back to, and the evidence that allows it; None where it went live without any."""

    found: Ground
    pointer: Release
    version: Version
    evidence: str | None


def target_version(workspace: Workspace, prompt: str, root: str, wish: Retreat) -> Target:
    """Find what to go back to.

    Raises:
        NothingToDo: nothing is live, or nothing was live before.
        NotFound: there is no such version.
        RepoError: this branch lacks a release of the release branch.
    """
    mend(workspace.repo)
    found = ground(workspace, prompt, root, branch=wish.branch, on_release=wish.push)
    pointer = check_not_behind(found, prompt, wish.environment)
    if pointer is None:
        raise NothingToDo(f"{prompt} is not live in {wish.environment}; there is nothing to roll back")
    version = found.here.version(prompt, wish.version or _before(pointer))
    return Target(
        found=found, pointer=pointer, version=version, evidence=_evidence(found.here, pointer, version)
    )


def rollback(
    workspace: Workspace,
    target: Target,
    wish: Retreat,
    *,
    now: Callable[[], datetime],
    report: Report | None = None,
) -> Outcome:
    """Commit a pointer at an earlier version.

    It is gated by the evidence with which that version went live, which never expires, or by `report`, a test of
    today; without either a person has to say why.

    Raises:
        ConfigError: the target has no evidence and nobody forces it.
        RepoError: git refuses; LostRace: somebody was first.
    """
    if wish.force and not wish.reason.strip():
        raise ConfigError('--force needs a reason: -m "why"')
    pointer, version = target.pointer, target.version
    prompt = pointer.id
    if version.version == pointer.version:
        said = f"{prompt} v{version.version} is already live in {wish.environment}"
        return Outcome(prompt=prompt, environment=wish.environment, said=(said,))
    if report is not None and report.verdict != "pass" and not wish.force:
        said = f"not rolled back: v{version.version} did not pass today's test"
        code = report.exit_code() or 4
        return Outcome(
            prompt=prompt, environment=wish.environment, said=(said,), exit_code=code, report=report
        )
    at = moment_text(now())
    evidence = evidence_of(report, at=at) if report is not None else None
    digest = sha256(canonical(evidence)) if evidence else target.evidence
    if digest is None and not wish.force:
        raise ConfigError(_without_evidence(prompt, version.version))

    def commit(on: Ground) -> Outcome:
        return _commit(workspace, on, target, wish, evidence=evidence, digest=digest, at=at, report=report)

    found = target.found
    return (
        again_if_others_moved(workspace, found, prompt, wish.environment, commit)
        if wish.push
        else commit(found)
    )


def _commit(
    workspace: Workspace,
    found: Ground,
    target: Target,
    wish: Retreat,
    *,
    evidence: Evidence | None,
    digest: str | None,
    at: str,
    report: Report | None,
) -> Outcome:
    """Write the pointer on this ground."""
    pointer = target.pointer
    release = following(
        pointer,
        version=target.version,
        environment=wish.environment,
        kind="rollback",
        evidence=digest,
        reason=wish.reason.strip(),
        by=workspace.repo.identity(),
        at=at,
        forced=digest is None or (report is not None and report.verdict != "pass"),
    )
    committed = commit_files(
        workspace.repo,
        release_files(found.root, release, evidence=evidence),
        _message(release, pointer),
        branch=push_branch(found) if wish.push else wish.branch,
        expected_parent=found.parent,
        remote=workspace.repo.remote() if wish.push else None,
    )
    return Outcome(
        prompt=pointer.id,
        environment=wish.environment,
        said=(*takes_effect(found, release, committed), _how(pointer, report, digest)),
        release=release,
        committed=committed,
        report=report,
    )


def _without_evidence(prompt: str, number: int) -> str:
    return (
        f"v{number} went live without any evidence; test it now: promptops rollback {prompt} --to v{number} --test, "
        f'or overrule that, visibly for ever: promptops rollback {prompt} --to v{number} --force -m "why"'
    )


def _how(pointer: Release, report: Report | None, evidence: str | None) -> str:
    if report is not None:
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


def _message(release: Release, pointer: Release) -> str:
    subject = f"Roll {release.id} back to v{release.version} in {release.environment}"
    return "\n\n".join([subject, *([release.reason] if release.reason else []), f"From v{pointer.version}."])
