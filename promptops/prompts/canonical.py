"""What reaches the model, as plain JSON values, and its digest; nothing that does not reach it.

Two files with one digest send the same requests. Description, owners, comments, scorers and the gate are not
in it; what is left out in the file is in it with its meaning (a tool without a risk is irreversible).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import rfc8785

from promptops.canonicaljson import canonical_json
from promptops.errors import InvalidInput
from promptops.risks import Approval, Risk

if TYPE_CHECKING:
    from promptops.prompts.model import PromptSpec, ToolDef


def body(spec: PromptSpec, partials: Mapping[str, str]) -> dict[str, Any]:
    """Return what the digest covers, as plain JSON values."""
    held: dict[str, Any] = {
        "model": spec.model,
        "parameters": spec.parameters,
        "template": spec.template,
        "messages": [{"role": message.role, "content": message.content} for message in spec.messages],
        "inputs": spec.inputs,
        "tools": [_tool(tool) for tool in spec.tools],
        "response_format": spec.response_format,
        "partials": dict(sorted(partials.items())),
    }
    orders = property_order(held)
    return {**held, "property_order": orders} if orders else held


def property_order(body: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the orders of properties that a body's digest cannot see and has to be told, by their places."""
    keys = ("parameters", "tools", "response_format")
    return dict(sorted(found for key in keys for found in _orders(body.get(key), f"/{key}")))


def digest(body: Mapping[str, Any]) -> str:
    """Return `sha256:` and the hash of a body's RFC 8785 form.

    Raises:
        InvalidInput: a number or a text that has no canonical form.
    """
    try:
        return f"sha256:{hashlib.sha256(canonical_json(dict(body))).hexdigest()}"
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise InvalidInput(f"this prompt has no canonical form: {error}") from error


def _tool(tool: ToolDef) -> dict[str, Any]:
    held = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "risk": str(tool.risk or Risk.IRREVERSIBLE),
        "approval": str(tool.approval or Approval.NONE),
    }
    return held if tool.returns is None else {**held, "returns": tool.returns}


def _orders(value: Any, place: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the order of a schema's properties where it is not that of the alphabet.

    A model answers in the order of the schema (`reasoning` before `answer` is a different prompt), and RFC
    8785 sorts keys; so this one order is kept beside the schema.
    """
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _orders(item, f"{place}/{index}")
    elif isinstance(value, dict):
        names = value.get("properties")
        if isinstance(names, dict) and list(names) != sorted(names):
            yield f"{place}/properties", list(names)
        for key, item in value.items():
            yield from _orders(item, f"{place}/{key}")
