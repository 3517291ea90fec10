"""The process that reads what nobody trusts: told on its standard input what, and answering one line a file.

It limits itself before it reads anything; who started it watches the clock. Nothing is asked here and nothing kept.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promptops.errors import InvalidFile, PromptopsError
from promptops.gating.confined import confine
from promptops.gating.policy import under
from promptops.gating.remarks import Remark, Tried, line_of
from promptops.gitstore.repo import Repo, TreeEntry
from promptops.gitstore.trees import Tree, open_entries, read_prompt
from promptops.prompts.lint import lint
from promptops.prompts.model import Prompt
from promptops.prompts.render import render_sample
from promptops.samplesource import source_of

SHOWN = 3


def main() -> None:
    """Answer what is asked on the standard input, one JSON line a file, in order."""
    gc.enable()
    asked = json.load(sys.stdin)
    confine(asked["seconds"])
    top, root = Path(asked["folder"]), asked["root"]
    with open_entries(Repo.open(top), _end(asked["base"]), _end(asked["head"])) as (old, new):
        for path, known in asked["paths"].items():
            base = _base(old, known, root) if known else None
            sys.stdout.write(f"{line_of(_tried(top, new, path, root, base))}\n")
            sys.stdout.flush()


def _end(asked: list[Any]) -> tuple[str, dict[str, TreeEntry]]:
    commit, entries = asked
    return commit, {path: TreeEntry(mode=mode, oid=oid) for path, mode, oid in entries}


def _base(tree: Tree, path: str, root: str) -> Prompt | None:
    try:
        return read_prompt(tree, path, root=root)
    except InvalidFile:
        return None


def _tried(top: Path, tree: Tree, path: str, root: str, base: Prompt | None) -> Tried:
    try:
        prompt = read_prompt(tree, path, root=root)
    except InvalidFile as error:
        found = (Remark("error", one.path, one.line, one.column, one.message) for one in error.problems)
        return Tried(path=path, problems=tuple(found))
    notes = tuple(
        Remark("error" if one.severity == "error" else "warning", one.path, one.line, one.column, one.message)
        for one in lint(prompt)
        if one.severity != "info"
    )
    problems = () if base is None else tuple(_rendered(top, base, prompt))
    return Tried(path=path, problems=problems, notes=notes)


def _rendered(top: Path, base: Prompt, prompt: Prompt) -> Iterator[Remark]:
    """Render every sample of the base; nothing of it leaves this process but what is wrong with the first few."""
    judged, shown = under(base, prompt), 0
    try:
        for sample in source_of(judged, root=top):
            try:
                render_sample(judged, sample)
            except PromptopsError as error:
                yield Remark("error", prompt.path, 0, 0, f"{sample.sample_id}: {error}")
                shown += 1
                if shown == SHOWN:
                    return
    except PromptopsError:  # no samples, or none that can be read: the test says so, in its own words
        return
