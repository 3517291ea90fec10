"""What a change makes of `promptops.yaml`: nothing of it holds here, all of it does once it is merged."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from promptops.config import FILE_NAME
from promptops.gitstore.commitrange import CommitRange
from promptops.workspace import Workspace, committed_workspace

SHOWN = 5


def as_merged(here: Workspace, change: CommitRange, changed: Collection[str], start: Path) -> Workspace:
    """Return the base's workspace as the change leaves it, whose configuration is only to be looked at.

    Raises:
        InvalidFile: it has problems, and nothing would work once it is merged.
    """
    if not any(posixpath.basename(path) == FILE_NAME for path in changed):
        return here
    return committed_workspace(here.repo, change.head, start, here.environ)


def prompt_folders(before: Workspace, after: Workspace) -> tuple[str, ...]:
    """Return the folders of prompts on both sides: what stands in a new one is not to escape the gate."""
    return tuple(dict.fromkeys((*before.roots, *after.roots)))


def rewritten(before: Workspace, after: Workspace) -> list[str]:
    """Return a sentence where the two configurations differ, with the names of what does."""
    if before.base != after.base:
        name = posixpath.normpath(posixpath.join(after.base, FILE_NAME))
        return [
            f"{name}: would be the configuration here; {posixpath.join(before.base, FILE_NAME)} is what holds"
        ]
    names = sorted(set(_differing(_written(before), _written(after))))
    if not names:
        return []
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    words = f"{', '.join(names[:SHOWN])}{more} {'is' if len(names) == 1 else 'are'} changed"
    return [
        f"{posixpath.join(before.base, FILE_NAME)}: {words}; the base's holds here, this once it is merged"
    ]


def _written(workspace: Workspace) -> dict[str, Any]:
    return workspace.config.model_dump(mode="json")


def _differing(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """Yield the dotted names of the values that differ, a whole entry that only one side has as one."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        if old != new:
            yield place
        return
    for name in old.keys() | new.keys():
        inner = f"{place}.{name}" if place else str(name)
        if name in old and name in new:
            yield from _differing(old[name], new[name], inner)
        else:
            yield inner
