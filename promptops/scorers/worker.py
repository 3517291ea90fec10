"""The program of a worker process: makes the scorers it is told of, then scores answers until its input ends.

Reads pickles, each after its length; writes one line of JSON for every scorer that it has made, and for every answer.
What a scorer prints goes to stderr: the program that started this one may be writing JSON to stdout. Nothing is read
from the keyboard.
"""

from __future__ import annotations

import faulthandler
import io
import json
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Protocol

from promptops.messages import Completion
from promptops.ports import Scorer
from promptops.samples import Sample
from promptops.scorers.code import OutsideRange

LENGTH_BYTES = 8
MADE_WITHIN = 60.0  # seconds to import what a scorer imports
_ORPHANED = 5.0  # seconds beyond the limit, after which nobody can be left who would end this process


class Recipe(Protocol):
    """What a scorer can be made of once more, in another process."""

    def build(self) -> Scorer: ...


Order = tuple[float, Mapping[str, Recipe]]  # seconds for an answer, and what to make
Task = tuple[Sample, tuple[tuple[str, Completion], ...]]  # a sample, and each answer with the scorer's name


def packed(message: Order | Task) -> bytes:
    """Return a message as it goes to a worker."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return len(data).to_bytes(LENGTH_BYTES) + data


def main() -> None:
    """Serve whoever started this process, over stdin and stdout."""
    source, target = _taken()
    order: Order | None = _read(source)
    if order is None:
        return
    limit, recipes = order
    end_within, scorers = _self_ending(), {}
    for name, recipe in recipes.items():
        end_within(MADE_WITHIN + _ORPHANED)
        try:
            scorers[name] = made = recipe.build()
        except Exception as error:  # noqa: BLE001  it is said by whoever started us
            _write(target, {"broken": str(error)})
            return
        _write(target, {"range": made.value_range, "binary": made.binary})
    end_within(0)
    while (task := _read(source)) is not None:
        sample, units = task
        for name, completion in units:
            end_within(limit + _ORPHANED)
            _write(target, _scored(scorers[name], sample, completion))
        end_within(0)


def _scored(scorer: Scorer, sample: Sample, completion: Completion) -> Mapping[str, object]:
    try:
        score = scorer.score(sample, completion)
    except OutsideRange as error:
        return {"outside": str(error)}
    except Exception:  # noqa: BLE001  a bug of ours keeps its traceback
        return {"broken": traceback.format_exc()}
    return {"value": score.value, "reason": score.reason}


def _taken() -> tuple[BinaryIO, BinaryIO]:
    """Take standard input and output for ourselves, and leave an empty one and stderr in their place."""
    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    # A process that is ended from outside flushes nothing: what is printed is written line by line.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    return source, target


def _self_ending() -> Callable[[float], None]:
    """A timer that ends this process even while a scorer hangs, for when nobody is left who would; 0 stops it."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        return _set_alarm
    nowhere = os.open(os.devnull, os.O_WRONLY)

    def set_timer(seconds: float) -> None:
        if seconds:
            faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        else:
            faulthandler.cancel_dump_traceback_later()

    return set_timer


def _set_alarm(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _read(source: BinaryIO) -> Any:
    head = source.read(LENGTH_BYTES)
    return pickle.loads(source.read(int.from_bytes(head))) if len(head) == LENGTH_BYTES else None


def _write(target: BinaryIO, line: Mapping[str, object]) -> None:
    target.write(json.dumps(line).encode("ascii") + b"\n")
    target.flush()
