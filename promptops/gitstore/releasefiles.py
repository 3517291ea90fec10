"""One release file at a time: what its path says it is, what its bytes say, and whether the two fit.

And what a pointer names: its version, the evidence that carries it, and what it can be rolled back to. Every file
is read once, however many commits have it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from promptops.errors import InvalidFile, PromptopsError
from promptops.gitstore.releases import evidence_path, folder, version_path
from promptops.gitstore.repo import TreeEntry
from promptops.gitstore.walk import State
from promptops.records import (
    Evidence,
    Release,
    Version,
    as_written,
    check_body,
    evidence_name,
    parse_evidence,
    parse_release,
    parse_version,
    sha256,
    short,
)

_PATH: Final = re.compile(
    r"(?P<id>[a-z0-9][a-z0-9-]*)/(?:v(?P<number>[1-9][0-9]{0,8})\.yaml"
    r"|evidence/(?P<hex>[0-9a-f]{16})\.json|(?P<environment>[a-z0-9][a-z0-9-]*)\.yaml)"
)
_OVERRULED: Final = {"inconclusive": "accepted", "regression": "forced"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a path says a file is: a version (`number`), evidence (`hex`) or a pointer (`environment`)."""

    id: str
    number: int | None
    hex: str | None
    environment: str | None


@lru_cache(maxsize=100_000)
def place_of(path: str, root: str) -> Place | None:
    """Return what a path says, None for one that no release file has."""
    match = _PATH.fullmatch(path.removeprefix(f"{folder(root)}/"))
    if match is None:
        return None
    number = int(match["number"]) if match["number"] else None
    return Place(id=match["id"], number=number, hex=match["hex"], environment=match["environment"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A file: its record if it can be read, its hash, and what is wrong with it alone."""

    record: Version | Release | Evidence | None = None
    sha256: str = ""
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Looks at release files; `content` gives an object's bytes, None for one that is not here."""

    root: str
    content: Callable[[str], bytes | None]
    _seen: dict[tuple[str, TreeEntry], Seen] = field(default_factory=dict)

    def look(self, path: str, entry: TreeEntry) -> Seen:
        key = path, entry
        if key not in self._seen:
            self._seen[key] = self._look(path, entry)
        return self._seen[key]

    def pointer(self, path: str, entry: TreeEntry | None) -> Release | None:
        record = self.look(path, entry).record if entry is not None else None
        return record if isinstance(record, Release) else None

    def pointers(self, files: State) -> dict[str, Release]:
        """Return path → pointer of one prompt's files."""
        found = {}
        for path, entry in files.items():
            place = place_of(path, self.root)
            if place is not None and place.environment and (release := self.pointer(path, entry)) is not None:
                found[path] = release
        return found

    def version(self, files: State, prompt: str, number: int) -> Version | None:
        path = version_path(self.root, prompt, number)
        record = self.look(path, files[path]).record if path in files else None
        return record if isinstance(record, Version) else None

    def evidence(self, files: State, prompt: str, digest: str) -> Evidence | None:
        """Return evidence whose bytes have this hash."""
        path = evidence_path(self.root, prompt, digest)
        seen = self.look(path, files[path]) if path in files else Seen()
        return seen.record if isinstance(seen.record, Evidence) and seen.sha256 == digest else None

    def _look(self, path: str, entry: TreeEntry) -> Seen:
        place = place_of(path, self.root)
        if not entry.is_file:
            return Seen(wrong=("is a symbolic link or a submodule; release files are plain files",))
        content = self.content(entry.oid)
        if content is None:
            return Seen(wrong=("its content is not in this repository",))
        if place is None:
            return Seen(wrong=("does not belong here: not a pointer, a version or evidence",))
        try:
            record, exact = _read(place, content, path)
        except PromptopsError as error:
            return Seen(sha256=sha256(content), wrong=tuple(_unreadable(path, error)))
        digest = sha256(content)
        return Seen(record=record, sha256=digest, wrong=tuple(_wrong(place, record, digest, exact=exact)))


def _read(place: Place, content: bytes, path: str) -> tuple[Version | Release | Evidence, bool]:
    """Return the record, and whether these are its canonical bytes."""
    if place.number is not None:
        version = as_written(Version, content)
        if version is not None:
            check_body(version, path=path)
        return version or parse_version(content, path=path), version is not None
    if place.hex is not None:
        evidence = as_written(Evidence, content)
        return evidence or parse_evidence(content, path=path), evidence is not None
    release = as_written(Release, content)
    return release or parse_release(content, path=path), release is not None


def _unreadable(path: str, error: PromptopsError) -> Iterator[str]:
    if not isinstance(error, InvalidFile):
        yield str(error).removeprefix(f"{path}: ")
        return
    for problem in error.problems:
        yield (f"line {problem.line}: " if problem.line else "") + problem.message


def _wrong(place: Place, record: Version | Release | Evidence, digest: str, *, exact: bool) -> Iterator[str]:
    if not exact:
        yield "is not written as promptops writes it; restore it from git"
    match record:
        case Version() if (record.id, record.version) != (place.id, place.number):
            yield f"holds v{record.version} of {record.id}"
        case Release() if (record.id, record.environment) != (place.id, place.environment):
            yield f"holds the pointer of {record.id} in {record.environment}"
        case Evidence() if record.prompt != place.id:
            yield f"holds evidence about {record.prompt}"
        case Evidence() if evidence_name(digest) != f"{place.hex}.json":
            yield "its name is not the hash of its content; it was edited"


def unmet(reader: Reader, files: State, release: Release) -> Iterator[str]:
    """Say which of the files that a pointer names, for itself and for a rollback, are not there or are others."""
    named = [(release.version, release.digest, release.evidence)]
    named += [(old.version, old.digest, old.evidence) for old in release.fallbacks]
    for number, digest, evidence in named:
        path = version_path(reader.root, release.id, number)
        version = reader.version(files, release.id, number)
        if path not in files:
            yield f"names v{number}, and there is no {path}"
        elif version is None or version.digest != digest:
            yield f"says that v{number} is {digest[:19]}…, which {path} is not"
        if evidence and evidence_path(reader.root, release.id, evidence) not in files:
            yield f"names evidence for v{number} that is missing: {evidence_name(evidence)}"
        elif evidence and reader.evidence(files, release.id, evidence) is None:
            yield f"names evidence for v{number} of another hash than {evidence_name(evidence)} has"


def uncarried(
    reader: Reader,
    files: State,
    release: Release,
    *,
    previous: Release | None,
    elsewhere: Mapping[str, Release],
) -> Iterator[str]:
    """Say why the evidence of a release does not allow it; `elsewhere` are the pointers before it, by path.

    Evidence with which this version was live before, or is live in another environment, was judged then.
    """
    if release.evidence is None:
        if not release.forced and release.kind != "first":
            yield "was released without evidence, and says neither first nor forced"
        return
    evidence = reader.evidence(files, release.id, release.evidence)
    if evidence is None:
        return
    if evidence.candidate != release.digest:
        yield f"its evidence is about {evidence.candidate[:19]}…, not about v{release.version}"
    overruled = _OVERRULED.get(evidence.verdict)
    if overruled is None or release.forced or getattr(release, overruled):
        return
    was = [(old.digest, old.evidence) for old in previous.fallbacks] if previous else []
    was += [(one.digest, one.evidence) for one in elsewhere.values()]
    if (release.digest, release.evidence) not in was and not (
        release.kind == "rollback" and previous is None
    ):
        yield f"its evidence says {evidence.verdict.upper()}, and nobody {overruled} it"


def other_baseline(
    reader: Reader, files: State, release: Release, *, elsewhere: Mapping[str, Release]
) -> Iterator[str]:
    """Say with what else than what was live new evidence compares; a fact for people, because branches may race."""
    if release.kind != "promote" or release.evidence is None or release.forced or release.accepted:
        return
    evidence = reader.evidence(files, release.id, release.evidence)
    if evidence is None or not elsewhere:
        return
    live = {one.digest for one in elsewhere.values()}
    arm = evidence.baseline
    if arm is None and len(elsewhere) == 1:
        yield "its evidence compares with nothing, although a version was live"
    elif arm is not None and arm.digest not in live:
        yield f"its evidence compares with v{arm.version} ({short(arm.digest)}), which was not what was live"
