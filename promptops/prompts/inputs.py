"""What a prompt takes: the schema it declares, or the names its templates use; and whether values fit it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from promptops.errors import InvalidInput, did_you_mean
from promptops.nodes import shorten
from promptops.prompts.model import Prompt
from promptops.prompts.template import Variables, used_variables

_MAX_SHOWN = 10


def used_inputs(prompt: Prompt) -> Variables:
    """Return the names that all messages of a prompt take together; optional are those that no message needs.

    Raises:
        TemplateFault: a template is wrong.
    """
    texts = tuple(message.content for message in prompt.spec.messages)
    return _used(prompt.spec.template, texts, tuple(sorted(prompt.partials.items())))


@lru_cache(maxsize=64)
def _used(kind: str, texts: tuple[str, ...], partials: tuple[tuple[str, str], ...]) -> Variables:
    """Read the templates once, not once for every sample."""
    found = [used_variables(kind, text, dict(partials)) for text in texts]
    names = {name for one in found for name in one.names}
    required = {name for one in found for name in one.required}
    return Variables(names=tuple(sorted(names)), optional=frozenset(names - required))


def input_schema(prompt: Prompt) -> dict[str, Any]:
    """Return the JSON Schema of a prompt's inputs: the declared one, else one inferred from its templates.

    The inferred schema asks only for names, whatever their type, and allows further ones.
    """
    if prompt.spec.inputs is not None:
        return prompt.spec.inputs
    used = used_inputs(prompt)
    return {
        "type": "object",
        "required": list(used.required),
        "properties": {name: {} for name in used.names},
    }


def check_inputs(prompt: Prompt, inputs: Mapping[str, Any]) -> None:
    """Check values against a prompt's inputs.

    Raises:
        InvalidInput: all that does not fit, with the names and the prompt file.
    """
    schema = input_schema(prompt)
    wrong = _missing(schema, inputs) + ([] if prompt.spec.inputs is None else _misfits(schema, inputs))
    if wrong:
        raise InvalidInput(f"{prompt.path}: {'; '.join(wrong)}")


def _missing(schema: Mapping[str, Any], inputs: Mapping[str, Any]) -> list[str]:
    required = schema.get("required", [])
    known = schema.get("properties") or {}
    extra = [name for name in inputs if name not in known]
    return [f"input {name}: missing{_meant(name, extra)}" for name in required if name not in inputs]


def _meant(name: str, extra: list[str]) -> str:
    near = did_you_mean(name, extra)
    return f" (given is {near.removeprefix('; did you mean ').removesuffix('?')})" if near else ""


def _misfits(schema: Mapping[str, Any], inputs: Mapping[str, Any]) -> list[str]:
    if _asks_only_for_text(schema) and all(
        isinstance(inputs.get(name, ""), str) for name in schema["properties"]
    ):
        return []  # most prompts; jsonschema takes 80 ms to import
    found = []
    try:
        errors = list(_validator(_Held(schema)).iter_errors(dict(inputs)))
    except RecursionError:
        return ["inputs: the schema refers to itself without end"]
    for error in errors:
        if error.validator == "required" and not error.absolute_path:
            continue
        place = ".".join(str(part) for part in error.absolute_path)
        found.append(f"input {place}: {_said(error)}" if place else f"inputs: {shorten(error.message, 200)}")
    return sorted(found)[:_MAX_SHOWN]


def _asks_only_for_text(schema: Mapping[str, Any]) -> bool:
    properties = schema.get("properties")
    plain = isinstance(properties, dict) and all(
        isinstance(one, dict)
        and one.get("type") == "string"
        and one.keys() <= {"type", "description", "title"}
        for one in properties.values()
    )
    return plain and schema.keys() <= {"type", "required", "properties", "title", "description"}


def _said(error: Any) -> str:
    """One sentence about a misfit, without the value where that is long."""
    if error.validator == "type":
        wanted = error.validator_value
        kinds = " or ".join(wanted) if isinstance(wanted, list) else wanted
        return f"expected {kinds}, got {_kind(error.instance)}"
    if error.validator in ("maxLength", "minLength"):
        word = "at most" if error.validator == "maxLength" else "at least"
        return f"expected {word} {error.validator_value:,} characters, got {len(error.instance):,}"
    if error.validator == "enum":
        known = ", ".join(shorten(str(one), 40) for one in error.validator_value[:10])
        return f"expected one of {known}, got {shorten(repr(error.instance), 40)}"
    return shorten(str(error.message), 160)


def _kind(value: Any) -> str:
    kinds = {
        str: "text",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        dict: "an object",
        list: "a list",
    }
    return "null" if value is None else kinds.get(type(value), type(value).__name__)


class _Held:
    """A schema by its identity, so that its validator is made once for ten thousand samples."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.schema is self.schema


@lru_cache(maxsize=16)
def _validator(held: _Held) -> Any:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    return Draft202012Validator(dict(held.schema), registry=Registry())
