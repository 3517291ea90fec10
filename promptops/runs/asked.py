"""What asks through others and tells how often it took: the answer as a provider gives it, or as a pair holds it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from promptops.errors import ProviderError
from promptops.messages import Answer, Completion, Failure, Request
from promptops.runs.retrying import Outcome

_LONGEST_MESSAGE = 500


class Asked(ABC):
    """A provider around providers: what `ask` comes to, in the two forms that callers want."""

    @abstractmethod
    async def ask(self, request: Request) -> Outcome:
        """Ask, and say how often it took.

        Raises:
            RunStopped: the run is to end.
        """

    async def complete(self, request: Request) -> Completion:
        """Answer, so that it is a provider, too.

        Raises:
            ProviderError: after all attempts. RunStopped: see `ask`.
        """
        outcome = await self.ask(request)
        if isinstance(outcome.result, ProviderError):
            raise outcome.result
        return outcome.result

    async def answer(self, request: Request) -> Answer:
        """Answer, or say as a value, in one line, why there is no answer.

        Raises:
            RunStopped: see `ask`.
        """
        outcome = await self.ask(request)
        result = outcome.result
        if isinstance(result, Completion):
            same = (result.attempts, result.lost) == (outcome.attempts, outcome.lost)
            return result if same else replace(result, attempts=outcome.attempts, lost=outcome.lost)
        message = " ".join(str(result).split())[:_LONGEST_MESSAGE]
        return Failure(kind=result.kind, message=message, attempts=outcome.attempts, lost=outcome.lost)
