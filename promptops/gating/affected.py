"""Which prompts a change affects, and through what: their own file, what they include, samples, policy, releases.

Releases count also where no file of their prompt is left: programs go on loading what was released.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from promptops.gated import Note
from promptops.gating.policy import differs
from promptops.gating.remarks import Remark
from promptops.gating.samples import sample_paths
from promptops.gating.sides import Concern
from promptops.gating.suspects import samples_by_custom
from promptops.gating.tried import try_out
from promptops.gitstore.commitrange import CommitRange
from promptops.gitstore.releasefiles import place_of
from promptops.gitstore.releases import folder
from promptops.gitstore.trees import Prompts, open_entries, read_all
from promptops.prompts.model import Prompt
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """One prompt before and after the change; `problems` are what keeps `after` from being read or rendered.

    `moved` are the environments whose pointer the change touches, `releases` whether it touches any release file.
    """

    id: str
    root: str
    path: str
    reasons: tuple[str, ...]
    before: Prompt | None = None
    after: Prompt | None = None
    problems: tuple[Note, ...] = ()
    notes: tuple[Note, ...] = ()
    releases: bool = False
    moved: frozenset[str] = frozenset()


def affected(
    world: Workspace, change: CommitRange, changed: Collection[str], concerns: Collection[Concern]
) -> tuple[Affected, ...]:
    """Return the prompts that a change affects, by id; `changed` are the paths that it touches.

    `concerns` are what it may concern under each folder of prompts, before the change and after it. What the change
    has written is read in a process of its own before it is read here.

    Raises:
        RepoError: objects are missing.
    """
    found = [one for concern in concerns for one in _in_root(world, change, changed, concern)]
    roots = [one.root for one in concerns]
    found = [_at_home(world, change, one, roots) for one in found]
    return tuple(sorted(found, key=lambda one: (one.id, one.path)))


def _at_home(world: Workspace, change: CommitRange, one: Affected, roots: Collection[str]) -> Affected:
    """What is released stays where it is: elsewhere it would begin again, with nothing to be compared with."""
    if one.before is not None or one.after is None:
        return one
    for root in roots:
        if root != one.root and world.repo.tree(change.base, f"{folder(root)}/{one.id}"):
            words = f"{one.id} has its releases in {folder(root)}; its file belongs under {root}, or needs another id"
            return replace(one, problems=(Note(level="error", path=one.path, message=words), *one.problems))
    return one


def _in_root(
    world: Workspace, change: CommitRange, changed: Collection[str], concern: Concern
) -> Iterable[Affected]:
    root, new, before = concern.root, concern.new, concern.before
    released = _released(changed, root)
    if not concern.ids and not released:
        return
    tried = try_out(world, change, concern)
    with open_entries(world.repo, (change.head, new.entries)) as (tree,):
        after = read_all(tree, [path for path, one in tried.items() if not one.problems], root=root)
    for path, one in tried.items():
        name = new.names[path]
        known = next((prompt for prompt in after.prompts if prompt.path == path), None)
        identity = known.id if known is not None else name
        problems = (
            [*map(_note, one.problems), *_unread(after, path)] if known is None else _hidden(known, name)
        )
        entry = Affected(
            id=identity,
            root=root,
            path=path,
            reasons=(),
            before=before.get(identity),
            after=known,
            problems=tuple(problems),
            notes=tuple(map(_note, one.notes)),
            releases=identity in released,
            moved=released.get(identity, frozenset()),
        )
        if (reasons := _reasons(world, entry, changed)) or problems:
            yield replace(entry, reasons=reasons or ("the prompt",))
    there = {prompt.id for prompt in after.prompts} | {new.names[path] for path in tried}
    gone = {prompt.id: prompt for prompt in before.prompts if prompt.id not in there}
    for name in sorted(gone.keys() | (released.keys() - there)):
        prompt = gone.get(name)
        yield Affected(
            id=name,
            root=root,
            path=prompt.path if prompt is not None else f"{folder(root)}/{name}",
            reasons=("its file is gone",) if prompt is not None else ("its releases",),
            before=prompt,
            releases=name in released,
            moved=released.get(name, frozenset()),
        )


def _note(remark: Remark) -> Note:
    return Note(
        level=remark.level,
        path=remark.path,
        line=remark.line,
        column=remark.column,
        message=remark.message,
    )


def _hidden(prompt: Prompt, guessed: str) -> list[Note]:
    """A prompt that is another than it looks was rendered for another one's samples, or for none."""
    if prompt.id == guessed:
        return []
    words = f"its id is {prompt.id}, which cannot be told at a glance: write `id: {prompt.id}` on a line of its own"
    return [Note(level="error", path=prompt.path, message=words)]


def _unread(found: Prompts, path: str) -> list[Note]:
    return [
        Note(level="error", path=one.path, line=one.line, column=one.column, message=one.message)
        for one in found.problems
        if one.path == path or path in one.message
    ]


def _reasons(world: Workspace, one: Affected, changed: Collection[str]) -> tuple[str, ...]:
    """Return what of a prompt has changed, the most important first; nothing where it only looked so."""
    before, after, found = one.before, one.after, list[str]()
    if before is None or after is None or before.digest != after.digest:
        found.append("the prompt" if one.path in changed else "what it includes")
        names = {PurePosixPath(name).name for prompt in (before, after) if prompt for name in prompt.partials}
        found += sorted(path for path in changed if PurePosixPath(path).name in names)
    elif one.path in changed:
        found.append("words that no model sees")
    if before is not None and after is not None and differs(before, after):
        found.append("its policy")
    if before is not None:
        found += sorted(_samples(world, before) & set(changed))
        found += sorted(judging_files(world, before) & set(changed))
    if one.releases:
        found.append("its releases")
    return tuple(found)


def _released(changed: Collection[str], root: str) -> dict[str, frozenset[str]]:
    """Return the prompts whose release files are among these paths, each with the environments of its pointers."""
    found: dict[str, frozenset[str]] = {}
    for path in changed:
        if path.startswith(f"{folder(root)}/") and (place := place_of(path, root)) is not None:
            moved = {place.environment} if place.environment is not None else set()
            found[place.id] = found.get(place.id, frozenset()) | moved
    return found


def _samples(world: Workspace, prompt: Prompt) -> frozenset[str]:
    custom = samples_by_custom(prompt.path, prompt.id) if prompt.spec.samples is None else frozenset()
    return sample_paths(world, prompt) | custom


def judging_files(world: Workspace, prompt: Prompt) -> frozenset[str]:
    """Return the files that score a prompt's answers: of its python scorers, and its rubrics."""
    found = []
    for spec in (prompt.spec.scorers or {}).values():
        if spec.python is not None:
            module = spec.python.partition(":")[0].replace(".", "/")
            found += [posixpath.join(world.base, f"{module}{end}") for end in (".py", "/__init__.py")]
        if spec.judge is not None:
            found.append(posixpath.normpath(posixpath.join(posixpath.dirname(prompt.path), spec.judge)))
    return frozenset(found)
