"""Bytes → text → YAML → pydantic model; every problem has file, line and column, and all are shown.

Where a model wants text, a plain scalar is the text that was written (`no`, `1.10`, `2024-01-01`); elsewhere
it is read by the core schema of YAML 1.2. Nothing here opens a file or constructs an object from a tag.
"""

from __future__ import annotations

import codecs
import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from promptops.errors import InvalidFile, Problem
from promptops.nodes import NearlyRead, Node, Place, plain_data, read_nodes
from promptops.validation import Path, Wrong, descend, dotted, got, key_place, problems, value_place, wrongs

MAX_BYTES: Final = 1024 * 1024
MAX_PROBLEMS: Final = 500
_EXACT: Final = 2**53 - 1
M = TypeVar("M", bound=BaseModel)


def decode(raw: bytes, *, path: str, limit: int = MAX_BYTES) -> str:
    """Return the text of a file: UTF-8 without a byte order mark, line feeds only, NFC.

    Raises:
        InvalidFile: more than `limit` bytes, not UTF-8, or a NUL in it.
    """
    if len(raw) > limit:
        raise InvalidFile([Problem(path, 0, 0, f"{len(raw):,} bytes; at most {limit:,} are read")])
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InvalidFile([Problem(path, 1, 1, "UTF-16 text; save it as UTF-8")])
    try:
        text = raw.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise InvalidFile([_not_utf8(error, path)]) from error
    text = normal_text(text)
    if "\0" in text:
        line, column = text_place(text, text.index("\0"))
        raise InvalidFile([Problem(path, line, column, "a NUL character; this is not a text file")])
    return text


def normal_text(text: str) -> str:
    """Return a text with line feeds only and in NFC, so that what is hashed is what is sent."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def text_place(text: str, index: int) -> Place:
    """Return the line and column of a character, both from 1."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A YAML text that has been read: plain values, and where each of them is written."""

    path: str
    source: str
    root: Node
    data: Any

    def locate(self, loc: Path) -> Place:
        """Return where a value is written; for a key that is missing, where its parent is."""
        return value_place(self.root, loc)

    def locate_key(self, loc: Path) -> Place:
        """Return where the last key of a path is written."""
        return key_place(self.root, loc)

    def locate_text(self, loc: Path, index: int) -> Place:
        """Return where one character of a text value is written: exact in `|` blocks, near elsewhere."""
        node = descend(self.root, loc)
        if node is None or node.kind != "text":
            return self.locate(loc)
        begin = node.text.rfind("\n", 0, index) + 1
        end = node.text.find("\n", index)
        row = node.text[begin : end if end >= 0 else len(node.text)]
        lines = self.source.split("\n")
        first = node.line + 1 + node.text.count("\n", 0, index) if node.style == "|" else node.line
        for number in range(first, min(node.end_line, len(lines)) + 1):
            for start, piece in ((begin, row), (index, node.text[index : index + 12].split("\n")[0])):
                at = lines[number - 1].find(piece, node.column - 1 if number == node.line else 0)
                if piece and at >= 0:
                    return number, at + 1 + index - start
        return self.locate(loc)

    def problem(self, loc: Path, message: str) -> Problem:
        """Return a problem with a value, its path in front of the message."""
        return Problem(self.path, *self.locate(loc), f"{dotted(loc)}{message}")

    def key_problem(self, loc: Path, message: str) -> Problem:
        """Return a problem with a key, its path in front of the message."""
        return Problem(self.path, *self.locate_key(loc), f"{dotted(loc)}{message}")

    def got(self, loc: Path) -> str:
        """Describe what is written at a path, short and without secrets."""
        return got(descend(self.root, loc), loc)


def read_model(text: str, model: type[M], *, path: str) -> M:
    """Return a YAML text as a model.

    Raises:
        InvalidFile: all problems, each where it is written.
    """
    try:
        return validate(compose(text, path=path), model)[0]
    except NearlyRead as error:
        raise InvalidFile([*error.problems, *_further(error, text, model, path)]) from error


