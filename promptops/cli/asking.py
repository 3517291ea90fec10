"""Where a command waits for models: a person may stop it, and is told what is kept and how to go on."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

from promptops.cli.output import note
from promptops.cli.progress import ProgressLine

# A run makes many small objects that live for a moment; looking for cycles among them after every 700, as Python does
# by itself, takes an eighth of its time. More than 5,000 would save little and keep more in memory.
GARBAGE_AFTER = 5_000

Result = TypeVar("Result")


def ask(work: Coroutine[Any, Any, Result], line: ProgressLine | None = None) -> Result:
    """Run `work`; calls that are under way when a person, or a build server, interrupts it are cancelled.

    Raises:
        KeyboardInterrupt: after saying what is kept; the program ends with exit code 130.
    """
    before = signal.signal(signal.SIGTERM, _as_ctrl_c)
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)
    gc.enable()
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        note(_kept(line))
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    """Do what Ctrl-C does, also where that is ignored, as in the background of a shell."""
    on_ctrl_c = signal.getsignal(signal.SIGINT)
    if not callable(on_ctrl_c):
        raise KeyboardInterrupt
    on_ctrl_c(number, frame)


def _kept(line: ProgressLine | None) -> str:
    if line is None:
        return "interrupted; answers that came are in the cache and are not asked again"
    if line.last is None:
        return "interrupted before a sample was finished; run the same command to begin again"
    done = f"{line.last.done} of {line.last.total or line.last.done} {line.what}"
    return f"interrupted: {done} are finished and kept; run the same command to go on from there"
