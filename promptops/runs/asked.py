"""What asks through others and tells how often it took: the answer as a provider gives it, or as a pair holds it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from promptops.errors import ProviderError
from promptops.messages import Answer, Completion, Failure, Request
from promptops.runs.retrying import Result, Tally

_LONGEST_MESSAGE = 500


class Asked(ABC):
    """A provider around providers: what `ask` comes to, in the two forms that callers want."""

    @abstractmethod
    async def ask(self, request: Request, tally: Tally) -> Result:
        """Ask, and count every attempt in `tally`.

        Raises:
            RunStopped: the run is to end.
        """

    async def complete(self, request: Request) -> Completion:
        """Answer, so that it is a provider, too.

        Raises:
            ProviderError: after all attempts. RunStopped: see `ask`.
        """
        tally = Tally()
        result = await self.ask(request, tally)
        if isinstance(result, ProviderError):
            raise result
        return _with(tally, result)

    async def answer(self, request: Request, tally: Tally | None = None) -> Answer:
        """Answer, or say as a value, in one line, why there is no answer.

        Whoever gives a `tally` has what was asked in vain also where nothing comes back.

        Raises:
            RunStopped: see `ask`.
        """
        tally = tally or Tally()
        result = await self.ask(request, tally)
        if isinstance(result, Completion):
            return _with(tally, result)
        message = " ".join(str(result).split())[:_LONGEST_MESSAGE]
        return Failure(kind=result.kind, message=message, attempts=tally.attempts, lost=tally.lost)


def _with(tally: Tally, answer: Completion) -> Completion:
    return replace(answer, attempts=tally.attempts, lost=tally.lost)