def nearly(error: NearlyRead, text: str, *, path: str) -> Document | None:
    """Return what could be read of a refused text, only to look for its other problems."""
    root = error.root
    return None if root is None else Document(path=path, source=text, root=root, data=plain_data(root))


def _further(error: NearlyRead, text: str, model: type[M], path: str) -> tuple[Problem, ...]:
    document = nearly(error, text, path=path)
    try:
        if document is not None:
            validate(document, model)
    except InvalidFile as more:
        return more.problems
    return ()


def validate(document: Document, model: type[M]) -> tuple[M, Document]:
    """Make a model of a document; where the model wants text, plain scalars are the text that was written.

    Raises:
        InvalidFile: all problems, each where it is written.
    """
    data, root = plain_data(document.root), document.root
    texts: set[Path] = set()
    while True:
        made, found = _try(model, data, root)
        wanted = {wrong.path for wrong in found if _wants_text(wrong, root)} - texts
        if not wanted:
            break
        for where in wanted:
            data = _replaced(data, where, root)
        texts |= wanted
    bad = problems(found, root, model=model, path=document.path)
    bad += _bad_numbers(document, (), root, frozenset(texts))
    _raise_if_any(bad)
    assert made is not None
    return made, Document(path=document.path, source=document.source, root=root, data=data)


def compose(text: str, *, path: str) -> Document:
    """Return a YAML text with its places, before anything is asked of its values.

    Raises:
        InvalidFile: not YAML, empty, or YAML of a kind that nodes.py refuses.
    """
    root = read_nodes(text, path=path)
    if root is None:
        raise InvalidFile([Problem(path, 0, 0, "the file is empty")])
    return Document(path=path, source=text, root=root, data=plain_data(root))


def _try(model: type[M], data: Any, root: Node) -> tuple[M | None, list[Wrong]]:
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, wrongs(error, root)


def _wants_text(wrong: Wrong, root: Node) -> bool:
    if wrong.kind not in ("string_type", "literal_error", "enum", "string_sub_type"):
        return False
    node = descend(root, wrong.path)
    return node is not None and node.plain and node.value is not None and not isinstance(node.value, str)


def _replaced(data: Any, where: Path, root: Node) -> Any:
    node = descend(root, where)
    assert node is not None
    if not where:
        return node.text
    holder = data
    for part in where[:-1]:
        holder = holder[part]
    holder[where[-1]] = node.text
    return data


def _bad_numbers(document: Document, loc: Path, node: Node, texts: frozenset[Path]) -> Iterator[Problem]:
    """Yield the numbers that JSON cannot carry, where they were not wanted as text."""
    if node.kind == "mapping":
        for key, child in node.entries.items():
            yield from _bad_numbers(document, (*loc, key), child, texts)
    elif node.kind == "list":
        for index, child in enumerate(node.items):
            yield from _bad_numbers(document, (*loc, index), child, texts)
    elif node.plain and loc not in texts:
        value = node.value
        if isinstance(value, float) and not math.isfinite(value):
            yield document.problem(loc, "not a finite number; put it in quotes if it is text")
        elif isinstance(value, int) and abs(value) > _EXACT:
            yield document.problem(
                loc, f"beyond ±{_EXACT:,} numbers are not exact; put it in quotes if it is text"
            )


def _raise_if_any(found: list[Problem]) -> None:
    if not found:
        return
    ordered = sorted(set(found))
    shown = ordered[:MAX_PROBLEMS]
    if len(ordered) > len(shown):
        last = shown[-1]
        more = f"… and {len(ordered) - len(shown):,} more problems after this place"
        shown.append(Problem(last.path, last.line, last.column, more))
    raise InvalidFile(shown)


def _not_utf8(error: UnicodeDecodeError, path: str) -> Problem:
    raw = error.object
    line_start = raw.rfind(b"\n", 0, error.start) + 1
    column = len(raw[line_start : error.start].decode("utf-8", errors="replace")) + 1
    byte = raw[error.start]
    line = raw.count(b"\n", 0, error.start) + 1
    return Problem(path, line, column, f"not UTF-8 (byte 0x{byte:02x}); save the file as UTF-8")
