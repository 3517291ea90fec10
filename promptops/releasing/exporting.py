"""`promptops export`: what is live as one JSON file for programs in other languages, the same byte for byte."""

from __future__ import annotations

from typing import Any

from promptops.errors import NothingToDo
from promptops.gitstore.releases import read_releases, release_ref
from promptops.workspace import Workspace

SCHEMA = "promptops.export/1"


def export(workspace: Workspace, environment: str) -> dict[str, Any]:
    """Return every prompt that is live in an environment, by id: version, digest and what reaches the model.

    Raises:
        NothingToDo: nothing is live there.
        IntegrityError: a frozen version is not what its digest says.
    """
    ref = release_ref(workspace.repo, workspace.config.release_branch)
    found: dict[str, Any] = {}
    for root in workspace.roots:
        releases = read_releases(workspace.repo, ref.commit, root=root)
        for prompt in releases.ids():
            release = releases.live(prompt, environment)
            if release is not None:
                version = releases.live_version(release)
                found[prompt] = {"version": version.version, "digest": version.digest, **version.body}
    if not found:
        raise NothingToDo(f"nothing is live in {environment}; promptops promote ID -e {environment}")
    return {"schema": SCHEMA, "environment": environment, "prompts": found}
