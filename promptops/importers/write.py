"""Samples to JSON lines, and into a samples file: what is there stays, an id that is there is skipped.

The file is replaced in one step, so that a crash leaves the old one and never half a line.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from promptops.importers.ids import Ids
from promptops.importers.jsonl import read
from promptops.samples import SCHEMA, Sample

_EMPTY = frozenset({"source", "cluster", "slices", "tags", "feedback", "extra"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """How many samples went in, and how many were there already."""

    added: int
    skipped: int


def to_record(sample: Sample) -> dict[str, Any]:
    """The sample as plain JSON values: its schema, its id, and only what is set."""
    dumped = sample.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for key in ("source", "cluster"):
        dumped[key] = {name: value for name, value in dumped.get(key, {}).items() if value is not None}
    record = {
        key: value for key, value in dumped.items() if value is not None and (value or key not in _EMPTY)
    }
    return {**record, "schema": SCHEMA, "sample_id": sample.sample_id}


def to_line(sample: Sample) -> str:
    """The sample as one line of JSON with its end: sorted keys, the same text for the same sample."""
    record = to_record(sample)
    return (
        json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"
    )


def add_samples(path: Path, samples: Iterable[Sample]) -> Added:
    """Add to the end of a samples file what it does not hold yet; adding the same again changes nothing.

    Raises:
        InvalidFile: the file that is there has problems; it is left as it is.
    """
    target = path.resolve()
    ids = Ids()
    if target.exists():
        for _ in read(target, name=str(path), ids=ids):
            pass
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        try:
            result = _write(file, target, samples, ids)
            file.flush()
            os.fsync(file.fileno())
            if result.added:
                Path(file.name).replace(target)
        finally:
            Path(file.name).unlink(missing_ok=True)
    return result


def _write(file: IO[bytes], target: Path, samples: Iterable[Sample], ids: Ids) -> Added:
    _copy(target, file)
    added = skipped = 0
    for sample in samples:
        if not sample.sample_id:
            identity = ids.computed(to_record(sample), 0)
            sample = sample.model_copy(update={"sample_id": identity})
        elif ids.written(sample.sample_id, 0):
            skipped += 1
            continue
        file.write(to_line(sample).encode("utf-8"))
        added += 1
    return Added(added=added, skipped=skipped)


def _copy(target: Path, file: IO[bytes]) -> None:
    """Begin with what is there, with its mode, and end its last line."""
    if not target.exists():
        Path(file.name).chmod(0o644)
        return
    shutil.copymode(target, file.name)
    with target.open("rb") as old:
        shutil.copyfileobj(old, file)
        if old.tell() and (old.seek(-1, os.SEEK_END), old.read(1))[1] != b"\n":
            file.write(b"\n")
