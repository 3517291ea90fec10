"""`try --watch`: wait until a file that the prompt is made of changes. Polls, because that works everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from promptops.workspace import Workspace

PAUSE = 0.5


def changes(workspace: Workspace, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[Path]:
    """Yield a file whenever one below a prompts folder changed, or the configuration did; for ever."""
    before = _stamps(workspace)
    while True:
        sleep(PAUSE)
        after = _stamps(workspace)
        if after != before:
            changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
            before = after
            yield changed[0]


def _stamps(workspace: Workspace) -> dict[Path, tuple[int, int]]:
    found = {}
    folders = [workspace.top / root for root in workspace.roots]
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and "releases" not in path.relative_to(folder).parts[:1]:
                stat = path.stat()
                found[path] = (stat.st_mtime_ns, stat.st_size)
    config = workspace.folder / "promptops.yaml"
    if config.is_file():
        found[config] = (config.stat().st_mtime_ns, config.stat().st_size)
    return found
