"""Recorded calls become a prompt's samples: read, counted, kept beside the prompt, and what they can show is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from promptops.errors import NotFound, NothingToDo, Problem
from promptops.importers.find import read_files
from promptops.importers.write import add_samples
from promptops.prompts.model import Prompt
from promptops.samplesource import source_of
from promptops.stats.looks import alpha_at
from promptops.stats.power import chance_of_passing
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did; `said` is what the samples can show, in words."""

    prompt: str
    path: str
    added: int
    skipped: int
    bad: tuple[str, ...]
    total: int
    said: str

    def as_json(self) -> dict[str, Any]:
        return {"schema": "promptops.import/1", **asdict(self)}


def import_files(
    workspace: Workspace, prompt: Prompt, files: Sequence[Path], *, skip_bad: bool, margin: float
) -> Imported:
    """Add the samples of these files to `ID.samples.jsonl` beside the prompt; ids that are there are skipped.

    Raises:
        NotFound: there is no such file.
        InvalidFile: a line is no sample; with `skip_bad` such lines are counted and named instead.
    """
    for file in files:
        if not file.is_file():
            raise NotFound("file of samples", str(file))
    bad: list[str] = []

    def remember(problem: Problem) -> None:
        bad.append(str(problem))

    target = (workspace.top / prompt.path).parent / f"{prompt.id}.samples.jsonl"
    added = add_samples(target, read_files(list(files), skip_bad=skip_bad, on_bad=remember))
    total = sum(1 for _ in read_files([target]))
    said = what_they_show(total, margin=margin, alpha=_first_level(workspace, prompt))
    return Imported(
        prompt=prompt.id,
        path=target.relative_to(workspace.top).as_posix(),
        added=added.added,
        skipped=added.skipped,
        bad=tuple(bad),
        total=total,
        said=said if _is_read(workspace, prompt, target) else _not_read(workspace, prompt, target),
    )


def _is_read(workspace: Workspace, prompt: Prompt, file: Path) -> bool:
    """Whether the prompt's tests take samples from this file."""
    try:
        return file.resolve() in source_of(prompt, root=workspace.top).files
    except NothingToDo:
        return False


def _not_read(workspace: Workspace, prompt: Prompt, file: Path) -> str:
    """Say what keeps the samples from being used: a list of files, or rows in the prompt file itself."""
    name = file.relative_to(workspace.top).as_posix()
    return f"{prompt.id} does not read {name}: add it under samples: in {prompt.path}"


def _first_level(workspace: Workspace, prompt: Prompt) -> float:
    """The level at which the first look at a change is judged."""
    return alpha_at(1, prompt.spec.gate.alpha or workspace.config.defaults.alpha)


def what_they_show(n: int, *, margin: float, alpha: float) -> str:
    """Say how often an unchanged prompt would pass a first look with so many samples, and with more."""
    points = f"{margin * 100:.3g}-point allowance"
    counts = sorted({n, 300, 1000} if n < 300 else {n, 2 * n})
    chances = [(count, round(100 * chance_of_passing(count, margin=margin, alpha=alpha))) for count in counts]
    first, *more = chances
    rest = ", ".join(f"with {count} about {chance} %" for count, chance in more if chance > first[1])
    return (
        f"with {first[0]} samples an unchanged prompt passes a {points} about {first[1]} % of the time"
        f"{f', {rest}' if rest else ''} (yes/no scores, one answer in ten differing)"
    )
