"""What a question about lines is about: the work tree, a commit, a version, or what was live at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from promptops.errors import InvalidInput, NotFound
from promptops.gitstore.references import RefKind, Resolved, thaw
from promptops.gitstore.releases import read_releases, release_ref
from promptops.prompts.model import Prompt
from promptops.reading import find
from promptops.workspace import Workspace

_FROZEN: Final = (RefKind.ENVIRONMENT, RefKind.VERSION, RefKind.DIGEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A prompt as it is meant: a frozen `version`, or the file of a `commit`, or neither: the work tree's."""

    id: str
    root: str
    label: str
    prompt: Prompt
    version: int | None = None
    commit: str | None = None
    notes: tuple[str, ...] = ()


def subject_of(
    workspace: Workspace, reference: str, *, environment: str | None, at: datetime | None
) -> Subject:
    """Return what a person means by a reference, an environment and a time.

    Raises:
        InvalidInput: the reference names a version besides.
        NotFound: no such prompt, version or environment, or nothing was live then.
    """
    if (environment or at) and "@" in reference:
        raise InvalidInput(f"{reference} says already which version is meant; leave out --env and --at")
    if at is not None:
        return _live_then(workspace, reference, workspace.environment(environment), at)
    named = f"{reference}@{workspace.environment(environment)}" if environment else reference
    return _resolved(workspace, find(workspace, named))


def _resolved(workspace: Workspace, found: Resolved) -> Subject:
    subject = Subject(
        id=found.id,
        root=workspace.root_of(found.prompt.path),
        label=found.label,
        prompt=found.prompt,
        notes=found.warnings,
    )
    if found.kind in _FROZEN and found.version is not None:
        return replace(subject, version=found.version)
    return replace(
        subject, commit=found.commit or (workspace.repo.head() if workspace.repo.is_bare else None)
    )


def _live_then(workspace: Workspace, name: str, environment: str, at: datetime) -> Subject:
    """Ask the commit that the release branch stood at, by the dates of the commits that came to it one by one."""
    repo, when = workspace.repo, f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    tip = release_ref(repo, workspace.config.release_branch).commit
    asked = ("rev-list", "-1", "--first-parent", f"--before={int(at.timestamp())}", "--end-of-options")
    then = repo.line(*asked, tip) if tip else None
    for root in workspace.roots if then else ():
        releases = read_releases(repo, then, root=root, prompt=name)
        release = releases.live(name, environment)
        if release is not None:
            prompt, notes = thaw(releases.live_version(release), root=root)
            label = f"{environment} v{release.version}, live at {when}"
            return Subject(
                id=name, root=root, label=label, prompt=prompt, version=release.version, notes=notes
            )
    if then is None and repo.is_shallow:
        hint = f"this shallow clone begins after {when}; git fetch --unshallow"
    else:
        hint = f"nothing was live there at {when}; promptops log {name} tells what was when"
    raise NotFound("release", f"{name}@{environment}", (), hint=hint)
