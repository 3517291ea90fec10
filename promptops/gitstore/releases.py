"""What is live: the branch that decides, the release files of a commit, and the files of the next release.

The folder `ROOT/releases/ID/` holds `ENV.yaml` (the pointer), `vN.yaml` (frozen) and `evidence/HEX.json`.
Everything that a rollback needs is in the tree of one commit: no history, no tags, no network. Nothing here
decides what may go live.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from promptops.errors import IntegrityError, InvalidInput, NotFound, RepoError, did_you_mean
from promptops.gitstore.repo import Repo
from promptops.records import (
    Evidence,
    Release,
    Version,
    canonical,
    evidence_name,
    parse_evidence,
    parse_release,
    parse_version,
    sha256,
)

_VERSION: Final = re.compile(r"v([1-9][0-9]{0,8})\.yaml")
_POINTER: Final = re.compile(r"(?!v[0-9]+\.yaml)([a-z0-9][a-z0-9-]*)\.yaml")
_DIGEST: Final = re.compile(rb"^digest: (sha256:[0-9a-f]{64})\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRef:
    """The ref that says what is live; `commit` is None before the first commit, `note` is for people."""

    ref: str
    commit: str | None
    note: str | None = None
    remote: str | None = None

    @property
    def shown(self) -> str:
        """Its name as people write it: `main`, `origin/main`."""
        return self.ref.removeprefix("refs/heads/").removeprefix("refs/remotes/")

    @property
    def branch(self) -> str | None:
        """The branch's name, here and at its remote; None where only a commit is checked out."""
        if not self.ref.startswith("refs/"):
            return None
        return self.ref.removeprefix("refs/heads/").removeprefix(f"refs/remotes/{self.remote}/")


def release_ref(repo: Repo, configured: str | None = None) -> ReleaseRef:
    """Return the ref of the release branch.

    The remote's state of it where there is a remote, else the local branch; not configured, the remote's
    default branch, else the local main or master, else, where there is no remote, the branch that is checked
    out. A clone that has none of these (of one branch only, or detached in CI) is read as it is, with a note.

    Raises:
        RepoError: the configured branch exists nowhere.
    """
    remote = repo.remote()
    names = [configured] if configured else ["main", "master"]
    tracking = [f"refs/remotes/{remote}/{name}" for name in ([] if configured else ["HEAD"]) + names]
    heads = [f"refs/heads/{name}" for name in names]
    found = repo.refs(*(tracking if remote else []), *heads)
    for ref in (*tracking, *heads):
        if ref in found:
            commit, target = found[ref]
            return ReleaseRef(ref=target or ref, commit=commit, remote=remote)
    head, current = repo.head(), repo.branch()
    if configured and current and head and not repo.is_shallow:
        hint = did_you_mean(configured, repo.names())
        raise RepoError(
            f"release_branch: no branch called {configured!r}{hint}; fetch it, or correct promptops.yaml"
        )
    if configured or current is None or remote:
        note = f"the release branch {configured or ''} is not in this clone".replace("  ", " ")
        return ReleaseRef(ref="HEAD", commit=head, note=f"{note}: what is checked out decides what is live")
    return ReleaseRef(ref=f"refs/heads/{current}", commit=head)


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """The release files of one commit, as bytes; read and checked when they are asked for."""

    root: str
    files: Mapping[str, bytes]

    def ids(self) -> tuple[str, ...]:
        """Return the prompts that have releases."""
        start = len(folder(self.root)) + 1
        return tuple(sorted({path[start:].split("/")[0] for path in self.files}))

    def environments(self, prompt: str) -> tuple[str, ...]:
        """Return the environments in which a prompt is live."""
        return tuple(sorted(match[1] for match in self._matches(prompt, _POINTER)))

    def numbers(self, prompt: str) -> tuple[int, ...]:
        """Return the numbers of a prompt's versions, ascending."""
        return tuple(sorted(int(match[1]) for match in self._matches(prompt, _VERSION)))

    def live(self, prompt: str, environment: str) -> Release | None:
        """Return the pointer of a prompt in an environment.

        Raises:
            InvalidFile: it cannot be read.
            IntegrityError: it is the pointer of something else.
        """
        path = pointer_path(self.root, prompt, environment)
        if path not in self.files:
            return None
        release = parse_release(self.files[path], path=path)
        if (release.id, release.environment) != (prompt, environment):
            raise IntegrityError(
                f"{path}: is the pointer of {release.id} in {release.environment}; restore it from git"
            )
        return release

    def version(self, prompt: str, number: int) -> Version:
        """Return a frozen version.

        Raises:
            NotFound: there is no such version.
            InvalidFile: its file cannot be read.
            IntegrityError: its digest is not that of its body, or it is another prompt's.
        """
        path = version_path(self.root, prompt, number)
        if path not in self.files:
            known = [f"v{one}" for one in self.numbers(prompt)]
            hint = f"there is {', '.join(known[-8:])}" if known else "it was never released"
            raise NotFound(f"version of {prompt}", f"v{number}", hint=hint)
        version = parse_version(self.files[path], path=path)
        if (version.id, version.version) != (prompt, number):
            raise IntegrityError(f"{path}: is v{version.version} of {version.id}; restore it from git")
        return version

    def live_version(self, release: Release) -> Version:
        """Return the version that a pointer names.

        Raises:
            NotFound, InvalidFile, IntegrityError: as `version`, or the digests differ.
        """
        version = self.version(release.id, release.version)
        if version.digest != release.digest:
            path = pointer_path(self.root, release.id, release.environment)
            raise IntegrityError(
                f"{path}: its digest is not that of v{release.version}; run promptops verify"
            )
        return version

    def digest_of(self, prompt: str, number: int) -> str | None:
        """Return the digest that a version file states, unchecked."""
        found = _DIGEST.search(self.files.get(version_path(self.root, prompt, number), b""))
        return found[1].decode() if found else None

    def number_of(self, prompt: str, digest: str) -> int | None:
        """Return the number under which a digest was frozen; the lowest if there are two."""
        return next((one for one in self.numbers(prompt) if self.digest_of(prompt, one) == digest), None)

    def evidence(self, prompt: str, digest: str) -> Evidence | None:
        """Return the evidence with this hash.

        Raises:
            InvalidFile: it cannot be read.
            IntegrityError: its bytes have another hash.
        """
        path = evidence_path(self.root, prompt, digest)
        content = self.files.get(path)
        return None if content is None else parse_evidence(content, path=path, digest=digest)

    def evidence_of(self, prompt: str, digest: str) -> list[tuple[str, Evidence]]:
        """Return all evidence about a version, by its hash, in no order.

        Raises:
            InvalidFile: one cannot be read.
        """
        return [(name, found) for name, found in self.all_evidence(prompt) if found.candidate == digest]

    def all_evidence(self, prompt: str) -> list[tuple[str, Evidence]]:
        """Return all evidence about a prompt's versions, by its hash, in no order.

        Raises:
            InvalidFile: one cannot be read.
        """
        start = f"{folder(self.root)}/{prompt}/evidence/"
        contents = {path: data for path, data in self.files.items() if path.startswith(start)}
        return [(sha256(data), parse_evidence(data, path=path)) for path, data in contents.items()]

    def _matches(self, prompt: str, pattern: re.Pattern[str]) -> list[re.Match[str]]:
        start = f"{folder(self.root)}/{prompt}/"
        names = (path.removeprefix(start) for path in self.files if path.startswith(start))
        return [match for name in names if (match := pattern.fullmatch(name))]


