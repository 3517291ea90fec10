"""From what a person writes to the versions that are meant: the one way into the resolver for every command."""

from __future__ import annotations

from dataclasses import dataclass

from promptops.errors import InvalidFile, NotFound, RepoError
from promptops.gitstore.references import Resolved, resolve, thaw
from promptops.gitstore.releases import Releases, read_releases, release_ref
from promptops.gitstore.trees import prompts
from promptops.prompts.model import Prompt
from promptops.records import Release
from promptops.report import Side
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A version that takes part in a test or a release: the prompt, and how a report names it."""

    prompt: Prompt
    side: Side
    warnings: tuple[str, ...] = ()


def find(workspace: Workspace, reference: str) -> Resolved:
    """Return what a reference means, looked up in every prompts folder.

    Raises:
        NotFound: no such prompt or version; InvalidFile: it has problems.
    """
    ref = release_ref(workspace.repo, workspace.config.release_branch)
    missing: NotFound | None = None
    for root in workspace.roots:
        try:
            return resolve(
                workspace.repo,
                reference,
                root=root,
                environments=workspace.config.environments,
                release_ref=ref.commit,
            )
        except NotFound as error:
            if missing is None or "did you mean" in str(error):
                missing = error
    assert missing is not None
    raise missing


def contender(workspace: Workspace, reference: str) -> Contender:
    """Return a version that takes part in a test, with its name for the report."""
    return as_contender(find(workspace, reference))


def as_contender(found: Resolved) -> Contender:
    side = Side(ref=found.label, version=found.version, digest=found.prompt.digest)
    return Contender(prompt=found.prompt, side=side, warnings=found.warnings)


def live_contender(workspace: Workspace, prompt: str) -> Contender | None:
    """Return what is live in the last environment, None before the first release."""
    ref = release_ref(workspace.repo, workspace.config.release_branch)
    for root in workspace.roots:
        releases = read_releases(workspace.repo, ref.commit, root=root, prompt=prompt)
        release = releases.live(prompt, workspace.config.live)
        if release is not None:
            return frozen_contender(releases, release)
    return None


def frozen_contender(releases: Releases, release: Release) -> Contender:
    """Return a released version as it was frozen."""
    prompt, warnings = thaw(releases.live_version(release), root=releases.root)
    side = Side(ref=release.environment, version=release.version, digest=release.digest)
    return Contender(prompt=prompt, side=side, warnings=warnings)


def prompt_ids(workspace: Workspace) -> tuple[str, ...]:
    """Return the ids of all prompts here, sorted.

    Raises:
        InvalidFile: a prompt file has problems.
    """
    return tuple(sorted(prompt.id for prompt in all_prompts(workspace)))


def all_prompts(workspace: Workspace) -> tuple[Prompt, ...]:
    """Return every prompt of the work tree, of HEAD in a bare repository.

    Raises:
        InvalidFile: a prompt file has problems.
    """
    commit = "HEAD" if workspace.repo.is_bare else None
    found: list[Prompt] = []
    for root in workspace.roots:
        read = prompts(workspace.repo, commit, root=root)
        if read.problems:
            raise InvalidFile(read.problems)
        found += read.prompts
    return tuple(found)


def committed_prompt(workspace: Workspace, reference: str) -> Contender:
    """Return the committed version that is to be released: HEAD's, or the one that is named.

    Raises:
        RepoError: the work tree's version of this prompt is not HEAD's.
    """
    if "@" in reference:
        return contender(workspace, reference)
    here = None if workspace.repo.is_bare else find(workspace, reference).prompt
    try:
        head = find(workspace, f"{here.id if here else reference}@git:HEAD")
    except NotFound as error:
        if here is None:
            raise
        raise RepoError(f"{here.path} is not committed yet: git add {here.path}; git commit") from error
    if here is not None and (here.digest, here.source) != (head.prompt.digest, head.prompt.source):
        raise RepoError(f"{here.path} is not as committed: commit it, or restore it, and run this again")
    return as_contender(head)
