"""What a check of release files has to say, one finding a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`ERROR` is exit 6; a `WARNING` is for people; `UNCHECKED` could not be looked at."""

    ERROR = "error"
    WARNING = "warning"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One thing that is wrong, odd or out of sight; `commit` is the one that made it so, if it is known."""

    severity: Severity
    path: str
    commit: str | None
    message: str

    def __str__(self) -> str:
        where = f"{self.path} ({self.commit[:10]})" if self.commit else self.path
        return f"{where}: {self.message}"


def error(path: str, message: str, commit: str | None = None) -> Finding:
    return Finding(severity=Severity.ERROR, path=path, commit=commit, message=message)


def warning(path: str, message: str, commit: str | None = None) -> Finding:
    return Finding(severity=Severity.WARNING, path=path, commit=commit, message=message)


def unchecked(path: str, message: str, commit: str | None = None) -> Finding:
    return Finding(severity=Severity.UNCHECKED, path=path, commit=commit, message=message)


def excused(found: Iterable[Finding], reasons: Mapping[str, str]) -> Iterator[Finding]:
    """Make warnings of the errors of commits that people have looked into, with what they say of them."""
    for one in found:
        why = reasons.get(one.commit or "") if one.severity == Severity.ERROR else None
        yield warning(one.path, f"{one.message}; looked into: {why}", one.commit) if why else one
