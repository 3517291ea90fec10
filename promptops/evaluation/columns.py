"""What lives as long as a run: 8 bytes for every value of every metric and arm, addressed by the pair's index.

Pairs arrive in finishing order and are forgotten; the statistics read the columns, where order has no meaning.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from promptops.evaluation.repeating import rows, stand_in
from promptops.messages import Answer, Completion, Failure
from promptops.rules import Measured
from promptops.samples import Score
from promptops.sampling import SampleSet
from promptops.slicing import Masks

NAN = math.nan
_LEFT_OUT, _IN = 0, 1


@dataclass(slots=True)
class Column:
    """One metric's values by sample index, NaN where an answer never came or could not be scored.

    `applies` is 0 where the metric has no meaning for the pair (the latency of a cached answer, tokens that
    nobody counted): such a pair is left out, which is not the same as missing.
    """

    baseline: array[float]
    candidate: array[float]
    applies: bytearray

    @classmethod
    def empty(cls, n: int) -> Column:
        return cls(array("d", [NAN]) * n, array("d", [NAN]) * n, bytearray(n))

    def put(self, index: int, baseline: float | None, candidate: float | None) -> None:
        """Write one pair; None is missing. A pair that is never put is left out."""
        self.baseline[index] = NAN if baseline is None else baseline
        self.candidate[index] = NAN if candidate is None else candidate
        self.applies[index] = _IN

    def measured(self, samples: SampleSet, *, worst: float | None) -> Measured:
        """Return the values of the samples to which the metric applies, with their clusters, weights and slices.

        A sample to which it applies in some of its repeats only is measured by these.
        """
        import numpy as np

        baseline, candidate = rows(self.baseline, samples.n), rows(self.candidate, samples.n)
        applies = np.frombuffer(self.applies, dtype=np.bool_).reshape(baseline.shape)
        single = len(applies) == 1
        whole = Measured(
            baseline=baseline[0] if single else stand_in(baseline, applies),
            candidate=candidate[0] if single else stand_in(candidate, applies),
            worst=worst,
            clusters=samples.clusters,
            weights=samples.weights,
        )
        some = applies.any(axis=0)
        if some.all():
            return replace(whole, slices=Masks(samples.slices))
        return replace(whole.within(some), slices=Masks(samples.slices, some))


@dataclass(slots=True)
class Columns:
    """All columns of a run, which models answered each arm, and how many answers are unscored by arm and kind.

    `n` counts pairs: samples times repeats.
    """

    n: int
    by_name: dict[str, Column] = field(default_factory=dict)
    answered_by: dict[str, set[str]] = field(default_factory=lambda: {"baseline": set(), "candidate": set()})
    unscored: dict[str, Counter[str]] = field(
        default_factory=lambda: {"baseline": Counter(), "candidate": Counter()}
    )

    def put(self, name: str, index: int, baseline: float | None, candidate: float | None) -> None:
        if name not in self.by_name:
            self.by_name[name] = Column.empty(self.n)
        self.by_name[name].put(index, baseline, candidate)

    def put_scores(
        self, index: int, baseline: Mapping[str, Score] | None, candidate: Mapping[str, Score]
    ) -> None:
        """Write what the scorers said of one pair; without a baseline its side stays missing."""
        for name, score in candidate.items():
            before = baseline[name].value if baseline is not None else None
            self.put(name, index, before, score.value)
        self._count("candidate", candidate.items())
        if baseline is not None:
            self._count("baseline", baseline.items())

    def put_answers(self, index: int, baseline: Answer | None, candidate: Answer) -> None:
        """Write what is measured without a scorer: answered, latency, cost and tokens."""
        self.put("answered", index, None if baseline is None else _answered(baseline), _answered(candidate))
        for arm, answer in (("baseline", baseline), ("candidate", candidate)):
            if isinstance(answer, Failure):
                self.unscored[arm][answer.kind] += 1
            elif answer is not None:
                self.answered_by[arm].add(answer.model)
        for name in MEASURED:
            values = [_measure(name, answer) for answer in (baseline, candidate) if answer is not None]
            if all(known for known, _ in values):
                self.put(name, index, values[0][1] if baseline is not None else None, values[-1][1])

    def _count(self, arm: str, scores: Iterable[tuple[str, Score]]) -> None:
        for name, score in scores:
            if score.value is None and score.reason != NOT_ANSWERED:
                self.unscored[arm][f"scorer:{name}"] += 1


NOT_ANSWERED = "not answered"
MEASURED = ("latency", "time_to_first_token", "cost", "input_tokens", "output_tokens")


def _answered(answer: Answer) -> float:
    return 1.0 if isinstance(answer, Completion) else 0.0


def _measure(name: str, answer: Answer) -> tuple[bool, float | None]:
    """Whether the measure applies to this answer, and its value; a failed call applies and is missing."""
    if isinstance(answer, Failure):
        return True, None
    value = _value(name, answer)
    return value is not None, value


def _value(name: str, answer: Completion) -> float | None:
    match name:
        case "latency":
            return None if answer.cached else answer.seconds
        case "time_to_first_token":
            return None if answer.cached else answer.first_token_seconds
        case "cost":
            return answer.cost
        case "input_tokens":
            return answer.usage.input_tokens
        case _:
            return answer.usage.output_tokens
