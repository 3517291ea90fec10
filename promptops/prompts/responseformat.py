"""What a prompt's `response_format` asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def response_schema(response_format: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The schema that a response format asks for, in the OpenAI shape; None where it asks for none."""
    if response_format is None or response_format.get("type") not in ("json_schema", "json_object"):
        return None
    if response_format["type"] == "json_object":
        return {"type": "object"}
    inner = response_format.get("json_schema")
    schema = inner.get("schema") if isinstance(inner, Mapping) else response_format.get("schema")
    return schema if isinstance(schema, Mapping) else None
