"""The process that reads what nobody trusts: told on its standard input what, and answering one line a file.

It limits itself before it reads anything; who started it watches the clock. Nothing is asked here and nothing kept.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from promptops.errors import InvalidFile, PromptopsError
from promptops.gated import Note
from promptops.gating.policy import under
from promptops.gating.tried import Tried
from promptops.gitstore.trees import Tree, open_tree, read_prompt
from promptops.prompts.lint import lint
from promptops.prompts.model import Prompt
from promptops.prompts.render import render_sample
from promptops.sampling import source_of
from promptops.workspace import Workspace, open_workspace

MEMORY = 2 * 2**30  # bytes of address space; Python and its libraries take a quarter of it
SHOWN = 3


def main() -> None:
    """Answer what is asked on the standard input, one JSON line a file, in order."""
    asked = json.load(sys.stdin)
    _limit(asked["seconds"])
    world = open_workspace(Path(asked["folder"]), {})
    for path, known in asked["paths"].items():
        root = world.root_of(path)
        base = _base(world, known) if known else None
        with open_tree(world.repo, asked["commit"], root) as tree:
            tried = _tried(world, tree, path, root, base)
        sys.stdout.write(f"{tried.model_dump_json()}\n")
        sys.stdout.flush()


def _limit(seconds: int) -> None:
    """Have the system end this process when it takes too much; where it cannot, the one who waits does."""
    if os.name == "nt":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _base(world: Workspace, path: str) -> Prompt | None:
    root = world.root_of(path)
    with open_tree(world.repo, "HEAD", root) as tree:
        try:
            return read_prompt(tree, path, root=root)
        except InvalidFile:
            return None


def _tried(world: Workspace, tree: Tree, path: str, root: str, base: Prompt | None) -> Tried:
    try:
        prompt = read_prompt(tree, path, root=root)
    except InvalidFile as error:
        return Tried(
            path=path,
            problems=[_problem(one.path, one.line, one.column, one.message) for one in error.problems],
        )
    notes = [
        Note(
            level="error" if one.severity == "error" else "warning",
            path=one.path,
            line=one.line,
            column=one.column,
            message=one.message,
        )
        for one in lint(prompt)
        if one.severity != "info"
    ]
    problems = [] if base is None else _rendered(world, base, prompt)
    return Tried(path=path, problems=problems, notes=notes)


def _rendered(world: Workspace, base: Prompt, prompt: Prompt) -> list[Note]:
    """Render every sample of the base; nothing of it leaves this process."""
    found: list[Note] = []
    judged = under(base, prompt)
    try:
        for sample in source_of(judged, root=world.top):
            try:
                render_sample(judged, sample)
            except PromptopsError as error:
                found.append(_problem(prompt.path, 0, 0, f"{sample.sample_id}: {error}"))
                if len(found) == SHOWN:
                    break
    except PromptopsError:  # no samples, or none that can be read: the test says so, in its own words
        return found
    return found


def _problem(path: str, line: int, column: int, message: str) -> Note:
    return Note(level="error", path=path, line=line, column=column, message=message)


if __name__ == "__main__":
    main()
