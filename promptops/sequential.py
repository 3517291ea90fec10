"""Decide as samples arrive: the gate's question, answered at the first moment at which it is settled.

Bets on every claim of every rule (wagers.py) are fed with whole units, a sample or all samples of one conversation,
in an order that was fixed before anything was asked; never in finishing order, for slow answers may be the bad ones.
Refuses to end early with a PASS where only all samples can tell: what must never happen, and what has no range
(latency, cost, tokens), which is tested once, at the end that was declared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from promptops.rules import Finding, Findings, Policy
from promptops.stats.bets import Bets
from promptops.wagers import Row, Terms, Wagers


class Monitor:
    """Watches every rule of a policy while units come in, and knows when the verdict is settled.

    `largest` bounds the weight of one unit; it follows from the samples, not from their answers. `compared` is False
    at a first release, which only floors and nevers judge.
    """

    def __init__(self, policy: Policy, *, largest: float = 1.0, compared: bool = True) -> None:
        self.policy, self._compared = policy, compared
        terms = Terms(
            alpha=policy.alpha,
            accused=max(1, accused(policy, compared=compared)),
            targets=max(1, sum(rule.target for rule in policy.rules)),
            largest=largest,
            compared=compared,
        )
        self._wagers = tuple(Wagers(rule, policy, terms) for rule in policy.rules)
        self.units = self.samples = 0

    def take(self, unit: Sequence[Row]) -> None:
        """Count one whole unit: the next in the order that was fixed."""
        self.units += 1
        self.samples += len(unit)
        for wagers in self._wagers:
            wagers.take(unit)

    @property
    def decided(self) -> bool:
        """Whether the verdict is settled: harm is shown, or everything that is asked holds."""
        return any(wagers.fails for wagers in self._wagers) or self._passes()

    def _passes(self) -> bool:
        asked = [wagers for wagers in self._wagers if wagers.rule.gates]
        if not self._compared:
            asked = [wagers for wagers in asked if wagers.rule.never or wagers.rule.floor is not None]
            return bool(asked) and all(wagers.holds for wagers in asked)
        if not (all(wagers.holds for wagers in asked) and any(one.rule.says_what_is_right for one in asked)):
            return False
        better = [wagers.improves for wagers in asked if wagers.rule.target]
        return not better or (any(better) if self.policy.targets == "any" else all(better))

    def bets(self, *, ended: bool) -> dict[str, Bets]:
        """Return what was bet, by the rule's name; once a run has `ended`, what has no range is tested as usual."""
        found = {wagers.rule.name: wagers.bets() for wagers in self._wagers}
        return {name: bets for name, bets in found.items() if not (ended and bets.waits)}


def accused(policy: Policy, *, compared: bool = True) -> int:
    """How many rules a candidate can be found to harm: they share the chance of a false alarm."""
    compared_rules = sum(rule.role != "observe" for rule in policy.rules) if compared else 0
    return compared_rules + sum(rule.floor is not None for rule in policy.rules)


def with_bets(findings: Findings, bets: Mapping[str, Bets]) -> dict[str, Finding]:
    """Add what was bet to what was found of the same samples."""
    return {name: replace(finding, bets=bets.get(name)) for name, finding in findings.items()}
