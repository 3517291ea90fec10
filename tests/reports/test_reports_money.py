"""What a test cost, in words: billed and listed apart, and unknown where nobody knows."""

from __future__ import annotations

import pytest

from promptops.report import Spend
from promptops.reports.money import money


@pytest.mark.parametrize(
    ("spend", "said"),
    [
        (Spend(), "no calls"),
        (Spend(calls=9), "cost unknown"),
        (Spend(calls=9, cached=9, list_usd=0.5), "cost unknown"),
        (Spend(calls=600, usd=0.19), "$0.19"),
        (Spend(calls=9, usd=0.0), "$0.00"),
        (Spend(calls=9, usd=0.00031), "$0.00031"),
        (Spend(calls=9, usd=1234.5), "$1,234.50"),
        (Spend(cached=9, usd=0.0), "$0.00"),
        (Spend(cached=9, usd=0.0, list_usd=0.25), "$0.00 billed ($0.25 without the cache)"),
        (Spend(calls=3, cached=9, usd=0.1, list_usd=0.4), "$0.10 billed ($0.40 without the cache)"),
        (Spend(calls=3, cached=9, usd=0.1, list_usd=0.1), "$0.10"),
        (Spend(calls=9, usd=0.1, unpriced=1), "$0.10 and 1 answer of unknown cost"),
        (Spend(calls=9, usd=0.1, unpriced=2), "$0.10 and 2 answers of unknown cost"),
        (Spend(calls=9, usd=0.1, unknown_attempts=1), "$0.10 and 1 failed attempt of unknown cost"),
        (
            Spend(calls=9, usd=0.1, unpriced=1, unknown_attempts=2),
            "$0.10 and 1 answer and 2 failed attempts of unknown cost",
        ),
        (
            Spend(calls=3, cached=9, usd=0.1, list_usd=0.4, unknown_attempts=1),
            "$0.10 and 1 failed attempt of unknown cost billed ($0.40 without the cache)",
        ),
    ],
)
def test_what_was_paid_is_said_and_what_nobody_knows_is_not_nothing(spend: Spend, said: str) -> None:
    assert money(spend) == said
