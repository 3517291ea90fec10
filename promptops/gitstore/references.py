"""The one resolver: what a person writes → the prompt that is meant.

`ID` the work tree (HEAD in a bare repository) · `ID@production` · `ID@v12` · `ID@main`, `ID@HEAD~3`,
`ID@1a2b3c4` · `ID@sha256:…` · `ID@git:NAME`. Looked up in this order: environment, version, git; a name that
is two things is answered by the first, with a warning. The id is the identity: where the file stood does not
matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from promptops.errors import InvalidFile, InvalidInput, NotFound, Problem, RepoError
from promptops.gitstore.releases import Releases, read_releases
from promptops.gitstore.repo import Repo
from promptops.gitstore.trees import (
    TextTree,
    WorkTree,
    glance,
    guess_id,
    holds_prompt,
    mentions,
    open_tree,
    prompts,
    read_prompt,
)
from promptops.prompts.model import Prompt, PromptSpec
from promptops.prompts.paths import is_prompt_path, places, stem
from promptops.records import Release, Version, short

_VERSION = re.compile(r"v([1-9][0-9]{0,8})")
_DIGEST = re.compile(r"sha256:([0-9a-f]{8,64})")
_FROM_BODY = ("model", "parameters", "template", "inputs", "messages", "tools", "response_format")


class RefKind(StrEnum):
    """What a reference turned out to be."""

    WORKTREE = "worktree"
    ENVIRONMENT = "environment"
    VERSION = "version"
    GIT = "git"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The prompt that is meant, and what is known about it.

    `version` is the number under which exactly this digest was released, None if it never was. `release` is
    the pointer, for an environment only; `commit` is for git only. `label` is for people: `production v12`.
    """

    id: str
    kind: RefKind
    prompt: Prompt
    label: str
    version: int | None = None
    commit: str | None = None
    environment: str | None = None
    release: Release | None = None
    warnings: tuple[str, ...] = ()


