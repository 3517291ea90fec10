"""Progress of a run on stderr: one line that is rewritten on a terminal, a line every fifth elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from promptops.evaluation.plan import Plan
    from promptops.runs.replay import Progress

REDRAW_SECONDS = 0.1
STEPS_ELSEWHERE = 5


def announcement(plan: Plan, *, cost: str = "") -> str:
    """Say what is about to be asked, and of whom, and what that costs."""
    asked = sorted({one.prompt.spec.model for one in (plan.baseline, plan.candidate) if one is not None})
    cap = plan.workspace.config.limits.budget_usd
    each = f", {plan.repeats} times each" if plan.repeats > 1 else ""
    budget = f", at most ${cap:.2f}" if cap else ""
    return (
        f"{plan.id}: {plan.samples.n} samples{each}, up to {plan.calls} calls to {', '.join(asked)}{cost}{budget}"
        f" (run {plan.run})"
    )


@dataclass(slots=True)
class ProgressLine:
    """Prints how far a run is, in `what` it counts; `clock` is monotonic seconds."""

    what: str = "samples"
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic
    began: float | None = None
    drawn: float = 0.0
    printed: int = 0
    last: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        now, self.last = self.clock(), progress
        if self.began is None:
            self.began = now
        total = progress.total or progress.done
        if self.stream.isatty():
            if progress.done < total and now - self.drawn < REDRAW_SECONDS:
                return
            self.drawn = now
            end = "\n" if progress.done >= total else ""
            self.stream.write(f"\r\x1b[K  {self._text(progress, total, now)}{end}")
        elif not progress.calls and not progress.cached and progress.done < total:
            return  # reading an earlier run again takes no time
        elif progress.done * STEPS_ELSEWHERE // max(total, 1) > self.printed:
            self.printed = progress.done * STEPS_ELSEWHERE // max(total, 1)
            self.stream.write(f"  {self._text(progress, total, now)}\n")
        self.stream.flush()

    def _text(self, progress: Progress, total: int, now: float) -> str:
        parts = [f"{progress.done}/{total} {self.what}"]
        parts.append(
            f"{progress.calls} calls" if progress.calls or progress.cached else "answered by an earlier run"
        )
        if progress.cached:
            parts.append(f"{progress.cached} from cache")
        if progress.failures:
            parts.append(f"{progress.failures} failed")
        if progress.spent:
            parts.append(f"${progress.spent:.2f}")
        if 0 < progress.done < total and self.began is not None:
            left = (now - self.began) / progress.done * (total - progress.done)
            parts.append(f"{_seconds(left)} left")
        return " · ".join(parts)


def _seconds(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
