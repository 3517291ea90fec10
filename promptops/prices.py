"""What models cost: a table that is frozen with its date, and how an answer's tokens are priced by it.

`prices.json` lists models by the host that serves them, since the same model has another price elsewhere; it is
written by `scripts/prices.py` and changes only in review. A price that is not in it is unknown, never 0. What it does
not cover: batches and other service tiers (flex, priority), what is paid by the call (searches), writing to a
provider's cache (counted as plain input), and audio or pictures where they cost other than text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from promptops.messages import Usage

MILLION = 1_000_000
_LONGEST_NAME = 200  # a server names the model that answered, and may say anything
_DATED = re.compile(r"(?:[-@](?:\d{8}|\d{4}-\d\d-\d\d|\d\d-\d{4}|\d\d-\d\d|\d{3}|latest|preview|exp))+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """US dollars for a million tokens; `cached` None where tokens from the provider's cache cost as others do.

    `above` are the rates of whole calls with more than so many input tokens, the fewest first.
    """

    input: float
    output: float
    cached: float | None = None
    above: tuple[tuple[int, Rates], ...] = ()

    def dollars(self, usage: Usage) -> float | None:
        """Price what a provider counted; None where it did not count."""
        read, written = usage.input_tokens, usage.output_tokens
        if read is None or written is None or read < 0 or written < 0:
            return None
        rates = self._at(read)
        # More cached than read is nonsense; it must not make a call cheaper than its cached tokens are.
        cached = min(max(usage.cached_tokens or 0, 0), read)
        again = rates.input if rates.cached is None else rates.cached
        return ((read - cached) * rates.input + cached * again + written * rates.output) / MILLION

    def _at(self, read: int) -> Rates:
        return next((rates for tokens, rates in reversed(self.above) if read > tokens), self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """Rates by host and model; `taken` is the day of the prices, `source` whose they are."""

    taken: str
    source: str
    hosts: Mapping[str, Mapping[str, Rates]] = field(repr=False)

    def rates(self, url: str, model: str) -> Rates | None:
        """Return what a model costs at an address, None where nobody knows."""
        models = self.hosts.get((urlsplit(url).hostname or "").lower())
        return None if models is None else named(models, model)


def named(models: Mapping[str, Rates], model: str) -> Rates | None:
    """Find a model by its name; a name that ends in `*` stands for its dated versions, too."""
    if (found := models.get(model)) is not None:
        return found
    name = undated(model)
    return models.get(f"{model}*") or models.get(f"{name}*")


def undated(model: str) -> str:
    """Return a model's name without the date or the `latest` behind it."""
    found = _DATED.search(model) if len(model) <= _LONGEST_NAME else None
    while found is not None and found.end() != len(model):
        found = _DATED.search(model, found.start() + 1)
    return model if found is None else model[: found.start()]


@cache
def frozen_prices() -> PriceTable:
    """Read the table that comes with this program, once."""
    return price_table(json.loads(files("promptops").joinpath("prices.json").read_text(encoding="utf-8")))


def price_table(content: Mapping[str, Any]) -> PriceTable:
    """Read a table.

    Raises:
        ValueError: a price is no number, or less than nothing.
    """
    hosts = {
        host: {model: _rates(host, model, told) for model, told in models.items()}
        for host, models in content["hosts"].items()
    }
    return PriceTable(taken=content["taken"], source=content["source"], hosts=hosts)


def _rates(host: str, model: str, told: Mapping[str, Any]) -> Rates:
    numbers = [told["input"], told["output"], told.get("cached", 0)]
    if not all(type(one) in (int, float) and 0 <= one < float("inf") for one in numbers):
        raise ValueError(f"{model} at {host}: a price is a number that is not negative")
    tiers: Sequence[Mapping[str, Any]] = told.get("above", ())
    return Rates(
        input=told["input"],
        output=told["output"],
        cached=told.get("cached"),
        above=tuple((tier["tokens"], _rates(host, model, tier)) for tier in tiers),
    )
