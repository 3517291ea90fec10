"""Lines of a file of samples as bytes, one at a time, each of bounded length. Decodes nothing."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from promptops.errors import InvalidFile, Problem

MAX_LINE = 16 * 1024 * 1024
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line with its end; `whole` is false for a last line that has none."""

    number: int
    data: bytes
    whole: bool


def lines(file: BinaryIO, name: str, *, limit: int = MAX_LINE) -> Iterator[Line | Problem]:
    """Yield every line, without a byte order mark; a line above `limit` bytes is a problem and is skipped.

    Raises:
        InvalidFile: the file is UTF-16, where bytes and lines mean something else.
    """
    number = 0
    while data := file.readline(limit + 1):
        number += 1
        if number == 1:
            data = _without_mark(data, name)
        if len(data) > limit and not data.endswith(b"\n"):
            _skip_rest(file)
            yield Problem(
                name, number, 1, f"a line of more than {limit // 1024**2} MiB; one line is one sample"
            )
        else:
            yield Line(number=number, data=data, whole=data.endswith(b"\n"))


def _without_mark(data: bytes, name: str) -> bytes:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InvalidFile([Problem(name, 1, 1, "this is UTF-16; save it as UTF-8")])
    return data.removeprefix(codecs.BOM_UTF8)


def _skip_rest(file: BinaryIO) -> None:
    while (chunk := file.readline(_CHUNK)) and not chunk.endswith(b"\n"):
        pass
