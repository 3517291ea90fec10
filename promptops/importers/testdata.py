"""The `testData` rows of a GitHub prompt file as samples: every key is an input, `expected` too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from promptops.importers.ids import Ids
from promptops.importers.rows import Row, take
from promptops.samples import Sample


def read_rows(rows: Iterable[Any], *, name: str = "testData") -> Iterator[Sample]:
    """Yield a sample for every row; in a problem the line is the row's number, counted from 1.

    Raises:
        InvalidFile: a row is not an object.
    """
    found = (Row(line=number, value=_record(row)) for number, row in enumerate(rows, 1))
    return take(found, name, Ids(), skip_bad=False, on_bad=None)


def _record(row: Any) -> Any:
    if not isinstance(row, dict):
        return row
    inputs = {str(key): value for key, value in row.items()}
    return {"inputs": inputs, **({"expected": row["expected"]} if row.get("expected") is not None else {})}
