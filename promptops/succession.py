"""Which record may follow another in a pointer: each names the hash of the one before it, and what can be gone back to.

The one place that makes a step (`following`) and the one that judges it (`illegal_step`) stand together.
"""

from __future__ import annotations

import hashlib

from pydantic import ValidationError

from promptops.errors import InvalidInput
from promptops.records import MAX_FALLBACKS, Fallback, Kind, Previous, Release, Version, canonical


def link(release: Release) -> Previous:
    """Return what the next record says about this one."""
    return Previous(sequence=release.sequence, sha256=hashlib.sha256(canonical(release)).hexdigest())


def following(
    previous: Release | None,
    *,
    version: Version,
    environment: str,
    kind: Kind,
    evidence: str | None,
    reason: str,
    by: str,
    at: str,
    accepted: bool = False,
    forced: bool = False,
) -> Release:
    """Return the record that follows another, None before the first; it is linked to it by its hash.

    Raises:
        InvalidInput: no legal step: another prompt or environment, or a version that is live already.
    """
    try:
        release = Release(
            id=version.id,
            environment=environment,
            sequence=previous.sequence + 1 if previous else 1,
            version=version.version,
            digest=version.digest,
            kind=kind,
            evidence=evidence,
            reason=reason,
            by=by,
            at=at,
            accepted=accepted,
            forced=forced,
            previous=link(previous) if previous else None,
            fallbacks=fallbacks(previous, kind, version.version),
        )
    except ValidationError as error:
        raise InvalidInput(f"cannot be released: {error.errors()[0]['msg']}") from error
    if wrong := illegal_step(previous, release):
        raise InvalidInput(f"cannot be released: {wrong}")
    return release


def fallbacks(previous: Release | None, kind: Kind, version: int) -> list[Fallback]:
    """Return what can be rolled back to after a step: a promotion adds what was live, a rollback drops it."""
    if previous is None:
        return []
    rest = [old for old in previous.fallbacks if old.version not in (version, previous.version)]
    if kind == "rollback":
        known = [old.version for old in previous.fallbacks]
        return previous.fallbacks[known.index(version) + 1 :] if version in known else rest
    was = Fallback(version=previous.version, digest=previous.digest, evidence=previous.evidence)
    return [was, *rest][:MAX_FALLBACKS]


def illegal_step(previous: Release | None, release: Release, *, linked: Previous | None = None) -> str | None:
    """Say why a record cannot follow another, None where it can; `linked` is `link(previous)`, if that is known."""
    if previous is None:
        if release.sequence != 1:
            return f"starts at sequence {release.sequence}, not at 1"
        return "is the first, and lists versions to go back to" if release.fallbacks else None
    if (release.id, release.environment) != (previous.id, previous.environment):
        return f"is of {release.id} in {release.environment}, not of {previous.id} in {previous.environment}"
    if release.sequence != previous.sequence + 1:
        return f"goes from sequence {previous.sequence} to {release.sequence}"
    if release.previous != (linked or link(previous)):
        return f"sequence {release.sequence} does not name the hash of the record before it"
    if release.version == previous.version:
        return f"v{release.version} is live already"
    if release.fallbacks != fallbacks(previous, release.kind, release.version):
        return f"sequence {release.sequence} lists other fallbacks than the record before it leads to"
    return None
