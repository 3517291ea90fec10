"""JSON Schemas in prompt files: valid in themselves, self-contained, their patterns compile.

A `$ref` that leaves its schema is refused: a validator would fetch it, and a prompt must not make it do so.
jsonschema (80 ms to import) is asked only about schemas that say more than plain words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from promptops.documents import Document
from promptops.errors import Problem
from promptops.nodes import shorten

Loc = tuple[str | int, ...]
_MAX_SHOWN: Final = 5


def schema_problems(document: Document, loc: Loc, schema: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with a schema, where it is written."""
    for below, message in schema_faults(schema):
        yield document.problem((*loc, *below), message)


def schema_faults(schema: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    """Yield what is wrong with a schema: the path inside of it, and the sentence."""
    if not _may_be_wrong(schema):
        return
    for error in list(_meta().iter_errors(dict(schema)))[:_MAX_SHOWN]:
        yield tuple(error.absolute_path), f"not a JSON Schema: {shorten(error.message, 120)}"
    yield from _inner_faults(schema, ())
    for place, reference in _references(schema, ()):
        if not _resolves(reference, schema):
            yield place, f"{shorten(reference)} points at nothing in this schema"


def _may_be_wrong(schema: Mapping[str, Any]) -> bool:
    """Whether a schema says more than the few words that can be checked by looking at them."""
    return not all(key in _EASY and _EASY[key](value) for key, value in schema.items())


def _is_easy(value: Any) -> bool:
    return isinstance(value, dict) and not _may_be_wrong(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _are_names(value: Any) -> bool:
    texts = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return texts and len(set(value)) == len(value)


def _is_pattern(value: Any) -> bool:
    return isinstance(value, str) and not list(_pattern_fault(value, ()))


_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_EASY: Final[Mapping[str, Callable[[Any], bool]]] = {
    "type": lambda value: isinstance(value, str) and value in _TYPES,
    "properties": lambda value: isinstance(value, dict) and all(map(_is_easy, value.values())),
    "additionalProperties": lambda value: isinstance(value, bool) or _is_easy(value),
    "items": _is_easy,
    "required": _are_names,
    "enum": lambda value: isinstance(value, list) and len(value) > 0,
    "pattern": _is_pattern,
    "title": lambda value: isinstance(value, str),
    "description": lambda value: isinstance(value, str),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _is_count),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is_number),
}


@lru_cache(maxsize=1)
def _meta() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(Draft202012Validator.META_SCHEMA)


def _inner_faults(value: Any, loc: Loc) -> Iterator[tuple[Loc, str]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _inner_faults(item, (*loc, index))
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key in ("$ref", "$dynamicRef") and isinstance(item, str) and not item.startswith("#"):
            yield (*loc, key), "leaves the schema; nothing is fetched, so write the schema out"
        elif key == "pattern" and isinstance(item, str):
            yield from _pattern_fault(item, (*loc, key))
        elif key == "patternProperties" and isinstance(item, dict):
            for pattern in item:
                yield from _pattern_fault(pattern, (*loc, key, pattern))
        if key not in ("const", "default", "enum", "examples"):
            yield from _inner_faults(item, (*loc, key))


def _references(value: Any, loc: Loc) -> Iterator[tuple[Loc, str]]:
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    )
    for key, item in entries:
        if key == "$ref" and isinstance(item, str) and item.startswith("#/"):
            yield (*loc, key), item
        yield from _references(item, (*loc, key))


def _resolves(reference: str, schema: Mapping[str, Any]) -> bool:
    at: Any = schema
    for part in reference[2:].split("/"):
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(at, list) and name.isdigit() and int(name) < len(at):
            at = at[int(name)]
        elif isinstance(at, Mapping) and name in at:
            at = at[name]
        else:
            return False
    return True


def _pattern_fault(pattern: str, loc: Loc) -> Iterator[tuple[Loc, str]]:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        yield loc, f"not a regular expression: {str(error)[:100]}"
