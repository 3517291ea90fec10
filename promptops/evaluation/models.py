"""Which models really answered. An endpoint may change what is behind a name, and then a difference between two
versions that asked for the same model is not the prompt's alone.

Answers from before the change are asked again (promptops.runs.standing). What is left is a change between answers that
were asked for now: that ends the run, and the next one asks again for the pairs that two models answered.
"""

from __future__ import annotations

from promptops.errors import RunStopped
from promptops.evaluation.plan import Plan
from promptops.messages import Completion
from promptops.runs.journal import Journal
from promptops.samples import Pair

# So many pairs without a model in common are no accident of an endpoint that answers by several.
_ENOUGH = 20
_MARK = "asks_mixed_pairs_again"


class Answering:
    """The names under which both arms were answered; grows with every pair.

    `asks_again` says that the run was ended by such a change before. With `recorded` nobody can be asked.
    """

    def __init__(self, plan: Plan, journal: Journal, *, recorded: bool = False) -> None:
        self._asked = plan.candidate.prompt.spec.model
        self._same = plan.baseline is not None and plan.baseline.prompt.spec.model == self._asked
        self._journal, self._recorded = journal, recorded
        self._baseline: set[str] = set()
        self._candidate: set[str] = set()
        self._pairs = 0
        self.asks_again = self._same and not recorded and journal.recall(_MARK) is True

    def add(self, pair: Pair) -> None:
        """Take one pair.

        Raises:
            RunStopped: after some pairs, no model has answered both arms.
        """
        if not (
            self._same and isinstance(pair.baseline, Completion) and isinstance(pair.candidate, Completion)
        ):
            return
        self._baseline.add(pair.baseline.model)
        self._candidate.add(pair.candidate.model)
        self._pairs += 1
        if self._pairs >= _ENOUGH and self._baseline.isdisjoint(self._candidate):
            raise self._changed()

    def check(self) -> None:
        """Look back on the whole run.

        Raises:
            RunStopped: a model answered one arm and never the other.
        """
        if self._baseline != self._candidate:
            raise self._changed()
        if self.asks_again:
            self._journal.amend(**{_MARK: False})

    def _changed(self) -> RunStopped:
        live, new = (", ".join(sorted(names)) for names in (self._baseline, self._candidate))
        found = (
            f"{self._asked} was asked, and others answered: {live} for live, {new} for new; the difference"
        )
        if self._recorded:
            return RunStopped(f"{found} between them is not the prompt's: record the answers anew")
        self._journal.amend(**{_MARK: True})
        return RunStopped(
            f"{found} between them is not the prompt's; run again to ask anew for the pairs that two models"
            " answered, or name a model that does not change"
        )
