"""A scorer that knows where it is written, so that what it does wrong is said there and with the sample's name."""

from __future__ import annotations

from dataclasses import dataclass

from promptops.documents import compose
from promptops.errors import InvalidFile, Problem
from promptops.messages import Completion
from promptops.ports import Scorer
from promptops.prompts.model import Prompt
from promptops.samples import Sample, Score
from promptops.scorers.code import OutsideRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A scorer with its name and its place in the prompt file."""

    scorer: Scorer
    name: str
    path: str
    line: int
    column: int

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
            said = f"scorers.{self.name}: sample {sample.sample_id}: {error}"
            raise InvalidFile([Problem(self.path, self.line, self.column, said)]) from error


def placed(scorer: Scorer, name: str, prompt: Prompt) -> Placed:
    """Say where in its prompt file a scorer is written."""
    document = compose(prompt.source, path=prompt.path)
    line, column = document.locate_key(("scorers", name))
    return Placed(scorer=scorer, name=name, path=prompt.path, line=line, column=column)
