"""A scorer that knows where it is written, and one that chooses where it runs.

What a scorer does wrong is said where it is written and with the sample's name. A scorer runs in this process as long
as that takes next to nothing. A function of somebody's own always runs in a worker: it may hang, end its
process, or print. What looks for a pattern is tried here for a moment, where it can be interrupted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from promptops.documents import compose
from promptops.errors import InvalidFile, Problem
from promptops.messages import Completion
from promptops.ports import Scorer
from promptops.prompts.model import Prompt
from promptops.samples import Sample, Score
from promptops.scorers.build import Recipe
from promptops.scorers.code import OutsideRange
from promptops.scorers.watch import Watch
from promptops.scorers.workers import Scored, Workers

HERE = 0.05  # seconds of processor time that one answer may hold up the loop, once
HEAVY = 0.002  # seconds of processor time: a scorer whose mean is beyond this moves
LOOKED_AT = 20  # answers, before the mean says anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A scorer, what it is made of, and the prompt whose file names it."""

    scorer: Scorer
    recipe: Recipe
    prompt: Prompt

    @property
    def value_range(self) -> tuple[float, float]:
        return self.scorer.value_range

    @property
    def binary(self) -> bool:
        return self.scorer.binary

    def score(self, sample: Sample, completion: Completion) -> Score:
        """Score one answer.

        Raises:
            InvalidFile: the value lies outside the declared range: the entry's place, the sample, the value.
        """
        try:
            return self.scorer.score(sample, completion)
        except OutsideRange as error:
            raise self.problem(sample, error) from error

    def problem(self, sample: Sample, error: OutsideRange) -> InvalidFile:
        """Say of an impossible value where its scorer is written."""
        document = compose(self.prompt.source, path=self.prompt.path)
        line, column = document.locate_key(("scorers", self.recipe.name))
        said = f"scorers.{self.recipe.name}: sample {sample.sample_id}: {error}"
        return InvalidFile([Problem(self.prompt.path, line, column, said)])


class Measured:
    """A scorer that chooses where it runs; `score` waits for a score from wherever it comes."""

    def __init__(self, name: str, scorer: Scorer, workers: Workers, watch: Watch | None) -> None:
        self._name, self._scorer, self._workers = name, scorer, workers
        recipe = scorer.recipe if isinstance(scorer, Placed) else None
        self._movable, may_hang = recipe is not None, recipe is not None and recipe.may_hang
        self._watch = watch if may_hang else None
        self.is_apart = recipe is not None and (recipe.is_code or (may_hang and watch is None))
        self._answers, self._seconds = 0, 0.0

    @property
    def value_range(self) -> tuple[float, float]:
        return self._scorer.value_range

    @property
    def binary(self) -> bool:
        return self._scorer.binary

    def score(self, sample: Sample, completion: Completion) -> Score:
        """Score one answer.

        Raises:
            InvalidFile: the value lies outside the declared range. RunStopped: this scorer only loses workers.
        """
        found = self.here(sample, completion)
        if found is None:
            units = ((self._name, completion),)
            return self.read(sample, self._workers.submit((sample, units)).result()[0])
        return found

    def here(self, sample: Sample, completion: Completion) -> Score | None:
        """Score one answer in this process; None where that is for a worker to do."""
        if self.is_apart:
            return None
        begun = time.thread_time()
        if self._watch is None:
            score: Score | None = self._scorer.score(sample, completion)
        else:
            score = self._watch.within(HERE, lambda: self._scorer.score(sample, completion))
        self._answers += 1
        self._seconds += time.thread_time() - begun
        heavy = self._answers >= LOOKED_AT and self._seconds > HEAVY * self._answers
        self.is_apart = self._movable and (heavy or score is None)
        return score

    def read(self, sample: Sample, scored: Scored) -> Score:
        """Return what came from a worker.

        Raises:
            InvalidFile: the value lies outside the declared range.
        """
        if not isinstance(scored, OutsideRange):
            return scored
        raise self._scorer.problem(sample, scored) if isinstance(self._scorer, Placed) else scored
