"""Whether a release will be signed where it must be: said before it is tested, not once it is in the history."""

from __future__ import annotations

from promptops.errors import RepoError
from promptops.gitstore.commits import signs
from promptops.workspace import Workspace


def check_signs(workspace: Workspace, environment: str) -> None:
    """Refuse a release that `verify` would refuse.

    Raises:
        RepoError: releases to this environment have to be signed, and git is not told to sign.
    """
    if environment in workspace.config.require_signed and not signs(workspace.repo):
        raise RepoError(
            f"releases to {environment} have to be signed, and git signs nothing here: "
            "set user.signingKey, and type git config commit.gpgSign true"
        )
