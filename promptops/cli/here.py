"""Where the program was started: the workspace of the current folder, with the process's environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptops.runs.cache import Cache
    from promptops.workspace import Workspace


def workspace() -> Workspace:
    """Open the workspace of the current folder."""
    from promptops.workspace import open_workspace

    return open_workspace(Path.cwd(), os.environ)


def cache(found: Workspace) -> Cache:
    """Open the answer cache of a workspace."""
    from promptops.runs.cache import Cache

    return Cache.open(found.state / "cache.db")
