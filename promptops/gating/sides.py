"""Both ends of a change as entries and bytes, and the prompts that it may concern: told from git's objects alone.

So only what these prompts need of the base has to be written out as files (world.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from posixpath import basename
from typing import Self

from promptops.config import Config
from promptops.gating.suspects import SAMPLE_ENDS, samples_by_custom, suspects
from promptops.gitstore.commitrange import CommitRange
from promptops.gitstore.releases import folder
from promptops.gitstore.repo import Repo, TreeEntry
from promptops.gitstore.trees import Prompts, guess_id, holds_prompt, open_entries, read_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The files of both ends of a change, but those in folders of releases."""

    base: Mapping[str, TreeEntry]
    head: Mapping[str, TreeEntry]

    @classmethod
    def of(cls, repo: Repo, change: CommitRange, roots: Collection[str]) -> Self:
        """Read the base whole, and of the head what differs."""
        shelves = frozenset(folder(root) for root in roots)
        base = repo.files(change.base, without=shelves)
        head = dict(base)
        for path, entry in repo.differences(change.base, change.head).items():
            if entry is None:
                head.pop(path, None)
            elif not path.startswith(tuple(f"{shelf}/" for shelf in shelves)):
                head[path] = entry
        return cls(base=base, head=head)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The files under the root of one commit: the prompts, and what they may include, as bytes."""

    entries: Mapping[str, TreeEntry]
    prompts: Mapping[str, bytes]
    others: Mapping[str, bytes]
    names: Mapping[str, str]
    links: frozenset[str]

    def paths(self, ids: Collection[str]) -> list[str]:
        return sorted(path for path, name in self.names.items() if name in ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One prompts folder at both ends: `ids` are the prompts that a change may concern, `before` the base's of them."""

    root: str
    old: Side
    new: Side
    ids: frozenset[str]
    before: Prompts


def concern(repo: Repo, change: CommitRange, changed: Collection[str], ends: Ends, *, root: str) -> Concern:
    """Return what a change may concern under one root; a file that is at both ends is read once.

    Raises:
        RepoError: objects are missing.
    """
    kept = [
        {path: one for path, one in end.items() if _may_concern(path, root)} for end in (ends.base, ends.head)
    ]
    contents = repo.read_many({one.oid for tree in kept for one in tree.values() if one.mode != "160000"})
    old = _side(kept[0], contents, root)
    new = _side(kept[1], contents, root, like=old)
    ids = frozenset(_names(old, new, changed, root))
    with open_entries(repo, (change.base, old.entries)) as (tree,):
        before = read_all(tree, old.paths(ids), root=root)
    return Concern(root=root, old=old, new=new, ids=ids, before=before)


def _may_concern(path: str, root: str) -> bool:
    return (root in ("", ".") or path.startswith(f"{root}/")) and not path.endswith(SAMPLE_ENDS)


def _side(
    tree: Mapping[str, TreeEntry], contents: Mapping[str, bytes], root: str, like: Side | None = None
) -> Side:
    """Return one side; what is the same in the other one is not worked out again."""
    files = {path: contents.get(one.oid, b"") for path, one in tree.items()}
    known = (
        {}
        if like is None
        else {path: name for path, name in like.names.items() if tree.get(path) == like.entries[path]}
    )
    prompts = {path: content for path, content in files.items() if path in known or holds_prompt(path, root)}
    others = {path: content for path, content in files.items() if path not in prompts}
    names = {path: known.get(path) or guess_id(content, path) for path, content in prompts.items()}
    links = frozenset(path for path, one in tree.items() if not one.is_file)
    return Side(entries=tree, prompts=prompts, others=others, names=names, links=links)


def _names(old: Side, new: Side, changed: Collection[str], root: str) -> Iterator[str]:
    """Yield the prompts that the change may concern; those that are the same at both ends are looked at once."""
    others, links = dict(old.others), old.links | new.links
    for path, content in new.others.items():
        if old.others.get(path) != content:  # what either end says counts
            others[path] = old.others.get(path, b"") + b"\n" + content
    moved = {path: one for path, one in new.prompts.items() if old.entries.get(path) != new.entries[path]}
    for side, prompts in ((old, old.prompts), (new, moved)):
        for path in suspects(changed, prompts, others, root=root, names=side.names, links=links):
            yield side.names[path]


def unneeded(concerns: Collection[Concern], config: Config, changed: Collection[str]) -> frozenset[str]:
    """Return files of the base that nothing looks for: the prompts, which are read from git, and others' samples.

    None where code of the base is run, which may read any file, and no samples where it is not known whose judge.
    """
    judging = [prompt for one in concerns for prompt in one.before.prompts]
    if _runs_code(config) or any(
        spec.python for one in judging for spec in (one.spec.scorers or {}).values()
    ):
        return frozenset()
    prompts = frozenset(path for one in concerns for path in one.old.prompts)
    if sum(len(one.ids) for one in concerns) > len(judging):
        return prompts
    patterns = {basename(pattern) for one in judging for pattern in one.spec.samples or ()}
    samples = {
        path
        for one in concerns
        for prompt, name in one.old.names.items()
        if name not in one.ids
        for path in samples_by_custom(prompt, name)
        if not any(fnmatchcase(basename(path), pattern) for pattern in patterns)
    }
    kept = {path for one in judging for path in samples_by_custom(one.path, one.id)}
    return prompts | (samples - kept - set(changed))


def _runs_code(config: Config) -> bool:
    return any(spec.kind in ("python", "command") for spec in config.providers.values())