def read_releases(
    repo: Repo, ref: str | None, *, root: str = "prompts", prompt: str | None = None
) -> Releases:
    """Read the release files of a commit, of one prompt or of all; two git processes.

    `ref` None (a repository without a commit) has none.

    Raises:
        RepoError: no such commit.
    """
    if ref is None:
        return Releases(root=root, files={})
    under = f"{folder(root)}/{prompt}" if prompt else folder(root)
    entries = {path: entry.oid for path, entry in repo.tree(ref, under).items() if entry.is_file}
    contents = repo.read_many(entries.values()) if entries else {}
    files = {path: contents[oid] for path, oid in entries.items() if oid in contents}
    if len(files) < len(entries):
        raise RepoError(f"{under}: objects are missing; fetch them with git fetch")
    return Releases(root=root, files=files)


def next_version(prompt: str, *places: Releases) -> int:
    """Return the first number that none of these has; give the release branch and the branch to commit on."""
    return max((number for place in places for number in place.numbers(prompt)), default=0) + 1


def release_files(
    root: str, release: Release, *, version: Version | None = None, evidence: Evidence | None = None
) -> dict[str, bytes]:
    """Return path → content of one release: the pointer, and what it names as far as that is new.

    Raises:
        InvalidInput: the parts do not belong together, or cannot be read back.
    """
    pointer = pointer_path(root, release.id, release.environment)
    files = {pointer: canonical(release)}
    if parse_release(files[pointer], path=pointer) != release:
        raise InvalidInput("this release does not survive being written")
    if version is not None:
        if (version.id, version.version, version.digest) != (release.id, release.version, release.digest):
            raise InvalidInput(f"v{version.version} of {version.id} is not what this release points at")
        path = version_path(root, version.id, version.version)
        files[path] = canonical(version)
        if parse_version(files[path], path=path) != version:
            raise InvalidInput(f"v{version.version} of {version.id} does not survive being written")
    if evidence is not None:
        content = canonical(evidence)
        if sha256(content) != release.evidence or evidence.prompt != release.id:
            raise InvalidInput("this evidence is not the one that the release names")
        files[evidence_path(root, release.id, sha256(content))] = content
    return files


def folder(root: str) -> str:
    """Return the folder of all releases under a prompts root."""
    return "releases" if root in ("", ".") else f"{root}/releases"


def pointer_path(root: str, prompt: str, environment: str) -> str:
    return f"{folder(root)}/{prompt}/{environment}.yaml"


def version_path(root: str, prompt: str, number: int) -> str:
    return f"{folder(root)}/{prompt}/v{number}.yaml"


def evidence_path(root: str, prompt: str, digest: str) -> str:
    return f"{folder(root)}/{prompt}/evidence/{evidence_name(digest)}"
