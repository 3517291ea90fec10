"""What an answer costs: by the frozen table, by tiers and cached tokens; unknown where nobody knows."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from promptops.messages import Usage
from promptops.prices import Rates, frozen_prices, price_table, undated

OPENAI = "https://api.openai.com/v1"
MILLION = 1_000_000


def used(read: int | None, written: int | None, cached: int | None = None) -> Usage:
    return Usage(input_tokens=read, output_tokens=written, cached_tokens=cached)


def test_the_frozen_table_says_of_when_it_is_and_whose() -> None:
    table = frozen_prices()
    assert table.taken >= "2026-11-22"
    assert "genai-prices" in table.source
    found = table.rates(OPENAI, "gpt-4o-mini")
    assert found is not None
    assert (found.input, found.cached, found.output) == (0.15, 0.075, 0.6)


def test_every_price_of_the_frozen_table_stands_on_a_line_of_its_own() -> None:
    text = files("promptops").joinpath("prices.json").read_text(encoding="utf-8")
    models = [model for host in json.loads(text)["hosts"].values() for model in host]
    assert sum('"input"' in line for line in text.splitlines()) == len(models) > 100


@pytest.mark.parametrize(
    ("url", "model"),
    [
        ("https://api.anthropic.com/v1", "claude-sonnet-4-5-20250929"),
        ("https://api.anthropic.com/v1", "claude-sonnet-4-20250514"),
        ("https://api.anthropic.com/v1", "claude-3-5-haiku-latest"),
        ("https://generativelanguage.googleapis.com/v1beta", "gemini-2.5-pro-preview-05-06"),
        ("https://generativelanguage.googleapis.com/v1beta", "gemini-2.5-flash"),
        (OPENAI, "gpt-4.1-2025-04-14"),
    ],
)
def test_a_dated_name_costs_what_the_model_does(url: str, model: str) -> None:
    assert frozen_prices().rates(url, model) is not None


@pytest.mark.parametrize(
    ("url", "model"),
    [
        (OPENAI, "gpt-99"),
        (OPENAI, "ft:gpt-4o-mini:us::1"),
        (OPENAI, "gpt-4o-mini-search-preview"),
        (OPENAI, ""),
        ("http://127.0.0.1:8000/v1", "gpt-4o-mini"),
        ("https://api.openai.com.example.org/v1", "gpt-4o-mini"),
        ("", "gpt-4o-mini"),
    ],
)
def test_what_the_table_does_not_know_is_unknown(url: str, model: str) -> None:
    assert frozen_prices().rates(url, model) is None


def test_only_a_date_at_the_end_is_one() -> None:
    assert undated("gpt-4o-mini-2024-07-18") == "gpt-4o-mini"
    assert undated("claude-haiku-4-5") == "claude-haiku-4-5"
    assert undated("m-20240718-x") == "m-20240718-x"
    assert undated("m-preview-x-001-latest") == "m-preview-x"
    endless = "-001" * 100_000 + "x"
    assert undated(endless) == endless


def test_cached_tokens_cost_their_own_rate() -> None:
    rates = Rates(input=2.0, output=8.0, cached=0.5)
    assert rates.dollars(used(MILLION, MILLION)) == 10.0
    assert rates.dollars(used(MILLION, 0, MILLION // 2)) == 1.25
    assert Rates(input=2.0, output=8.0).dollars(used(MILLION, 0, MILLION)) == 2.0
    assert Rates(input=2.0, output=8.0, cached=0.0).dollars(used(MILLION, 0, MILLION)) == 0.0


def test_a_long_call_costs_the_rates_of_long_calls_as_a_whole() -> None:
    long = Rates(input=4.0, output=12.0, cached=1.0)
    rates = Rates(input=2.0, output=8.0, cached=0.5, above=((200_000, long),))
    assert rates.dollars(used(200_000, 0)) == pytest.approx(0.4)
    assert rates.dollars(used(200_001, 100_000, 1)) == pytest.approx((200_000 * 4 + 1 + 1_200_000) / MILLION)


def test_tokens_that_nobody_counted_have_no_price_and_nonsense_is_never_negative() -> None:
    rates = Rates(input=2.0, output=8.0, cached=0.5)
    assert rates.dollars(used(None, 5)) is None
    assert rates.dollars(used(5, None)) is None
    assert rates.dollars(used(-5, 5)) is None
    assert rates.dollars(used(10, 0, 99)) == pytest.approx(10 * 0.5 / MILLION)
    assert rates.dollars(used(10, 0, -99)) == pytest.approx(10 * 2.0 / MILLION)


@pytest.mark.parametrize("price", [-1, float("nan"), float("inf"), "1", None, True])
def test_a_price_that_is_none_is_no_table(price: object) -> None:
    told = {"hosts": {"h": {"m": {"input": price, "output": 1}}}, "taken": "2026-01-01", "source": "x"}
    with pytest.raises(ValueError, match="m at h"):
        price_table(told)
