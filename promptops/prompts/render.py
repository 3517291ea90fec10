"""Prompt + inputs → Request: the exact thing that a provider is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptops.errors import InvalidInput
from promptops.messages import Message, Request, ToolCall, ToolSpec
from promptops.prompts.inputs import check_inputs
from promptops.prompts.model import Prompt, PromptSpec, ToolDef
from promptops.prompts.template import TemplateFault, render_text
from promptops.risks import Approval, Risk
from promptops.samples import Sample

_INSTRUCTING = ("system", "developer")


def split_model(model: str) -> tuple[str, str]:
    """Split `openai/gpt-4o` into the provider and its own name of the model, which may hold slashes itself.

    Raises:
        InvalidInput: there is no provider in front.
    """
    provider, slash, name = model.partition("/")
    if not slash or not provider or not name:
        raise InvalidInput(f"{model[:80]!r}: expected PROVIDER/MODEL, like openai/gpt-4o-mini")
    return provider, name


def render(prompt: Prompt, inputs: Mapping[str, Any]) -> Request:
    """Return the request for these inputs.

    Raises:
        InvalidInput: all inputs that are missing or do not fit, or a template that does not render with them.
    """
    check_inputs(prompt, inputs)
    return _request(prompt.spec, tuple(_messages(prompt, inputs)))


def render_sample(prompt: Prompt, sample: Sample) -> Request:
    """Return the request that asks a sample's question again with this prompt.

    A sample with `inputs` is rendered. One with only `messages` keeps its conversation up to the last answer
    of the assistant, behind this prompt's system messages instead of its own.

    Raises:
        InvalidInput: the sample's inputs do not fit, or its messages hold no question.
    """
    if sample.inputs is not None:
        return render(prompt, sample.inputs)
    conversation = _question(sample.messages or [])
    if not conversation:
        raise InvalidInput(
            f"sample {sample.sample_id or '(no id)'}: its messages hold no question to ask again"
        )
    system = _messages(prompt, {}, roles=_INSTRUCTING)
    return _request(prompt.spec, (*system, *(as_message(message) for message in conversation)))


def as_message(written: Mapping[str, Any]) -> Message:
    """Return a message of the OpenAI chat shape as a value.

    Raises:
        InvalidInput: it is none.
    """
    role, content = written.get("role"), written.get("content")
    if not isinstance(role, str):
        raise InvalidInput("a message without a role")
    if isinstance(content, list):
        if not all(isinstance(part, Mapping) for part in content):
            raise InvalidInput(f"a message of the {role} whose content is neither text nor parts")
        content = tuple(content)
    elif content is not None and not isinstance(content, str):
        raise InvalidInput(f"a message of the {role} whose content is neither text nor parts")
    return Message(
        role=role,
        content=content,
        name=_text(written.get("name")),
        tool_calls=tuple(_tool_call(call) for call in written.get("tool_calls") or ()),
        tool_call_id=_text(written.get("tool_call_id")),
    )


def _request(spec: PromptSpec, messages: tuple[Message, ...]) -> Request:
    return Request(
        model=split_model(spec.model)[1],
        messages=messages,
        parameters=spec.parameters,
        tools=_tools(tuple(spec.tools)) if spec.tools else (),
        response_format=spec.response_format,
    )


def _messages(prompt: Prompt, inputs: Mapping[str, Any], roles: Sequence[str] | None = None) -> list[Message]:
    rendered = []
    for index, message in enumerate(prompt.spec.messages):
        if roles is not None and message.role not in roles:
            continue
        try:
            content = render_text(prompt.spec.template, message.content, inputs, prompt.partials)
        except TemplateFault as fault:
            raise InvalidInput(f"{prompt.path}: messages[{index}]: {fault}") from fault
        rendered.append(Message(role=message.role, content=content))
    return rendered


def _question(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the conversation without its instructions and without the answer at its end."""
    held = [message for message in messages if message.get("role") not in _INSTRUCTING]
    while held and held[-1].get("role") == "assistant":
        held.pop()
    return held


def _tool_call(call: Any) -> ToolCall:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise InvalidInput("a tool call without a function's name")
    arguments = function.get("arguments", "")
    if not isinstance(arguments, str):
        raise InvalidInput(f"a tool call of {function['name'][:64]} whose arguments are not text")
    return ToolCall(id=str(call.get("id", "")), name=function["name"], arguments=arguments)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _tools(tools: tuple[ToolDef, ...]) -> tuple[ToolSpec, ...]:
    return tuple(
        ToolSpec(
            name=tool.name,
            description=tool.description,
            parameters=tool.parameters,
            returns=tool.returns,
            risk=tool.risk or Risk.IRREVERSIBLE,
            approval=tool.approval or Approval.NONE,
        )
        for tool in tools
    )
