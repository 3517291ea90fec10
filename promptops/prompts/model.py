"""A prompt file as people write it (pydantic), and a prompt as everything else uses it (a value).

Nothing here reads a file: text arrives as an argument, partials as a mapping.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from promptops.prompts.written import ID_PATTERN, Fraction, Written
from promptops.risks import Approval, Risk

MODEL_PATTERN = r"^[A-Za-z0-9_.-]+/\S+$"
TOOL_PATTERN = r"^[A-Za-z0-9_.-]{1,64}$"


def _matching(pattern: str, sentence: str) -> Callable[[str], str]:
    """Return a check of a text by a pattern that says in words what is expected."""

    def check(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise ValueError(f"{sentence}, got '{text[:40]}'")
        return text

    return check


PromptId = Annotated[str, WithJsonSchema({"type": "string", "pattern": ID_PATTERN})]  # parse checks it
ModelName = Annotated[
    str,
    AfterValidator(_matching(MODEL_PATTERN, "expected PROVIDER/MODEL, like openai/gpt-4o-mini")),
    WithJsonSchema({"type": "string", "pattern": MODEL_PATTERN}),
]
ToolName = Annotated[
    str,
    AfterValidator(_matching(TOOL_PATTERN, "expected letters, digits, _, . and -, at most 64")),
    WithJsonSchema({"type": "string", "pattern": TOOL_PATTERN}),
]


class MessageSpec(Written):
    role: Literal["system", "developer", "user", "assistant"]
    content: str


class ToolDef(Written):
    name: ToolName
    description: str = ""
    parameters: dict[str, Any] = {}
    returns: dict[str, Any] | None = None
    risk: Risk | None = None
    approval: Approval | None = None


class GateWords(Written):
    """How a measured number decides; statistics.md explains each word."""

    max_drop: Fraction | None = Field(default=None, gt=0)
    max_rise: Fraction | None = Field(default=None, gt=0)
    must: Literal["improve"] | None = None
    min: Fraction | None = None
    never: bool = False
    observe: bool = False


class LengthBounds(Written):
    """How long an answer may be; at least one bound."""

    min: int | None = Field(default=None, ge=0)
    max: int | None = Field(default=None, ge=0)
    unit: Literal["characters", "words", "lines"] = "characters"


class JsonPathRule(Written):
    """A place in a JSON answer and what must stand there; without a rule: that something does."""

    path: str
    equals: Any = None
    exists: bool = True


class RubricSpec(Written):
    """A rubric that stands in the file itself, as GitHub's `llm` evaluators write it.

    `prompt` is a `simple` template over the sample's inputs and `completion`; the judge's whole reply must be
    one of `choices`, which gives the score.
    """

    prompt: str
    system: str = ""
    choices: dict[str, float] = Field(min_length=1)


class ScorerSpec(GateWords):
    """One scorer: exactly one kind, its options, its gate words."""

    equals: Any = None
    contains: str | list[str] | None = None
    starts_with: str | list[str] | None = None
    ends_with: str | list[str] | None = None
    regex: str | None = None
    json_schema: str | dict[str, Any] | None = None
    json_path: str | JsonPathRule | None = None
    length: LengthBounds | None = None
    python: str | None = None
    judge: str | None = None
    similar: Any = None
    tool_calls: Any = None

    path: str | None = None
    ignore_case: bool = False
    trim: bool = True
    rubric: RubricSpec | None = None
    range: tuple[float, float] | None = None
    model: str | None = None
    scale: tuple[float, float] | None = None

    @property
    def kind(self) -> str:
        """The kind that is written; `parse` has checked that it is exactly one."""
        return next(kind for kind in SCORER_KINDS if kind in self.model_fields_set)


SCORER_KINDS = (
    "equals",
    "contains",
    "starts_with",
    "ends_with",
    "regex",
    "json_schema",
    "json_path",
    "length",
    "python",
    "judge",
    "similar",
    "tool_calls",
)
MEASURES = ("answered", "latency", "time_to_first_token", "cost", "input_tokens", "output_tokens")


class SequentialSpec(Written):
    max_samples: int = Field(gt=0)


class SliceSpec(Written):
    by: list[str] = []
    critical: list[str] = []
    policy: Literal["warn", "block"] = "warn"


class GateSpec(Written):
    alpha: float | None = Field(default=None, gt=0, lt=0.5)
    inconclusive: Literal["review", "block", "allow"] = "review"
    targets: Literal["any", "all"] = "any"
    slices: SliceSpec | None = None
    sequential: SequentialSpec | None = None
    anchor: str | None = None
    trust: Literal["committed", "ci"] | None = None


class PromptSpec(Written):
    """A native prompt file; GitHub files are translated into this by prompts/github.py."""

    promptops: Literal[1] = 1
    id: PromptId | None = None
    description: str = ""
    owners: list[str] = []
    model: ModelName
    parameters: dict[str, Any] = {}
    template: Literal["jinja2", "simple", "none"] = "jinja2"
    inputs: dict[str, Any] | None = None
    messages: list[MessageSpec] = Field(min_length=1)
    response_format: dict[str, Any] | None = None
    tools: list[ToolDef] = []
    samples: list[str] | None = None
    scorers: dict[str, ScorerSpec] | None = None
    limits: dict[str, GateWords] = {}
    gate: GateSpec = Field(default_factory=GateSpec)  # made when it is needed, with its validator

    @property
    def has_floor(self) -> bool:
        """Whether a version can be judged on its own: something says how good it must be."""
        words = [*(self.scorers or {}).values(), *self.limits.values()]
        return any(word.min is not None or word.never for word in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt that has been read: its id, where it stands, what is written, and every partial's text.

    `path` is relative to the repository, with forward slashes. `partials` maps the name as written in the
    include to its text, without the newline that ends its file. `body` is what the digest covers, as plain
    JSON values; `digest` is `sha256:` of its RFC 8785 form. `rows` are the samples written into a GitHub file
    (`testData`).
    """

    id: str
    path: str
    source: str
    spec: PromptSpec
    digest: str
    body: Mapping[str, Any]
    partials: Mapping[str, str] = field(default_factory=dict)
    dialect: Literal["native", "github"] = "native"
    rows: tuple[Mapping[str, Any], ...] = ()
