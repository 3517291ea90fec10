"""Write promptops/prices.json anew from the `genai-prices` package: `pip install genai-prices`, then run this.

What is written can be read in review: one line a model, US dollars for a million tokens, the prices of the day it was
taken. Names are plain; one that ends in `*` stands for its dated versions, too. Left out, so that their price is
unknown and never wrong: models that are (also) paid by the call, the search, the second or the picture, prices that
depend on the hour, and providers that only resell.

    .venv/bin/python scripts/prices.py [--date YYYY-MM-DD]
"""

from __future__ import annotations

import argparse
import json
import re
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices.data import providers as all_providers
from genai_prices.types import ModelInfo, ModelPrice, Provider, StartDateConstraint, TieredPrices

TARGET = Path(__file__).parent.parent / "promptops" / "prices.json"
HOSTS = {
    "anthropic": "api.anthropic.com",
    "cerebras": "api.cerebras.ai",
    "deepseek": "api.deepseek.com",
    "fireworks": "api.fireworks.ai",
    "google": "generativelanguage.googleapis.com",
    "groq": "api.groq.com",
    "mistral": "api.mistral.ai",
    "moonshotai": "api.moonshot.ai",
    "openai": "api.openai.com",
    "together": "api.together.xyz",
    "x-ai": "api.x.ai",
}
COUNTED = {"input_mtok": "input", "cache_read_mtok": "cached", "output_mtok": "output"}
# Other ways to pay that a plain call does not take: nothing is searched or written to a cache unless it is asked for.
EXTRAS = {
    "cache_write_mtok",
    "cache_write_1h_mtok",
    "web_searches_kcount",
    "storage_searches_kcount",
    "input_audio_mtok",
    "cache_audio_read_mtok",
    "input_image_mtok",
    "cache_image_read_mtok",
    "input_video_mtok",
}
OTHER_WAYS = re.compile(
    r"audio|image|live|realtime|search|research|speech|transcri|translate|tts|whisper|embed|moderation|"
    r"computer-use|robotics|omni|nano-banana|sonar"
)
BEFORE_A_DATE = re.compile(r"[-@](20\d\d)?$")


def main() -> None:
    wanted = argparse.ArgumentParser(description="Write promptops/prices.json anew.")
    wanted.add_argument("--date", type=date.fromisoformat, default=datetime.now(UTC).date())
    day: date = wanted.parse_args().date
    head = {
        "schema": "promptops.prices/1",
        "taken": day.isoformat(),
        "source": f"genai-prices {version('genai-prices')} (MIT license, Pydantic Services Inc.)",
        "unit": "US dollars for a million tokens",
    }
    tables = {HOSTS[one.id]: table(one, day) for one in all_providers if one.id in HOSTS}
    TARGET.write_text(as_text(head, tables), encoding="utf-8")
    print(f"{sum(map(len, tables.values()))} models of {len(tables)} providers in {TARGET}")


def as_text(head: dict[str, str], tables: dict[str, dict[str, Any]]) -> str:
    """JSON with a line for each model, so that a change of price is a change of one line."""
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}," for name, value in head.items()]
    hosts = []
    for host, models in sorted(tables.items()):
        rows = [f"      {json.dumps(name)}: {json.dumps(rates)}" for name, rates in sorted(models.items())]
        hosts.append(f"    {json.dumps(host)}: {{\n" + ",\n".join(rows) + "\n    }")
    return "{\n" + "\n".join(lines) + '\n  "hosts": {\n' + ",\n".join(hosts) + "\n  }\n}\n"


def table(provider: Provider, day: date) -> dict[str, Any]:
    """The prices of one provider by the names that its own matching rules hold."""
    found: dict[str, Any] = {}
    for model in provider.models:
        for name in names(model.match):
            plain = BEFORE_A_DATE.sub("", name.rstrip("*"))
            winner = provider.find_model(plain)
            if winner is None or OTHER_WAYS.search(plain) or foreign(provider.id, plain):
                continue
            if (rates := rates_of(winner, day)) is not None:
                found[plain + ("*" if name.endswith("*") else "")] = rates
    return {name: rates for name, rates in found.items() if f"{name}*" not in found}


def foreign(provider: str, name: str) -> bool:
    """Google's list has what its cloud resells, at another address."""
    return provider == "google" and not name.startswith(("gemini", "gemma"))


def names(clause: Any) -> list[str]:
    """The plain names and beginnings in a matching rule; whatever else it says is left out."""
    if hasattr(clause, "equals"):
        return [clause.equals]
    if hasattr(clause, "starts_with"):
        return [f"{clause.starts_with}*"]
    parts = [*getattr(clause, "or_", ()), *getattr(clause, "and_", ())]
    return [name for part in parts for name in names(part)]


def rates_of(model: ModelInfo, day: date) -> dict[str, Any] | None:
    """The prices of a day; None where they are not told by tokens alone."""
    price = price_on(model, day)
    if price is None:
        return None
    told = {name for name, value in vars(price).items() if value is not None}
    if not {"input_mtok", "output_mtok"} <= told or not told <= {*COUNTED, *EXTRAS}:
        return None
    values = {ours: getattr(price, theirs) for theirs, ours in COUNTED.items() if theirs in told}
    rates: dict[str, Any] = {name: plain(value) for name, value in values.items()}
    starts = {
        tier.start for value in values.values() if isinstance(value, TieredPrices) for tier in value.tiers
    }
    if starts:
        rates["above"] = [
            {"tokens": start, **{name: plain(value, start) for name, value in values.items()}}
            for start in sorted(starts)
        ]
    return rates


def price_on(model: ModelInfo, day: date) -> ModelPrice | None:
    if isinstance(model.prices, ModelPrice):
        return model.prices
    valid = None
    for one in model.prices:
        if one.constraint is None:
            valid = one.prices
        elif not isinstance(one.constraint, StartDateConstraint):
            return None
        elif one.constraint.start_date <= day:
            valid = one.prices
    return valid


def plain(value: Any, start: int = 0) -> float | int:
    """A price as a number, of the tier that begins at `start`."""
    if isinstance(value, TieredPrices):
        value = next((tier.price for tier in reversed(value.tiers) if tier.start <= start), value.base)
    number = float(value)
    return int(number) if number.is_integer() else number


if __name__ == "__main__":
    main()
