"""How much at once and how much a minute: what one provider is asked, as seen from here.

Calls at once follow the server: halved when it says that it has too many, one more after as many answers as
are allowed at once (additive increase, multiplicative decrease). Requests and tokens a minute are spread
evenly, without a burst, so that no minute holds more than its share, wherever it begins.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from promptops.errors import Overloaded
from promptops.messages import Completion, Request
from promptops.runs.ceiling import most_tokens
from promptops.runs.retrying import Result, Told, Tools

# Statuses that speak of load; a server that breaks at some requests is not helped by fewer of them.
_TOO_MANY = frozenset({None, 429, 503, 529})
_LETTERS_A_TOKEN = 4


class Slots:
    """At most `most` calls at once, fewer while the server has too many; first come, first served."""

    def __init__(self, most: int) -> None:
        self._most, self._allowed, self._held = most, float(most), 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._era = 0

    @property
    def allowed(self) -> int:
        """How many calls may be under way now."""
        return int(self._allowed)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a slot."""
        await self._enter()
        try:
            yield
        finally:
            self._held -= 1
            self._wake()

    async def _enter(self) -> None:
        if self._held < self.allowed and not self._waiting:
            self._held += 1
            return
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.cancelled():
                self._waiting.remove(mine)
            else:  # the slot was given in the same moment
                self._held -= 1
            self._wake()
            raise

    def _wake(self) -> None:
        while self._held < self.allowed and self._waiting:
            if self._waiting[0].done():
                return  # cancelled, and about to take itself out and to wake the next
            self._held += 1
            self._waiting.popleft().set_result(None)

    async def turn(self, request: Request) -> Told:
        """Let an attempt of a call that holds a slot pass, and learn from what comes of it."""
        era = self._era

        def told(result: Result | None) -> None:
            if isinstance(result, Completion):
                self._allowed = min(self._most, self._allowed + 1 / self._allowed)
                self._wake()
            elif era == self._era and isinstance(result, Overloaded) and result.status in _TOO_MANY:
                # Those who were under way together are turned away together: that is one sign, not many.
                self._allowed, self._era = max(1.0, self._allowed / 2), self._era + 1

        return told


class Rate:
    """So many units a minute, evenly spread; a debt is paid by those who come later."""

    def __init__(self, per_minute: float) -> None:
        self._seconds = 60.0 / per_minute
        self._free_at = float("-inf")

    def reserve(self, now: float, units: float = 1.0) -> float:
        """Return the seconds to wait before these units may be used."""
        at = max(now, self._free_at)
        self._free_at = at + units * self._seconds
        return at - now

    def correct(self, units: float) -> None:
        """Take back (less than 0) or add what a reservation was wrong by."""
        self._free_at += units * self._seconds


class Rates:
    """Holds attempts back to what a provider allows in a minute; None is no limit.

    Only a provider can count tokens: before it answers, a request is taken to cost the mean of those before;
    the first ones what they could cost at most by `max_tokens`, and a token for four letters.
    """

    def __init__(self, *, requests: float | None, tokens: float | None, tools: Tools) -> None:
        self._requests = Rate(requests) if requests is not None else None
        self._tokens = Rate(tokens) if tokens is not None else None
        self._tools = tools
        self._counted, self._answers = 0, 0

    async def turn(self, request: Request) -> Told:
        """Wait for this attempt's place in the minute."""
        now, guess = self._tools.clock(), self._guess(request)
        waits = [0.0 if self._requests is None else self._requests.reserve(now)]
        waits.append(0.0 if self._tokens is None else self._tokens.reserve(now, guess))
        if (wait := max(waits)) > 0:
            await self._tools.sleep(wait)

        def told(result: Result | None) -> None:
            if self._tokens is not None and (used := _tokens(result)) is not None:
                self._tokens.correct(used - guess)
                self._counted, self._answers = self._counted + used, self._answers + 1

        return told

    def _guess(self, request: Request) -> float:
        if self._tokens is None:
            return 0.0
        if self._answers:
            return self._counted / self._answers
        letters = sum(len(str(message.content or "")) for message in request.messages)
        return letters / _LETTERS_A_TOKEN + (most_tokens(request) or 0)


def _tokens(result: Result | None) -> int | None:
    if not isinstance(result, Completion):
        return None
    usage = result.usage
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    return (usage.input_tokens or 0) + (usage.output_tokens or 0)
