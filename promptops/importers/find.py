"""Where a prompt's samples are, and all of them as one stream. Never outside the repository."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from promptops.errors import ConfigError, NothingToDo
from promptops.importers import jsonl, table
from promptops.importers.ids import Ids
from promptops.importers.rows import OnBad
from promptops.samples import Sample

_READERS = {".jsonl": jsonl.read, ".ndjson": jsonl.read, ".csv": table.read, ".tsv": table.read}
_PROMPT_ENDS = (".prompt.yaml", ".prompt.yml", ".yaml", ".yml")


def find_samples(
    patterns: Sequence[str] | None, *, prompt_path: str | Path, root: Path, prompt_id: str | None = None
) -> list[Path]:
    """Return the files a prompt's samples are in, sorted, each once.

    `patterns` are globs relative to the prompt file; None means by convention, `ID.samples.jsonl` and
    `ID.samples.csv` beside it, by `prompt_id` or by the file's own name. `prompt_path` may be relative to
    `root`.

    Raises:
        NothingToDo: a pattern matches nothing, or nothing is there by convention.
        ConfigError: a pattern or a link leads out of the repository, or to a file of another kind.
    """
    base = root.resolve()
    beside = (base / prompt_path).parent.resolve()
    if not beside.is_relative_to(base):
        raise ConfigError(f"{prompt_path} is not in the repository")
    folder = str(beside.relative_to(base))
    if patterns is None:
        return _by_convention(base, folder, Path(prompt_path).name, prompt_id)
    found = {path for pattern in patterns for path in _matches(pattern, folder, base)}
    return sorted(found)


def read_files(
    paths: Sequence[Path], *, root: Path | None = None, skip_bad: bool = False, on_bad: OnBad | None = None
) -> Iterator[Sample]:
    """Yield the samples of all files, in this order, as one set: no id twice across them.

    Problems name files relative to `root`.

    Raises:
        InvalidFile: as `jsonl.read` and `table.read`.
        ConfigError: a file is of another kind.
    """
    ids = Ids()
    for path in paths:
        yield from _reader(path)(path, name=_name(path, root), ids=ids, skip_bad=skip_bad, on_bad=on_bad)


def _name(path: Path, root: Path | None) -> str:
    for base in (root, root.resolve()) if root else ():
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return str(path)


def _reader(path: Path) -> Callable[..., Iterator[Sample]]:
    if path.suffix not in _READERS:
        raise ConfigError(f"{path.name} is not a file of samples; they end in {', '.join(_READERS)}")
    return _READERS[path.suffix]


def _by_convention(base: Path, folder: str, file_name: str, prompt_id: str | None) -> list[Path]:
    stem = next((file_name.removesuffix(end) for end in _PROMPT_ENDS if file_name.endswith(end)), file_name)
    names = [f"{name}.samples{kind}" for name in {prompt_id or stem, stem} for kind in (".jsonl", ".csv")]
    found = [base / folder / name for name in names if (base / folder / name).is_file()]
    if not found:
        wanted = os.path.normpath(f"{folder}/{prompt_id or stem}.samples.jsonl")
        example = '{"inputs": {…}, "expected": …}'
        raise NothingToDo(
            f"no samples: write {wanted}, one line {example} each{_what_is_there(base / folder)}"
        )
    return sorted(_inside(path, base, path.name) for path in found)


def _matches(pattern: str, folder: str, base: Path) -> list[Path]:
    whole = os.path.normpath(f"{glob.escape(folder)}/{pattern}")
    if Path(pattern).is_absolute() or Path(whole).parts[:1] == ("..",):
        raise ConfigError(f"samples: {pattern!r} leads out of the repository")
    paths = [base / name for name in glob.glob(whole, root_dir=base, recursive=True)]  # noqa: PTH207  root_dir
    found = [_inside(path, base, pattern) for path in paths if path.is_file()]
    if not found:
        there = _what_is_there((base / folder / pattern).parent)
        raise NothingToDo(f"samples: nothing matches {pattern!r} beside the prompt file{there}")
    for path in found:
        _reader(path)
    return found


def _inside(path: Path, base: Path, pattern: str) -> Path:
    if not path.resolve().is_relative_to(base):
        raise ConfigError(f"samples: {pattern!r} follows a link out of the repository ({path.name})")
    return path


def _what_is_there(folder: Path) -> str:
    if not folder.is_dir():
        return f"; there is no folder {folder.name}"
    names = sorted(path.name for path in folder.iterdir() if path.suffix in _READERS)
    return f"; there is {', '.join(names[:5])}" if names else ""
