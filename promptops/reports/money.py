"""What a test cost, in words: what was billed, and what it is worth without a cache."""

from __future__ import annotations

from promptops.report import Spend
from promptops.reports.numbers import dollars


def money(spend: Spend) -> str:
    """Say what was paid; a part that nobody knows is said to be unknown, and nothing is rounded to nothing."""
    if spend.usd is None:
        return "cost unknown" if spend.calls else "no calls"
    listed = spend.list_usd if spend.cached else None
    unknown = [_so_many(spend.unpriced, "answer"), _so_many(spend.unknown_attempts, "failed attempt")]
    text = dollars(spend.usd)
    if said := " and ".join(filter(None, unknown)):
        text = f"{text} and {said} of unknown cost"
    if listed is not None and listed > spend.usd:
        return f"{text} billed ({dollars(listed)} without the cache)"
    return text


def _so_many(count: int, what: str) -> str:
    return "" if not count else f"1 {what}" if count == 1 else f"{count} {what}s"
