"""GitHub `.prompt.yml` files: translated into the same prompt that a native file gives.

Places are `simple`: `{{name}}`. `string` evaluators become text scorers (the first of equals, contains,
startsWith, endsWith counts, as in GitHub's runner; only equals minds capitals), `llm` and `uses: github/…`
become judges. `testData` is kept as rows; every key of a row is an input, `expected` too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from promptops.documents import Document, validate
from promptops.errors import InvalidFile, Problem, did_you_mean
from promptops.prompts.model import (
    MODEL_PATTERN,
    MessageSpec,
    PromptSpec,
    RubricSpec,
    ScorerSpec,
)
from promptops.prompts.rubrics import RUBRICS
from promptops.prompts.schemas import schema_faults
from promptops.prompts.written import Written
from promptops.strictjson import NotJson, parse

MARKS: Final = ("modelParameters", "testData", "evaluators", "responseFormat", "jsonSchema")
_SHARED: Final = frozenset({"description", "model", "messages"})
_NATIVE: Final = frozenset(PromptSpec.model_fields) - _SHARED
_OURS: Final = frozenset({"model", "messages", "tools", "response_format", "stream"})
# GitHub's older files name a model without who makes it; its catalogue does not.
_MAKERS: Final = (
    (r"gpt-|o\d|chatgpt|text-embedding", "openai"),
    (r"phi-|mai-", "microsoft"),
    (r"(meta-)?llama", "meta"),
    (r"mistral|ministral|codestral", "mistral-ai"),
    (r"deepseek", "deepseek"),
    (r"cohere", "cohere"),
    (r"grok", "xai"),
    (r"jais", "core42"),
    (r"ai21", "ai21-labs"),
    (r"claude", "anthropic"),
    (r"gemini", "gemini"),
)


class _Message(Written):
    role: Annotated[
        Literal["system", "user", "assistant"],
        BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
    ]
    content: str


class _StringTest(Written):
    equals: str | None = None
    contains: str | None = None
    startsWith: str | None = None  # noqa: N815
    endsWith: str | None = None  # noqa: N815


class _Choice(Written):
    choice: str
    score: float


class _Judge(Written):
    modelId: str = Field(min_length=1)  # noqa: N815
    prompt: str
    choices: list[_Choice] = Field(min_length=1)
    systemPrompt: str = ""  # noqa: N815


class _Evaluator(Written):
    name: str = Field(min_length=1)
    string: _StringTest | None = None
    llm: _Judge | None = None
    uses: str | None = None


class _File(Written):
    name: str = ""
    description: str = ""
    model: str
    modelParameters: dict[str, Any] = {}  # noqa: N815
    responseFormat: Literal["text", "json_object", "json_schema"] | None = None  # noqa: N815
    jsonSchema: str | dict[str, Any] | None = None  # noqa: N815
    messages: list[_Message] = Field(min_length=1)
    testData: list[dict[str, Any]] = []  # noqa: N815
    evaluators: list[_Evaluator] = []


def is_github(document: Document) -> bool:
    """Whether a file is one of GitHub's, by its keys; `name` decides where nothing native is beside it."""
    keys = document.data.keys() if isinstance(document.data, dict) else set()
    return any(mark in keys for mark in MARKS) or ("name" in keys and not keys & _NATIVE)


def translate(document: Document) -> tuple[PromptSpec, tuple[dict[str, Any], ...]]:
    """Return the prompt that a GitHub file means, and its `testData`.

    Raises:
        InvalidFile: both kinds of keys in one file, or whatever else is wrong with it.
    """
    if mixed := _mixed(document):
        raise InvalidFile([mixed])
    file, document = validate(document, _File)
    problems: list[Problem] = []
    parts = {
        "parameters": _take(_parameters(document, file), problems),
        "response_format": _take(_response_format(document, file), problems),
        "scorers": _take(_scorers(document, file), problems) or None,
        "model": _take(_model(document, file), problems).get("model", ""),
    }
    if problems:
        raise InvalidFile(problems)
    spec = PromptSpec(
        description=file.description or file.name,
        template="simple",
        messages=[MessageSpec(role=one.role, content=one.content) for one in file.messages],
        **{**parts, "response_format": parts["response_format"] or None},
    )
    return spec, tuple(file.testData)


def qualified(model: str) -> str:
    """Return a model with its maker, as GitHub's catalogue writes it: `gpt-4o` → `openai/gpt-4o`."""
    if "/" in model:
        return model
    maker = next((maker for pattern, maker in _MAKERS if re.match(pattern, model, re.IGNORECASE)), "openai")
    return f"{maker}/{model}"


Step = Iterator[tuple[str, Any] | Problem]


def _take(steps: Step, problems: list[Problem]) -> dict[str, Any]:
    """Collect the entries of one part, and its problems beside them."""
    held: dict[str, Any] = {}
    for step in steps:
        if isinstance(step, Problem):
            problems.append(step)
        else:
            held[step[0]] = step[1]
    return held


