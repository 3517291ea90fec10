"""The scores of a run's pairs, from here or from worker processes, without holding up the calls.

Scores are the same wherever they come from, and nobody looks at the order in which they come. Pairs that wait for
theirs are bounded: while there are many, nothing new is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from promptops.evaluation.columns import NOT_ANSWERED
from promptops.evaluation.scoring import Measured, Placed
from promptops.messages import Answer, Completion, Request
from promptops.ports import Scorer
from promptops.runs.replay import Asks
from promptops.runs.retrying import Tally
from promptops.samples import Pair, Sample, Score
from promptops.scorers.watch import watching
from promptops.scorers.workers import Scored, Workers, open_workers

_GLANCE = 0.1  # seconds between looks at whether the run is cancelled, while the loop itself waits

Scores = dict[str, Score]
Finished = Callable[[Sample, Pair], None]


@dataclass(frozen=True, slots=True)
class _Away:
    """A pair some of whose scores are still to come, and where they belong."""

    sample: Sample
    pair: Pair
    arms: tuple[Scores, Scores]
    places: tuple[tuple[int, str, Completion], ...]
    finished: Finished


class Measuring:
    """Scores pairs; opened by `measuring`.

    Beyond `most` pairs that wait for scores nothing is asked (`held`). Beyond twice as many, which only those can
    become that come out of journal and cache, `take` waits for the oldest.
    """

    def __init__(self, scorers: Mapping[str, Measured], workers: Workers, *, most: int) -> None:
        self.scorers, self._workers, self._most = scorers, workers, most
        self._away: dict[Future[list[Scored]], _Away] = {}
        self._done: dict[int, tuple[Scores, Scores]] = {}
        self._problem: Exception | None = None
        self._moved = asyncio.Event()
        self._run = asyncio.current_task()

    def take(self, sample: Sample, pair: Pair, finished: Finished) -> None:
        """Score a pair, and call `finished` with it when it is scored, now or later, on the loop.

        Raises:
            Exception: what the scoring of this or an earlier pair raised, or its `finished`.
        """
        self._raise()
        arms = (self._here(sample, pair.baseline), self._here(sample, pair.candidate))
        places = tuple(
            (arm, name, answer)
            for arm, answer in enumerate((pair.baseline, pair.candidate))
            for name in self.scorers
            if isinstance(answer, Completion) and name not in arms[arm]
        )
        away = _Away(sample, pair, arms, places, finished)
        if not places:
            self._finish(away)
            return
        self._send(away)
        while len(self._away) >= 2 * self._most:
            self._wait_for(next(iter(self._away)))

    def scores(self, pair: Pair) -> tuple[Scores, Scores]:
        """Hand over the scores of both answers of a pair that is finished, once."""
        return self._done.pop(pair.index)

    def held(self, asks: Asks) -> Asks:
        """Return who is asked only while there is room for another pair."""
        return _Held(asks, self)

    async def room(self) -> None:
        """Wait until few enough pairs wait for their scores.

        Raises:
            Exception: as `take`.
        """
        await self._fall_below(self._most)

    async def settle(self) -> None:
        """Wait until every pair has its scores.

        Raises:
            Exception: as `take`.
        """
        await self._fall_below(1)

    async def _fall_below(self, number: int) -> None:
        while len(self._away) >= number and self._problem is None:
            self._moved.clear()
            await self._moved.wait()
        self._raise()

    def _here(self, sample: Sample, answer: Answer) -> Scores:
        if not isinstance(answer, Completion):
            return {name: Score(value=None, reason=NOT_ANSWERED) for name in self.scorers}
        found = {name: scorer.here(sample, answer) for name, scorer in self.scorers.items()}
        return {name: score for name, score in found.items() if score is not None}

    def _send(self, away: _Away) -> None:
        units = tuple((name, answer) for _, name, answer in away.places)
        future = self._workers.submit((away.sample, units))
        self._away[future] = away
        loop = asyncio.get_running_loop()

        def tell(future: Future[list[Scored]]) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._collect, future)

        future.add_done_callback(tell)

    def _wait_for(self, future: Future[list[Scored]]) -> None:
        """Hold up the loop until a pair has its scores.

        Raises:
            asyncio.CancelledError: the run was cancelled, which the loop cannot say while it is held up.
        """
        while not wait([future], timeout=_GLANCE).done:
            if self._run is not None and self._run.cancelling():
                raise asyncio.CancelledError
        self._collect(future)
        self._raise()

    def _collect(self, future: Future[list[Scored]]) -> None:
        away = self._away.pop(future, None)
        if away is None:
            return
        try:
            for (arm, name, _), scored in zip(away.places, future.result(), strict=True):
                away.arms[arm][name] = self.scorers[name].read(away.sample, scored)
            self._finish(away)
        except Exception as error:  # noqa: BLE001  it ends the run at the next pair
            self._problem = self._problem or error
        self._moved.set()

    def _finish(self, away: _Away) -> None:
        # In the order of the scorers, wherever each came from.
        first, second = ({name: scores[name] for name in self.scorers} for scores in away.arms)
        self._done[away.pair.index] = first, second
        away.finished(away.sample, away.pair)

    def _raise(self) -> None:
        if self._problem is not None:
            raise self._problem


class _Held:
    """Asks, as soon as there is room."""

    def __init__(self, asks: Asks, measuring: Measuring) -> None:
        self._asks, self._measuring = asks, measuring

    async def answer(self, request: Request, tally: Tally) -> Answer:
        await self._measuring.room()
        return await self._asks.answer(request, tally)


@contextmanager
def measuring(scorers: Mapping[str, Scorer], *, limit: float, most: int) -> Iterator[Measuring]:
    """Open what scores the pairs of a run; `limit` is in seconds for one answer. No worker outlives it."""
    with movable(scorers, limit=limit) as (found, workers):
        yield Measuring(found, workers, most=most)


@contextmanager
def movable(
    scorers: Mapping[str, Scorer], *, limit: float
) -> Iterator[tuple[Mapping[str, Measured], Workers]]:
    """Let scorers choose where they run."""
    recipes = {name: one.recipe for name, one in scorers.items() if isinstance(one, Placed)}
    with watching() as watch, open_workers(recipes, limit=limit) as workers:
        yield {name: Measured(name, one, workers, watch) for name, one in scorers.items()}, workers
