"""`try --watch`: wait until a file that the prompt is made of changes. Polls, because that works everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_ISREG

from promptops.config import FILE_NAME
from promptops.workspace import Workspace

PAUSE = 0.5


def changes(workspace: Workspace, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[Path]:
    """Give a file whenever one below a prompts folder changed, or the configuration did; for ever.

    What changes from this call on is noticed, also before the first file is asked for.
    """
    return _changes(workspace, _stamps(workspace), sleep)


def _changes(
    workspace: Workspace, before: dict[Path, tuple[int, int]], sleep: Callable[[float], None]
) -> Iterator[Path]:
    while True:
        sleep(PAUSE)
        after = _stamps(workspace)
        if after != before:
            changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
            before = after
            yield changed[0]


def _stamps(workspace: Workspace) -> dict[Path, tuple[int, int]]:
    found: dict[Path, tuple[int, int]] = {}
    folders = [workspace.top / root for root in workspace.roots]
    for folder in folders:
        for path in folder.rglob("*"):
            if "releases" not in path.relative_to(folder).parts[:1]:
                found |= _stamp(path)
    return found | _stamp(workspace.folder / FILE_NAME)


def _stamp(path: Path) -> dict[Path, tuple[int, int]]:
    """The time and size of a file; nothing where there is none, for editors replace files while we look."""
    try:
        stat = path.stat()
    except OSError:
        return {}
    return {path: (stat.st_mtime_ns, stat.st_size)} if S_ISREG(stat.st_mode) else {}
