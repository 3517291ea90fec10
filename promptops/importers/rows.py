"""From the rows of any file to samples: one place for what is checked, and for what happens to a bad row.

A bad row is never silent. Without `skip_bad` nothing after it is yielded, the rest is only looked through for
more problems, and all of them are raised; with it, every bad row is handed to `on_bad`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from promptops.errors import InvalidFile, Problem
from promptops.importers.ids import Ids
from promptops.samples import SCHEMA, Sample

MOST_PROBLEMS = 20
LONGEST_ID = 200

OnBad = Callable[[Problem], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A record as it was read, and the line it begins on."""

    line: int
    value: Any


def take(
    rows: Iterable[Row | Problem], name: str, ids: Ids, *, skip_bad: bool, on_bad: OnBad | None
) -> Iterator[Sample]:
    """Yield a sample for every row.

    Raises:
        InvalidFile: some rows are bad (up to 20 are named) and `skip_bad` is false.
    """
    if skip_bad and on_bad is None:
        raise TypeError("skip_bad needs on_bad: what is skipped is never silent")
    ids.open(name)
    problems: list[Problem] = []
    for row in rows:
        found = _sample(row, name, ids)
        if isinstance(found, Sample):
            if not problems:
                yield found
        elif skip_bad and on_bad is not None:
            on_bad(found)
        else:
            problems.append(found)
            if len(problems) == MOST_PROBLEMS:
                break
    if problems:
        raise InvalidFile(problems)


def _sample(row: Row | Problem, name: str, ids: Ids) -> Sample | Problem:
    if isinstance(row, Problem):
        return row
    try:
        return _checked(row, ids)
    except ValidationError as error:
        wrong = "; ".join(_said(detail, row.value) for detail in error.errors(include_url=False)[:3])
    except ValueError as error:
        wrong = str(error)
    return Problem(name, row.line, 1, wrong)


def _checked(row: Row, ids: Ids) -> Sample:
    if not isinstance(row.value, dict):
        raise ValueError(f"expected an object, got {_kind(row.value)}")
    _check_schema(row.value.get("schema"))
    if not isinstance(row.value.get("extra"), (dict, type(None))):
        raise ValueError("extra: expected an object")
    sample = Sample.model_validate({key: value for key, value in row.value.items() if key != "sample_id"})
    _check_numbers(sample)
    return sample.model_copy(update={"sample_id": _identity(row, ids)})


def _identity(row: Row, ids: Ids) -> str:
    written = row.value.get("sample_id")
    if written in (None, ""):
        return ids.computed(row.value, row.line)
    if not isinstance(written, str) or not written.isprintable() or len(written) > LONGEST_ID:
        raise ValueError(f"sample_id: expected a printable text of at most {LONGEST_ID} characters")
    if before := ids.written(written, row.line):
        raise ValueError(f"sample_id {written!r} is already at {before}")
    return written


def _check_schema(written: Any) -> None:
    if written is None or written == SCHEMA:
        return
    if isinstance(written, str) and written.startswith("promptops.sample/v"):
        raise ValueError(f"schema {written!r} is an older spelling; write {SCHEMA!r}")
    raise ValueError(f"schema: expected {SCHEMA!r}, got {written!r:.80}")


def _check_numbers(sample: Sample) -> None:
    for name in ("latency_ms", "ttft_ms", "cost_usd", "inclusion_prob"):
        value = getattr(sample, name)
        if value is not None and not isfinite(value):
            raise ValueError(f"{name}: expected a finite number, got {value}")


def _said(detail: ErrorDetails, value: dict[str, Any]) -> str:
    message = detail["msg"].removeprefix("Value error, ")
    place = ".".join(str(part) for part in detail["loc"])
    if place:
        return f"{place}: {message[:1].lower()}{message[1:]}"
    others = [key for key in value if key not in ("expected", "sample_id", "schema")]
    return f'{message}; write {{"inputs": {{"{others[0]:.40}": …}}}}' if others else message


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
