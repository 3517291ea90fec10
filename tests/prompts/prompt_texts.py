"""The prompt of the documentation, and how the tests read prompts."""

from __future__ import annotations

from promptops.errors import InvalidFile
from promptops.prompts.model import Prompt
from promptops.prompts.parse import parse_prompt

SMALL = """\
model: openai/gpt-4o-mini
messages:
  - {role: system, content: "Answer with one word: billing, technical or account."}
  - {role: user, content: "{{ message }}"}
"""
FULL = """\
promptops: 1                          # format; optional
id: support-triage
description: Sends a support message to the right queue
owners: ["@acme/support-ai"]
model: openai/gpt-4o-mini             # PROVIDER/MODEL
parameters: {temperature: 0, max_tokens: 200}
template: jinja2
inputs: {type: object, required: [message], properties: {message: {type: string, maxLength: 4000}}}
messages:
  - role: system
    content: |
      You route support messages. {% include "partials/tone.md" %}
  - {role: user, content: "{{ message }}"}
response_format:
  type: json_schema
  json_schema:
    name: route
    schema: {type: object, required: [queue], properties: {queue: {enum: [billing, technical, account]}}}
tools:
  - name: issue_refund
    description: Refund an order
    parameters:
      type: object
      required: [order_id, amount]
      properties: {order_id: {type: string}, amount: {type: number, minimum: 0}}
    returns: {type: object, required: [refund_id]}
    risk: irreversible                # read | write | irreversible; unstated = irreversible
    approval: required                # none | required
samples: [support-triage.samples.jsonl, "../logs/triage-*.jsonl"]
scorers:
  queue: {equals: "{{ expected.queue }}", path: $.queue, must: improve}
  valid: {json_schema: response_format, max_drop: 0.02}
  tone:  {judge: rubrics/tone.md, model: openai/gpt-4o, scale: [1, 5], max_drop: 0.2}
  calls: {tool_calls: valid, never: true}
  words: {length: {max: 80, unit: words}, observe: true}
limits:
  latency: {max_rise: 20%}
  cost: {max_rise: 10%}
gate:
  alpha: 0.05
  inconclusive: review
  slices: {by: [language, intent], critical: ["language=de"], policy: warn}
  sequential: {max_samples: 2000}
"""
TONE = {"prompts/partials/tone.md": "Be kind.\n"}
GITHUB = """\
name: Text Summarizer
description: Summarizes input text concisely
model: gpt-4o-mini
modelParameters:
  temperature: 0.5
  maxTokens: 100
messages:
  - role: system
    content: You are a text summarizer. Your only job is to summarize text given to you.
  - role: user
    content: |
      Summarize the given text, beginning with "Summary -":
      <text>
      {{input}}
      </text>
testData:
  - input: |
      The quick brown fox jumped over the lazy dog.
      The dog was too tired to react.
    expected: Summary - A fox jumped over a lazy, unresponsive dog.
evaluators:
  - name: Output should start with 'Summary -'
    string:
      startsWith: 'Summary -'
"""


def read(text: str, *, path: str = "prompts/a.prompt.yaml", files: dict[str, str] | None = None) -> Prompt:
    """Read a prompt whose partials are in `files`, by their place in the repository."""
    return parse_prompt(text, path=path, read_partial=(TONE if files is None else files).get, root="prompts")


def complaints(text: str, **where: object) -> list[str]:
    """Return all problems of a prompt, without the file's own path."""
    try:
        read(text, **where)  # type: ignore[arg-type]
    except InvalidFile as error:
        return [str(problem).removeprefix("prompts/a.prompt.yaml:") for problem in error.problems]
    return []
