"""Does a JSON Schema take less than another did? Decides what is a breaking change; compares by structure.

What it cannot compare (anyOf, $ref, not …) counts as narrowed as soon as it differs: a false alarm is read
once, a missed break is found in production.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_COMBINING: Final = ("$ref", "$defs", "definitions", "allOf", "anyOf", "oneOf", "not", "if", "then", "else")
_DEPENDING: Final = ("dependentRequired", "dependentSchemas", "unevaluatedProperties", "propertyNames")
_OPAQUE: Final = (
    *_COMBINING,
    *_DEPENDING,
    "patternProperties",
    "prefixItems",
    "contains",
    "uniqueItems",
    "multipleOf",
)


def narrowings(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """Yield, in words, every way in which `new` takes less than `old`; nothing if it takes as much."""
    old, new = _as_schema(old), _as_schema(new)
    if old == new:
        return
    for compare in _COMPARISONS:
        yield from compare(old, new, place)


def _as_schema(value: Any) -> Schema:
    if isinstance(value, Mapping):
        return value
    return {"not": {}} if value is False else {}


def _types(old: Schema, new: Schema, place: str) -> Iterator[str]:
    before, after = _type_set(old), _type_set(new)
    lost = {kind for kind in before - after if not (kind == "integer" and "number" in after)}
    if lost and after != before:
        yield f"{_at(place)}no longer takes {', '.join(sorted(lost)) if before != _TYPES else 'every type'}"


def _values(old: Schema, new: Schema, place: str) -> Iterator[str]:
    before, after = _choices(old), _choices(new)
    if after is None:
        return
    if before is None:
        yield f"{_at(place)}now takes only {_shown(after)}"
    elif lost := [one for one in before if one not in after]:
        yield f"{_at(place)}no longer takes {_shown(lost)}"


def _required(old: Schema, new: Schema, place: str) -> Iterator[str]:
    before = old.get("required") or []
    for name in new.get("required") or []:
        if name not in before:
            yield f"{_join(place, str(name))} is now required"


def _properties(old: Schema, new: Schema, place: str) -> Iterator[str]:
    before, after = old.get("properties") or {}, new.get("properties") or {}
    closed = new.get("additionalProperties") is False
    if closed and old.get("additionalProperties") is not False:
        yield f"{_at(place)}no longer takes further keys"
    for name, schema in before.items():
        if name in after:
            yield from narrowings(schema, after[name], _join(place, name))
        elif closed:
            yield f"{_join(place, name)} is no longer taken"
        elif isinstance(new.get("additionalProperties"), Mapping):
            yield from narrowings(schema, new["additionalProperties"], _join(place, name))
    if not closed and new.get("additionalProperties") not in (None, True):
        yield from narrowings(
            old.get("additionalProperties", {}), new["additionalProperties"], _join(place, "*")
        )


def _items(old: Schema, new: Schema, place: str) -> Iterator[str]:
    if "items" in new:
        yield from narrowings(old.get("items", {}), new["items"], f"{place}[]")


def _bounds(old: Schema, new: Schema, place: str) -> Iterator[str]:
    for words, sign in ((_UPPER, 1), (_LOWER, -1)):
        for word in words:
            before, after = old.get(word), new.get(word)
            if isinstance(after, (int, float)) and (before is None or sign * after < sign * before):
                yield f"{_at(place)}{word} is now {after:g}{'' if before is None else f', was {before:g}'}"


def _texts(old: Schema, new: Schema, place: str) -> Iterator[str]:
    for word in ("pattern", "format"):
        if word in new and new[word] != old.get(word):
            yield f"{_at(place)}{word} is now {str(new[word])[:60]}"


def _opaque(old: Schema, new: Schema, place: str) -> Iterator[str]:
    for word in _OPAQUE:
        if old.get(word) != new.get(word):
            yield f"{_at(place)}{word} changed, which is not compared further"


_COMPARISONS: Final[tuple[Callable[[Schema, Schema, str], Iterator[str]], ...]] = (
    _types,
    _values,
    _required,
    _properties,
    _items,
    _bounds,
    _texts,
    _opaque,
)


def _type_set(schema: Schema) -> frozenset[str]:
    written = schema.get("type")
    if isinstance(written, str):
        return frozenset({written})
    return frozenset(map(str, written)) if isinstance(written, list) else _TYPES


def _choices(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if isinstance(schema.get("enum"), list) else None


def _shown(values: list[Any]) -> str:
    return ", ".join(str(one)[:40] for one in values[:5]) + (" …" if len(values) > 5 else "")


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _at(place: str) -> str:
    return f"{place} " if place else ""