def resolve(
    repo: Repo,
    reference: str,
    *,
    root: str = "prompts",
    environments: Sequence[str] = ("production",),
    release_ref: str | None = None,
) -> Resolved:
    """Return what a reference means; `release_ref` is the ref or commit that says what is live (HEAD).

    Raises:
        NotFound: no such prompt, environment, version or commit; the nearest names are suggested.
        InvalidFile: the prompt that is meant has problems, or two files have its id.
        IntegrityError: a frozen version is not what its digest says.
        RepoError: git cannot say.
    """
    name, _, rest = reference.partition("@")
    if is_prompt_path(name):
        name = _id_of(repo, name, root)
    asked = _Asked(repo=repo, id=name, root=root, environments=tuple(environments), release_ref=release_ref)
    if "@" not in reference:
        return asked.at_commit("HEAD") if repo.is_bare else asked.work_tree()
    if rest.startswith("git:"):
        return asked.at_commit(rest.removeprefix("git:"))
    if rest in asked.environments:
        return asked.environment(rest)
    if _VERSION.fullmatch(rest):
        return asked.version(int(rest[1:]))
    if rest.startswith("sha256:"):
        return asked.digest(rest)
    return asked.at_commit(rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One prompt asked for; each method is one kind of reference."""

    repo: Repo
    id: str
    root: str
    environments: tuple[str, ...]
    release_ref: str | None

    def work_tree(self) -> Resolved:
        prompt = find_prompt(self.repo, self.id, None, root=self.root)
        number = self._released().number_of(self.id, prompt.digest)
        return Resolved(id=self.id, kind=RefKind.WORKTREE, prompt=prompt, label="work tree", version=number)

    def at_commit(self, name: str) -> Resolved:
        commit = self.repo.rev_parse(name)
        if commit is None:
            raise self._unknown(name)
        prompt = find_prompt(self.repo, self.id, commit, root=self.root, name=name)
        number = self._released(commit).number_of(self.id, prompt.digest)
        label = name if commit.startswith(name) else f"{name} ({commit[:7]})"
        return Resolved(
            id=self.id, kind=RefKind.GIT, prompt=prompt, label=label, version=number, commit=commit
        )

    def environment(self, name: str) -> Resolved:
        releases = self._released(only_live=True)
        release = releases.live(self.id, name)
        if release is None:
            raise self._not_live(name)
        prompt, warnings = thaw(releases.live_version(release), root=self.root)
        return Resolved(
            id=self.id,
            kind=RefKind.ENVIRONMENT,
            prompt=prompt,
            label=f"{name} v{release.version}",
            version=release.version,
            environment=name,
            release=release,
            warnings=(*warnings, *self._also_git(name, "environment")),
        )

    def version(self, number: int) -> Resolved:
        releases, name = self._released(), f"v{number}"
        if number not in releases.numbers(self.id):
            if self.repo.rev_parse(name):
                return self.at_commit(name)
            self._known_id(releases)
        prompt, warnings = thaw(releases.version(self.id, number), root=self.root)
        warnings = (*warnings, *self._also_git(name, "version"))
        return Resolved(
            id=self.id, kind=RefKind.VERSION, prompt=prompt, label=name, version=number, warnings=warnings
        )

    def digest(self, text: str) -> Resolved:
        if not _DIGEST.fullmatch(text):
            raise InvalidInput(f"{text!r}: a digest is sha256: and at least 8 hex digits")
        releases = self._released()
        digests = {number: releases.digest_of(self.id, number) or "" for number in releases.numbers(self.id)}
        found = {digest: number for number, digest in reversed(digests.items()) if digest.startswith(text)}
        if len(found) > 1:
            raise InvalidInput(
                f"{text} is the beginning of {len(found)} digests of {self.id}; write more of it"
            )
        label = text[:19]
        for digest, number in found.items():
            prompt, warnings = thaw(releases.version(self.id, number), root=self.root)
            return Resolved(
                id=self.id,
                kind=RefKind.DIGEST,
                prompt=prompt,
                label=f"sha256:{short(digest)}",
                version=number,
                warnings=warnings,
            )
        for commit in (None, "HEAD"):
            prompt_here = self._if_there(commit)
            if prompt_here is not None and prompt_here.digest.startswith(text):
                return Resolved(id=self.id, kind=RefKind.DIGEST, prompt=prompt_here, label=label)
        self._known_id(releases)
        raise NotFound(
            f"released version of {self.id}", text, [digest[: len(text)] for digest in digests.values()]
        )

    def _if_there(self, commit: str | None) -> Prompt | None:
        try:
            return find_prompt(self.repo, self.id, commit, root=self.root)
        except (NotFound, InvalidFile, RepoError):
            return None

    def _released(self, here: str | None = "HEAD", *, only_live: bool = False) -> Releases:
        """Read the releases of the release branch and, for numbers, those that only `here` has."""
        deciding = self.release_ref or self.repo.head()
        live = read_releases(self.repo, deciding, root=self.root, prompt=self.id)
        commit = self.repo.rev_parse(here) if here and not only_live else None
        if commit is None or commit == deciding:
            return live
        more = read_releases(self.repo, commit, root=self.root, prompt=self.id)
        return Releases(root=self.root, files={**more.files, **live.files})

    def _also_git(self, name: str, kind: str) -> tuple[str, ...]:
        if self.repo.rev_parse(name) is None:
            return ()
        meant = f"{name!r} is {'an' if kind == 'environment' else 'a'} {kind} and a name in git"
        return (f"{meant}; the {kind} is meant, write {self.id}@git:{name} for the other",)

    def _known_id(self, releases: Releases) -> None:
        """Complain about the id rather than the version if it is the id that is not there."""
        if releases.numbers(self.id) or self._if_there(None if not self.repo.is_bare else "HEAD"):
            return
        known = known_ids(self.repo, None if not self.repo.is_bare else "HEAD", root=self.root)
        raise NotFound("prompt", self.id, known)

    def _not_live(self, name: str) -> NotFound:
        releases = self._released()
        self._known_id(releases)
        hint = f"it was never released there: promptops promote {self.id} -e {name}"
        elsewhere = [f"{self.id}@{one}" for one in releases.environments(self.id)]
        return NotFound("release", f"{self.id}@{name}", elsewhere, hint=hint)

    def _unknown(self, name: str) -> NotFound:
        releases = self._released()
        self._known_id(releases)
        numbers = [f"v{number}" for number in releases.numbers(self.id)]
        known = [*self.environments, *numbers, *self.repo.names()]
        return NotFound("environment, version or git name", name, known)


def find_prompt(
    repo: Repo, prompt: str, commit: str | None, *, root: str = "prompts", name: str | None = None
) -> Prompt:
    """Return the prompt with an id in the work tree (None) or a commit; only files that can be it are parsed.

    Raises:
        NotFound: no file has this id.
        InvalidFile: its file has problems, or two files have this id.
    """
    found: list[Prompt] = []
    problems: list[Problem] = []
    with open_tree(repo, commit, root) as tree:
        contents = glance(tree, root)
        for path in (path for path, content in contents.items() if mentions(content, path, prompt)):
            try:
                read = read_prompt(tree, path, root=root)
                found += [read] if read.id == prompt else []
            except InvalidFile as error:
                problems += error.problems if prompt in (stem(path), guess_id(contents[path], path)) else []
    if len(found) == 1:
        return found[0]
    if found:
        others = " and ".join(one.path for one in found[1:])
        problems.append(Problem(found[0].path, 0, 0, f"the id {prompt!r} is also that of {others}"))
    if problems:
        raise InvalidFile(problems)
    known = [guess_id(content, path) for path, content in contents.items()]
    raise NotFound("prompt", prompt, known, hint=f"there is none at {name}" if name else "")


def known_ids(repo: Repo, commit: str | None, *, root: str = "prompts") -> list[str]:
    """Return the ids of a tree by a glance at the files, for suggestions."""
    with open_tree(repo, commit, root) as tree:
        return [guess_id(content, path) for path, content in glance(tree, root).items()]


def _id_of(repo: Repo, path: str, root: str) -> str:
    """Return the id of a file that was named by its path."""
    if repo.is_bare:
        return stem(path)
    if not holds_prompt(path, root):
        raise InvalidFile([Problem(path, 0, 0, f"is no prompt file below {root}/")])
    return read_prompt(WorkTree(repo), path, root=root).id


def thaw(version: Version, *, root: str = "prompts") -> tuple[Prompt, tuple[str, ...]]:
    """Return a frozen version as a prompt, and a warning if today's parser reads its source differently.

    Then the prompt is made from the frozen body alone: what reaches the model is what was released.

    Raises:
        InvalidFile: neither source nor body make a prompt.
    """
    try:
        texts = {
            places(name, path=version.path, root=root)[0]: f"{text}\n"
            for name, text in version.partials.items()
        }
        tree = TextTree({**texts, version.path: version.source})
        prompt = read_prompt(tree, version.path, root=root)
        if prompt.digest == version.digest:
            return prompt, ()
    except (InvalidFile, ValueError):
        pass
    try:
        spec = PromptSpec.model_validate(
            {key: version.body[key] for key in _FROM_BODY if key in version.body}
        )
    except ValidationError as error:
        words = f"v{version.version}: its frozen body is no prompt: {error.errors()[0]['msg']}"
        raise InvalidFile([Problem(version.path, 0, 0, words)]) from error
    prompt = Prompt(
        id=version.id,
        path=version.path,
        source=version.source,
        spec=spec,
        digest=version.digest,
        body=version.body,
        partials=version.partials,
    )
    return prompt, (f"v{version.version} was frozen by another promptops; its frozen body is used",)


__all__ = ["RefKind", "Resolved", "find_prompt", "known_ids", "prompts", "resolve", "thaw"]
