"""A direct push that loses the branch to somebody else's release of another prompt is tried again on the new tip.

Only the branch was lost then, not the race: what this release was tested against is still live.
"""

from __future__ import annotations

from collections.abc import Callable

from promptops.errors import LostRace, RepoError
from promptops.gitstore.push import fetch
from promptops.releasing.base import Ground, ground, push_branch
from promptops.releasing.outcome import Outcome
from promptops.workspace import Workspace

TRIES = 6


def again_if_others_moved(
    workspace: Workspace,
    found: Ground,
    prompt: str,
    environment: str,
    commit: Callable[[Ground], Outcome],
) -> Outcome:
    """Commit and push, on the remote's newest state if that moved meanwhile.

    Raises:
        LostRace: this very prompt was released there by somebody else, or the branch moved too often.
        RepoError: there is no remote, or it refuses.
    """
    remote = workspace.repo.remote()
    if remote is None:
        raise RepoError("there is no remote to push to; add one with git remote add origin URL")
    began = found.here.live(prompt, environment)
    for _ in range(TRIES):
        try:
            return commit(found)
        except LostRace:
            fetch(workspace.repo, push_branch(found), remote=remote)
            found = ground(workspace, prompt, found.root, branch=None, on_release=True)
            if found.here.live(prompt, environment) != began:
                raise
    raise LostRace(f"the release branch moved {TRIES} times meanwhile; run the command again")
