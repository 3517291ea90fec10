"""What a release is worked out on: the branch that it is committed to, what is live there, and what truly is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promptops.errors import RepoError
from promptops.gitstore.moving import branch_to_move
from promptops.gitstore.push import default_branch, fetch
from promptops.gitstore.releases import ReleaseRef, Releases, next_version, read_releases, release_ref
from promptops.records import Release
from promptops.succession import link
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """`here` are a prompt's releases in the commit that a new one is put on, `live` those of the release branch."""

    prompt: str
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
    """Read what a release of one prompt builds on; errors as `grounds`."""
    return grounds(workspace, {prompt: root}, branch=branch, on_release=on_release)[0]


def grounds(
    workspace: Workspace, prompts: Mapping[str, str], *, branch: str | None, on_release: bool
) -> tuple[Ground, ...]:
    """Read what releases of some prompts (id → prompts folder) build on, all on one commit.

    That is the branch named or checked out, or the release branch for a direct push.

    Raises:
        RepoError: no commit yet, or no such branch.
    """
    repo = workspace.repo
    ref = where_live(workspace, on_release=on_release)
    parent = base_commit(workspace, ref, branch=branch, on_release=on_release)
    found = []
    for prompt, root in prompts.items():
        here = read_releases(repo, parent, root=root, prompt=prompt)
        live = here if ref.commit == parent else read_releases(repo, ref.commit, root=root, prompt=prompt)
        found.append(Ground(prompt=prompt, root=root, parent=parent, here=here, live=live, ref=ref))
    return tuple(found)


def where_live(workspace: Workspace, *, on_release: bool) -> ReleaseRef:
    """Return the ref that says what is live; for a direct push one that this clone lacks is fetched.

    Raises:
        RepoError: there is no remote to push to, or the ref is not here and cannot be fetched.
    """
    repo = workspace.repo
    ref = release_ref(repo, workspace.config.release_branch)
    if not on_release:
        return ref
    remote = remote_to_push_to(workspace)
    if ref.branch is not None:
        return ref
    name = workspace.config.release_branch or default_branch(repo, remote=remote)
    if name is not None:
        commit = fetch(repo, name, remote=remote)
        return ReleaseRef(ref=f"refs/remotes/{remote}/{name}", commit=commit, remote=remote)
    current = repo.branch()  # the remote is empty: what is checked out becomes its first branch
    return ReleaseRef(ref=f"refs/heads/{current}", commit=ref.commit) if current else ref


def remote_to_push_to(workspace: Workspace) -> str:
    """Return the remote that a direct push goes to.

    Raises:
        RepoError: there is none, or nobody can tell which.
    """
    if (remote := workspace.repo.remote()) is not None:
        return remote
    if names := workspace.repo.remotes():
        listed = ", ".join(names)
        raise RepoError(f"which of {listed} counts? call it origin: git remote rename {names[0]} origin")
    raise RepoError("there is no remote to push to; add one with git remote add origin URL")


def base_commit(workspace: Workspace, ref: ReleaseRef, *, branch: str | None, on_release: bool) -> str:
    """Return the commit that a release is put on.

    Raises:
        RepoError: no commit yet, no such branch, or a detached HEAD and no branch named.
    """
    repo = workspace.repo
    parent = ref.commit if on_release else repo.rev_parse(f"refs/heads/{branch_to_move(repo, branch)}")
    if parent is None:
        raise RepoError(
            f"no branch called {branch!r} here" if branch else "no commit yet: commit the prompt first"
        )
    return parent


def check_not_behind(found: Ground, environment: str) -> Release | None:
    """Return the pointer that the new release follows.

    Raises:
        RepoError: the release branch has a release that this branch lacks.
    """
    here, live = found.here.live(found.prompt, environment), found.live.live(found.prompt, environment)
    if live is not None and not (here is not None and _leads_to(live, here)):
        name = found.ref.shown
        raise RepoError(
            f"{environment} has moved to v{live.version} on {name}; bring it in first: git merge {name}"
        )
    return here


def _leads_to(live: Release, here: Release) -> bool:
    """Whether a pointer is, or comes after, another; how it got further than one step is for `verify` to see."""
    if here.sequence <= live.sequence:
        return here == live
    return here.sequence > live.sequence + 1 or here.previous == link(live)


def push_branch(found: Ground) -> str:
    """Return the branch that a direct push goes to.

    Raises:
        RepoError: none is known.
    """
    if found.ref.branch is None:
        raise RepoError("there is no release branch to push to; set release_branch in promptops.yaml")
    return found.ref.branch
