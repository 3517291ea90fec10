"""What nobody here trusts yet is read and rendered in a process of its own first, which may die of it.

The child has no key in its environment, little memory and little time. What came through it is read again here:
the same text and the same samples give the same request, so there is nothing left to fear.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from promptops.gating.world import without_keys
from promptops.workspace import Workspace

SECONDS = 120


class Remark(NamedTuple):
    """One thing on a line of a file; plain, because the child starts faster without what reports are made of."""

    level: Literal["error", "warning"]
    path: str
    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One prompt file as the child found it: what is wrong with it, and what is worth a look."""

    path: str
    problems: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()


def try_out(
    world: Workspace, commit: str, paths: Mapping[str, str], *, root: str, seconds: int = SECONDS
) -> dict[str, Tried]:
    """Read these prompt files of a commit and render the base's samples with them, each file once.

    `paths` leads from each to the file that it is in the base, empty where it is new; `root` is their prompts folder.
    One that kills the process, or takes too long, is a problem of its own; the rest is tried without it.
    """
    found: dict[str, Tried] = {}
    while left := {path: base for path, base in paths.items() if path not in found}:
        for one in _child(world, commit, left, root, seconds):
            found[one.path] = one
        unfinished = [path for path in left if path not in found]
        if unfinished:  # they are tried in order: the first of them is what it died of
            words = f"reading it and rendering its samples takes more than {seconds} s or more memory than is allowed"
            died = Remark("error", unfinished[0], 0, 0, words)
            found[unfinished[0]] = Tried(path=unfinished[0], problems=(died,))
    return found


def _child(
    world: Workspace, commit: str, paths: Mapping[str, str], root: str, seconds: int
) -> Iterator[Tried]:
    where = {"folder": str(world.folder), "commit": commit, "root": root}
    asked = {**where, "paths": dict(paths), "seconds": seconds}
    # -I: neither the current folder nor a variable of the caller decides what is imported.
    command = [sys.executable, "-I", "-m", "promptops.gating.child"]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(asked).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(world.folder),
            env=without_keys(world.environ),
            timeout=2 * seconds,
            check=False,
        )
        printed = done.stdout
    except subprocess.TimeoutExpired as error:
        printed = error.stdout or b""
    for line in printed.split(b"\n")[:-1]:
        path, problems, notes = json.loads(line)
        yield Tried(
            path=path,
            problems=tuple(Remark(*one) for one in problems),
            notes=tuple(Remark(*one) for one in notes),
        )


def line_of(tried: Tried) -> str:
    """Return what the child prints of one file."""
    return json.dumps([tried.path, tried.problems, tried.notes])
