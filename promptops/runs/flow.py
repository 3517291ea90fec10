"""The one concurrent loop: workers that pull from a lazy iterator and hand over each result at once.

Results come in finishing order. That is safe because nothing downstream looks at the order: the journal
keeps each pair's index, and the statistics live in columns addressed by it. So there is no buffer to
reorder, and no slow call holds up the others. At most `at_once` items and results are in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from promptops.errors import RunStopped

Item = TypeVar("Item")
Result = TypeVar("Result")


async def run_all(
    work: Callable[[Item], Awaitable[Result]],
    items: Iterable[Item],
    finished: Callable[[Result], None],
    *,
    at_once: int,
    grace: float = 5.0,
) -> None:
    """Do `work` on every item, `at_once` at a time, and call `finished` with each result when it is done.

    `items` may be endless and is only read from as workers get free; to end early, end the iterator. After
    a `RunStopped` nothing new is begun, and what is under way has `grace` seconds to finish: it has been
    paid for. After any other exception, and when cancelled, it is cancelled at once. No task outlives this
    function.

    Raises:
        RunStopped: by `work`; the first one, everything finished was handed over.
        Exception: whatever `work`, `items` or `finished` raised first, bare.
    """
    source = iter(items)
    stopped: list[BaseException] = []

    async def worker() -> None:
        try:
            for item in source:
                finished(await work(item))
                if stopped:
                    return
        except BaseException as error:
            stopped.append(error)
            raise

    workers = [asyncio.create_task(worker()) for _ in range(at_once)]
    try:
        _, under_way = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
        if under_way and all(isinstance(error, RunStopped) for error in stopped):
            await asyncio.wait(under_way, timeout=grace, return_when=asyncio.ALL_COMPLETED)
    finally:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    # A bug comes before a stop, for its traceback; what was cancelled because of them comes last.
    for error in sorted(stopped, key=_weight):
        raise error


def _weight(error: BaseException) -> int:
    return 2 if isinstance(error, asyncio.CancelledError) else int(isinstance(error, RunStopped))
