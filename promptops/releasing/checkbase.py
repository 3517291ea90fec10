"""By what `verify` checks: the configuration of the base, and what it said before.

The base is the commit that `--since` names, else the release branch; and where the files of HEAD name another release
branch than the default branch does, both, so that a change cannot choose its judge. Where prompts are and who has to
sign is never read from what is checked alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptops.config import FILE_NAME, Config, parse_config
from promptops.documents import decode
from promptops.errors import InvalidFile, RepoError
from promptops.gitstore.commitrange import named
from promptops.gitstore.releases import release_ref
from promptops.gitstore.repo import Repo
from promptops.gitstore.signatures import Signers, signers_at
from promptops.gitstore.walk import walk
from promptops.workspace import Workspace, committed_workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A commit with its configuration; `past` is what that said at each commit that touched it, newest first.

    The past is empty where only what followed the commit is checked.
    """

    commit: str
    workspace: Workspace
    past: Mapping[str, Config] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The file of the configuration, from the top of the repository."""
        return _path(self.workspace)

    def roots(self) -> dict[str, str | None]:
        """Return every prompts folder there ever was, with the commit that took it out if one is known to."""
        found: dict[str, str | None] = dict.fromkeys(self.workspace.roots)
        later = None
        for commit, config in self.past.items():
            for root in replace(self.workspace, config=config).roots:
                found.setdefault(root, later)
            later = commit
        if later is not None:  # before there was a file, its defaults held
            for root in replace(self.workspace, config=Config()).roots:
                found.setdefault(root, later)
        return found

    def signers(self) -> Iterator[Signers]:
        """Yield who has to sign: everything that followed the commit, or followed from when that was wanted."""
        for environment, path in self.workspace.config.require_signed.items():
            judged = self._judged(environment) if self.past else None
            yield from signers_at(self.workspace.repo, self.commit, {environment: path}, judged=judged)

    def _judged(self, environment: str) -> frozenset[str]:
        """Return the commits of HEAD that had to be signed.

        Those are all that follow a commit that wanted it, and all that reached the base after it had been wanted
        there: else a branch that left before could still bring what nobody signed.
        """
        repo = self.workspace.repo
        wanting = [oid for oid, config in self.past.items() if environment in config.require_signed]
        reached = {one.oid for one in walk(repo, self.commit, self.path, only_branch=True)}
        found: set[str] = set()
        for first in [oid for oid in wanting if oid in reached][-1:]:
            found.update(_listed(repo, f"^{first}", "HEAD"))
        for oid in wanting:
            if oid not in found:
                found.update(_listed(repo, "--ancestry-path", f"^{oid}", "HEAD"))
        return frozenset(found)


def bases_of(workspace: Workspace, since: str | None) -> tuple[Base, ...]:
    """Return what decides by what is checked; nothing before the first commit.

    Raises:
        RepoError: there is no such commit.
        InvalidFile: a base's configuration has problems.
    """
    repo = workspace.repo
    if since is not None:
        commit = named(repo, since)
        if commit is None:
            raise RepoError(f"there is no commit {since!r} here; fetch it, or check out with fetch-depth: 0")
        return (Base(commit=commit, workspace=_as_of(workspace, commit)),)
    refs = (release_ref(repo), release_ref(repo, workspace.config.release_branch))
    commits = dict.fromkeys(one.commit for one in refs if one.commit is not None)
    known = [(commit, _as_of(workspace, commit)) for commit in commits]
    return tuple(Base(commit=commit, workspace=one, past=_past(one, commit)) for commit, one in known)


def looked_into(bases: Sequence[Base]) -> dict[str, str]:
    """Return commit → what people say of it who have looked into it, as far as all bases agree on that."""
    said = [one.workspace.config.looked_into for one in bases]
    return {
        commit: why
        for one in said[:1]
        for commit, why in one.items()
        if all(commit in other for other in said)
    }


def _as_of(workspace: Workspace, commit: str) -> Workspace:
    """Return the workspace with the configuration that a commit has."""
    repo = workspace.repo
    place = repo.home if repo.is_bare else workspace.folder
    return committed_workspace(repo, commit, place, workspace.environ)


def _path(workspace: Workspace) -> str:
    return f"{workspace.base}/{FILE_NAME}".removeprefix("/")


def _past(known: Workspace, commit: str) -> dict[str, Config]:
    repo, path = known.repo, _path(known)
    written = {one.oid: one.changes[path] for one in walk(repo, commit, path) if path in one.changes}
    texts = repo.read_many(entry.oid for entry in written.values() if entry is not None)
    configs = {oid: _read(text, path) for oid, text in texts.items()}
    found = {oid: Config() if entry is None else configs.get(entry.oid) for oid, entry in written.items()}
    return {oid: config for oid, config in found.items() if config is not None}


def _read(text: bytes, path: str) -> Config | None:
    """Return a configuration of the past; None for one that nobody could work with: the next says it again."""
    try:
        return parse_config(decode(text, path=path), path=path)
    except InvalidFile:
        return None


def _listed(repo: Repo, *words: str) -> list[str]:
    return repo.read("rev-list", *words).decode().split()
