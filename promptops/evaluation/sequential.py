"""A test that stops at the first moment at which it is decided, and goes on where it stopped when samples are added.

Answers come in finishing order and are counted in the order that was fixed (ordering.py), whole conversations at a
time: an answer that is early waits for those before it. So what is counted, and with it the verdict, depends on
nothing but the order and the answers; at most a window of calls is asked in vain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Protocol

from promptops.errors import RunStopped
from promptops.evaluation.columns import Column, Columns
from promptops.evaluation.ordering import Order, in_order
from promptops.evaluation.stopping import Ending
from promptops.importers.digest import content_hash
from promptops.rules import Policy
from promptops.runs.replay import Progress
from promptops.samples import Pair, Sample
from promptops.sampling import SampleSet
from promptops.sequential import Monitor
from promptops.wagers import Row

WINDOW = 4  # times the calls at once: how far an answer may run ahead of the slowest
Finished = Callable[[Sample, Pair], None]


class Ask(Protocol):
    """Answers samples: replay with everything settled but which ones."""

    def __call__(
        self,
        samples: Iterator[tuple[int, Sample]],
        *,
        finished: Finished,
        total: int,
        on_progress: Callable[[Progress], None] | None,
    ) -> Awaitable[Progress]: ...


class Course:
    """One sequential run: hands out samples in order, counts their answers in order, and knows when to stop.

    `samples` are all there are, `measure` writes a pair into `columns`. `level` gives the policy at the level of its
    look, which is another one as soon as somebody `asked` for answers that this run had not begun with.
    """

    def __init__(
        self,
        samples: SampleSet,
        order: Order,
        level: Callable[[bool], Policy],
        *,
        compared: bool,
        measure: Callable[[Columns, Sample, Pair], None],
    ) -> None:
        self._all, self.order, self._level, self._compared = samples, order, level, compared
        self._measure = measure
        self.samples = in_order(samples, order)
        self._source = enumerate(self.samples.source)
        self.columns = Columns(self.samples.n)
        self._early: dict[int, tuple[Sample, Pair]] = {}
        self._written = 0
        self._policy = level(False)
        self._counting = self._counted(self._policy)

    async def run(
        self, ask: Ask, *, at_once: int, on_progress: Callable[[Progress], None] | None
    ) -> Progress:
        """Ask until it is decided or there is no further sample; return what it took."""
        progress = await self._run(ask, Progress(total=self.samples.n), at_once, on_progress)
        policy = self._level(progress.is_new)
        if policy.alpha != self._policy.alpha:
            # Answers were drawn anew, so this is a look of its own: what was settled may be open at its level.
            self._policy, self._counting = policy, self._counted(policy)
            self._count()
            progress = await self._run(ask, progress, at_once, on_progress)
        if on_progress is not None and progress.done < self.samples.n:
            on_progress(replace(progress, total=progress.done))
        return progress

    async def _run(
        self, ask: Ask, progress: Progress, at_once: int, on_progress: Callable[[Progress], None] | None
    ) -> Progress:
        total = self.samples.n
        while not self._counting.decided and progress.done < total:
            before = progress

            def tell(one: Progress, before: Progress = before) -> None:
                if on_progress is not None:
                    on_progress(_added(before, one))

            part = self._window(WINDOW * at_once)
            progress = _added(before, await ask(part, finished=self._finished, total=total, on_progress=tell))
        return progress

    def _window(self, size: int) -> Iterator[tuple[int, Sample]]:
        for _ in range(size):
            if self._counting.decided:
                return
            index, sample = next(self._source, (-1, None))
            if sample is None:
                return
            place = self.order.places[index]
            if place.sample_id != sample.sample_id or place.content != content_hash(sample)[:32]:
                raise RunStopped("the samples changed while the test ran; run it again")
            yield index, sample

    def _finished(self, sample: Sample, pair: Pair) -> None:
        self._early[pair.index] = (sample, pair)
        self._count()

    def _count(self) -> None:
        """Write and count what has come without a gap."""
        while not self._counting.decided and self._written in self._early:
            self._measure(self.columns, *self._early.pop(self._written))
            self._written += 1
            self._counting.count(self.columns, self._written)

    def _counted(self, policy: Policy) -> _Counting:
        counting = _Counting(self.samples, self.order, policy, compared=self._compared)
        counting.count(self.columns, self._written)
        return counting

    def end(self, policy: Policy) -> Ending:
        """Say where the run stopped; at another level than it began with, where it would have stopped at that one."""
        counting = self._counting if policy.alpha == self._policy.alpha else self._counted(policy)
        stop, order = counting.monitor.samples, self.order
        return Ending(
            samples=in_order(self._all, order, stop),
            columns=_first(self.columns, stop),
            monitor=counting.monitor,
            of=len(order.places),
            at_the_end=stop == len(order.places) and not order.open_end,
            digest=replace(order, places=order.places[:stop]).digest,
            largest=order.largest,
        )


class _Counting:
    """Feeds whole units to a monitor, as far as they are written."""

    def __init__(self, samples: SampleSet, order: Order, policy: Policy, *, compared: bool) -> None:
        self.monitor = Monitor(policy, largest=order.largest, compared=compared)
        self._samples, self._order = samples, order
        named = {rule.slice for rule in policy.rules if rule.slice is not None}
        self._slices = [(one.codes, one.names) for one in samples.slices if named & set(one.names)]
        self._begin = self._at = 0
        self.decided = False

    def count(self, columns: Columns, written: int) -> None:
        """Count the units that end among the first `written` samples, until it is decided."""
        while self._at < written and not self.decided:
            index, self._at = self._at, self._at + 1
            if self._order.unit_ends(index):
                self.monitor.take([self._row(columns, one) for one in range(self._begin, index + 1)])
                self._begin, self.decided = index + 1, self.monitor.decided

    def _row(self, columns: Columns, index: int) -> Row:
        weights = self._samples.weights
        return Row(
            values={
                name: (column.baseline[index], column.candidate[index])
                for name, column in columns.by_name.items()
                if column.applies[index]
            },
            weight=1.0 if weights is None else weights[index],
            slices=frozenset(names[codes[index]] for codes, names in self._slices),
        )


def _first(columns: Columns, n: int) -> Columns:
    """The first samples of all columns; what was counted of the answers is counted of all of them."""
    cut = {
        name: Column(one.baseline[:n], one.candidate[:n], one.applies[:n])
        for name, one in columns.by_name.items()
    }
    return replace(columns, n=n, by_name=cut)


def _added(one: Progress, other: Progress) -> Progress:
    return replace(
        one,
        done=one.done + other.done,
        calls=one.calls + other.calls,
        failures=one.failures + other.failures,
        cached=one.cached + other.cached,
        imported=one.imported + other.imported,
        spent=one.spent + other.spent,
    )
