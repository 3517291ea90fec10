"""A limit on the time that a scorer may take in this process, for what may backtrack without end.

Python looks for signals while a regex is matched, so a timer interrupts one that would go on for hours. It counts
the time of the processor: a busy machine does not make a scorer slow. Only the main thread of a POSIX process
can be interrupted so; elsewhere there is no watch, and what may hang has to run in another process.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Late(BaseException):
    """Not an Exception, so that nothing between here and there takes it for its own."""


class Watch:
    """Interrupts what runs longer than it may; one for a process, opened by `watching`."""

    def __init__(self) -> None:
        self._armed = False

    def within(self, seconds: float, work: Callable[[], Result]) -> Result | None:
        """Return what `work` returns, or None when it took more than so many seconds of processor time."""
        try:
            try:
                self._armed = True
                signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
                return work()
            finally:
                self._armed = False  # first: a signal that comes from here on is too late to count
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        except _Late:
            return None

    def interrupt(self, number: int, frame: Any) -> None:
        """Hear the signal."""
        if self._armed:
            self._armed = False
            raise _Late


@contextmanager
def watching() -> Iterator[Watch | None]:
    """Open a watch; None where nothing can be interrupted."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield None
        return
    watch = Watch()
    before = signal.signal(signal.SIGVTALRM, watch.interrupt)
    try:
        yield watch
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before or signal.SIG_DFL)
