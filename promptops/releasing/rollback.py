"""Rollback: the version that was live before is live again, from the files of one commit: no network, no history."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from promptops.errors import ConfigError, InvalidInput, NotFound, NothingToDo
from promptops.gitstore.commits import commit_files
from promptops.gitstore.releases import Releases, read_releases, release_files
from promptops.records import Release, Version, following
from promptops.releasing.base import check_not_behind, ground
from promptops.releasing.promote import Outcome, moment_text, push_branch, takes_effect
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
    target = found.here.version(prompt, wish.version or _before(pointer))
    if target.version == pointer.version:
        said = f"{prompt} v{target.version} is already live in {wish.environment}"
        return Outcome(prompt=prompt, environment=wish.environment, said=(said,))
    evidence = _evidence(found.here, pointer, target)
    if evidence is None and not wish.force:
        raise ConfigError(
            f"v{target.version} went live without any evidence: test it with promptops test {prompt}@v{target.version}, "
            f'or overrule it, visibly: promptops rollback {prompt} --to v{target.version} --force -m "why"'
        )
    release = following(
        pointer,
        version=target,
        environment=wish.environment,
        kind="rollback",
        evidence=evidence,
        reason=wish.reason.strip(),
        by=workspace.repo.identity(),
        at=moment_text(now()),
        forced=evidence is None,
    )
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
            f"rolled back from v{pointer.version}, not re-tested: "
            + ("its evidence is the one it went live with" if evidence else "it has no evidence"),
        ),
        release=release,
        committed=committed,
    )


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
