"""What goes to a model and what comes back: plain values, no behaviour beyond questions about themselves.

`Request` is the exact thing a provider is asked; `Completion` is an answer that came, `Failure` one that never
came. The two are never mixed: a bad answer is scored, a missing one is not (docs/architecture.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from promptops.risks import Approval, Risk


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A request by the model to run one tool; `arguments` is the raw text, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as the model is told of it, and what we know of its risk."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    returns: Mapping[str, Any] | None = None
    risk: Risk = Risk.IRREVERSIBLE
    approval: Approval = Approval.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message in the OpenAI chat shape; `content` is text, content parts, or None beside tool calls."""

    role: str
    content: str | tuple[Mapping[str, Any], ...] | None
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call, complete: `model` is the provider's own model name, without the provider."""

    model: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[ToolSpec, ...] = ()
    response_format: Mapping[str, Any] | None = None


MOST_TOKENS = 2**53  # beyond it floats do not count on, and nobody else does


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the provider counted them; None is unknown, never 0. A count is from 0 to MOST_TOKENS."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What attempts cost that no answer came to: US dollars where that is known, and how many of them may have cost
    something that nobody knows.
    """

    usd: float = 0.0
    unknown: int = 0

    def __add__(self, other: Lost) -> Lost:
        return Lost(usd=self.usd + other.usd, unknown=self.unknown + other.unknown)


NOTHING_LOST = Lost()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """An answer that came, good or bad.

    `text` is None only beside tool calls. `seconds` and `first_token_seconds` are of the attempt that answered,
    by a monotonic clock. `cost` is in US dollars, None where the price is unknown. `cached` says that this run
    did not ask for it, `imported` that nobody did here: it came in a file. `lost` is what the attempts before cost.
    """

    text: str | None
    finish_reason: str
    model: str
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    seconds: float | None = None
    first_token_seconds: float | None = None
    cost: float | None = None
    attempts: int = 1
    cached: bool = False
    imported: bool = False
    lost: Lost = NOTHING_LOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An answer that never came, after all attempts; `kind` is a ProviderError's kind."""

    kind: str
    message: str
    attempts: int = 1
    lost: Lost = NOTHING_LOST


Answer = Completion | Failure
