"""Why answers do not come, in words, while the run goes on: the first failure of every kind; the rest is counted."""

from __future__ import annotations

from collections.abc import Callable

from promptops.messages import Answer, Failure
from promptops.samples import Pair, Sample


class Failing:
    """Tells people by `say` of the first failure of every kind among the pairs it is shown."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told: set[str] = set()

    def add(self, sample: Sample, pair: Pair) -> None:
        """Take one pair."""
        for answer in (pair.baseline, pair.candidate):
            self._tell(sample, answer)

    def _tell(self, sample: Sample, answer: Answer) -> None:
        if isinstance(answer, Failure) and answer.attempts and answer.kind not in self._told:
            self._told.add(answer.kind)
            self._say(f"no answer to {sample.sample_id} ({answer.kind}): {answer.message}")
