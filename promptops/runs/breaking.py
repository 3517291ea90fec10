"""The circuit breaker of one provider: when calls fail in a row, one attempt at a time asks whether it is back.

    closed      every attempt passes; `opens_after` calls in a row without an answer open it
    open        one caller waits and then sends one attempt, all others wait for what comes of it
    closed      again, when any answer comes
    stopped     for good: that many probes failed, each after twice the wait; every caller gets RunStopped

An outage that passes costs no call its answer, and one that does not ends the run soon. What nobody can wait for
(a refused key, a server that was never there) stops the run at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from promptops.errors import Overloaded, ProviderError, Refused, RunStopped, TimedOut, Unreachable
from promptops.messages import Completion, Request
from promptops.runs.retrying import Result, Told, Tools

# Failures that say something about the provider; the others may be the prompt's own doing and are for the
# verdict.
_OUT_OF_ORDER = (Overloaded, Unreachable, TimedOut, Refused)
_MAY_PASS = (Overloaded, Unreachable, TimedOut)
OUTAGE = 62.0  # seconds
PROBES = 5  # after 2 + 4 + 8 + 16 + 32 of them


class Breaker:
    """Opens after `opens_after` calls in a row without an answer, each after all its attempts.

    For deadlines it takes `at_once` more: those that began together end together. `outage` is how many seconds a
    provider may be down: what all waits between probes come to, each twice the one before. `say` is told when it
    opens.
    """

    def __init__(
        self,
        *,
        name: str,
        opens_after: int = 8,
        at_once: int = 1,
        probes: int = PROBES,
        outage: float = OUTAGE,
        say: Callable[[str], None] | None = None,
        tools: Tools | None = None,
    ) -> None:
        self._first_wait = outage / (2.0**PROBES - 1)
        self._name, self._opens_after, self._at_once = name, opens_after, at_once
        self._most_probes, self._say, self._tools = probes, say, tools or Tools()
        self._failed_in_row, self._answered = 0, False
        self._failed_probes: int | None = None  # None while it is closed
        self._prober: object | None = None
        self._ready_at = 0.0
        self._waiting: set[asyncio.Future[None]] = set()
        self._stopped: str | None = None
        self.last: ProviderError | None = None

    @property
    def is_open(self) -> bool:
        """Whether an attempt would have to wait now, or has nothing to wait for."""
        if self._stopped is not None:
            return True
        waits = self._prober is not None or self._tools.clock() < self._ready_at
        return self._failed_probes is not None and waits

    def check(self) -> None:
        """Let callers pass unless the run is to end.

        Raises:
            RunStopped: it is.
        """
        if self._stopped is not None:
            raise RunStopped(self._stopped) from self.last

    async def turn(self, request: Request) -> Told:
        """Let an attempt pass: at once, as the probe, or when a probe was answered.

        Raises:
            RunStopped: too many probes failed, or something else has ended the run.
        """
        while True:
            self.check()
            if self._failed_probes is None:
                return self._told
            if self._prober is not None:
                await self._news()
            elif (told := await self._as_probe()) is not None:
                return told

    async def _as_probe(self) -> Told | None:
        """Wait, and return how to tell of the probe; None when something came in between."""
        self._prober = me = object()
        try:
            await self._tools.sleep(max(0.0, self._ready_at - self._tools.clock()))
        except BaseException:
            self._step_down(me)
            raise
        if self._prober is not me:
            return None

        def told(result: Result | None) -> None:
            self._told(result)
            if self._prober is me and isinstance(result, ProviderError):
                self._judge_probe(result)
            self._step_down(me)

        return told

    async def _news(self) -> None:
        news = asyncio.get_running_loop().create_future()
        self._waiting.add(news)
        try:
            await news
        finally:
            self._waiting.discard(news)

    def _tell_all(self) -> None:
        for news in self._waiting:
            if not news.done():
                news.set_result(None)

    def _step_down(self, prober: object) -> None:
        """Let those who wait see how things are, and one of them be next."""
        if self._prober is prober:
            self._prober = None
            self._tell_all()

    def _told(self, result: Result | None) -> None:
        if isinstance(result, Completion):
            self._answered = True
            self._close()

    def _judge_probe(self, error: ProviderError) -> None:
        self.last = error
        if not isinstance(error, _MAY_PASS):
            self._close()  # it answers again, if not what was wanted
            return
        self._failed_probes = (self._failed_probes or 0) + 1
        if self._failed_probes >= self._most_probes:
            self._stop(
                f"{self._is_down()}, nor did {self._failed_probes} attempts since, {self._resume(error)}",
                error,
            )
        else:
            self._ready_at = self._tools.clock() + self._first_wait * 2.0**self._failed_probes

    def judge(self, error: Result) -> None:
        """Learn from a whole call.

        Raises:
            RunStopped: because of it, or of what happened meanwhile.
        """
        if isinstance(error, Completion):
            return
        if isinstance(error, Refused) and not error.only_this:
            self._stop(f"{error}; what was finished is kept; run again once that is put right", error)
        elif isinstance(error, _OUT_OF_ORDER) and self._failed_probes is None:
            self._failed_in_row += 1
            late = self._at_once if isinstance(error, TimedOut) else 0
            if self._failed_in_row >= self._opens_after + late:
                self._open(error)
        self.check()

    def _open(self, error: ProviderError) -> None:
        never_there = isinstance(error, Unreachable) and not self._answered
        if never_there or isinstance(error, Refused):
            self._stop(f"{self._is_down()}, {self._resume(error)}", error)
        else:
            self._failed_probes, self.last = 0, error
            self._ready_at = self._tools.clock() + self._first_wait
            if self._say is not None:
                most = self._first_wait * (2.0**self._most_probes - 1)
                self._say(
                    f"{self._is_down()}, the last: {error}; waiting up to {most:g} s for it to come back"
                )

    def _close(self) -> None:
        self._failed_in_row, self._failed_probes, self._prober = 0, None, None
        self._tell_all()

    def _stop(self, message: str, error: ProviderError) -> None:
        if self._stopped is None:
            self._stopped, self.last = message, error
        self._tell_all()

    def _is_down(self) -> str:
        return f"{self._name} is down: {self._failed_in_row} calls in a row got no answer"

    def _resume(self, error: ProviderError) -> str:
        return f"the last: {error}; what was finished is kept; run again to resume"