def _mixed(document: Document) -> Problem | None:
    ours = sorted((document.locate_key((key,))[0], key) for key in document.data if key in _NATIVE)
    theirs = sorted((document.locate_key((key,))[0], key) for key in document.data if key in MARKS)
    if not ours or not theirs:
        return None
    words = " and ".join(
        f"{', '.join(f'{key} (line {line})' for line, key in keys)} of {kind}"
        for keys, kind in ((theirs, "GitHub's format"), (ours, "promptops"))
    )
    line, column = document.locate_key((max(ours[0], theirs[0])[1],))
    return Problem(document.path, line, column, f"two kinds of keys in one file: {words}; keep one kind")


def _model(document: Document, file: _File) -> Step:
    model = qualified(file.model)
    if re.fullmatch(MODEL_PATTERN, model) is None:
        yield document.problem(("model",), f"expected a model's name, got {document.got(('model',))}")
    yield "model", model


def _parameters(document: Document, file: _File) -> Step:
    seen: dict[str, str] = {}
    for name, value in file.modelParameters.items():
        loc = ("modelParameters", name)
        snake = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: f"_{match[1].lower()}", name)
        if snake in seen:
            yield document.key_problem(loc, f"is {seen[snake]} again")
        elif snake in _OURS:
            yield document.key_problem(loc, "not a parameter of the model")
        seen[snake] = name
        yield snake, value


def _response_format(document: Document, file: _File) -> Step:
    if file.responseFormat in (None, "text"):
        return
    yield "type", file.responseFormat
    if file.responseFormat != "json_schema":
        return
    loc: tuple[str | int, ...] = ("jsonSchema",)
    if file.jsonSchema is None:
        yield document.key_problem(("responseFormat",), "json_schema needs jsonSchema")
        return
    try:
        schema = parse(file.jsonSchema) if isinstance(file.jsonSchema, str) else file.jsonSchema
    except NotJson as error:
        yield document.problem(loc, f"not JSON: {error.reason}")
        return
    if not isinstance(schema, dict) or not isinstance(schema.get("schema"), dict) or "name" not in schema:
        yield document.problem(loc, "a name and a schema are needed: {name: …, schema: {…}}")
        return
    for below, words in schema_faults(schema["schema"]):
        yield document.problem((*loc, "schema", *below) if isinstance(file.jsonSchema, dict) else loc, words)
    yield "json_schema", schema


def _scorers(document: Document, file: _File) -> Step:
    taken: set[str] = set()
    for index, one in enumerate(file.evaluators):
        name = one.name if one.name not in taken else f"{one.name} ({index + 1})"
        taken.add(name)
        kinds = [kind for kind in ("string", "llm", "uses") if getattr(one, kind) is not None]
        loc = ("evaluators", index)
        if len(kinds) != 1:
            yield document.problem(
                loc, f"exactly one of string, llm, uses; got {' and '.join(kinds) or 'none'}"
            )
            continue
        made = _scorer(document, one, index)
        yield made if isinstance(made, Problem) else (name, made)


def _scorer(document: Document, one: _Evaluator, index: int) -> ScorerSpec | Problem:
    loc = ("evaluators", index)
    if one.string is not None:
        return _string(one.string) or document.problem(
            (*loc, "string"), "one of equals, contains, startsWith and endsWith is needed"
        )
    if one.llm is not None:
        choices = {choice.choice: choice.score for choice in one.llm.choices}
        if len(choices) < len(one.llm.choices) or len(set(choices.values())) < 2:
            return document.problem(
                (*loc, "llm", "choices"), "each choice once, with at least two different scores"
            )
        rubric = RubricSpec(prompt=one.llm.prompt, system=one.llm.systemPrompt, choices=choices)
        return _judge(f"evaluators[{index}].llm", qualified(one.llm.modelId), rubric)
    known = {f"github/{name}": rubric for name, rubric in RUBRICS.items()}
    if one.uses in known:
        return _judge(one.uses or "", "openai/gpt-4o", known[one.uses or ""])
    return document.problem((*loc, "uses"), f"no evaluator of this name{did_you_mean(one.uses or '', known)}")


def _string(test: _StringTest) -> ScorerSpec | None:
    """An empty text is none, as in GitHub's runner."""
    if test.equals:
        return ScorerSpec(equals=test.equals)
    if test.contains:
        return ScorerSpec(contains=test.contains, ignore_case=True)
    if test.startsWith:
        return ScorerSpec(starts_with=test.startsWith, ignore_case=True)
    return ScorerSpec(ends_with=test.endsWith, ignore_case=True) if test.endsWith else None


def _judge(name: str, model: str, rubric: RubricSpec) -> ScorerSpec:
    scores = rubric.choices.values()
    return ScorerSpec(judge=name, model=model, rubric=rubric, scale=(min(scores), max(scores)))
