"""Samples as a table: CSV with a header row, RFC 4180, also with `;` or tabs.

The separator is the one of `,` `;` and tab that the header line has most of, outside quotes. Columns:

    expected, expected.NAME, inputs.NAME, slices.NAME
    sample_id, tags (separated by , ; or |), kind, status, risk, recorded_at, messages (JSON), output
    latency_ms, ttft_ms, cost_usd, inclusion_prob
    conversation_id, user_id_hash, turn_index, trial, trace_id, span_id

Every other column is an input of that name. Cells are text and stay the text that was written; only an
`expected` that is a JSON object or list is read as one. An empty cell is an empty input, otherwise nothing.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from promptops.errors import InvalidFile, Problem
from promptops.importers.ids import Ids
from promptops.importers.lines import Line, lines
from promptops.importers.rows import OnBad, Row, take
from promptops.samples import Sample
from promptops.strictjson import NotJson, parse

Place = tuple[str, ...]

_NUMBERS = frozenset({"latency_ms", "ttft_ms", "cost_usd", "inclusion_prob", "turn_index", "trial"})
_PLACES: dict[str, Place] = {
    **{name: (name,) for name in ("sample_id", "expected", "tags", "kind", "status", "risk", "recorded_at")},
    **{name: (name,) for name in ("messages", "latency_ms", "ttft_ms", "cost_usd", "inclusion_prob")},
    **{name: ("cluster", name) for name in ("conversation_id", "user_id_hash", "turn_index", "trial")},
    **{name: ("source", name) for name in ("trace_id", "span_id")},
    "output": ("output", "content"),
}
_DOTTED = ("inputs", "expected", "slices")


def read(
    source: str | Path | BinaryIO,
    *,
    name: str | None = None,
    ids: Ids | None = None,
    skip_bad: bool = False,
    on_bad: OnBad | None = None,
) -> Iterator[Sample]:
    """Yield the samples of a table, as `jsonl.read` does.

    Raises:
        InvalidFile: bad rows, each with the line it begins on; a bad header always.
    """
    said = name or (str(source) if isinstance(source, (str, Path)) else "samples")
    with Path(source).open("rb") if isinstance(source, (str, Path)) else nullcontext(source) as file:
        yield from take(_rows(file, said), said, ids or Ids(), skip_bad=skip_bad, on_bad=on_bad)


def _rows(file: BinaryIO, name: str) -> Iterator[Row | Problem]:
    bad: list[Problem] = []
    texts = _texts(file, name, bad)
    first = next(texts, None)
    if first is None:
        return
    if bad:
        raise InvalidFile(bad)
    separator = _separator(first)
    reader = csv.reader(chain([first], texts), delimiter=separator, strict=True)
    places = _header(reader, name)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad.append(Problem(name, line, 1, f"not CSV: {error}"))
            cells = []
        if bad:
            # A cell may go over several lines: the row that lost one of them is bad, too.
            yield from bad
            bad.clear()
        elif cells:
            yield _row(cells, places, line, name, separator)


def _texts(file: BinaryIO, name: str, bad: list[Problem]) -> Iterator[str]:
    """Lines as text; bytes that are not UTF-8 are carried along, so that only their row is bad.

    A line that is too long becomes an empty one, with its problem in `bad`.
    """
    for line in lines(file, name):
        if isinstance(line, Line):
            yield line.data.decode("utf-8", "surrogateescape")
        else:
            bad.append(line)
            yield "\n"


def _separator(header: str) -> str:
    bare = re.sub(r'"[^"]*"', "", header)
    return max(",;\t", key=bare.count)


def _header(reader: Iterator[list[str]], name: str) -> list[Place]:
    try:
        names = [cell.strip() for cell in next(reader)]
    except csv.Error as error:
        raise InvalidFile([Problem(name, 1, 1, f"not CSV: {error}")]) from error
    wrong = [f"column {column!r} is there twice" for column, count in Counter(names).items() if count > 1]
    wrong += [f"column {place} has no name" for place, column in enumerate(names, 1) if not column][:1]
    if "expected" in names and any(column.startswith("expected.") for column in names):
        wrong.append("columns expected and expected.NAME exclude each other")
    if any("\udc80" <= char <= "\udcff" for column in names for char in column):
        wrong.append("not UTF-8")
    if wrong:
        raise InvalidFile(Problem(name, 1, 1, text) for text in wrong)
    return [_place(column) for column in names]


def _place(column: str) -> Place:
    before, dot, after = column.partition(".")
    if dot and after and before in _DOTTED:
        return (before, after)
    return _PLACES.get(column, ("inputs", column))


def _row(cells: list[str], places: list[Place], line: int, name: str, separator: str) -> Row | Problem:
    if len(cells) != len(places):
        wrong = f"{len(cells)} cells under {len(places)} columns (separator {separator!r}, from the header)"
        return Problem(name, line, 1, wrong)
    if any("\udc80" <= char <= "\udcff" for cell in cells if not cell.isascii() for char in cell):
        return Problem(name, line, 1, "not UTF-8")
    record: dict[str, Any] = {"inputs": {}} if any(place[0] == "inputs" for place in places) else {}
    for place, cell in zip(places, cells, strict=True):
        if cell or place[0] == "inputs":
            _put(record, place, _value(place, cell))
    return Row(line=line, value=record)


def _put(record: dict[str, Any], place: Place, value: Any) -> None:
    *outer, last = place
    for key in outer:
        record = record.setdefault(key, {})
    record[last] = value


def _value(place: Place, cell: str) -> Any:
    if place[0] == "tags":
        tags = _json(cell, "[")
        return tags if tags != cell else [tag.strip() for tag in re.split(r"[,;|]", cell) if tag.strip()]
    if place in (("expected",), ("messages",)):
        return _json(cell, "[{")
    if place[-1] in _NUMBERS and place[0] not in _DOTTED:
        return _json(cell, "-.0123456789")
    return cell


def _json(cell: str, starts: str) -> Any:
    """The cell as JSON when it begins and reads like it, else as it is."""
    if not cell.strip().startswith(tuple(starts)):
        return cell
    try:
        return parse(cell)
    except NotJson:
        return cell
