"""The answer that production gave when a sample was recorded, as an answer in a pair.

What was not recorded stays unknown; a sample without an output has a Failure of kind `unrecorded`, which is
final because nobody was asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from promptops.messages import Answer, Completion, Failure, ToolCall, Usage
from promptops.samples import Sample

NO_BASELINE = Failure(kind="none", message="there is no baseline", attempts=0)


def recorded_answer(sample: Sample) -> Answer:
    """Return `sample.output` with what was recorded beside it; milliseconds become seconds."""
    output = sample.output
    if output is None or (output.content is None and not output.tool_calls):
        return Failure(kind="unrecorded", message="the sample holds no recorded output", attempts=0)
    model = sample.model or {}
    return Completion(
        text=_text(output.content),
        finish_reason=output.finish_reason or "unknown",
        model=str(model.get("response") or model.get("request") or "unknown"),
        tool_calls=tuple(_tool_call(call) for call in output.tool_calls or ()),
        usage=_usage(sample.usage or {}),
        seconds=_seconds(sample.latency_ms),
        first_token_seconds=_seconds(sample.ttft_ms),
        cost=sample.cost_usd,
        cached=True,
    )


def _text(content: str | list[dict[str, Any]] | None) -> str | None:
    if not isinstance(content, list):
        return content
    return "".join(part["text"] for part in content if isinstance(part.get("text"), str))


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    """Read a call in the OpenAI shape, or flat as some traces have it."""
    function = call.get("function")
    named: Mapping[str, Any] = function if isinstance(function, Mapping) else call
    arguments = named.get("arguments", "")
    return ToolCall(
        id=str(call.get("id") or ""),
        name=str(named.get("name") or ""),
        arguments=arguments if isinstance(arguments, str) else json.dumps(arguments, sort_keys=True),
    )


def _usage(counts: Mapping[str, Any]) -> Usage:
    names = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
    return Usage(**{name: counts[name] for name in names if type(counts.get(name)) is int})


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
