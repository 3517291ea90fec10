"""How each version of a prompt first went live: when, by whom, and on which evidence.

History tells it. Where history is out of sight, the pointers of today still name the evidence of what can be gone
back to, and any evidence about a version is beside it; what none of them holds is told as not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from promptops.gitstore.past import Past, Written
from promptops.gitstore.releases import Releases
from promptops.records import Evidence, Release


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """The first release of a version that is in sight; `release` and `commit` are None where none is.

    `live` are the environments where it is live now. `is_cut` says that a shallow clone may hide an earlier one.
    """

    version: int
    release: Release | None
    commit: str | None
    evidence: Evidence | None
    live: tuple[str, ...]
    is_cut: bool = False

    @property
    def word(self) -> str:
        """How it was allowed, in one word."""
        if self.release is not None and self.release.forced:
            return "forced"
        if self.release is not None and self.release.accepted:
            return "accepted"
        if self.evidence is not None:
            return self.evidence.verdict
        return "adopted" if self.release is not None and self.release.kind == "first" else "unknown"

    def as_json(self) -> dict[str, Any]:
        release, evidence = self.release, self.evidence
        return {
            "version": self.version,
            "how": self.word,
            "environment": release.environment if release else None,
            "at": release.at if release else None,
            "by": release.by if release else None,
            "reason": release.reason if release else "",
            "commit": self.commit,
            "verdict": evidence.verdict if evidence else None,
            "samples": evidence.samples.n if evidence else None,
            "baseline": evidence.baseline.version if evidence and evidence.baseline else None,
            "metrics": evidence.metrics if evidence else [],
            "live": list(self.live),
            "is_cut": self.is_cut,
        }


def first_of(
    version: int,
    found: Past,
    releases: Releases,
    prompt: str,
    *,
    environments: Sequence[str],
    live: Sequence[str],
) -> First:
    """Tell how a version first went live: in the last environment if it ever did, else in another.

    Raises:
        InvalidFile: the record, or its evidence, cannot be read.
        IntegrityError: the evidence is not what the record names.
    """
    rows = [one for one in found.written if one.version == version]
    chosen = next((one for one in rows if one.environment == environments[-1]), rows[0] if rows else None)
    release = chosen.release() if chosen else None
    if release is not None and release.kind == "rollback":  # it was live before, out of sight
        release = None
    digest = release.evidence if release else _evidence_of(version, releases, prompt, environments)
    return First(
        version=version,
        release=release,
        commit=chosen.commit.oid if chosen and release and not chosen.commit.is_cut else None,
        evidence=releases.evidence(prompt, digest) if digest else _about(version, releases, prompt, release),
        live=tuple(live),
        is_cut=_is_cut(chosen, found),
    )


def _evidence_of(version: int, releases: Releases, prompt: str, environments: Sequence[str]) -> str | None:
    """Return the evidence that the pointers of today name for a version: live, or to be gone back to."""
    for environment in reversed(environments):
        release = releases.live(prompt, environment)
        if release is None:
            continue
        named = [(old.version, old.evidence) for old in release.fallbacks]
        for number, evidence in [(release.version, release.evidence), *named]:
            if number == version and evidence:
                return evidence
    return None


def _about(version: int, releases: Releases, prompt: str, release: Release | None) -> Evidence | None:
    """Return the earliest evidence about a version whose release is out of sight: one that has none says so itself."""
    digest = releases.digest_of(prompt, version) if release is None else None
    found = [evidence for _, evidence in releases.evidence_of(prompt, digest)] if digest else []
    return min(found, key=lambda one: one.at, default=None)


def _is_cut(chosen: Written | None, found: Past) -> bool:
    if chosen is not None:
        return chosen.commit.is_cut
    return any(one.commit.is_cut for one in found.written)
