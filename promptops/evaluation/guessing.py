"""About what a call costs where nobody has counted tokens yet: guessed by how long the texts are.

A plan only, said with a `~`. What a run reports comes from its provider's counts, never from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from promptops.evaluation.plan import Plan
from promptops.messages import Request, Usage
from promptops.prices import Rates
from promptops.prompts.render import render_sample
from promptops.runs.ceiling import most_tokens, sent_text

CHARACTERS_A_TOKEN = 4  # of English; other languages and code take more tokens
_LOOKED_AT = 200  # samples; the first ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """US dollars a call: `sent` for what is sent, `most` with the longest answers, None where they have no bound."""

    sent: float
    most: float | None


def guess(plan: Plan, rates: Mapping[str, Rates]) -> Guess | None:
    """Guess by the first samples; `rates` by model. None where something else than text is sent."""
    sent, most, requests = 0.0, 0.0, 0
    unbounded = False
    for model, request in _requests(plan):
        text, written = sent_text(request), most_tokens(request)
        if text is None:
            return None
        requests += 1
        read = -(-len(text) // CHARACTERS_A_TOKEN)
        sent += rates[model].dollars(Usage(input_tokens=read, output_tokens=0)) or 0.0
        unbounded = unbounded or written is None
        most += rates[model].dollars(Usage(input_tokens=read, output_tokens=written or 0)) or 0.0
    if not requests:
        return None
    return Guess(sent=sent / requests, most=None if unbounded else most / requests)


def _requests(plan: Plan) -> Iterator[tuple[str, Request]]:
    prompts = [one.prompt for one in (plan.baseline, plan.candidate) if one is not None]
    for sample in islice(plan.samples.source, _LOOKED_AT):
        for prompt in prompts:
            yield prompt.spec.model, render_sample(prompt, sample)
