"""`promptops gate`: what a change does to the prompts, judged by what the base says. Reads like this list.

1  which commits, fetched if need be                     gitstore/commitrange.py
2  what the change makes of the configuration            configured.py
3  which prompts it may concern, from git alone          sides.py
4  the base as a place to work in                        world.py
5  release files and their history                       gitstore/verify.py
6  which prompts are affected, and how                   affected.py, with what is not trusted read apart: tried.py
7  each prompt: committed evidence, or a test here       judging.py, and what neither covers: unjudged.py
8  what people must see first                            policy.py, samples.py
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from promptops.errors import RepoError
from promptops.evaluation.evaluate import Options
from promptops.evaluation.plan import Plan
from promptops.gated import GatedPrompt, GateReport, Note
from promptops.gating.affected import Affected, affected, judging_files
from promptops.gating.configured import as_merged, prompt_folders, rewritten
from promptops.gating.judging import Judge
from promptops.gating.policy import loosened
from promptops.gating.samples import eased
from promptops.gating.sides import Ends, concern, unneeded
from promptops.gating.world import base_world, brings_answers
from promptops.gitstore.commitrange import (
    CommitRange,
    changed_paths,
    fetch_between,
    find_range,
    first_changed_line,
    touches,
)
from promptops.gitstore.findings import Finding, Severity, excused
from promptops.gitstore.releases import folder, read_releases
from promptops.gitstore.repo import Repo
from promptops.gitstore.signatures import signers_at
from promptops.gitstore.verify import is_like, verify
from promptops.version import tool_version
from promptops.workspace import STATE, Workspace, committed_workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be judged: the branch it goes to, where it ends, and whether it comes from outside."""

    base: str
    head: str = "HEAD"
    untrusted: bool = False


async def gate(
    start: Path,
    environ: Mapping[str, str],
    wanted: Change,
    *,
    options: Options,
    before_asking: Callable[[Plan], None],
) -> GateReport:
    """Judge a change.

    Raises:
        RepoError: its commits cannot be had, or `start` leads through a link of the repository.
        InvalidFile: the base's configuration has problems.
    """
    repo = Repo.open(start)
    _refuse_links(start, repo)
    change = find_range(repo, wanted.base, wanted.head)
    repo = _as_fetched(repo, start)
    changed = changed_paths(repo, change)
    if any("releases/" in path for path in changed):
        fetch_between(repo, change)
        repo = _as_fetched(repo, start)
    here = committed_workspace(repo, change.base, start, environ)
    merged = as_merged(here, change, changed, start)
    places = prompt_folders(here, merged)
    if wanted.head == "HEAD" and (words := _left_out(repo, places)):
        options.say(words)
    ends = Ends.of(repo, change, places)
    concerns = [concern(repo, change, changed, ends, root=root) for root in places]
    spared = unneeded(concerns, here.config, changed)
    files = {path: one for path, one in ends.base.items() if path not in spared}
    planted = brings_answers(here, (*ends.head, *changed))
    with base_world(here, change, files, None if planted or repo.is_bare else here.state) as world:
        integrity = _integrity(world, change, changed, places)
        found = affected(world, change, changed, concerns)
        judge = Judge(world=world, options=options, before_asking=before_asking, untrusted=wanted.untrusted)
        gated = [await _judged(judge, world, change, one) for one in found]
        return GateReport(
            base=change.base,
            head=change.head,
            first=[
                *_first(world, change, changed, found),
                *([_answers(here)] if planted else []),
                *rewritten(here, merged),
            ],
            prompts=[_placed(repo, change, one) for one in gated],
            integrity=integrity,
            notes=[note for one in found for note in one.problems + one.notes],
            untrusted=wanted.untrusted,
            command=_command(wanted, change),
            tool_version=tool_version(),
        )


def _as_fetched(repo: Repo, start: Path) -> Repo:
    """What was fetched may have made a shallow clone whole."""
    return Repo.open(start) if repo.is_shallow else repo


def _left_out(repo: Repo, places: Collection[str]) -> str:
    """At the desk nothing must look judged that is not committed yet."""
    left = sorted(repo.changed(*places)) if not repo.is_bare else []
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    return f"not judged, because it is not committed: {left[0]}{more}" if left else ""


def _command(wanted: Change, change: CommitRange) -> str:
    """Return what judges the same commit in any checkout: a test in one of a stranger's would run his code."""
    words = ["promptops", "gate", "--base", wanted.base, "--head", change.head]
    return shlex.join([*words, *(["--untrusted"] if wanted.untrusted else [])])


def _refuse_links(start: Path, repo: Repo) -> None:
    """Refuse a folder that a link of the repository leads to: a change may have turned it to where other rules hold."""
    top = (repo.work_tree or repo.git_dir).resolve()
    for place in (start, *start.parents):
        if place.is_symlink() and place.parent.resolve().is_relative_to(top):
            raise RepoError(f"{place}: a symbolic link, which a change can turn; start in the folder itself")


async def _judged(judge: Judge, world: Workspace, change: CommitRange, one: Affected) -> GatedPrompt:
    base = read_releases(world.repo, change.base, root=one.root, prompt=one.id)
    head = read_releases(world.repo, change.head, root=one.root, prompt=one.id)
    return await judge.judge(one, base, head)


def _first(
    world: Workspace, change: CommitRange, changed: Collection[str], found: Collection[Affected]
) -> list[str]:
    """Return what a change would decide for itself, if it could: all of it comes from the base."""
    said: list[str] = []
    for one in found:
        if one.before is None:
            continue
        if one.after is not None:
            said += [f"{one.id}: {words}" for words in loosened(one.before, one.after)]
        if words := eased(world, change.head, one.before, changed).sentence():
            said.append(f"{one.id}: {words}")
    rubrics = {path for one in found if one.before for path in judging_files(world, one.before)}
    code = {path for path in changed if path.endswith(".py") and (world.top / path).is_file()}
    said += [
        f"{path}: is changed; the base's is what judges" for path in sorted(rubrics & set(changed) - code)
    ]
    return said + [f"{path}: is changed; the base's code is what runs" for path in sorted(code)]


def _answers(here: Workspace) -> str:
    place = posixpath.join(here.base, STATE)
    return f"{place}: the change brings answers of its own; none of them is read"


def _integrity(
    world: Workspace, change: CommitRange, changed: Collection[str], places: Collection[str]
) -> list[Note]:
    """Check the release files that the change touches, and every commit of it that did.

    Raises:
        RepoError: some of it is out of sight, so nobody can say that it is as it was written.
    """
    levels = {Severity.ERROR: "error", Severity.WARNING: "warning"}
    repo, config = world.repo, world.config
    signers = signers_at(repo, change.base, config.require_signed)
    found: list[Finding] = []
    for root in places:
        top = folder(root)
        if touches(repo, change, top) or any(is_like(path, top) for path in changed):
            seen = verify(repo, change.head, root=root, since=change.fork, signers=signers, final=config.live)
            found += excused(seen, config.looked_into)
    if hidden := [one for one in found if one.severity == Severity.UNCHECKED]:
        raise RepoError(f"{hidden[0]}; check out with fetch-depth: 0")
    rows = [{"level": levels[one.severity], "path": one.path, "message": one.message} for one in found]
    return [Note.model_validate(row) for row in rows]


def _placed(repo: Repo, change: CommitRange, one: GatedPrompt) -> GatedPrompt:
    """Name the first changed line of a prompt that does not simply pass: there it is remarked on."""
    if not one.exit_code and one.status != "released":
        return one
    return one.model_copy(update={"line": first_changed_line(repo, change, one.path)})
