"""Where a sequential test stopped: what was bet, and what it saved."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from promptops.basis import Basis
from promptops.evaluation.columns import Columns
from promptops.evaluation.ordering import Order
from promptops.report import Stopping
from promptops.rules import Rule
from promptops.sampling import SampleSet
from promptops.sequential import Monitor, with_bets
from promptops.stats.planning import sample_size, tied_pairs_to_pass
from promptops.stats.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Where a run stopped: the samples that count, in their order, and what was bet on them.

    `of` is how many there are, `at_the_end` whether the end that was declared is reached.
    """

    samples: SampleSet
    columns: Columns
    monitor: Monitor
    of: int
    at_the_end: bool
    digest: str
    largest: float

    def claim(self, basis: Basis) -> Basis:
        """Let the bets speak instead of the tests of a fixed size."""
        bets = self.monitor.bets(ended=self.at_the_end)
        return replace(basis, findings=with_bets(basis.findings, bets), complete=self.samples.n == self.of)

    def stopping(self, basis: Basis) -> Stopping:
        """What a report says of it; calls are compared with those of a test of a size fixed beforehand."""
        n, arms = self.samples.n, 1 if basis.first else 2
        planned = min(self.of, fixed_size(basis) or self.of)
        return Stopping(
            stopped_at=n,
            of=self.of,
            decided=self.monitor.decided,
            open_end=not self.at_the_end,
            planned=planned,
            calls_saved=max(0, planned - n) * arms if self.monitor.decided else 0,
            largest_unit=self.largest,
            counted=self.digest,
        )


def fixed_size(basis: Basis) -> int | None:
    """Samples with which a test of fixed size shows with power 0.80 that nothing fell, given how answers differ."""
    sizes = [
        _fixed_size(rule, seen, basis.policy.alpha)
        for rule in basis.policy.rules
        if rule.role in ("guardrail", "both") and rule.margin is not None and rule.value_range is not None
        if (seen := basis.findings[rule.name].compared.seen) is not None
    ]
    return max((size for size in sizes if size is not None), default=None)


def _fixed_size(rule: Rule, seen: Summary, alpha: float) -> int | None:
    assert rule.margin is not None
    assert rule.value_range is not None
    low, high = rule.value_range
    needed = sample_size(sd_diff=seen.error * math.sqrt(seen.n), margin=rule.margin, alpha=alpha).n
    least = tied_pairs_to_pass(rule.margin / (high - low), alpha)
    return None if needed is None else max(needed, least)


def about_order(order: Order, *, slices: bool) -> list[str]:
    """What a reader has to know about samples that were added on the way, and about slices that were looked at."""
    said = []
    if slices:
        said.append(
            "slices that are not critical are looked at once, when the test stopped: take what is flagged as a hint"
        )
    if order.late:
        said.append(
            f"{order.late} samples belong to conversations that were counted before they came; they are left out"
        )
    if order.cut:
        said.append(
            f"{order.cut} samples of conversations larger than any at the beginning are left out: "
            f"a sequential test has to know the largest one beforehand"
        )
    return said
