"""What a native prompt file says that contradicts itself, or that nothing will do.

These checks read the values as they are written, so that one misspelt key does not hide the other mistakes;
what has the wrong type is left to the model (model.py), which says so itself.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from promptops.documents import Document
from promptops.errors import Problem
from promptops.keys import is_secret_name
from promptops.prompts.gatewords import GATE_WORDS, check_limit, check_scorer_words, check_slices
from promptops.prompts.model import SCORER_KINDS, ScorerSpec
from promptops.prompts.schemas import schema_problems

_TEXT: Final = frozenset({"path", "ignore_case", "trim"})
OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "equals": _TEXT,
    "contains": _TEXT,
    "starts_with": _TEXT,
    "ends_with": _TEXT,
    "regex": _TEXT,
    "json_schema": frozenset({"path"}),
    "json_path": frozenset({"ignore_case", "trim"}),
    "length": frozenset({"path", "trim"}),
    "python": frozenset({"path", "range"}),
    "judge": frozenset({"model", "scale", "rubric"}),
    "similar": frozenset({"path", "model"}),
    "tool_calls": frozenset(),
}
_ALL_OPTIONS: Final = frozenset(ScorerSpec.model_fields) - GATE_WORDS - frozenset(SCORER_KINDS)
_OURS: Final = frozenset({"model", "messages", "tools", "response_format", "stream", "stream_options"})


def check_native(document: Document) -> Iterator[Problem]:
    """Yield every contradiction in a native prompt file."""
    data = document.data
    if not isinstance(data, dict):
        return
    yield from _parameters(document, data.get("parameters"))
    yield from _inputs(document, data.get("inputs"))
    yield from _response_format(document, data.get("response_format"))
    yield from _tools(document, data.get("tools"))
    yield from _samples(document, data.get("samples"))
    for name, spec in _entries(data.get("scorers")):
        yield from _scorer(document, name, spec)
        yield from check_scorer_words(document, name, spec)
    for name, words in _entries(data.get("limits")):
        yield from check_limit(document, name, words)
    yield from check_slices(document, data.get("gate"))


def _entries(value: Any) -> list[tuple[str, dict[str, Any]]]:
    held = value.items() if isinstance(value, dict) else ()
    return [(name, inner) for name, inner in held if isinstance(inner, dict)]


def _parameters(document: Document, parameters: Any) -> Iterator[Problem]:
    for name, value in parameters.items() if isinstance(parameters, dict) else ():
        loc = ("parameters", name)
        if name in _OURS:
            where = (
                "; write it one level up" if name in ("model", "messages", "tools", "response_format") else ""
            )
            yield document.key_problem(loc, f"not a parameter of the model{where}")
        elif is_secret_name(name) and isinstance(value, str) and value:
            yield document.key_problem(loc, "a key is only ever named in promptops.yaml, never written")


def _inputs(document: Document, inputs: Any) -> Iterator[Problem]:
    if not isinstance(inputs, dict):
        return
    if inputs.get("type") != "object":
        yield document.problem(
            ("inputs",), "a JSON Schema of type object: write type: object, properties: {…}"
        )
    yield from schema_problems(document, ("inputs",), inputs)


def _response_format(document: Document, wanted: Any) -> Iterator[Problem]:
    if not isinstance(wanted, dict):
        return
    loc: tuple[str | int, ...] = ("response_format",)
    kind = wanted.get("type")
    if kind not in ("text", "json_object", "json_schema"):
        yield document.problem((*loc, "type"), "expected text, json_object or json_schema")
    if kind != "json_schema":
        return
    inner = wanted.get("json_schema")
    if not isinstance(inner, dict) or not isinstance(inner.get("schema"), dict):
        yield document.problem(loc, "type json_schema needs json_schema: {name: …, schema: {…}}")
        return
    if not isinstance(inner.get("name"), str):
        yield document.problem((*loc, "json_schema"), "a name is needed, like answer")
    yield from schema_problems(document, (*loc, "json_schema", "schema"), inner["schema"])


def _tools(document: Document, tools: Any) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, tool in enumerate(tools if isinstance(tools, list) else []):
        if not isinstance(tool, dict):
            continue
        name = tool.get("name")
        if isinstance(name, str) and name in seen:
            yield document.problem(("tools", index, "name"), f"there is another tool called {name[:64]}")
        seen |= {name} if isinstance(name, str) else set()
        for key in ("parameters", "returns"):
            if isinstance(tool.get(key), dict):
                yield from schema_problems(document, ("tools", index, key), tool[key])


def _samples(document: Document, samples: Any) -> Iterator[Problem]:
    for index, name in enumerate(samples if isinstance(samples, list) else []):
        if not isinstance(name, str):
            continue
        place = posixpath.normpath(posixpath.join(posixpath.dirname(document.path), name))
        if not name or "\\" in name or re.match(r"/|~|[A-Za-z]:", name) or place.split("/")[0] == "..":
            words = "a path inside the repository, relative to this file, with forward slashes"
            yield document.problem(("samples", index), words)


def _scorer(document: Document, name: str, spec: Mapping[str, Any]) -> Iterator[Problem]:
    loc = ("scorers", name)
    kinds = [kind for kind in SCORER_KINDS if kind in spec]
    if len(kinds) != 1:
        said = (
            f"{' and '.join(kinds)} are {len(kinds)}" if kinds else f"the kinds are {', '.join(SCORER_KINDS)}"
        )
        yield document.key_problem(loc, f"exactly one kind of scorer; {said}")
        return
    for option in sorted(spec.keys() & _ALL_OPTIONS - OPTIONS[kinds[0]]):
        yield document.key_problem((*loc, option), f"does nothing with {kinds[0]}")
    yield from _argument(document, loc, kinds[0], spec)


def _argument(
    document: Document, loc: tuple[str, str], kind: str, spec: Mapping[str, Any]
) -> Iterator[Problem]:
    here, value = (*loc, kind), spec[kind]
    if value is None:
        yield document.problem(here, "needs a value")
    elif kind == "regex" and isinstance(value, str):
        yield from _regex(document, here, value)
    elif kind == "json_schema" and isinstance(value, dict):
        yield from schema_problems(document, here, value)
    elif kind == "json_schema" and value != "response_format":
        yield document.problem(here, "expected response_format or a JSON Schema")
    elif kind == "json_schema" and not _has_schema(document.data.get("response_format")):
        yield document.problem(here, "this prompt has no response_format with a schema")
    elif kind == "length" and isinstance(value, dict):
        yield from _length(document, here, value)
    elif kind == "python" and isinstance(value, str) and not re.fullmatch(r"[\w.]+:[\w.]+", value):
        yield document.problem(here, "expected module:function")
    elif kind == "judge" and isinstance(value, str) and not _inside(document, value):
        yield document.problem(here, "a rubric is a file inside the repository, relative to this file")
    for name in ("range", "scale"):
        ends = spec.get(name)
        if isinstance(ends, list) and len(ends) == 2 and all(map(_is_number, ends)) and ends[0] >= ends[1]:
            yield document.problem((*loc, name), "the worst value comes first and is the smaller one")


def _regex(document: Document, loc: tuple[str, ...], pattern: str) -> Iterator[Problem]:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        yield document.problem(loc, f"not a regular expression: {str(error)[:100]}")


def _length(document: Document, loc: tuple[str, ...], bounds: Mapping[str, Any]) -> Iterator[Problem]:
    low, high = bounds.get("min"), bounds.get("max")
    if low is None and high is None:
        yield document.problem(loc, "min or max is needed")
    elif low is not None and high is not None and _is_number(low) and _is_number(high) and low > high:
        yield document.problem(loc, f"min {low} is above max {high}")


def _has_schema(response_format: Any) -> bool:
    if not isinstance(response_format, dict):
        return False
    inner = response_format.get("json_schema")
    has = isinstance(inner, dict) and isinstance(inner.get("schema"), dict)
    return has or response_format.get("type") == "json_object"


def _inside(document: Document, name: str) -> bool:
    place = posixpath.normpath(posixpath.join(posixpath.dirname(document.path), name))
    return (
        bool(name)
        and "\\" not in name
        and not re.match(r"/|~|[A-Za-z]:", name)
        and place.split("/")[0] != ".."
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
