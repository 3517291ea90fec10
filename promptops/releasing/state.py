"""`promptops status`: every prompt, every environment, the work tree, and the next command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from promptops.errors import InvalidFile, NotFound, Problem
from promptops.gitstore.pointers import Pointers, Standing, Standings
from promptops.gitstore.releases import ReleaseRef, Releases, release_ref
from promptops.gitstore.remembered import Memory, Sight, Sights, committed_sights, sights
from promptops.prompts.paths import stem
from promptops.records import Release
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is live in one environment; `waiting` is the version that this branch releases and that is not live yet."""

    environment: str
    version: int | None = None
    digest: str | None = None
    at: str = ""
    by: str = ""
    marks: tuple[str, ...] = ()
    waiting: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptState:
    """One prompt; `work_tree` says how it stands to what is live: same, differs, new, gone or broken."""

    id: str
    path: str
    work_tree: str
    places: tuple[Place, ...]
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    release_branch: str
    prompts: tuple[PromptState, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "promptops.status/1",
            "release_branch": self.release_branch,
            "prompts": [_as_json(one) for one in self.prompts],
            "problems": [str(problem) for problem in self.problems],
            "notes": list(self.notes),
        }


def _as_json(one: PromptState) -> dict[str, Any]:
    places = [
        {name: getattr(place, name) for name in ("environment", "version", "digest", "at", "by", "waiting")}
        | {"marks": list(place.marks)}
        for place in one.places
    ]
    return {
        "id": one.id,
        "path": one.path,
        "work_tree": one.work_tree,
        "environments": places,
        "next": one.next_step,
    }


def status(workspace: Workspace, only: str | None = None) -> Status:
    """Compare the work tree (HEAD in a bare repository) with what is live.

    Raises:
        NotFound: there is no prompt called `only`.
        InvalidFile: its file has problems, and it was never released.
        IntegrityError: a pointer is damaged.
    """
    ref = release_ref(workspace.repo, workspace.config.release_branch)
    states: list[PromptState] = []
    problems: list[Problem] = []
    memory = _memory(workspace)
    for root, here in _sights(workspace, memory).items():
        problems += here.problems
        states += _states(workspace, root, ref, here, memory)
    memory.keep()
    if only is not None:
        known = [one.id for one in states]
        states = [one for one in states if one.id == only]
        if not states and any(stem(problem.path) == only for problem in problems):
            raise InvalidFile(problems)
        if not states:
            raise NotFound("prompt", only, known)
    return Status(
        release_branch=branch_name(ref),
        prompts=tuple(sorted(states, key=lambda one: one.id)),
        problems=tuple(problems),
        notes=(ref.note,) if ref.note else (),
    )


def _memory(workspace: Workspace) -> Memory:
    if workspace.repo.is_bare:
        return Memory(path=workspace.repo.git_dir / "no" / "memory", before={"files": {}, "pointers": {}})
    return Memory.recall(workspace.state / "remembered.json")


def _sights(workspace: Workspace, memory: Memory) -> dict[str, Sights]:
    if workspace.repo.is_bare:
        return {root: committed_sights(workspace.repo, "HEAD", root=root) for root in workspace.roots}
    return sights(workspace.repo, roots=workspace.roots, memory=memory)


def branch_name(ref: ReleaseRef) -> str:
    return ref.ref.removeprefix("refs/heads/").removeprefix("refs/remotes/")


def _states(
    workspace: Workspace, root: str, ref: ReleaseRef, here: Sights, memory: Memory
) -> list[PromptState]:
    pointers = Pointers(
        repo=workspace.repo,
        root=root,
        environments=workspace.config.environments,
        about=_marks,
        before=memory.before["pointers"],
        now=memory.pointers,
    )
    head = workspace.repo.head()
    live = pointers.standings(ref.commit)
    branch = live if head == ref.commit else pointers.standings(head)
    by_id = {prompt.id: prompt for prompt in here.prompts}
    broken = {*here.known, *(stem(problem.path) for problem in here.problems)}
    names = sorted({*by_id, *(name for name, _ in (*live, *branch))})
    return [
        _state(workspace, name, by_id.get(name), live, branch, is_broken=name in broken) for name in names
    ]


def _state(
    workspace: Workspace,
    name: str,
    prompt: Sight | None,
    live: Standings,
    branch: Standings,
    *,
    is_broken: bool,
) -> PromptState:
    places = tuple(
        _place(environment, live.get((name, environment)), branch.get((name, environment)))
        for environment in workspace.config.environments
    )
    last = places[-1]
    found = _work_tree(prompt, last, is_broken=is_broken)
    return PromptState(
        id=name,
        path=prompt.path if prompt else "",
        work_tree=found,
        places=places,
        next_step=_next(name, prompt, found, last),
    )


def _place(environment: str, live: Standing | None, branch: Standing | None) -> Place:
    ahead = branch is not None and (live is None or branch.sequence > live.sequence)
    waiting = branch.version if branch is not None and ahead else None
    if live is None:
        return Place(environment=environment, waiting=waiting)
    return Place(
        environment=environment,
        version=live.version,
        digest=live.digest,
        at=live.at,
        by=live.by,
        marks=live.marks,
        waiting=waiting,
    )


def _marks(releases: Releases, release: Release) -> tuple[str, ...]:
    """What a person should see about how it went live."""
    marks = []
    if release.kind == "rollback":
        evidence = releases.evidence(release.id, release.evidence) if release.evidence else None
        retested = evidence is not None and evidence.at == release.at
        marks.append("rolled back, and tested then" if retested else "rolled back, not re-tested")
    if release.forced:
        marks.append(f"forced: {release.reason}")
    if release.accepted:
        marks.append(f"accepted: {release.reason}" if release.reason else "accepted")
    if release.evidence is None and not release.forced:
        marks.append("adopted without a test")
    return tuple(marks)


def _work_tree(prompt: Sight | None, last: Place, *, is_broken: bool) -> str:
    if prompt is None:
        return "broken" if is_broken else "gone"
    if last.digest is None:
        return "new"
    return "same" if prompt.digest == last.digest else "differs"


def _next(name: str, prompt: Sight | None, found: str, last: Place) -> str:
    if last.waiting is not None:
        return "merge or push this branch: that is the release"
    match found:
        case "new":
            adopted = "" if prompt is not None and prompt.has_floor else " --first"
            return f"promptops promote {name}{adopted}"
        case "differs":
            return f"promptops test {name}"
        case "broken":
            return "promptops lint"
        case _:
            return ""
