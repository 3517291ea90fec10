"""Whether the release files are what promptops wrote, and every step in their history a legal one.

Five looks: the work tree against the commit, byte by byte; every file against its canonical bytes, digests and the
files it names; every commit's change of them against what a release may change; who signed it, where the base wants
that; and what could not be looked at. Nothing is raised for what is found: a finding names the file, the commit if
there is one, and the reason.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from promptops.errors import PromptopsError, RepoError
from promptops.gitstore.commitrange import named
from promptops.gitstore.findings import Finding, Severity, error, unchecked, warning
from promptops.gitstore.objects import Objects
from promptops.gitstore.releasefiles import Reader, uncarried, unmet
from promptops.gitstore.releases import folder
from promptops.gitstore.repo import Repo
from promptops.gitstore.signatures import Signers, unsigned
from promptops.gitstore.steps import Steps, entries_of
from promptops.gitstore.walk import Commit, Shelves, State, shelf_of, shelves_of, walk
from promptops.gitstore.worktree import work_tree_findings
from promptops.records import Release, Version

_DEEPER: Final = "check out with fetch-depth: 0"
__all__ = ["Finding", "Severity", "verify"]


def verify(
    repo: Repo,
    ref: str = "HEAD",
    *,
    root: str = "prompts",
    since: str | None = None,
    signers: Iterable[Signers] = (),
    final: str = "",
) -> tuple[Finding, ...]:
    """Check the releases of a commit and of the history behind it, and of the work tree when it is HEAD's.

    With `since` only what the commits between that one and `ref` did: their steps, seen from what they began with,
    and as of `ref` the files of the prompts that they touched. A clone of depth 1 that has both commits is enough
    for one release; whatever it cannot show is a finding that is UNCHECKED. `signers` say who may release
    (`signatures.signers_at`, read from the base). `final` is the environment that candidates are compared with: what
    was overruled in another one is not overruled there.

    Returns findings, errors first; none means that everything was looked at and fits. Takes a handful of git
    processes, however long the history, and one or two more for a signature.

    Raises:
        RepoError: there is no commit `since` here, or it has nothing to do with `ref`.
    """
    commit = repo.rev_parse(ref)
    if commit is None:
        return (unchecked(folder(root), f"there is no commit {ref!r} to check"),)
    start = _start(repo, since, commit) if since is not None else None
    try:
        found = [
            *work_tree_findings(repo, commit, root),
            *_misplaced(repo, commit, folder(root)),
            *_committed(repo, commit, root, start, tuple(signers), final),
        ]
    except PromptopsError as problem:  # git itself could not read on: a damaged or partial repository
        found = [error(folder(root), str(problem))]
    order = list(Severity)
    return tuple(
        sorted(
            _once(found), key=lambda one: (order.index(one.severity), one.path, one.message, one.commit or "")
        )
    )


def _start(repo: Repo, since: str, commit: str) -> str:
    start = named(repo, since)
    if start is None:
        raise RepoError(f"there is no commit {since!r} here; fetch it, or check out with fetch-depth: 0")
    if not repo.is_shallow and repo.line("merge-base", start, commit) is None:
        raise RepoError(f"{since} has no history in common with what is to be checked: was it rewritten?")
    return start


def _once(found: Iterable[Finding]) -> Iterator[Finding]:
    """Leave out what was said with its commit already."""
    rows = list(found)
    known = {(one.path, one.message) for one in rows if one.commit}
    seen: set[Finding] = set()
    for one in rows:
        if one not in seen and (one.commit or (one.path, one.message) not in known):
            seen.add(one)
            yield one


def _misplaced(repo: Repo, commit: str, top: str) -> Iterator[Finding]:
    """Say where the folder is none of its own: a program would read what was never looked at."""
    for path, mode in _alike(repo, commit, top.split("/")):
        if mode in ("120000", "160000"):
            what = "a symbolic link" if mode == "120000" else "a submodule"
            yield error(path, f"is {what}: the releases behind it are not what this commit holds")
        elif path != top:
            yield error(path, f"is the same folder as {top} where letters' case does not count; move it away")


def _alike(repo: Repo, commit: str, wanted: list[str], inside: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and mode of what some file system takes for this folder, or ends on the way to it."""
    raw = repo.read("ls-tree", "-z", "--full-tree", "--end-of-options", commit, *([inside] if inside else []))
    for row in raw.decode(errors="surrogateescape").split("\0")[:-1]:
        about, path = row.split("\t", 1)
        if _folded(path.removeprefix(inside)) != _folded(wanted[0]):
            continue
        mode = about.split(" ")[0]
        if mode == "040000" and wanted[1:]:
            yield from _alike(repo, commit, wanted[1:], f"{path}/")
        else:
            yield path, mode


