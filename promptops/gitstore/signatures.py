"""Who signed the commits of releases: a key that the base allows, or nobody.

Git itself checks the signatures, all in one process: SSH against a file of allowed signers as `ssh-keygen` reads
it, GPG against the keyring of whoever checks. Of GPG such a file cannot speak, so one more kind of line is ours:
`NAMES openpgp FINGERPRINT`. Refused is whatever is not shown to be signed by one of them, also for lack of a program.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptops.gitstore.findings import Finding, error
from promptops.gitstore.repo import Repo

_GPG_LINE: Final = re.compile(
    r"[ \t]*[^\s#]\S*[ \t]+openpgp[ \t]+(?:0x)?([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})[ \t\r]*(?:#.*)?"
)
_FORM: Final = "--format=%H%x00%G?%x00%GF%x00%GP%x00%GK"
_WHY: Final = {
    "N": "is not signed",
    "B": "has a signature that does not fit: the commit or the signature was changed",
    "X": "has a signature that has expired",
    "R": "is signed with a key that was revoked",
    "E": "is signed with a key that is not known here; bring it into the keyring with gpg --import",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
    """Who may sign releases to an environment: a file's path and content, None where there is no such file.

    `judged` are the commits that must be signed, None: all of them.
    """

    environment: str
    path: str
    content: bytes | None
    judged: frozenset[str] | None = None


def signers_at(
    repo: Repo, commit: str, required: Mapping[str, str], *, judged: frozenset[str] | None = None
) -> tuple[Signers, ...]:
    """Read who may sign, as a commit has it; `required` is environment → path from the top of the repository."""
    names = {environment: f"{commit}:{path}" for environment, path in required.items()}
    contents = repo.read_many(names.values())
    return tuple(
        Signers(environment=environment, path=path, content=contents.get(names[environment]), judged=judged)
        for environment, path in sorted(required.items())
    )


def unsigned(
    repo: Repo, releases: Iterable[tuple[str, str]], signers: Iterable[Signers]
) -> Iterator[Finding]:
    """Yield the releases (path and commit) that nobody signed who may.

    The message says which key it was, if any.
    """
    wanted = list(releases)
    for one in signers:
        name = f"/{one.environment}.yaml"
        mine = [
            (path, oid)
            for path, oid in wanted
            if path.endswith(name) and (one.judged is None or oid in one.judged)
        ]
        if mine and one.content is None:
            yield error(one.path, f"names who may sign releases to {one.environment}, and is not in the base")
        elif mine:
            yield from _unsigned(repo, mine, one)


def _unsigned(repo: Repo, releases: list[tuple[str, str]], signers: Signers) -> Iterator[Finding]:
    content = (signers.content or b"").decode(errors="surrogateescape")
    commits = list(dict.fromkeys(oid for _, oid in releases))
    kinds = {oid: _kind(text, oid) for oid, text in repo.read_many(commits).items()}
    # Not splitlines(): what follows U+2028 or a form feed looks like the rest of a comment, and is.
    lines = content.split("\n")
    fingerprints = {found[1].upper() for line in lines if (found := _GPG_LINE.fullmatch(line))}
    rows = _checked(repo, commits, [line for line in lines if not _GPG_LINE.fullmatch(line)])
    for path, oid in releases:
        wrong = _wrong(kinds.get(oid, ""), rows.get(oid, ["N", "", "", ""]), fingerprints, signers)
        if wrong:
            who = f"a release to {signers.environment} must be signed by one of {signers.path}"
            yield error(path, f"{who}; its commit {wrong}", oid)


def _checked(repo: Repo, commits: list[str], lines: list[str]) -> dict[str, list[str]]:
    """Return commit → git's letter, fingerprint, primary fingerprint, key; `lines` are those of ssh-keygen."""
    with tempfile.TemporaryDirectory(prefix="promptops-") as folder:
        allowed = Path(folder) / "allowed_signers"
        allowed.write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
        settings = ("-c", f"gpg.ssh.allowedSignersFile={allowed}")
        raw = repo.read(
            *settings, "log", "--no-walk=unsorted", _FORM, "--stdin", stdin="\n".join(commits).encode()
        )
    rows = [line.split("\0") for line in raw.decode(errors="replace").split("\n") if line.count("\0") == 4]
    return {oid: rest for oid, *rest in rows}


def _wrong(kind: str, row: list[str], fingerprints: set[str], signers: Signers) -> str:
    """Say why a signature does not do; empty where it does."""
    letter, fingerprint, primary, key = row
    if kind == "SSH":
        if letter == "G":
            return ""
        if shutil.which("ssh-keygen") is None:
            return "cannot be checked: ssh-keygen is not installed"
        # Git says U of a good signature with a key that nobody is known to have.
        return (
            f"is signed with {key or 'a key'} that stands not there"
            if letter == "U"
            else _WHY.get(letter, _WHY["B"])
        )
    if kind == "PGP":
        if letter in "GUY":  # of a key that has expired since, the listing says that it counted
            known = {fingerprint.upper(), primary.upper()} & fingerprints
            return "" if known else f"is signed with {fingerprint or key} that stands not there"
        if shutil.which("gpg") is None:
            return "cannot be checked: gpg is not installed"
        return _WHY.get(letter, _WHY["B"])
    return f"has a signature of another kind than SSH and GPG ({kind.lower()})" if kind else _WHY["N"]


def _kind(commit: bytes, oid: str) -> str:
    """Return what kind of signature a commit carries, empty for none; under the name by which git looks for it."""
    name = b"gpgsig-sha256" if len(oid) == 64 else b"gpgsig"
    head = commit.split(b"\n\n", 1)[0]
    found = re.search(rb"^%s -----BEGIN ([A-Z ]+?)(?: SIGNATURE| MESSAGE)-----" % name, head, re.MULTILINE)
    return found[1].decode() if found else ""
