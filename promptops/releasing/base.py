"""What a release is worked out on: the branch that it is committed to, what is live there, and what truly is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promptops.errors import RepoError
from promptops.gitstore.push import fetch
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
    """Return the ref that says what is live; for a direct push one that a checkout in CI lacks is fetched.

    Raises:
        RepoError: it is in no clone, and the remote cannot be reached.
    """
    repo, name = workspace.repo, workspace.config.release_branch
    ref, remote = release_ref(repo, name), repo.remote()
    if on_release and name and remote and not ref.ref.startswith("refs/"):
        fetch(repo, name, remote=remote)
        return release_ref(repo, name)
    return ref


def base_commit(workspace: Workspace, ref: ReleaseRef, *, branch: str | None, on_release: bool) -> str:
    """Return the commit that a release is put on.

    Raises:
        RepoError: no commit yet, or no such branch.
    """
    repo = workspace.repo
    parent = ref.commit if on_release else repo.rev_parse(f"refs/heads/{branch}") if branch else repo.head()
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
        name = found.ref.ref.removeprefix("refs/heads/").removeprefix("refs/remotes/")
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
    name = found.ref.ref
    if name.startswith("refs/remotes/"):
        return name.split("/", 3)[3]
    if not name.startswith("refs/heads/"):
        raise RepoError("there is no release branch to push to; set release_branch in promptops.yaml")
    return name.removeprefix("refs/heads/")
