"""JSON values → YAML in one fixed form, for files that are written once and compared by their bytes.

Block style, two spaces, LF, no aliases, no folding; text of several lines as a literal block where that is
exact, else in double quotes on one line. Read by YAML 1.1 and 1.2 alike: what either would take for a number,
a date or a boolean is quoted. A library's dumper may change its taste; the bytes of a release must not.
Refuses what JSON does not have: NaN, dates, keys that are not text; and NUL, which git and terminals cut at.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from promptops.errors import InvalidInput

MAX_DEPTH: Final = 100
_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9 _,./@()+-]|:(?=[A-Za-z0-9_/]))*(?<! )")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
# Printable in YAML, but a line break, a byte-order mark or invisible: written as an escape.
_ESCAPED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")
# A YAML reader looks for the colon of a simple key in its first 1,024 characters only.
_SIMPLE_KEY: Final = 1000


def write_yaml(value: Mapping[str, Any]) -> str:
    """Return the text of one document; the order of keys is the mapping's own.

    Raises:
        InvalidInput: something that has no exact form in JSON, or more than 100 levels.
    """
    if not value:
        return "{}\n"
    return "".join(f"{line}\n" for line in _mapping(value, 0))


def _mapping(value: Mapping[str, Any], depth: int) -> Iterator[str]:
    _check_depth(depth)
    pad = "  " * depth
    for key, item in value.items():
        if not isinstance(key, str):
            raise InvalidInput(f"cannot be written as YAML: the key {key!r} is not text")
        name = _inline(key)
        if len(name) > _SIMPLE_KEY:
            yield f"{pad}? {name}"
            yield from _after(f"{pad}:", item, depth)
        else:
            yield from _after(f"{pad}{name}:", item, depth)


def _list(value: list[Any] | tuple[Any, ...], depth: int) -> Iterator[str]:
    _check_depth(depth)
    pad = "  " * depth
    for item in value:
        if isinstance(item, Mapping) and item:
            first, *rest = _mapping(item, depth + 1)
            yield f"{pad}- {first.lstrip(' ')}"
            yield from rest
        else:
            yield from _after(f"{pad}-", item, depth)


def _after(head: str, item: Any, depth: int) -> Iterator[str]:
    """Yield what stands behind a key or a dash: on the same line if it fits there, else one level deeper."""
    if isinstance(item, Mapping) and item:
        yield head
        yield from _mapping(item, depth + 1)
    elif isinstance(item, list | tuple) and item:
        yield head
        yield from _list(item, depth + 1)
    elif isinstance(item, str) and _fits_a_block(item):
        yield f"{head} |" if item.endswith("\n") else f"{head} |-"
        pad = "  " * (depth + 1)
        yield from (pad + line if line else "" for line in item.removesuffix("\n").split("\n"))
    else:
        yield f"{head} {_scalar(item)}"


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise InvalidInput(f"cannot be written as YAML: more than {MAX_DEPTH} levels deep")


def _fits_a_block(text: str) -> bool:
    """Whether a literal block gives exactly this text back, and no editor or hook wants to trim it."""
    if "\n" not in text or text[0] in " \t\n" or text.endswith("\n\n"):
        return False
    # a tab is printable but some readers refuse it where they look for indentation
    return not _ESCAPED.search(text) and not re.search(r"[ \t](?:\n|$)|\n\t", text)


def _scalar(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _inline(value)
        case int():
            return str(int(value))
        case float():
            return _number(value)
        case Mapping():
            return "{}"
        case list() | tuple():
            return "[]"
    raise InvalidInput(f"cannot be written as YAML: {type(value).__name__}")


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise InvalidInput(f"cannot be written as YAML: {value} is not a number of JSON")
    text = repr(float(value))
    # YAML 1.1 takes 1e-07 for text: it wants the point
    return text if "." in text else text.replace("e", ".0e")


def _inline(text: str) -> str:
    if _UNWRITABLE.search(text):
        raise InvalidInput("cannot be written as YAML: text with a NUL or half a surrogate pair")
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
