"""Where a command waits for models: a person may stop it, and is told what is kept and how to go on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from promptops.cli.output import note
from promptops.cli.progress import ProgressLine

Result = TypeVar("Result")


def ask(work: Coroutine[Any, Any, Result], line: ProgressLine | None = None) -> Result:
    """Run `work`; calls that are under way when a person interrupts it are cancelled.

    Raises:
        KeyboardInterrupt: after saying what is kept; the program ends with exit code 130.
    """
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        note(_kept(line))
        raise


def _kept(line: ProgressLine | None) -> str:
    if line is None:
        return "interrupted; answers that came are in the cache and are not asked again"
    if line.last is None:
        return "interrupted before a sample was finished; run the same command to begin again"
    done = f"{line.last.done} of {line.last.total or line.last.done} {line.what}"
    broken = "\n" if line.stream.isatty() else ""
    return f"{broken}interrupted: {done} are finished and kept; run the same command to go on from there"
