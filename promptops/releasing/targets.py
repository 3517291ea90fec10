"""What a rollback goes back to: the version that a person names, or the one before; and what allows it.

All of it stands in the files of one commit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from promptops.errors import ConfigError, InvalidInput, NotFound, NothingToDo
from promptops.gitstore.mending import Mended, mend
from promptops.gitstore.releases import Releases, folder, pointer_path, read_releases
from promptops.records import Release, Version
from promptops.releasing.base import Ground, base_commit, check_not_behind, grounds, where_live
from promptops.releasing.signing import check_signs
from promptops.workspace import Workspace


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
        RepoError: this branch lacks a release of the release branch, or the release would lack a signature.
    """
    check_signs(workspace, wish.environment)
    mended = mend(workspace.repo, online=wish.push)
    roots = _roots(workspace, wish)
    found = grounds(workspace, roots, branch=wish.branch, on_release=wish.push)
    wanted = tuple(_target(one, wish, done=_is_done(workspace, one, wish, mended)) for one in found)
    return (replace(wanted[0], mended=mended.said), *wanted[1:]) if mended else wanted


def _is_done(workspace: Workspace, found: Ground, wish: Retreat, mended: Mended | None) -> bool:
    """Whether what is released is what the release wrote that was interrupted: then this is the same wish again."""
    path = pointer_path(found.root, found.prompt, wish.environment)
    wrote = mended.files.get(path) if mended else None
    return wrote is not None and workspace.repo.tree_paths(found.parent, [path])[path].oid == wrote


def _roots(workspace: Workspace, wish: Retreat) -> dict[str, str]:
    """Return prompt → its prompts folder, as the commit has them that the release is put on."""
    repo = workspace.repo
    ref = where_live(workspace, on_release=wish.push)
    commit = base_commit(workspace, ref, branch=wish.branch, on_release=wish.push)
    wanted = {f"{folder(root)}/{name}/": (name, root) for root in workspace.roots for name in wish.prompts}
    found: dict[str, str] = {}
    for path in repo.tree_paths(commit, wanted):
        for start, (name, root) in wanted.items():
            if path.startswith(start):
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
