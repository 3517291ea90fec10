"""What a call costs, as far as that is known before it is made: earlier tests, prices, recorded usage, a guess."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptops.evaluation.arms import provider_spec
from promptops.evaluation.earlier import Past, tokens_a_call, usd_a_call
from promptops.evaluation.guessing import CHARACTERS_A_TOKEN, Guess, guess
from promptops.evaluation.plan import Plan
from promptops.evaluation.pricing import Known, price_list
from promptops.messages import Usage
from promptops.prompts.render import split_model
from promptops.reports.numbers import dollars
from promptops.samples import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """About what a call costs, and how that is known; `usd` is None where nobody knows, and may then be guessed."""

    usd: float | None
    source: str
    guess: Guess | None = None

    def guessed(self, calls: int) -> str:
        """Say what so many calls may cost, where it is only guessed."""
        if self.guess is None:
            return ""
        if self.guess.most is not None:
            return f"at most ~{dollars(self.guess.most * calls)} ({self.source})"
        sent = f"~{dollars(self.guess.sent * calls)} for what is sent"
        return f"{sent}, and more for answers of unknown length ({self.source})"


def price_of(plan: Plan, tests: Sequence[Past]) -> Money:
    """What a call costs: as earlier tests of the same models did, else by configured prices and known tokens."""
    models = {one.prompt.spec.model for one in (plan.baseline, plan.candidate) if one is not None}
    if (usd := usd_a_call(tests, frozenset(models))) is not None:
        return Money(usd=usd, source="as in earlier tests")
    prices = {model: _price(plan, model) for model in sorted(models)}
    if unpriced := [model for model, price in prices.items() if price is None]:
        return Money(
            usd=None, source=f"no price of {', '.join(unpriced)} is known; prices in promptops.yaml tell it"
        )
    known = [price for price in prices.values() if price is not None]
    tokens = tokens_a_call(tests) or recorded_tokens(plan.samples.source)
    if tokens is None:
        rates = {model: price.rates for model, price in prices.items() if price is not None}
        return _guessed(guess(plan, rates), known[0])
    usage = Usage(input_tokens=round(tokens[0]), output_tokens=round(tokens[1]))
    each = [price.rates.dollars(usage) or 0.0 for price in known]
    return Money(usd=sum(each) / len(each), source=f"by {known[0].source}")


def _guessed(guess: Guess | None, price: Known) -> Money:
    if guess is None:
        return Money(
            usd=None, source="no earlier test and no recorded usage says how many tokens a call takes"
        )
    longest = ", the longest answers" if guess.most is not None else ""
    by_length = f"estimated by length, ~{CHARACTERS_A_TOKEN} characters a token{longest}, by {price.source}"
    return Money(usd=None, source=by_length, guess=guess)


def _price(plan: Plan, model: str) -> Known | None:
    _, spec = provider_spec(plan.workspace.config, model)
    return price_list(spec, plan.workspace.environ).find(split_model(model)[1])


def recorded_tokens(samples: Iterable[Sample]) -> tuple[float, float] | None:
    """Return the mean tokens in and out of the recorded calls, as far as they were recorded as plain numbers."""
    count, read, written = 0, 0.0, 0.0
    for sample in samples:
        if (found := _tokens(sample.usage or {})) is not None:
            count, read, written = count + 1, read + found[0], written + found[1]
    return (read / count, written / count) if count else None


def _tokens(usage: Mapping[str, Any]) -> tuple[float, float] | None:
    read, written = (usage.get(name) for name in ("input_tokens", "output_tokens"))
    if not (isinstance(read, int | float) and isinstance(written, int | float)):
        return None
    return (float(read), float(written)) if 0 <= read < math.inf and 0 <= written < math.inf else None
