"""What a test cost, in words: what was billed, and what it is worth without a cache."""

from __future__ import annotations

from promptops.report import Spend
from promptops.reports.numbers import dollars


def money(spend: Spend) -> str:
    """Say what was paid; a part that nobody knows is said to be unknown, and nothing is rounded to nothing."""
    if spend.usd is None:
        return "cost unknown" if spend.calls else "no calls"
    listed = spend.list_usd if spend.cached else None
    if listed is not None and listed > spend.usd:
        return f"{dollars(spend.usd)} billed ({dollars(listed)} without the cache)"
    if spend.unpriced:
        answers = "1 answer" if spend.unpriced == 1 else f"{spend.unpriced} answers"
        return f"{dollars(spend.usd)} and {answers} of unknown cost"
    return dollars(spend.usd)
