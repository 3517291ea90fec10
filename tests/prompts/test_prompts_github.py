from __future__ import annotations

import pytest
from prompt_texts import GITHUB, complaints, read

from promptops.prompts.github import qualified
from promptops.prompts.lint import lint
from promptops.prompts.render import render
from promptops.samples import Sample

HEAD = "model: gpt-4o\nmessages:\n  - {role: user, content: 'hi {{input}}'}\n"


def test_the_example_of_the_documentation_runs_unchanged():
    prompt = read(GITHUB, path="summarize.prompt.yml")
    assert (prompt.id, prompt.dialect, prompt.spec.template) == ("summarize", "github", "simple")
    assert prompt.spec.model == "openai/gpt-4o-mini"
    assert prompt.spec.parameters == {"temperature": 0.5, "max_tokens": 100}
    assert prompt.spec.description == "Summarizes input text concisely"
    assert prompt.rows[0]["expected"] == "Summary - A fox jumped over a lazy, unresponsive dog."
    assert prompt.spec.scorers is not None
    (scorer,) = prompt.spec.scorers.values()
    assert (scorer.kind, scorer.starts_with, scorer.ignore_case) == ("starts_with", "Summary -", True)
    content = render(prompt, prompt.rows[0]).messages[1].content
    assert content == (
        'Summarize the given text, beginning with "Summary -":\n<text>\n'
        "The quick brown fox jumped over the lazy dog.\nThe dog was too tired to react.\n\n</text>\n"
    )


def test_a_file_with_a_name_and_nothing_native_is_one():
    assert read("name: x\n" + HEAD).dialect == "github"
    assert read(HEAD.replace("gpt-4o", "openai/gpt-4o")).dialect == "native"
    assert complaints("name: x\nparameters: {}\n" + HEAD.replace("gpt-4o", "openai/gpt-4o")) == [
        "1:1: name: unknown key"
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("gpt-4o", "openai/gpt-4o"),
        ("o3-mini", "openai/o3-mini"),
        ("Phi-4", "microsoft/Phi-4"),
        ("Llama-3.3-70B-Instruct", "meta/Llama-3.3-70B-Instruct"),
        ("Mistral-Large-2411", "mistral-ai/Mistral-Large-2411"),
        ("grok-3", "xai/grok-3"),
        ("xai/grok-3", "xai/grok-3"),
        ("something", "openai/something"),
    ],
)
def test_a_model_without_its_maker_gets_one(written: str, expected: str):
    assert qualified(written) == expected


@pytest.mark.parametrize(
    ("written", "kind", "argument", "ignore_case"),
    [
        ("{equals: A, contains: b}", "equals", "A", False),
        ("{contains: b, startsWith: c}", "contains", "b", True),
        ("{startsWith: c, endsWith: d}", "starts_with", "c", True),
        ("{endsWith: d}", "ends_with", "d", True),
        ("{equals: '', endsWith: 1.10}", "ends_with", "1.10", True),
    ],
)
def test_the_first_string_test_counts_and_only_equals_minds_capitals(
    written: str, kind: str, argument: str, ignore_case: bool
):
    prompt = read(HEAD + f"evaluators: [{{name: a, string: {written}}}]\n")
    assert prompt.spec.scorers is not None
    scorer = prompt.spec.scorers["a"]
    assert (scorer.kind, getattr(scorer, kind), scorer.ignore_case, scorer.trim) == (
        kind,
        argument,
        ignore_case,
        True,
    )


JUDGE = """\
evaluators:
  - name: quality
    llm:
      modelId: gpt-4o
      systemPrompt: You are a judge.
      prompt: "Rate {{completion}}"
      choices: [{choice: good, score: 1.0}, {choice: bad, score: 0.0}]
  - {name: same, uses: github/similarity}
  - {name: same, string: {contains: x}}
"""


def test_judges_keep_their_rubric_and_their_scale():
    scorers = read(HEAD + JUDGE).spec.scorers
    assert scorers is not None
    assert list(scorers) == ["quality", "same", "same (3)"]
    judge = scorers["quality"]
    assert judge.rubric is not None
    assert (judge.kind, judge.model, judge.scale) == ("judge", "openai/gpt-4o", (0.0, 1.0))
    assert (judge.rubric.prompt, judge.rubric.choices) == ("Rate {{completion}}", {"good": 1.0, "bad": 0.0})
    assert scorers["same"].judge == "github/similarity"
    assert scorers["same"].rubric is not None
    assert "{{expected}}" in scorers["same"].rubric.prompt


