"""The protocols at which edges are plugged in; nothing else.

A fake for a test is ten lines: a class with the one method.
"""

from __future__ import annotations

from typing import Protocol

from promptops.messages import Completion, Request
from promptops.samples import Sample, Score


class Provider(Protocol):
    """Who answers. Asks once, retries nothing, and knows nothing of samples or prompts."""

    async def complete(self, request: Request) -> Completion:
        """Answer one request.

        Raises:
            ProviderError: no answer came; the subclass says whether trying again can help.
        """
        ...


class Scorer(Protocol):
    """Who says how good one answer is, on a declared scale, higher is better."""

    @property
    def value_range(self) -> tuple[float, float]:
        """The worst and the best value."""
        ...

    @property
    def binary(self) -> bool:
        """Whether only the two ends of the range occur."""
        ...

    def score(self, sample: Sample, completion: Completion) -> Score:
        """Score one answer; never raises for a bad answer: that is the worst value, with its reason."""
        ...
