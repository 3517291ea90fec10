"""Where a vendor's API is, whose key goes there, and that a key goes nowhere else."""

from __future__ import annotations

import pytest

from promptops.config import Config, ProviderSpec, built_in, parse_config
from promptops.errors import ConfigError, InvalidFile
from promptops.evaluation.apis import api_key, api_kind, api_url
from promptops.evaluation.arms import check_provider
from promptops.prompts.parse import parse_prompt

KEYS = {
    "OPENAI_API_KEY": "sk-openai-0123456789",
    "ANTHROPIC_API_KEY": "sk-ant-0123456789",
    "GEMINI_API_KEY": "gemini-0123456789",
}


def spec(entry: str) -> ProviderSpec:
    text = f"providers: {{mine: {{{entry}}}}}\n"
    return parse_config(text, path="promptops.yaml").providers["mine"]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("openai", "https://api.openai.com/v1"),
        ("anthropic", "https://api.anthropic.com/v1"),
        ("gemini", "https://generativelanguage.googleapis.com/v1beta"),
    ],
)
def test_a_vendor_needs_no_entry(name, url) -> None:
    vendor = built_in()[name]
    assert api_url(vendor, {}) == url
    assert api_key(vendor, KEYS) == KEYS[f"{name.upper()}_API_KEY"]
    with pytest.raises(ConfigError, match=f"{name.upper()}_API_KEY is not set"):
        api_key(vendor, {})


@pytest.mark.parametrize(
    ("name", "variable", "url"),
    [
        ("openai", "OPENAI_BASE_URL", "http://gateway/openai"),
        ("anthropic", "ANTHROPIC_BASE_URL", "http://gateway/anthropic/v1"),
        ("gemini", "GOOGLE_GEMINI_BASE_URL", "http://gateway/gemini/v1beta"),
    ],
)
def test_a_vendors_variable_names_another_address(name, variable, url) -> None:
    vendor = built_in()[name]
    assert api_url(vendor, {variable: f"http://gateway/{name}"}) == url
    assert api_url(vendor, {variable: ""}).startswith("https://")
    with pytest.raises(ConfigError, match=f"the environment variable {variable}: expected http"):
        api_url(vendor, {variable: "gateway"})


def test_an_address_in_the_file_goes_before_the_variable() -> None:
    mine = spec("kind: openai, base_url: 'http://mine/v1/'")
    assert api_url(mine, {"OPENAI_BASE_URL": "http://other/v1"}) == "http://mine/v1"


@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini"])
def test_a_vendors_key_is_not_sent_to_an_address_of_the_users_own(kind) -> None:
    assert api_key(spec(f"kind: {kind}, base_url: 'http://mine/v1'"), KEYS) is None
    named = spec(f"kind: {kind}, base_url: 'http://mine/v1', api_key: {{env: MINE}}")
    assert api_key(named, {**KEYS, "MINE": "my-own-key"}) == "my-own-key"
    with pytest.raises(ConfigError, match="MINE is not set"):
        api_key(named, KEYS)


def test_gemini_reads_either_variable_as_its_own_library_does() -> None:
    vendor = built_in()["gemini"]
    assert api_key(vendor, {"GOOGLE_API_KEY": "google-0123456"}) == "google-0123456"
    both = {"GEMINI_API_KEY": "gemini-0123456", "GOOGLE_API_KEY": "google-0123456"}
    assert api_key(vendor, both) == "google-0123456"
    assert api_key(vendor, {**both, "GOOGLE_API_KEY": ""}) == "gemini-0123456"


def test_answers_of_one_api_are_not_those_of_another() -> None:
    assert api_kind(spec("kind: openai, base_url: 'http://mine/v1'")) == "openai"
    assert api_kind(spec("kind: openai, base_url: 'http://mine/v1', api: chat")) == "openai"
    assert api_kind(spec("kind: openai, base_url: 'http://mine/v1', api: responses")) == "openai.responses"
    assert api_kind(spec("kind: gemini")) == "gemini"


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        ("opnai/x", "", "no provider called 'opnai'; did you mean openai"),
        ("anthropic/claude", "", "anthropic needs max_tokens for claude"),
        ("gemini/x", "parameters: {tool_choice: perhaps}\n", "tool_choice: expected auto"),
    ],
)
def test_what_a_model_cannot_be_asked_is_said_where_the_model_is_written(model, more, said) -> None:
    text = f'description: d\nmodel: {model}\n{more}messages:\n  - {{role: user, content: "{{{{ q }}}}"}}\n'
    prompt = parse_prompt(text, path="prompts/a.prompt.yaml", read_partial=lambda _: None, root="prompts")
    with pytest.raises(InvalidFile) as caught:
        check_provider(Config(), prompt)
    assert str(caught.value).startswith(f"prompts/a.prompt.yaml:2:8: model: {said}")