def test_both_spellings_of_parameters_are_read_and_never_both_at_once():
    text = HEAD + "modelParameters: {maxTokens: 5, top_p: 0.5, frequencyPenalty: 1}\n"
    assert read(text).spec.parameters == {"max_tokens": 5, "top_p": 0.5, "frequency_penalty": 1}
    assert complaints(HEAD + "modelParameters: {maxTokens: 5, max_tokens: 6}\n") == [
        "4:33: modelParameters.max_tokens: is maxTokens again"
    ]


def test_response_formats_are_those_of_the_api():
    schema = '{"name": "a", "schema": {"type": "object"}}'
    prompt = read(HEAD + f"responseFormat: json_schema\njsonSchema: '{schema}'\n")
    assert prompt.spec.response_format == {
        "type": "json_schema",
        "json_schema": {"name": "a", "schema": {"type": "object"}},
    }
    assert read(HEAD + f"responseFormat: json_schema\njsonSchema: {schema}\n").digest == prompt.digest
    assert read(HEAD + "responseFormat: json_object\n").spec.response_format == {"type": "json_object"}
    assert read(HEAD + "responseFormat: text\n").spec.response_format is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("responseFormat: json_schema\n", "4:1: responseFormat: json_schema needs jsonSchema"),
        (
            "responseFormat: json_schema\njsonSchema: '{\"name\": }'\n",
            "5:13: jsonSchema: not JSON: Expecting value",
        ),
        (
            "responseFormat: json_schema\njsonSchema: '{}'\n",
            "5:13: jsonSchema: a name and a schema are needed: ",
        ),
        (
            "responseFormat: json_schema\njsonSchema: {name: a, schema: {type: x}}\n",
            "5:38: jsonSchema.schema.type: not a JSON Schema: 'x' is not valid",
        ),
        ("modelParameters: {stream: true}\n", "4:19: modelParameters.stream: not a parameter of the model"),
        ("evaluators: [{name: a}]\n", "4:14: evaluators[0]: exactly one of string, llm, uses; got none"),
        ("evaluators: [{name: a, string: {}}]\n", "4:32: evaluators[0].string: one of equals, contains, "),
        (
            "evaluators: [{name: a, string: {startswith: x}}]\n",
            "4:33: evaluators[0].string.startswith: unknown key; did you mean startsWith?",
        ),
        (
            "evaluators: [{name: a, uses: github/similarty}]\n",
            "4:30: evaluators[0].uses: no evaluator of this name; did you mean github/similarity?",
        ),
        (
            "evaluators: [{name: a, llm: {modelId: m, prompt: p, choices: [{choice: y, score: 1}]}}]\n",
            "4:62: evaluators[0].llm.choices: each choice once, with at least two different scores",
        ),
        ("testData: [a]\n", "4:12: testData[0]: expected a mapping, got 'a'"),
        ("testdata: []\nevaluators: []\n", "4:1: testdata: unknown key; did you mean testData?"),
    ],
)
def test_mistakes_are_named_in_the_words_of_the_file(text: str, expected: str):
    (line,) = complaints(HEAD + text)
    assert line.startswith(expected)


def test_text_from_a_row_is_never_filled_again():
    prompt = read(HEAD + "testData: [{input: '{{expected}}', expected: secret}]\n")
    assert render(prompt, prompt.rows[0]).messages[0].content == "hi {{expected}}"
    assert Sample(inputs=dict(prompt.rows[0]), expected="secret").inputs == prompt.rows[0]


def test_lint_says_where_we_differ_from_the_runner_of_github():
    text = JUDGE + "  - {name: both, string: {equals: '{{expected}}', contains: x}}\n"
    text += "modelParameters: {seed: 1}\njsonSchema: '{}'\ntestData: [{inptu: x}]\n"
    prompt = read(HEAD.replace("{{input}}", "{{ input }}") + text)
    codes = {(finding.code, str(finding.severity), finding.line) for finding in lint(prompt, prompt.rows)}
    assert codes == {
        ("github-spaces", "info", 3),
        ("missing-input", "warning", 3),
        ("github-judge", "info", 5),
        ("github-judge", "info", 11),
        ("github-string", "warning", 13),
        ("github-string", "info", 13),
        ("github-parameters", "info", 14),
        ("github-json-schema", "warning", 15),
    }
