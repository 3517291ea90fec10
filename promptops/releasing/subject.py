"""What a question about lines is about: the work tree, a commit, a version, or what was live at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from promptops.errors import InvalidInput, NotFound
from promptops.gitstore.lives import lives
from promptops.gitstore.references import RefKind, Resolved, thaw
from promptops.gitstore.releases import read_releases, release_ref
from promptops.prompts.model import Prompt
from promptops.reading import find
from promptops.releasing.story import check_past
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
    workspace: Workspace,
    reference: str,
    *,
    environment: str | None,
    at: datetime | None,
    now: datetime | None,
) -> Subject:
    """Return what a person means by a reference, an environment and a time; no clock ahead of `now` is believed.

    Raises:
        InvalidInput: the reference names a version besides, or the time is yet to come.
        NotFound: no such prompt, version or environment, or nothing was live then.
    """
    if (environment or at) and "@" in reference:
        raise InvalidInput(f"{reference} says already which version is meant; leave out --env and --at")
    if at is not None:
        if now is not None:
            check_past(at, now)
        return _live_then(workspace, reference, workspace.environment(environment), at, now)
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


def _live_then(
    workspace: Workspace, name: str, environment: str, at: datetime, now: datetime | None
) -> Subject:
    repo, when = workspace.repo, f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    tip, hint = release_ref(repo, workspace.config.release_branch).commit, ""
    for root in workspace.roots if tip else ():
        found = lives(repo, tip or "", environment, root=root, prompt=name, now=now)
        life = next((one for one in found if one.was_live(at)), None)
        if life is not None and life.release is not None:
            releases = read_releases(repo, tip, root=root, prompt=name)
            prompt, notes = thaw(releases.live_version(life.release), root=root)
            version = life.release.version
            label = f"{environment} v{version}, live at {when}"
            return Subject(id=name, root=root, label=label, prompt=prompt, version=version, notes=notes)
        if found and found[-1].commit.is_cut:
            hint = f"this shallow clone begins after {when}; git fetch --unshallow"
    hint = hint or f"nothing was live there at {when}; promptops log {name} tells what was when"
    raise NotFound("release", f"{name}@{environment}", (), hint=hint)
