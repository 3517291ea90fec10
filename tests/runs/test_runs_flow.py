"""The one concurrent loop: lazy, bounded, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from promptops.errors import RunStopped
from promptops.runs.flow import run_all


def run(work: Any, items: Any, *, at_once: int = 4, **more: Any) -> list[Any]:
    """Run, check that no task is left, and return what finished, in order."""
    finished: list[Any] = []

    async def main() -> None:
        try:
            await run_all(work, items, finished.append, at_once=at_once, **more)
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}

    try:
        asyncio.run(main())
    except BaseException as error:
        error.finished = finished  # type: ignore[attr-defined]
        raise
    return finished


async def double(item: int) -> int:
    await asyncio.sleep(0)
    return 2 * item


@pytest.mark.parametrize("at_once", [1, 3, 512])
def test_every_item_is_done_once(at_once) -> None:
    assert sorted(run(double, range(1000), at_once=at_once)) == list(range(0, 2000, 2))


def test_nothing_to_do_is_done() -> None:
    assert run(double, []) == []


def test_results_come_as_they_finish_and_a_slow_one_holds_up_nobody() -> None:
    gate = asyncio.Event()

    async def work(item: int) -> int:
        if item == 0:
            await gate.wait()
        if item == 99:
            gate.set()
        return item

    assert run(work, range(100), at_once=2) == [*range(1, 100), 0]


def test_items_are_read_only_as_workers_get_free() -> None:
    read, done, ahead = 0, 0, []

    def items() -> Iterator[int]:
        nonlocal read
        for item in range(500):
            read += 1
            yield item

    async def work(item: int) -> int:
        nonlocal done
        ahead.append(read - done)
        await asyncio.sleep(0)
        done += 1
        return item

    run(work, items(), at_once=8)
    assert max(ahead) == 8


def test_an_exception_ends_the_run_bare_and_keeps_what_is_finished() -> None:
    async def work(item: int) -> int:
        if item == 10:
            raise ZeroDivisionError("a bug")
        if item > 5:
            await asyncio.Event().wait()
        return item

    with pytest.raises(ZeroDivisionError, match="a bug") as caught:
        run(work, range(100), at_once=5)
    assert caught.value.finished == [0, 1, 2, 3, 4, 5]


def test_a_stop_begins_nothing_new_and_lets_the_others_finish() -> None:
    begun = []
    stopped = asyncio.Event()

    async def work(item: int) -> int:
        begun.append(item)
        if item == 2:
            stopped.set()
            raise RunStopped("no money")
        await stopped.wait()
        await asyncio.sleep(0.01)
        return item

    with pytest.raises(RunStopped, match="no money") as caught:
        run(work, range(100), at_once=4)
    assert sorted(caught.value.finished) == [0, 1, 3]
    assert begun == [0, 1, 2, 3]


def test_after_a_stop_nobody_is_waited_for_for_ever() -> None:
    async def work(item: int) -> int:
        if item == 2:
            raise RunStopped("down")
        await asyncio.Event().wait()
        return item

    with pytest.raises(RunStopped):
        run(work, range(100), grace=0.01)


def test_a_bug_comes_before_a_stop() -> None:
    async def work(item: int) -> int:
        if item == 0:
            raise RunStopped("down")
        await asyncio.sleep(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(work, range(100))


@pytest.mark.parametrize("error", [OSError("unreadable"), RunStopped("enough")])
def test_an_iterator_that_raises_ends_the_run(error) -> None:
    def items() -> Iterator[int]:
        yield from range(6)
        raise error

    with pytest.raises(type(error)) as caught:
        run(double, items(), at_once=2)
    assert caught.value is error


def test_a_listener_that_raises_ends_the_run() -> None:
    def listen(result: int) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        asyncio.run(run_all(double, range(100), listen, at_once=4))


def test_cancellation_leaves_no_task() -> None:
    started = asyncio.Event()

    async def work(item: int) -> int:
        started.set()
        await asyncio.Event().wait()
        return item

    async def main() -> None:
        call = asyncio.create_task(run_all(work, range(1000), print, at_once=512))
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
