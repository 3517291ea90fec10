"""Rollback: the version that was live before is live again, from the files of one commit: no network, no history."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from promptops.errors import ConfigError, InvalidInput, NotFound, NothingToDo
from promptops.gitstore.commits import commit_files
from promptops.gitstore.releases import Releases, read_releases, release_files
from promptops.records import Evidence, Release, Version, link
from promptops.releasing.base import check_not_behind, ground
from promptops.releasing.promote import Outcome, push_branch, takes_effect
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


def rollback(
    workspace: Workspace, prompt: str, root: str, wish: Retreat, *, now: Callable[[], datetime]
) -> Outcome:
    """Commit a pointer at an earlier version; it is gated by the evidence with which that version went live.

    Raises:
        NothingToDo: nothing is live, or nothing was live before.
        ConfigError: the target has no evidence and nobody forces it.
        RepoError: the branch is behind, or git refuses; LostRace: somebody was first.
    """
    if wish.force and not wish.reason.strip():
        raise ConfigError('--force needs a reason: -m "why"')
    found = ground(workspace, prompt, root, branch=wish.branch, on_release=wish.push)
    pointer = check_not_behind(found, prompt, wish.environment)
    if pointer is None:
        raise NothingToDo(f"{prompt} is not live in {wish.environment}; there is nothing to roll back")
    target = found.here.version(prompt, wish.version or _before(found.here, pointer))
    if target.version == pointer.version:
        said = f"{prompt} v{target.version} is already live in {wish.environment}"
        return Outcome(prompt=prompt, environment=wish.environment, said=(said,))
    evidence = evidence_for(found.here, target)
    if evidence is None and not wish.force:
        raise ConfigError(
            f"v{target.version} went live without any evidence; test it with promptops test {prompt}@v{target.version}, "
            f'or: promptops rollback {prompt} --to v{target.version} --force -m "why"'
        )
    release = _release(workspace, pointer, target, evidence, wish, now)
    committed = commit_files(
        workspace.repo,
        release_files(root, release),
        _message(release, pointer),
        branch=push_branch(found) if wish.push else wish.branch,
        expected_parent=found.parent,
        remote=workspace.repo.remote() if wish.push else None,
    )
    return Outcome(
        prompt=prompt,
        environment=wish.environment,
        said=(
            *takes_effect(found, release, committed),
            f"rolled back from v{pointer.version}, not re-tested; its evidence is the one it went live with",
        ),
        release=release,
        committed=committed,
    )


def _before(releases: Releases, pointer: Release) -> int:
    """Return the version that was live before the one that is.

    It is read from the evidence in the tree, which names what was live when the pointer's version went live; so a
    version that was itself rolled back from is never a target, and a clone of depth 1 is enough.
    """
    evidence = releases.evidence(pointer.id, pointer.evidence) if pointer.evidence else None
    if evidence is not None and evidence.baseline is not None:
        return evidence.baseline.version
    if pointer.sequence == 1 or evidence is not None:
        raise NothingToDo(f"{pointer.id} v{pointer.version} is the first release; there is nothing before it")
    raise NothingToDo(
        f"v{pointer.version} has no evidence that says what was live before it; name the version: "
        f"promptops rollback {pointer.id} --to vN (promptops log {pointer.id} lists them)"
    )


def evidence_for(releases: Releases, version: Version) -> tuple[str, Evidence] | None:
    """Return the evidence with which a version went live and its hash; a PASS before any other, the oldest first."""
    found = releases.evidence_of(version.id, version.digest)
    ranked = sorted(found, key=lambda one: (one[1].verdict != "pass", one[1].at, one[0]))
    return ranked[0] if ranked else None


def _release(
    workspace: Workspace,
    pointer: Release,
    target: Version,
    evidence: tuple[str, Evidence] | None,
    wish: Retreat,
    now: Callable[[], datetime],
) -> Release:
    return Release(
        id=pointer.id,
        environment=pointer.environment,
        sequence=pointer.sequence + 1,
        version=target.version,
        digest=target.digest,
        kind="rollback",
        evidence=evidence[0] if evidence else None,
        reason=wish.reason.strip(),
        by=workspace.repo.identity(),
        at=now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        accepted=False,
        forced=evidence is None,
        previous=link(pointer),
    )


def _message(release: Release, pointer: Release) -> str:
    subject = f"Roll {release.id} back to v{release.version} in {release.environment}"
    return "\n\n".join([subject, *([release.reason] if release.reason else []), f"From v{pointer.version}."])
