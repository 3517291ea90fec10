from __future__ import annotations

from pathlib import Path

import pytest

from promptops.config import Config, KeyName, Timeouts, parse_config
from promptops.errors import InvalidFile


def problems(text: str) -> str:
    with pytest.raises(InvalidFile) as caught:
        parse_config(text, path="promptops.yaml")
    return str(caught.value)


def test_an_empty_file_is_the_defaults() -> None:
    assert parse_config("promptops: 1\n", path="promptops.yaml") == Config()


def test_candidates_are_compared_with_the_last_environment() -> None:
    config = parse_config("environments: [staging, production]\n", path="promptops.yaml")
    assert config.live == "production"


@pytest.mark.parametrize(
    ("written", "seconds"), [("90", 90.0), ("90s", 90.0), ("2m", 120.0), ("12h", 43200.0), ("7d", 604800.0)]
)
def test_durations_carry_their_unit(written: str, seconds: float) -> None:
    config = parse_config(f"limits: {{cache_max_age: {written}}}\n", path="promptops.yaml")
    assert config.limits.cache_max_age == seconds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("enviroments: [a]\n", "promptops.yaml:1:1: enviroments: unknown key; did you mean environments?"),
        ("limits: {concurrency: 0}\n", "limits.concurrency: expected a number of at least 1, got 0"),
        ("environments: [v12]\n", "'v12' is not a name for an environment"),
        ("environments: [a, a]\n", "a name stands twice"),
        ("prompts: [../elsewhere]\n", "leads out of the repository"),
        ("providers: {bot: {kind: python}}\n", "a python provider needs target"),
        (
            "providers: {x: {kind: openai, base_url: nonsense}}\n",
            "promptops.yaml:1:41: providers.x.base_url: expected http:// or https:// with a host",
        ),
        (
            "providers: {x: {kind: openai, base_url: 'http://me:hush@h/v1'}}\n",
            "promptops.yaml:1:41: providers.x.base_url: the address of h holds a user or password",
        ),
        ("providers: {x: {kind: openai}}\n", "the provider x of kind openai needs base_url"),
        (
            "providers: {x: {kind: opanai}}\n",
            "promptops.yaml:1:23: providers.x.kind: expected openai, anthropic, gemini",
        ),
        (
            "providers: {x: {kind: command, command: [a], api: chat}}\n",
            "a provider of kind command has no api",
        ),
        ("providers: {x: {kind: local, timeouts: {idle: 5s}}}\n", "a provider of kind local has no timeouts"),
        (
            "providers: {x: {kind: gemini, timeouts: {idle: 0}}}\n",
            "promptops.yaml:1:48: providers.x.timeouts.idle: expected a number above 0, got 0",
        ),
        (
            "providers: {x: {kind: gemini, timeouts: {total: 5s}}}\n",
            "promptops.yaml:1:42: providers.x.timeouts.total: unknown key",
        ),
        ("providers: {x: {kind: gemini, api: chat}}\n", "a provider of kind gemini has no api"),
        (
            'providers: {x: {kind: gemini, headers: {X-Team: "a\\nb"}}}\n',
            "promptops.yaml:1:40: providers.x.headers: the header X-Team holds signs that no header can carry",
        ),
        ("providers: {x: {kind: gemini, headers: {X Y: a}}}\n", "'X Y' is no name for an HTTP header"),
        (
            "providers: {x: {kind: gemini, headers: {X-Api-Key: geheim}}}\n",
            "X-Api-Key carries a key: name its variable, X-Api-Key: {env: VARIABLE}",
        ),
    ],
)
def test_what_cannot_work_is_a_problem_with_its_place(text: str, said: str) -> None:
    assert said in problems(text)


def test_a_literal_key_is_refused_and_not_printed() -> None:
    said = problems("providers: {x: {kind: openai, api_key: sk-abcdefghijklmnopqrstuvwx}}\n")
    assert "sk-abc" not in said
    assert "providers.x.api_key" in said


@pytest.mark.parametrize(
    "entry",
    [
        "api_key: sk-ant-abcdefghijklmnopqrst",
        "api_key: {env: sk-ant-abcdefghijklmnopqrst}",
        "api_key: {env: gsk_abcdefghijklmnopqrstuvwx}",
        "headers: {X-Team: sk-ant-abcdefghijklmnopqrst}",
        "headers: {X-Team: {env: AIzaabcdefghijklmnopqrstuvwxyzabcdef}}",
        "base_url: 'https://h/v1?key=sk-ant-abcdefghijklmnopqrst'",
    ],
)
def test_a_literal_key_is_not_shown_wherever_it_stands(entry) -> None:
    said = problems(f"providers:\n  x: {{kind: anthropic, {entry}}}\n")
    assert "promptops.yaml:2:" in said
    assert "abcdefghijklmno" not in said


def test_headers_are_written_or_name_the_variable_of_a_key() -> None:
    entry = "x: {kind: anthropic, headers: {X-Team: support, X-Auth-Token: {env: TEAM_TOKEN}}}"
    config = parse_config(f"providers: {{{entry}}}\n", path="promptops.yaml")
    assert config.providers["x"].headers == {"X-Team": "support", "X-Auth-Token": KeyName(env="TEAM_TOKEN")}


def test_a_key_written_twice_does_not_hide_the_other_problems() -> None:
    said = problems("enviroments: [a]\nlimits: {concurrency: 0}\nlimits: {}\n")
    assert "limits: written twice, first in line 2" in said
    assert "enviroments: unknown key; did you mean environments?" in said
    assert "limits.concurrency" in said


def test_the_providers_in_the_documentation_can_be_read() -> None:
    page = (Path(__file__).parents[1] / "docs/providers.md").read_text(encoding="utf-8")
    config = parse_config(page.split("```yaml\n")[1].split("```")[0], path="promptops.yaml")
    assert config.providers["openai"].api == "responses"
    assert config.providers["company"].ca_file == "certs/company.pem"
    assert config.providers["claude"].timeouts == Timeouts(connect=5, first_token=20, idle=10)
