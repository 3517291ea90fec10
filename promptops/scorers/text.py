"""When two values count as the same, and how a value is shown in a reason.

Texts are compared as files are read: NFC and LF. Nothing here knows samples or answers.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import Any

REASON_LENGTH = 200
SHOWN_LENGTH = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How much two texts may differ and still be the same text."""

    trim: bool = True
    ignore_case: bool = False

    def plain(self, text: str) -> str:
        """The text without the differences that do not count."""
        text = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
        if self.ignore_case:
            text = unicodedata.normalize("NFC", text.casefold())
        return text.strip() if self.trim else text

    def same(self, left: Any, right: Any) -> bool:
        """Whether two JSON values are equal: 1 is 1.0, true is not 1, texts as by `plain`, keys exactly."""
        if isinstance(left, str) and isinstance(right, str):
            return self.plain(left) == self.plain(right)
        if isinstance(left, bool) or isinstance(right, bool):
            return left is right
        if isinstance(left, (int, float)) and isinstance(right, (int, float)):
            return left == right
        if isinstance(left, list) and isinstance(right, list):
            return len(left) == len(right) and all(map(self.same, left, right))
        if isinstance(left, dict) and isinstance(right, dict):
            return left.keys() == right.keys() and all(self.same(left[key], right[key]) for key in left)
        return left is None and right is None


def as_text(value: Any) -> str:
    """A text as it is; any other JSON value as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def shown(value: Any) -> str:
    """A value as it stands in a reason: quoted, escaped, short."""
    if isinstance(value, str):
        cut = value if len(value) <= SHOWN_LENGTH else value[: SHOWN_LENGTH - 1] + "…"
        return repr(cut)
    return _cut(printable(as_text(value)), SHOWN_LENGTH)


def reason(text: str) -> str:
    """One short line that is safe to store and to print."""
    return _cut(printable(" ".join(text.split())), REASON_LENGTH)


def printable(text: str) -> str:
    """The text with everything a terminal or an encoder could stumble over written as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
