"""Reads back what `yamltext` writes, ten times as fast as a reader of all YAML; anything else it does not understand.

It guesses, and does not check: text of another hand may be read wrongly, or as None. Whoever asks writes what was
read once more and compares the bytes; if they are equal, so is the meaning.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_WORDS: Final[dict[str, Any]] = {"null": None, "true": True, "false": False}
# At three values a line fewer than the reader of all YAML takes: longer texts are left to it.
_MAX_LINES: Final = 30_000
_INTEGER = re.compile(r"-?[0-9]{1,400}")
_STRINGS = json.JSONDecoder(strict=False)


class _NotOurs(Exception):
    """A line that the writer never writes."""


def read_written(text: str) -> Any:
    """Return the values that a text was written from, or None where it was certainly not written by us."""
    if not text.endswith("\n"):
        return None
    lines = text.split("\n")[:-1]
    if len(lines) > _MAX_LINES:
        return None
    try:
        value, end = _block(lines, 0, 0)
    except (_NotOurs, ValueError, IndexError, RecursionError):
        return None
    return value if end == len(lines) else None


def _block(lines: list[str], at: int, indent: int) -> tuple[Any, int]:
    """Return the list or mapping whose lines begin here, and the number of the line behind it."""
    line = lines[at]
    if line == "{}" and indent == 0:
        return {}, at + 1
    return _list(lines, at, indent) if line[indent : indent + 1] == "-" else _mapping(lines, at, indent)


def _mapping(lines: list[str], at: int, indent: int) -> tuple[dict[str, Any], int]:
    pad, found = " " * indent, {}
    while at < len(lines) and lines[at].startswith(pad):
        line = lines[at][indent:]
        if line.startswith("? "):
            key, rest = _scalar(line[2:]), lines[at + 1][indent + 1 :]
            at += 1
        else:
            key, rest = _key(line)
        found[key], at = _after(rest, lines, at, indent)
    return found, at


def _list(lines: list[str], at: int, indent: int) -> tuple[list[Any], int]:
    start, found = " " * indent + "-", []
    while at < len(lines) and lines[at].startswith(start):
        rest = lines[at][indent + 1 :]
        if _opens_mapping(rest):
            lines[at] = " " * (indent + 2) + rest[1:]
            value, at = _mapping(lines, at, indent + 2)
        else:
            value, at = _after(rest, lines, at, indent)
        found.append(value)
    return found, at


def _opens_mapping(rest: str) -> bool:
    """Whether a mapping begins right behind the dash; plain text holds no colon before a space or at its end."""
    if rest.startswith(' "'):
        _, end = _STRINGS.raw_decode(rest, 1)
        return rest[end : end + 1] == ":"
    return rest.startswith(" ? ") or ": " in rest or rest.endswith(":")


def _key(line: str) -> tuple[str, str]:
    if line.startswith('"'):
        key, end = _STRINGS.raw_decode(line)
        return key, line[end + 1 :]
    key, colon, rest = line.partition(": ")
    if colon:
        return key, f" {rest}"
    if not line.endswith(":") or line.startswith(" "):
        raise _NotOurs
    return line[:-1], ""


def _after(rest: str, lines: list[str], at: int, indent: int) -> tuple[Any, int]:
    """Return what stands behind a key or a dash, and the number of the line behind it."""
    if not rest:
        return _block(lines, at + 1, indent + 2)
    if rest in (" |", " |-"):
        return _text(lines, at + 1, indent + 2, "\n" if rest == " |" else "")
    return _scalar(rest[1:]), at + 1


def _text(lines: list[str], at: int, indent: int, end: str) -> tuple[str, int]:
    pad, taken = " " * indent, []
    while at < len(lines) and (not lines[at] or lines[at].startswith(pad)):
        taken.append(lines[at][indent:])
        at += 1
    return "\n".join(taken) + end, at


def _scalar(text: str) -> Any:
    if text.startswith('"'):
        value, end = _STRINGS.raw_decode(text)
        if end != len(text):
            raise _NotOurs
        return value
    if text in _WORDS:
        return _WORDS[text]
    if text[:1].isalpha():
        return text
    if text in ("{}", "[]"):
        return {} if text == "{}" else []
    return int(text) if _INTEGER.fullmatch(text) else float(text)
