"""What nobody here trusts yet is read and rendered in a process of its own first, which may die of it.

The child has no key in its environment, little memory and little time, and sees no other process. What would hang, die
or fill the memory does so there. It is rendered again here: keys are kept by the sandbox of the templates.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress

from promptops.gating.remarks import Remark, Tried, read_line
from promptops.gating.sides import Concern, Side
from promptops.gating.world import without_keys
from promptops.gitstore.commitrange import CommitRange
from promptops.workspace import Workspace

SECONDS = 120
# Nothing that is imported is garbage, and looking for some takes a tenth of the start.
_PROGRAM = "import gc; gc.disable(); from promptops.gating.child import main; main()"


def try_out(
    world: Workspace, change: CommitRange, concern: Concern, *, seconds: int = SECONDS
) -> dict[str, Tried]:
    """Read the prompts that a change may concern and render the base's samples with them, each file once.

    One that kills the process, or takes too long, is a problem of its own; the rest is tried without it.
    """
    known_as = {name: path for path, name in concern.old.names.items()}
    paths = {path: known_as.get(concern.new.names[path], "") for path in concern.new.paths(concern.ids)}
    found: dict[str, Tried] = {}
    while left := {path: base for path, base in paths.items() if path not in found}:
        asked = {
            "folder": str(world.top),
            "root": concern.root,
            "base": [change.base, _entries(concern.old, left.values())],
            "head": [change.head, _entries(concern.new, left)],
            "paths": left,
            "seconds": seconds,
        }
        for one in _child(world, json.dumps(asked).encode(), seconds):
            if one.path not in left:
                break  # nobody asked for it
            found[one.path] = one
        unfinished = [path for path in left if path not in found]
        if unfinished:  # they are tried in order: the first of them is what it died of
            words = f"reading it and rendering its samples takes more than {seconds} s or more memory than is allowed"
            died = Remark("error", unfinished[0], 0, 0, words)
            found[unfinished[0]] = Tried(path=unfinished[0], problems=(died,))
    return found


def _entries(side: Side, paths: Iterable[str]) -> list[list[str]]:
    """Return where git has these prompts and what they may include; anything else the child looks up by itself."""
    wanted = [path for path in paths if path] + list(side.others)
    return [[path, side.entries[path].mode, side.entries[path].oid] for path in wanted]


def _child(world: Workspace, asked: bytes, seconds: int) -> Iterator[Tried]:
    # -I: neither the current folder nor a variable of the caller decides what is imported.
    command = [sys.executable, "-I", "-c", _PROGRAM]
    # A file, and no pipe: it confines itself to what it may write into one (confined.py).
    with tempfile.TemporaryFile() as printed:
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                command,
                input=asked,
                stdout=printed,
                stderr=subprocess.DEVNULL,
                cwd=world.folder,
                env=without_keys(world.environ),
                timeout=2 * seconds,
                check=False,
            )
        printed.seek(0)
        for line in printed:
            # A line without an end is one in which it died.
            if not line.endswith(b"\n") or (one := read_line(line.rstrip(b"\n"))) is None:
                return
            yield one
