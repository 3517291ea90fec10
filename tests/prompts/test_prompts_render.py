from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from prompt_texts import FULL, SMALL, complaints, read

from promptops.errors import InvalidInput
from promptops.messages import ToolCall
from promptops.prompts.inputs import input_schema
from promptops.prompts.render import as_message, render, render_sample, split_model
from promptops.risks import Approval, Risk
from promptops.samples import Sample


def test_a_request_is_everything_that_the_prompt_says():
    request = render(read(FULL), {"message": "charged twice"})
    assert request.model == "gpt-4o-mini"
    assert [(message.role, message.content) for message in request.messages] == [
        ("system", "You route support messages. Be kind.\n"),
        ("user", "charged twice"),
    ]
    assert request.parameters == {"temperature": 0, "max_tokens": 200}
    assert request.response_format is not None
    assert request.response_format["json_schema"]["name"] == "route"
    (tool,) = request.tools
    assert (tool.name, tool.risk, tool.approval) == ("issue_refund", Risk.IRREVERSIBLE, Approval.REQUIRED)
    assert tool.returns == {"type": "object", "required": ["refund_id"]}


def refusal(prompt_text: str, inputs: dict[str, Any]) -> str:
    with pytest.raises(InvalidInput) as caught:
        render(read(prompt_text), inputs)
    return str(caught.value).removeprefix("prompts/a.prompt.yaml: ")


def declared(properties: str, more: str = "") -> str:
    return SMALL + f"inputs: {{type: object, required: [message], properties: {{{properties}}}{more}}}\n"


@pytest.mark.parametrize(
    ("schema", "inputs", "expected"),
    [
        ("message: {type: string}", {}, "input message: missing"),
        ("message: {type: string}", {"mesage": "x"}, "input message: missing (given is mesage)"),
        ("message: {type: string}", {"message": 5}, "input message: expected string, got a number"),
        ("message: {type: string}", {"message": None}, "input message: expected string, got null"),
        (
            "message: {type: string, maxLength: 3}",
            {"message": "long" * 500},
            "input message: expected at most 3 characters, got 2,000",
        ),
        (
            "message: {type: string}, lang: {enum: [de, en]}",
            {"lang": "fr"},
            "input message: missing; input lang: expected one of de, en, got 'fr'",
        ),
        (
            "message: {type: object, properties: {id: {type: integer}}}",
            {"message": {"id": "x"}},
            "input message.id: expected integer, got text",
        ),
    ],
)
def test_all_inputs_that_do_not_fit_are_said_at_once(schema: str, inputs: dict[str, Any], expected: str):
    assert refusal(declared(schema), inputs) == expected


def test_unknown_inputs_are_refused_only_where_the_schema_says_so():
    assert (
        render(read(declared("message: {type: string}")), {"message": "a", "b": 1}).messages[1].content == "a"
    )
    closed = declared("message: {type: string}", ", additionalProperties: false")
    assert "'b' was unexpected" in refusal(closed, {"message": "a", "b": 1})


def test_inferred_inputs_may_have_any_type_and_company():
    prompt = read(SMALL)
    assert input_schema(prompt) == {"type": "object", "required": ["message"], "properties": {"message": {}}}
    assert render(prompt, {"message": 5, "more": 1}).messages[1].content == "5"
    assert refusal(SMALL, {}) == "input message: missing"
    optional = SMALL.replace("{{ message }}", "{{ message | default('x') }}")
    assert render(read(optional), {}).messages[1].content == "x"


def test_a_template_that_does_not_render_names_file_message_and_line():
    text = SMALL.replace("{{ message }}", "{{ message.text }}")
    assert refusal(text, {"message": {}}).startswith(
        "messages[1]: line 1 of the template: 'dict object' has no"
    )


def test_values_that_are_not_text_are_json_in_simple_templates():
    prompt = read("template: simple\n" + SMALL)
    assert render(prompt, {"message": {"a": [1, None]}}).messages[1].content == '{"a": [1, null]}'


def test_a_schema_that_refers_to_itself_without_end_is_a_refusal():
    text = declared("message: {$ref: '#/properties/message'}")
    assert complaints(text) == []
    assert refusal(text, {"message": 1}) == "inputs: the schema refers to itself without end"


# samples


def test_a_sample_with_inputs_is_rendered():
    request = render_sample(
        read(SMALL), Sample(inputs={"message": "hi"}, messages=[{"role": "user", "content": "x"}])
    )
    assert request.messages[1].content == "hi"


CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}


def test_a_conversation_is_asked_again_behind_the_prompts_own_instructions():
    conversation = [
        {"role": "system", "content": "old"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "found"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": [{"type": "text", "text": "two"}]},
        {"role": "assistant", "content": "last"},
    ]
    request = render_sample(read(FULL), Sample(messages=conversation))
    assert [message.role for message in request.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert request.messages[0].content == "You route support messages. Be kind.\n"
    assert request.messages[2].tool_calls == (ToolCall(id="c1", name="look", arguments='{"a": 1}'),)
    assert request.messages[3].tool_call_id == "c1"
    assert request.messages[5].content == ({"type": "text", "text": "two"},)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], "its messages hold no question"),
        ([{"role": "system", "content": "x"}, {"role": "assistant", "content": "y"}], "hold no question"),
        ([{"content": "x"}], "a message without a role"),
        ([{"role": "user", "content": 5}], "neither text nor parts"),
        ([{"role": "user", "content": ["x"]}], "neither text nor parts"),
        ([{"role": "assistant", "tool_calls": [{}]}, {"role": "user", "content": "x"}], "a function's name"),
    ],
)
def test_a_conversation_that_is_none_is_refused(messages: list[dict[str, Any]], expected: str):
    with pytest.raises(InvalidInput, match=expected):
        render_sample(read(SMALL), Sample(messages=messages))


def test_instructions_that_need_inputs_cannot_stand_before_a_bare_conversation():
    prompt = read(SMALL.replace("Answer with one word", "{{ tone }}"))
    with pytest.raises(InvalidInput, match="'tone' is undefined"):
        render_sample(prompt, Sample(messages=[{"role": "user", "content": "x"}]))


def test_a_message_keeps_its_name():
    assert as_message({"role": "user", "content": "x", "name": "ada"}).name == "ada"


def test_models_are_split_at_the_first_slash():
    assert split_model("openai/gpt-4o") == ("openai", "gpt-4o")
    assert split_model("router/meta/llama-3") == ("router", "meta/llama-3")
    for name in ("gpt-4o", "/x", "x/", ""):
        with pytest.raises(InvalidInput, match="PROVIDER/MODEL"):
            split_model(name)


def test_text_inputs_are_checked_without_loading_jsonschema():
    code = f"""
import sys
from promptops.prompts.parse import parse_prompt
from promptops.prompts.render import render
text = {declared("message: {type: string}")!r}
prompt = parse_prompt(text, path="a.prompt.yaml", read_partial=lambda _: None, root=".")
render(prompt, {{"message": "x"}})
print("jsonschema" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
