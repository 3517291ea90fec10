"""Every error a person can act on; anything else is a bug and keeps its traceback.

    PromptopsError                 printed as one line, no traceback; carries its exit code
      InvalidFile                  carries its problems, sorted by file, line and column
      InvalidInput                 a value given on the command line or in a sample does not fit
      NotFound                     prompt, version, sample file, environment
      NothingToDo                  something is missing, so nothing can be shown (never a success)
      RepoError                    not a repository, no such ref, hook refused
        LostRace                   somebody released first
        IntegrityError             a digest, a sequence or an evidence does not match
      ConfigError                  options that contradict one another
      RunStopped                   the run could not finish; what was finished is kept
      ProviderError                raised by providers, turned into a Failure by runs/pacing.py
        Unreachable                no connection: .refused .dns .lost; try again
        Overloaded                 try again; carries retry_after
        TimedOut                   the deadline came first: .connect .first_token .idle .total
        Refused                    never try again: key, model name, malformed request, .certificate
        Malformed                  an answer that is none
        Truncated                  an answer that stopped in the middle

The kind of a failure is its class's family and, after a dot, its cause (`timeout.idle`). Retries and routes go
by the family; people read the cause. A gate that says no is a result, not an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from promptops.messages import Usage


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean X?`` for the nearest known name, or nothing."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


class PromptopsError(Exception):
    """What a person can act on."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a file; lines and columns count from 1, 0 where there is none."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        return f"{place}: {self.message}"


class InvalidFile(PromptopsError):
    """A file that people write has problems; all of them are here, sorted."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InvalidInput(PromptopsError):
    """A value that somebody gave does not fit where it was given."""


class NotFound(PromptopsError):
    """Something the user named does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str] = (), *, hint: str = "") -> None:
        self.kind, self.name = kind, name
        super().__init__(f"no {kind} called {name!r}{did_you_mean(name, known)}{f'; {hint}' if hint else ''}")


class NothingToDo(PromptopsError):
    """Something is missing (no samples, no scorer), so nothing can be shown: never a success."""


class ConfigError(PromptopsError):
    """Options that contradict one another, or name what does not exist."""


class RepoError(PromptopsError):
    """Git said no; its own words are in the message."""


class LostRace(RepoError):
    """Somebody released first."""

    exit_code = 5


class IntegrityError(RepoError):
    """A digest, a sequence or an evidence does not match."""

    exit_code = 6


class RunStopped(PromptopsError):
    """The run could not finish; what was finished is kept and the same command resumes it."""

    exit_code = 7


class ProviderError(PromptopsError):
    """A model did not answer; `kind` is what a Failure is counted under.

    `usage` is what the provider counted all the same, and bills; None where it said nothing of it. `cost` is what
    that comes to in US dollars; None where nobody knows it.
    """

    exit_code = 7
    family: ClassVar[str] = "error"

    def __init__(self, message: str, *, cause: str = "") -> None:
        self.cause = cause
        self.usage: Usage | None = None
        self.cost: float | None = None
        super().__init__(message)

    @property
    def kind(self) -> str:
        """The family, and the cause where one is known."""
        return f"{self.family}.{self.cause}" if self.cause else self.family


class Unreachable(ProviderError):
    """No connection: refused, no such host, or lost before an answer began."""

    family = "unreachable"

    def __init__(self, message: str, *, cause: Literal["refused", "dns", "lost"] = "lost") -> None:
        super().__init__(message, cause=cause)


class Overloaded(ProviderError):
    """Too many requests or a server error: try again, after `retry_after` seconds if given.

    `status` is the server's own, where there is one: by it, too much at once is told from a breakdown.
    """

    family = "overloaded"

    def __init__(self, message: str, *, retry_after: float | None = None, status: int | None = None) -> None:
        self.retry_after, self.status = retry_after, status
        super().__init__(message)


class TimedOut(ProviderError):
    """A deadline came first: of the connection, of the first token, of the next one, or of the whole call."""

    family = "timeout"

    def __init__(
        self, message: str, *, cause: Literal["connect", "first_token", "idle", "total"] = "total"
    ) -> None:
        super().__init__(message, cause=cause)


class Refused(ProviderError):
    """Never try again: a key, a model name, a certificate or a request the server will not take.

    `only_this` says that the refusal may concern this one request (too long, filtered): others can go on.
    """

    family = "refused"

    def __init__(
        self, message: str, *, only_this: bool = False, cause: Literal["", "certificate"] = ""
    ) -> None:
        self.only_this = only_this
        super().__init__(message, cause=cause)


class Malformed(ProviderError):
    """A body that is no answer: broken JSON, HTML, an error with status 200, no choices."""

    family = "malformed"


class Truncated(ProviderError):
    """A body or a stream that ended without its end."""

    family = "truncated"


KINDS = (
    "error",
    "malformed",
    "overloaded",
    "refused",
    "refused.certificate",
    "timeout",
    "timeout.connect",
    "timeout.first_token",
    "timeout.idle",
    "timeout.total",
    "truncated",
    "unreachable",
    "unreachable.dns",
    "unreachable.lost",
    "unreachable.refused",
)
"""What a route can go on at: a family is all of its causes."""


def family_of(kind: str) -> str:
    """Return the part of a failure's kind that retries and routes go by: `timeout` of `timeout.idle`."""
    return kind.partition(".")[0]
