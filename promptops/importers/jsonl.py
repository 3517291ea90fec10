"""Samples as JSON lines, `promptops.sample/1`: read one at a time, every problem with its line.

Blank lines are nothing. Refused: bytes that are not UTF-8, NaN, a key twice, an id twice, lines above 16 MiB,
another `schema`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from promptops.errors import Problem
from promptops.importers.ids import Ids
from promptops.importers.lines import Line, lines
from promptops.importers.rows import OnBad, Row, take
from promptops.samples import Sample
from promptops.strictjson import NotJson, parse

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read(
    source: str | Path | BinaryIO,
    *,
    name: str | None = None,
    ids: Ids | None = None,
    skip_bad: bool = False,
    on_bad: OnBad | None = None,
) -> Iterator[Sample]:
    """Yield the samples of a file, or of an open binary file, in file order.

    `name` is what problems call the file; `ids` is shared between the files of one sample set.

    Raises:
        InvalidFile: up to 20 bad lines, each with its number; nothing after the first of them was yielded.
    """
    said = name or (str(source) if isinstance(source, (str, Path)) else "samples")
    with Path(source).open("rb") if isinstance(source, (str, Path)) else nullcontext(source) as file:
        yield from take(_rows(file, said), said, ids or Ids(), skip_bad=skip_bad, on_bad=on_bad)


def _rows(file: BinaryIO, name: str) -> Iterator[Row | Problem]:
    for line in lines(file, name):
        if isinstance(line, Problem):
            yield line
        elif line.data.strip():
            yield _row(line, name)


def _row(line: Line, name: str) -> Row | Problem:
    try:
        text = line.data.decode("utf-8").rstrip("\r\n")
        value = parse(text)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        wrong = f"not UTF-8: byte 0x{error.object[error.start]:02x}"
        return Problem(name, line.number, error.start + 1, wrong)
    except UnicodeEncodeError:
        return Problem(name, line.number, 1, "half a surrogate pair; no such text can be sent")
    except NotJson as error:
        cut = "" if line.whole else "the last line is cut off: "
        return Problem(name, line.number, error.column or 1, f"{cut}not JSON: {error.reason}")
    return Row(line=line.number, value=value)
