"""Where the samples of a prompt are: files, or the rows of a GitHub prompt file, read from the start each time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptops.importers.find import find_samples, read_files
from promptops.importers.select import select
from promptops.importers.testdata import read_rows
from promptops.prompts.model import Prompt
from promptops.samples import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSource:
    """Where samples are: files, or the rows written into a GitHub prompt file; both narrowed by filters."""

    root: Path
    files: tuple[Path, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    rows_of: str = ""
    ids: tuple[str, ...] = ()
    where: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Sample]:
        """Stream the samples in their order, from the start each time."""
        samples = (
            read_files(self.files, root=self.root)
            if self.files
            else read_rows(self.rows, name=f"{self.rows_of}: testData")
        )
        return select(samples, ids=self.ids, where=self.where)


def source_of(
    prompt: Prompt, *, root: Path, ids: Sequence[str] = (), where: Sequence[str] = ()
) -> SampleSource:
    """Find a prompt's samples: what it names, else its own rows, else by convention beside it.

    Raises:
        NothingToDo: there are none.
        ConfigError: a pattern leads out of the repository.
    """
    if prompt.rows and prompt.spec.samples is None:
        return SampleSource(
            root=root, rows=prompt.rows, rows_of=prompt.path, ids=tuple(ids), where=tuple(where)
        )
    files = find_samples(prompt.spec.samples, prompt_path=prompt.path, root=root, prompt_id=prompt.id)
    return SampleSource(root=root, files=tuple(files), ids=tuple(ids), where=tuple(where))
