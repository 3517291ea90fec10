"""The JSON Schema (draft-07) of a prompt file, for editors; generated from the models that read it."""

from __future__ import annotations

from typing import Any

from promptops.prompts.model import PromptSpec

_FRACTIONS = ("max_drop", "max_rise", "min")


def json_schema() -> dict[str, Any]:
    """Return the schema of a native prompt file."""
    made = PromptSpec.model_json_schema(by_alias=True)
    definitions = made.pop("$defs")
    for one in definitions.values():
        _allow_percent(one)
    held = _draft7(made, definitions)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A promptops prompt file",
        **{key: value for key, value in held.items() if key != "title"},
        "definitions": {name: _draft7(one, definitions) for name, one in sorted(definitions.items())},
    }


def _allow_percent(definition: dict[str, Any]) -> None:
    """Let a share be written as `5%` too, which the models read and pydantic's schema does not know."""
    for name in _FRACTIONS:
        field = definition.get("properties", {}).get(name, {})
        if any(branch.get("type") == "number" for branch in field.get("anyOf", ())):
            field["anyOf"].insert(1, {"type": "string", "pattern": r"^\s*[0-9.]+\s*%\s*$"})


def _draft7(value: Any, definitions: dict[str, Any]) -> Any:
    """Write what the draft of 2020 says in the words of draft-07."""
    if isinstance(value, list):
        return [_draft7(one, definitions) for one in value]
    if not isinstance(value, dict):
        return value
    held = {key: _draft7(one, definitions) for key, one in value.items()}
    if "prefixItems" in held:
        held["items"] = held.pop("prefixItems")
    if isinstance(held.get("$ref"), str):
        reference = held["$ref"].replace("#/$defs/", "#/definitions/")
        others = {key: one for key, one in held.items() if key != "$ref"}
        return {**others, "allOf": [{"$ref": reference}]} if others else {"$ref": reference}
    return held
