"""What a model costs here: by the prices in promptops.yaml, else by the frozen table for the address that is asked.

A vendor's prices hold at the vendor's address. The same name behind another address (a proxy, a server of one's own)
costs something else, which nobody knows unless `prices` says it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from promptops.config import HTTP_KINDS, ProviderSpec
from promptops.evaluation.apis import api_url
from promptops.messages import Usage
from promptops.prices import PriceTable, Rates, frozen_prices, undated


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Rates, and where they stand."""

    rates: Rates
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """What one provider takes for its models; `url` is where it is, empty for what is no API."""

    configured: Mapping[str, Rates]
    table: PriceTable
    url: str

    def find(self, model: str) -> Known | None:
        """Return what a model costs, by the name that was asked for or the one that answered; None if unknown."""
        own = self.configured.get(model) or self.configured.get(undated(model))
        if own is not None:
            return Known(rates=own, source="the prices in promptops.yaml")
        listed = self.table.rates(self.url, model)
        return None if listed is None else Known(rates=listed, source=f"list prices of {self.table.taken}")


def price_list(spec: ProviderSpec, environ: Mapping[str, str], table: PriceTable | None = None) -> PriceList:
    """Return the prices of a provider; `table` is the frozen one unless it is given.

    Raises:
        ConfigError: the vendor's variable holds no address.
    """
    return PriceList(
        configured={
            model: Rates(input=one.input, output=one.output, cached=one.cached)
            for model, one in spec.prices.items()
        },
        table=table or frozen_prices(),
        url=api_url(spec, environ) if spec.kind in HTTP_KINDS else "",
    )


def pricer(prices: PriceList) -> Callable[[str, Usage], float | None]:
    """Return how an answer is priced: by the model that answered and the tokens that its provider counted."""

    def price(model: str, usage: Usage) -> float | None:
        found = prices.find(model)
        return None if found is None else found.rates.dollars(usage)

    return price
