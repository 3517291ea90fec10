"""Which commits a change lies between, also in a checkout that has only one of them.

A pull request's merge ref is a merge with the base's tip; its object names that parent even where a clone of depth
1 has not got it. Everything else is compared with where it left the base. What is missing is fetched, and no more
than that; where it cannot be, the change is not judged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from promptops.errors import RepoError, did_you_mean
from promptops.gitstore.repo import Repo

_DEEPER = (50, 500, 5000)
_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRange:
    """Commits: `base` decides what holds, `fork` is where the change began, `head` where it ends."""

    base: str
    fork: str
    head: str


def find_range(repo: Repo, base: str, head: str = "HEAD") -> CommitRange:
    """Return the commits of a change; `base` is the branch it goes to.

    Raises:
        RepoError: a commit is not here and cannot be fetched.
    """
    end = repo.rev_parse(head) or (_fetched(repo, head) if _FULL.fullmatch(head) else None)
    if end is None:
        raise RepoError(f"there is no commit {head!r} here{did_you_mean(head, repo.names())}")
    start = _had(repo, base)
    if start is None:
        raise _missing(repo, base)
    # No parent is the base because it stands first: in a branch that merged the base, that is the change itself.
    fork = start if start in _parents(repo, end) else _fork(repo, start, end, base)
    return CommitRange(base=start, fork=fork, head=end)


def _parents(repo: Repo, commit: str) -> list[str]:
    """As the commit itself says: a shallow clone hides the parents it has not got from everything else."""
    lines = repo.read("cat-file", "commit", commit).decode(errors="replace").split("\n\n", 1)[0].split("\n")
    return [line.removeprefix("parent ") for line in lines if line.startswith("parent ")]


def named(repo: Repo, name: str) -> str | None:
    """Return the commit of the branch with this name, of anything else so called only where there is no such branch.

    Git itself takes a tag first: whoever may push the tag `origin/main` would choose what is compared with.
    """
    return _branch(repo, name) or repo.rev_parse(name)


def _branch(repo: Repo, name: str) -> str | None:
    if name.startswith("refs/") or _FULL.fullmatch(name):
        return repo.rev_parse(name)
    return repo.rev_parse(f"refs/heads/{name}") or repo.rev_parse(f"refs/remotes/{name}")


def _had(repo: Repo, name: str) -> str | None:
    """Return a commit that is here, or was to be had from the remote; a tag only where no branch is so called."""
    if found := _branch(repo, name) or (not repo.rev_parse(f"refs/tags/{name}") and repo.rev_parse(name)):
        return found
    short = name.removeprefix("refs/remotes/").removeprefix(f"{repo.remote()}/").removeprefix("refs/heads/")
    wanted = (short,) if _FULL.fullmatch(short) else (f"refs/heads/{short}", short)
    only = ("--depth=1",) if repo.is_shallow else ()  # a clone that is whole would be cut short
    fetched = (_fetched(repo, one, *only) for one in wanted)
    return next(filter(None, fetched), None) or repo.rev_parse(name)


def _fetched(repo: Repo, wanted: str, *how: str) -> str | None:
    remote = repo.remote()
    if remote is None:
        return None
    code, _, _ = repo.attempt("fetch", "--quiet", "--no-tags", *how, "--end-of-options", remote, wanted)
    return None if code else repo.rev_parse("FETCH_HEAD")


def _fork(repo: Repo, base: str, head: str, name: str) -> str:
    """Return where the change left the base; history is fetched until both reach it.

    Raises:
        RepoError: they never meet, as far as can be seen.
    """
    remote = repo.remote()
    for depth in (0, *_DEEPER):
        if depth and remote is not None:
            repo.attempt(
                "fetch", "--quiet", "--no-tags", f"--deepen={depth}", "--end-of-options", remote, base, head
            )
        if (found := repo.line("merge-base", base, head)) is not None:
            return found
        if not repo.is_shallow:
            raise RepoError(
                f"HEAD and {name} have no history in common; name the branch that this change goes to"
            )
        if remote is None:
            break
    raise _missing(repo, name)


def fetch_between(repo: Repo, change: CommitRange) -> None:
    """Fetch the commits of a change that a shallow checkout lacks, if they can be had; open it anew then."""
    remote = repo.remote()
    for depth in _DEEPER:
        if remote is None or not _is_cut(repo, change):
            return
        deeper = ("fetch", "--quiet", "--no-tags", f"--deepen={depth}")
        repo.attempt(*deeper, "--end-of-options", remote, change.base, change.head)


def _is_cut(repo: Repo, change: CommitRange) -> bool:
    """Whether one of the commits between has parents that are not here."""
    ends = repo.common_dir / "shallow"
    if not ends.exists():
        return False
    between = repo.read("rev-list", "--end-of-options", change.head, f"^{change.fork}").decode().split()
    return not set(between).isdisjoint(ends.read_text().split())


def _missing(repo: Repo, name: str) -> RepoError:
    if repo.is_shallow:
        return RepoError(
            f"{name} is out of sight of this shallow checkout and could not be fetched; check out with fetch-depth: 0"
        )
    return RepoError(
        f"there is no commit {name!r} here{did_you_mean(name, repo.names())}; fetch it, or correct --base"
    )


def changed_paths(repo: Repo, change: CommitRange) -> frozenset[str]:
    """Return the files that differ between where the change began and where it ends."""
    raw = repo.read(
        "diff-tree", "-r", "-z", "--name-only", "--no-renames", "--end-of-options", change.fork, change.head
    )
    return frozenset(raw.decode(errors="surrogateescape").split("\0")[:-1])


def touches(repo: Repo, change: CommitRange, folder: str) -> bool:
    """Return whether a commit of the change touched a folder, also where a later one took it back.

    A shallow checkout tells only what came of it.
    """
    if repo.is_shallow:
        return any(path.startswith(f"{folder}/") for path in changed_paths(repo, change))
    between = ("rev-list", "--full-history", "--max-count=1", change.head, f"^{change.fork}")
    return bool(repo.read(*between, "--", folder))


def first_changed_line(repo: Repo, change: CommitRange, path: str) -> int:
    """Return the first line of a file that the change wrote or left a gap at; 0 where there is none to show."""
    raw = repo.read(
        "diff", "-U0", "--no-color", "--no-ext-diff", "--no-textconv", change.fork, change.head, "--", path
    )
    for line in raw.split(b"\n"):
        if line.startswith(b"@@ "):
            place = line.split(b" ")[2].removeprefix(b"+").split(b",")[0]
            return max(1, int(place)) if place.isdigit() else 0
    return 0