def is_like(path: str, top: str) -> bool:
    """Whether some file system takes a path for this folder, for something in it, or for a folder that it is in."""
    one, other = f"{_folded(path)}/", f"{_folded(top)}/"
    return one.startswith(other) or other.startswith(one)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _committed(
    repo: Repo, commit: str, root: str, start: str | None, signers: tuple[Signers, ...], final: str
) -> Iterator[Finding]:
    with repo.objects() as objects:
        history = _history(repo, objects, commit, root, start)
        files = shelves_of(repo.tree(commit, folder(root)), folder(root))
        if start is not None:
            touched = {shelf_of(path, folder(root)) for one in history.commits for path in one.changes}
            files = {name: shelf for name, shelf in files.items() if name in touched}
        now = [entry.oid for shelf in files.values() for entry in shelf.values() if entry.is_file]
        objects.read_many([*now, *(entry.oid for entry in entries_of(history.commits))])
        reader = Reader(root=root, content=objects.read)
        for name in sorted(files):
            yield from _shelf(reader, files[name], final)
        steps = Steps(reader=reader, final=final, at_once=history.at_once, start=history.start)
        yield from steps.check(history.commits, history.before)
    if history.hidden:
        yield unchecked(folder(root), f"{history.hidden}; {_DEEPER}")
    yield from _signatures(repo, steps, signers)


@dataclass(frozen=True, slots=True, kw_only=True)
class _History:
    """The commits to judge; `before` are the files of those they stand on, `hidden` says what is out of sight.

    `start` are the files of the commit from which on is judged.
    """

    commits: list[Commit]
    before: Mapping[str, Shelves]
    start: Shelves | None = None
    at_once: frozenset[str] = frozenset()
    hidden: str = ""


def _history(repo: Repo, objects: Objects, commit: str, root: str, start: str | None) -> _History:
    top = folder(root)
    commits = walk(repo, commit, top, since=start)
    if start is None:
        hidden = "what was done before this shallow clone begins is not here" if repo.is_shallow else ""
        return _History(commits=commits, before={}, hidden=hidden)
    return _since(repo, objects, commits, commit, start, top)


def _since(
    repo: Repo, objects: Objects, commits: list[Commit], commit: str, start: str, top: str
) -> _History:
    files = shelves_of(repo.tree(start, top), top)
    ends = {one.oid for one in commits if one.is_cut}
    at_once = frozenset(oid for oid in ends if start in _parents(objects, oid))
    if files and repo.is_shallow:  # a commit that took all of them away, and begins here, is in no walk
        ends |= repo.cut() & set(repo.read("rev-list", commit, f"^{start}").decode().split())
    kept = [
        _at_once(repo, one, start, top) if one.is_cut else one
        for one in commits
        if one.oid in at_once or not one.is_cut
    ]
    known = {one.oid for one in kept}
    behind = dict.fromkeys(parent for one in kept for parent in one.parents if parent not in known)
    return _History(
        commits=kept,
        before={parent: shelves_of(repo.tree(parent, top), top) for parent in behind},
        start=files,
        at_once=at_once,
        hidden=f"the commits since {start[:10]} are not in this shallow clone" if ends - at_once else "",
    )


def _parents(objects: Objects, commit: str) -> list[str]:
    """As the commit itself says: a shallow clone hides them from everything else."""
    head = (objects.read(commit) or b"").split(b"\n\n", 1)[0].decode(errors="replace")
    return [line.removeprefix("parent ") for line in head.split("\n") if line.startswith("parent ")]


def _at_once(repo: Repo, commit: Commit, start: str, top: str) -> Commit:
    """Return a commit at which the clone ends as if it had done everything since the start."""
    old, new = repo.tree(start, top), repo.tree(commit.oid, top)
    changes = {path: new.get(path) for path in {**old, **new} if old.get(path) != new.get(path)}
    return replace(commit, parents=(start,), changes=changes)


def _shelf(reader: Reader, files: State, final: str) -> Iterator[Finding]:
    """Check the files of one prompt as they are."""
    numbers: dict[str, int] = {}
    for path, entry in files.items():
        seen = reader.look(path, entry)
        for message in seen.wrong:
            yield error(path, message)
        if isinstance(seen.record, Release) and not seen.wrong:
            release = seen.record
            for message in unmet(reader, files, release):
                yield error(path, message)
            others = {name: one for name, one in reader.pointers(files).items() if name != path}
            others = others if release.environment != final else {}
            for message in uncarried(reader, files, release, previous=None, elsewhere=others):
                yield error(path, message)
        if isinstance(seen.record, Version):
            numbers[path] = seen.record.version
    yield from _same_twice(reader, files, sorted(numbers, key=lambda path: numbers[path]))


def _same_twice(reader: Reader, files: State, paths: list[str]) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for path in paths:
        record = reader.look(path, files[path]).record
        assert isinstance(record, Version)
        if record.digest in seen:
            message = f"is the same prompt as v{seen[record.digest]}: two branches froze it under two numbers"
            yield warning(path, message)
        seen.setdefault(record.digest, record.version)


def _signatures(repo: Repo, steps: Steps, signers: tuple[Signers, ...]) -> Iterator[Finding]:
    for one in signers:
        for path, oid in steps.releases:
            if oid in steps.at_once and path.endswith(f"/{one.environment}.yaml"):
                message = "the commit that must be signed is not in this shallow clone"
                # What is not shown to be signed is not signed: else a shallow checkout would be a way around it.
                yield error(path, f"{message}; {_DEEPER}", oid)
    yield from unsigned(repo, [pair for pair in steps.releases if pair[1] not in steps.at_once], signers)
