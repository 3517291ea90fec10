"""A part of a sample set: by id (`--sample`), slice (`language=de`) or tag (`vip`). Pure, streaming."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from promptops.errors import ConfigError, NothingToDo, did_you_mean
from promptops.samples import Sample

_SHORTEST_PREFIX = 4
_REMEMBERED = 1_000


def select(
    samples: Iterable[Sample], *, ids: Sequence[str] = (), where: Sequence[str] = ()
) -> Iterator[Sample]:
    """Yield the samples that have one of the ids and fit every filter.

    An id may be shortened to its beginning, as reports show it, from 8 characters on (`smp_0be1`). Filters
    for one slice are alternatives (`language=de`, `language=fr`), those for different slices must all fit.

    Raises:
        ConfigError: a filter is neither NAME=VALUE nor a tag.
        NothingToDo: nothing fits, or an id is not there; raised at the end.
    """
    wanted = _slices(where)
    missing, seen, found = set(ids), 0, False
    values: set[str] = set()
    for sample in samples:
        seen += 1
        hit = {identity for identity in ids if _names(identity, sample.sample_id)}
        missing -= hit
        if len(values) < _REMEMBERED:
            values |= {sample.sample_id, *sample.tags, *(f"{k}={_text(v)}" for k, v in sample.slices.items())}
        if (hit or not ids) and all(_fits(sample, name, allowed) for name, allowed in wanted.items()):
            found = True
            yield sample
    if missing:
        name = min(missing)
        raise NothingToDo(f"no sample {name!r} among {seen}{did_you_mean(name, values)}")
    if not found and (ids or where):
        text = " ".join([*ids, *where])
        raise NothingToDo(
            f"none of {seen} samples fits {text}{did_you_mean(where[0], values) if where else ''}"
        )


def _slices(where: Sequence[str]) -> dict[str, set[str]]:
    """Filters by slice name; tags stand under the empty name with their own."""
    wanted: dict[str, set[str]] = {}
    for text in where:
        name, equals, value = text.partition("=")
        if not name.strip() or (equals and not value.strip()):
            raise ConfigError(f"filter {text!r} is neither NAME=VALUE nor a tag")
        key = name.strip() if equals else f"={name.strip()}"
        wanted.setdefault(key, set()).add(value.strip())
    return wanted


def _fits(sample: Sample, name: str, allowed: set[str]) -> bool:
    if name.startswith("="):
        return name[1:] in sample.tags
    return name in sample.slices and _text(sample.slices[name]) in allowed


def _names(written: str, identity: str) -> bool:
    long_enough = len(written.removeprefix("smp_")) >= _SHORTEST_PREFIX
    return identity == written or (
        long_enough and written.startswith("smp_") and identity.startswith(written)
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
