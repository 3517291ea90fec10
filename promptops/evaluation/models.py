"""Which models really answered. An endpoint may change what is behind a name, and then a difference between two
versions that asked for the same model is not the prompt's alone: that ends the run.
"""

from __future__ import annotations

from promptops.errors import RunStopped
from promptops.evaluation.plan import Plan
from promptops.messages import Completion
from promptops.samples import Pair

# So many pairs without a model in common are no accident of an endpoint that answers by several.
_ENOUGH = 20


class Answering:
    """The names under which both arms were answered; grows with every pair."""

    def __init__(self, plan: Plan) -> None:
        self._asked = plan.candidate.prompt.spec.model
        self._same = plan.baseline is not None and plan.baseline.prompt.spec.model == self._asked
        self._folder = plan.workspace.state / "runs" / plan.run
        self._baseline: set[str] = set()
        self._candidate: set[str] = set()
        self._pairs = 0

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

    def _changed(self) -> RunStopped:
        live, new = (", ".join(sorted(names)) for names in (self._baseline, self._candidate))
        return RunStopped(
            f"{self._asked} was asked, and others answered: {live} for live, {new} for new; the difference between"
            " them is not the prompt's: name a model that does not change, or ask both anew after"
            f" promptops cache clear and without {self._folder}"
        )
