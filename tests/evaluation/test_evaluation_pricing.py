"""Whose prices count: one's own before the vendor's, and the vendor's at its own address only."""

from __future__ import annotations

import pytest

from promptops.config import ProviderSpec, parse_config
from promptops.errors import InvalidFile
from promptops.evaluation.pricing import price_list, pricer
from promptops.messages import Usage
from promptops.prices import price_table

TABLE = price_table(
    {
        "taken": "2026-01-02",
        "source": "a test",
        "hosts": {
            "api.openai.com": {"gpt": {"input": 1, "output": 2}},
            "api.anthropic.com": {"claude*": {"input": 3, "output": 4}},
        },
    }
)
MILLION = Usage(input_tokens=1_000_000, output_tokens=0)


def source(spec: ProviderSpec, model: str, environ: dict[str, str] | None = None) -> str | None:
    found = price_list(spec, environ or {}, TABLE).find(model)
    return None if found is None else found.source


def test_the_vendors_prices_hold_at_the_vendors_address() -> None:
    openai = ProviderSpec(kind="openai")
    assert source(openai, "gpt") == "list prices of 2026-01-02"
    assert source(ProviderSpec(kind="anthropic"), "claude-20260101") == "list prices of 2026-01-02"
    assert source(openai, "gpt", {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}) is None
    assert source(ProviderSpec(kind="openai", base_url="https://proxy.example/v1"), "gpt") is None
    assert source(ProviderSpec(kind="python", target="bots:answer"), "gpt") is None


def test_ones_own_price_comes_first_and_holds_for_dated_versions() -> None:
    spec = ProviderSpec.model_validate({"kind": "openai", "prices": {"gpt": {"input": 5, "output": 5}}})
    assert source(spec, "gpt") == source(spec, "gpt-2026-01-01") == "the prices in promptops.yaml"
    assert pricer(price_list(spec, {}, TABLE))("gpt-2026-01-01", MILLION) == 5.0
    assert pricer(price_list(spec, {}, TABLE))("other", MILLION) is None


def test_a_price_of_nothing_is_known() -> None:
    spec = ProviderSpec.model_validate({"kind": "openai", "prices": {"gpt": {"input": 0, "output": 0}}})
    assert pricer(price_list(spec, {}, TABLE))("gpt", MILLION) == 0.0


@pytest.mark.parametrize("price", ["-0.1", ".nan", ".inf", "-.inf", "cheap"])
def test_a_price_that_is_none_is_named_with_its_line(price: str) -> None:
    text = f"providers:\n  openai:\n    kind: openai\n    prices:\n      gpt: {{input: {price}, output: 1}}\n"
    with pytest.raises(InvalidFile) as caught:
        parse_config(text, path="promptops.yaml")
    assert str(caught.value).startswith("promptops.yaml:5:")
