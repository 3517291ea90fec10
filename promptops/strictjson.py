"""JSON as it must be: no NaN, no key twice, no infinity, no bottomless nesting; an error says where.

Used for everything that others wrote (samples, answers, tool arguments). Refuses to guess: what is not JSON
is never repaired, and an object with a key twice is an error instead of its last value.
"""

from __future__ import annotations

import json
from collections import Counter
from math import isfinite
from typing import Any

MAX_DEPTH = 100


class NotJson(ValueError):
    """A text that is not JSON; `line` and `column` count from 1 and are 0 where the place is unknown."""

    def __init__(self, reason: str, line: int = 0, column: int = 0) -> None:
        self.reason, self.line, self.column = reason, line, column
        super().__init__(f"{reason} at {line}:{column}" if line else reason)


def parse(text: str) -> Any:
    """Read one JSON value.

    Raises:
        NotJson: with the reason and, where the parser knows it, the place.
    """
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotJson(error.msg.removesuffix(" at"), error.lineno, error.colno) from None
    except RecursionError:
        raise NotJson(f"nested deeper than {MAX_DEPTH}") from None
    except NotJson:
        raise
    except ValueError:
        raise NotJson("a number with too many digits") from None
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise NotJson(f"key {twice[:80]!r} is there twice")
    return found


def _constant(text: str) -> float:
    raise NotJson(f"{text} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise NotJson(f"{text[:40]} is too large a number")
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _children(outer)]
        if not level:
            return
    raise NotJson(f"nested deeper than {MAX_DEPTH}")


def _children(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [item for item in inner if isinstance(item, (dict, list))]


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
