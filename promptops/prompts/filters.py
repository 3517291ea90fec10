"""The filters and methods a template may use: jinja2's own, each with its result counted before or after.

Left out: what is random (`random`), reaches attributes (`attr`), makes markup (`xmlattr`, `urlize`).
`tojson` gives plain JSON: the escapes that jinja2 makes for HTML pages would reach the model.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2.filters import FILTERS

from promptops.prompts.limits import MAX_RANGE, budget
from promptops.prompts.template import TemplateFault

_FILTERS: Final = (
    "abs batch capitalize center count d default dictsort e escape filesizeformat first float forceescape "
    "groupby int items last length list lower map max min pprint reject rejectattr reverse round safe "
    "select selectattr slice sort string striptags sum title trim truncate unique upper urlencode "
    "wordcount"
)
_TEXT_METHODS: Final = (
    "capitalize casefold count endswith find index isalnum isalpha isascii isdecimal isdigit islower "
    "isnumeric isspace istitle isupper join lower lstrip partition removeprefix removesuffix replace "
    "rfind rindex rpartition rsplit rstrip split splitlines startswith strip swapcase title upper"
)
_LIST_METHODS: Final = frozenset({"index", "count"})
_MAPPING_METHODS: Final = frozenset({"get", "items", "keys", "values"})
_WIDE: Final = re.compile(r"%[^a-zA-Z%]*(?:\d{4}|\*)")

Anything = Callable[..., Any]


def method_is_known(value: Any, name: str) -> bool:
    """Whether a template may use this attribute; of text, lists and mappings only what cannot grow unseen."""
    if isinstance(value, str):
        return name in _TEXT_METHODS.split()
    if isinstance(value, Mapping):
        return name in _MAPPING_METHODS
    if isinstance(value, (list, tuple)):
        return name in _LIST_METHODS
    return not isinstance(value, (bytes, bytearray, int, float, complex, set, frozenset))


def check_method(method: Anything, arguments: tuple[Any, ...]) -> None:
    """Refuse a text's `join` or `replace` before it makes more than a rendering may hold."""
    owner, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
    if isinstance(owner, str) and name == "replace" and len(arguments) >= 2:
        _expect_replace(owner, arguments[0], arguments[1])


def guarded_filters() -> dict[str, Anything]:
    """Return every filter that a template may use."""
    own: dict[str, Anything] = {
        "format": _format,
        "indent": _indent,
        "join": _join,
        "replace": _replace,
        "tojson": _tojson,
        "wordwrap": _wordwrap,
    }
    return {name: _guarded(FILTERS[name]) for name in _FILTERS.split()} | own


def format_text(text: str, arguments: Any) -> str:
    """`text % arguments`, without widths that make a text out of nothing."""
    if _WIDE.search(text):
        raise TemplateFault("a width of more than 999 in %")
    return str(budget().made(text % arguments))


def _guarded(filter_: Anything) -> Anything:
    @functools.wraps(filter_)
    def counted(*arguments: Any, **options: Any) -> Any:
        budget().spend(1)
        for argument in (*arguments[1:], *options.values()):
            if isinstance(argument, (int, float)) and not abs(argument) <= MAX_RANGE:
                raise TemplateFault(f"a number beyond {MAX_RANGE:,} given to a filter")
        return budget().made(filter_(*arguments, **options))

    return counted


def _expect(characters: int) -> None:
    """Refuse before making what would be too much; what is made is counted once it is there."""
    if characters > budget().characters:
        budget().make(characters)


def _expect_replace(text: str, old: Any, new: Any) -> None:
    times = text.count(old) if isinstance(old, str) and old else len(text) + 1
    _expect(len(text) + times * len(str(new)))


def _format(text: Any, *arguments: Any, **options: Any) -> str:
    return format_text(str(text), options or arguments)


def _replace(text: Any, old: Any, new: Any, count: int = -1) -> str:
    _expect_replace(str(text), str(old), new)
    return str(budget().made(str(text).replace(str(old), str(new), count if count is not None else -1)))


def _join(values: Any, d: Any = "", attribute: Any = None) -> str:
    if attribute is not None:
        values = [_part(value, attribute) for value in values]
    parts = []
    for value in values:
        budget().spend(1)
        parts.append(str(budget().made(str(value))))
        budget().make(len(str(d)))
    return str(d).join(parts)


def _part(value: Any, attribute: Any) -> Any:
    for part in str(attribute).split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, (list, tuple)) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise TemplateFault(f"join: no {part!r} in a {type(value).__name__}")
    return value


def _indent(text: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    pad = width if isinstance(width, str) else " " * min(max(width, 0), MAX_RANGE)
    source = str(text)
    _expect(len(source) + (source.count("\n") + 1) * len(pad))
    rows = source.split("\n")
    rest = [pad + row if row or blank else row for row in rows[1:]]
    return str(budget().made("\n".join([pad + rows[0] if first else rows[0], *rest])))


def _wordwrap(text: Any, width: int = 79, break_long_words: bool = True, wrapstring: str = "\n") -> str:
    import textwrap

    if not 0 < width <= MAX_RANGE or len(wrapstring) > 100:
        raise TemplateFault(
            f"wordwrap: a width from 1 to {MAX_RANGE:,}, a wrapstring of at most 100 characters"
        )
    budget().spend(len(str(text)))  # a microsecond for each character
    rows = str(text).splitlines()
    options: dict[str, Any] = {"expand_tabs": False, "replace_whitespace": False, "break_on_hyphens": True}
    wrapped = [
        wrapstring.join(textwrap.wrap(row, width=width, break_long_words=break_long_words, **options))
        for row in rows
    ]
    return str(budget().made(wrapstring.join(wrapped)))


def _tojson(value: Any, indent: int | None = None) -> str:
    if indent is not None and not 0 <= indent <= 16:
        raise TemplateFault("tojson: an indent from 0 to 16")
    budget().made(value)
    return str(budget().made(json.dumps(value, ensure_ascii=False, indent=indent)))
