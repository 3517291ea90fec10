"""What a release is worked out on: the branch that it is committed to, what is live there, and what truly is."""

from __future__ import annotations

from dataclasses import dataclass

from promptops.errors import RepoError
from promptops.gitstore.releases import ReleaseRef, Releases, next_version, read_releases, release_ref
from promptops.records import Release
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """`here` are the releases of the commit that the new one is put on, `live` those of the release branch."""

    root: str
    parent: str
    here: Releases
    live: Releases
    ref: ReleaseRef

    def number_for(self, prompt: str, digest: str) -> int:
        """Return the version number of a digest: the one it has, else the next free one."""
        known = self.live.number_of(prompt, digest) or self.here.number_of(prompt, digest)
        return known or next_version(prompt, self.here, self.live)


def ground(workspace: Workspace, prompt: str, root: str, *, branch: str | None, on_release: bool) -> Ground:
    """Read what a release builds on: the branch named or checked out, or the release branch for a direct push.

    Raises:
        RepoError: no commit yet, or no such branch.
    """
    repo = workspace.repo
    ref = release_ref(repo, workspace.config.release_branch)
    parent = ref.commit if on_release else repo.rev_parse(f"refs/heads/{branch}") if branch else repo.head()
    if parent is None:
        raise RepoError(
            f"no branch called {branch!r} here" if branch else "no commit yet: commit the prompt first"
        )
    return Ground(
        root=root,
        parent=parent,
        here=read_releases(repo, parent, root=root, prompt=prompt),
        live=read_releases(repo, ref.commit, root=root, prompt=prompt),
        ref=ref,
    )


def check_not_behind(found: Ground, prompt: str, environment: str) -> Release | None:
    """Return the pointer that the new release follows.

    Raises:
        RepoError: the release branch has a release that this branch lacks.
    """
    here, live = found.here.live(prompt, environment), found.live.live(prompt, environment)
    if live is not None and (here is None or here.sequence < live.sequence):
        name = found.ref.ref.removeprefix("refs/heads/").removeprefix("refs/remotes/")
        raise RepoError(
            f"{environment} has moved to v{live.version} on {name}; bring it in first: git merge {name}"
        )
    return here


def push_branch(found: Ground) -> str:
    """Return the branch that a direct push goes to.

    Raises:
        RepoError: none is known.
    """
    name = found.ref.ref
    if name.startswith("refs/remotes/"):
        return name.split("/", 3)[3]
    if not name.startswith("refs/heads/"):
        raise RepoError("there is no release branch to push to; set release_branch in promptops.yaml")
    return name.removeprefix("refs/heads/")
