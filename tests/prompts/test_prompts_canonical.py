from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_texts import FULL, SMALL, TONE, read

from promptops.errors import InvalidInput
from promptops.prompts.canonical import body, digest
from promptops.prompts.render import render


def as_yaml(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False)


def reordered(value: Any, draw: Any) -> Any:
    """Shuffle the keys of every mapping but a schema's properties, whose order reaches the model."""
    if isinstance(value, list):
        return [reordered(item, draw) for item in value]
    if not isinstance(value, dict):
        return value
    keys = draw(st.permutations(list(value)))
    return {
        key: {name: reordered(one, draw) for name, one in value[key].items()}
        if key == "properties"
        else reordered(value[key], draw)
        for key in keys
    }


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_the_order_of_keys_does_not_matter(data: st.DataObject):
    shuffled = reordered(yaml.safe_load(FULL), data.draw)
    assert read(as_yaml(shuffled)).digest == read(FULL).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n", "\r\n"),
        ("# PROVIDER/MODEL", "# something else"),
        ("Sends a support message to the right queue", "Sends it"),
        ('["@acme/support-ai"]', "[]"),
        ("max_drop: 0.02", "max_drop: 0.5"),
        ("alpha: 0.05", "alpha: 0.01"),
        ("max_rise: 20%", "max_rise: 30%"),
        ("id: support-triage", "id: another"),
        ("template: jinja2\n", ""),
        ("risk: irreversible ", "# "),
        ("temperature: 0,", "temperature: 0.0,"),
        ("temperature: 0,", "temperature: -0.0,"),
        ("[support-triage.samples.jsonl,", "[other.jsonl,"),
    ],
)
def test_what_does_not_reach_the_model_is_not_hashed(old: str, new: str):
    assert old in FULL
    assert read(FULL.replace(old, new)).digest == read(FULL).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gpt-4o-mini", "gpt-4o"),
        ("temperature: 0,", "temperature: 0.1,"),
        ("max_tokens: 200", "max_tokens: '200'"),
        ("You route", "You  route"),
        ("messages. ", "messages.  "),
        ('tone.md" %}\n', 'tone.md" %}\n\n      x\n'),
        ("content: |\n", "content: |-\n"),
        ("role: system", "role: developer"),
        ("maxLength: 4000", "maxLength: 4001"),
        ("[billing, technical, account]", "[technical, billing, account]"),
        ("Refund an order", "Refund the order"),
        ("required: [order_id, amount]", "required: [amount, order_id]"),
        ("risk: irreversible ", "risk: write "),
        ("approval: required ", "approval: none "),
        ("required: [refund_id]", "required: []"),
        ("{order_id: {type: string}, amount: {type: number, minimum: 0}}",
         "{amount: {type: number, minimum: 0}, order_id: {type: string}}"),
    ],
)  # fmt: skip
def test_everything_that_reaches_the_model_is_hashed(old: str, new: str):
    assert old in FULL
    assert read(FULL.replace(old, new)).digest != read(FULL).digest


def test_the_order_of_a_schema_among_the_parameters_is_hashed():
    schema = "parameters: {guided_json: {properties: {%s}}}\n"
    one, other = (read(schema % names + SMALL).digest for names in ("b: {}, a: {}", "a: {}, b: {}"))
    assert one != other


def test_partials_are_hashed_by_their_text_without_the_last_newline():
    base = read(FULL).digest
    assert read(FULL, files={"prompts/partials/tone.md": "Be kind."}).digest == base
    assert read(FULL, files={"prompts/partials/tone.md": "Be kind.\r\n"}).digest == base
    assert read(FULL, files={"prompts/partials/tone.md": "Be kind.\n\n"}).digest != base
    assert read(FULL, files={"prompts/partials/tone.md": "Be nice.\n"}).digest != base


def test_every_kind_of_template_has_its_own_digest():
    text = SMALL.replace("{{ message }}", "x")
    kinds = [read(f"template: {kind}\n{text}").digest for kind in ("jinja2", "simple", "none")]
    assert len(set(kinds)) == 3


WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)


def sent(content: str) -> tuple[str, Any]:
    prompt = read(
        as_yaml({"model": "openai/x", "template": "none", "messages": [{"role": "user", "content": content}]})
    )
    return prompt.digest, render(prompt, {}).messages[0].content


@given(WORDS, WORDS)
@settings(deadline=None)
def test_equal_digests_send_the_same_and_different_ones_do_not(first: str, second: str):
    one, other = sent(first), sent(second)
    assert (one[0] == other[0]) == (one[1] == other[1])
    same = unicodedata.normalize("NFC", first) == unicodedata.normalize("NFC", second)
    assert same == (one == other)


def test_the_digest_is_that_of_the_canonical_json():
    assert digest({"b": 1.0, "a": "é"}) == digest({"a": "é", "b": 1})
    assert digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    prompt = read(FULL)
    assert (
        prompt.digest
        == digest(body(prompt.spec, prompt.partials))
        == digest(json.loads(json.dumps(prompt.body)))
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, "\ud800"])
def test_what_has_no_canonical_form_has_no_digest(value: object):
    with pytest.raises(InvalidInput, match="no canonical form"):
        digest({"a": value})


def test_the_same_prompt_has_this_digest_for_ever():
    assert read(SMALL).digest == "sha256:5963c96bbecc159b1a74d3ae1a83b98185037c8b84dd60e2b25ce0c6222fd99e"
    assert (
        read(FULL, files=TONE).digest
        == "sha256:0b04dcd36361f6e45d8fc16f7bb0820384ab4a19abbdd3f937e1fcc936d624eb"
    )
