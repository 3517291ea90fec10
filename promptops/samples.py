"""A recorded production call, the pair of answers it gets in a test, and the score of one answer.

`Sample` is what people and importers write (`promptops.sample/1`); `Pair` and `Score` live inside one run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from promptops.canonicaljson import canonical_json
from promptops.messages import Answer

SCHEMA = "promptops.sample/1"


class Source(BaseModel):
    """Where a sample came from."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    adapter: str | None = None
    uri: str | None = None
    record_sha256: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    response_id: str | None = None
    imported_at: str | None = None


class Cluster(BaseModel):
    """What makes samples belong together; the statistical unit is the conversation, else the trace."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    conversation_id: str | None = None
    user_id_hash: str | None = None
    turn_index: int | None = None
    trial: int | None = None


class Output(BaseModel):
    """What production answered when the sample was recorded."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    role: str = "assistant"
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    finish_reason: str | None = None


class Sample(BaseModel):
    """One recorded production call; only `inputs` or `messages` is required, unknown keys go to `extra`."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    schema_: str = Field(default=SCHEMA, alias="schema")
    sample_id: str = ""
    kind: Literal["single", "agent"] = "single"
    recorded_at: str | None = None
    source: Source = Source()
    prompt: dict[str, Any] | None = None
    cluster: Cluster = Cluster()
    inputs: dict[str, Any] | None = None
    messages: list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_effects: dict[str, str] | None = None
    tool_log: list[dict[str, Any]] | None = None
    output: Output | None = None
    model: dict[str, Any] | None = None
    params: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_usd: float | None = None
    status: str | None = None
    error: Any = None
    slices: dict[str, Any] = {}
    tags: list[str] = []
    risk: Literal["low", "medium", "high"] | None = None
    # One over it is the weight: below this one sample would outweigh every possible set, or overflow.
    inclusion_prob: float | None = Field(default=None, ge=1e-9, le=1)
    sampling: dict[str, Any] | None = None
    feedback: list[dict[str, Any]] = []
    expected: Any = None
    redaction: dict[str, Any] | None = None
    completeness: dict[str, Any] | None = None
    extra: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _keep_unknown_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        unknown = {key: value for key, value in data.items() if key not in _SAMPLE_KEYS}
        if not unknown:
            return data
        known = {key: value for key, value in data.items() if key in _SAMPLE_KEYS}
        return {**known, "extra": {**(data.get("extra") or {}), **unknown}}

    @model_validator(mode="after")
    def _has_something_to_replay(self) -> Self:
        if self.inputs is None and self.messages is None:
            raise ValueError("a sample needs inputs or messages")
        return self

    @property
    def unit(self) -> str:
        """The cluster this sample belongs to: conversation, else trace, else the sample itself."""
        return self.cluster.conversation_id or self.source.trace_id or self.sample_id

    @property
    def unit_kind(self) -> Literal["conversation", "trace", "sample"]:
        """What kind of cluster that is."""
        if self.cluster.conversation_id:
            return "conversation"
        return "trace" if self.source.trace_id else "sample"


_SAMPLE_KEYS = frozenset(field.alias or name for name, field in Sample.model_fields.items())


def sample_id(record: dict[str, Any], occurrence: int = 0) -> str:
    """Return the content hash of a record: `smp_` and 16 hex digits of its RFC 8785 form.

    The record's own `sample_id` and the time of its import are left out, so importing twice changes nothing;
    `occurrence` counts identical rows from 0, so that each keeps an id of its own.

    Raises:
        rfc8785.CanonicalizationError: a number or text that has no canonical form.
    """
    content = {key: value for key, value in record.items() if key not in ("sample_id", "schema", "source")}
    source = record.get("source") or {}
    identity = {key: source[key] for key in ("trace_id", "span_id") if source.get(key)}
    text = canonical_json({"content": content, "source": identity, "occurrence": occurrence})
    return f"smp_{hashlib.sha256(text).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One sample answered twice; `index` is the sample's place in the sample set."""

    index: int
    sample_id: str
    baseline: Answer
    candidate: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How good one answer is; `value` None means that it could not be scored, and `reason` says why."""

    value: float | None
    reason: str = ""
