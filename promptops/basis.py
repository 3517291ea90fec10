"""All that a verdict was reached from: the rules, the level, and what was found of every rule.

The same basis gives the same verdict, on any machine and at any time. It is what evidence carries and what
`--explain` prints; no text of any sample or answer is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from promptops.errors import InvalidInput
from promptops.exploring import explore
from promptops.gate import Verdict, judge, judge_first
from promptops.rules import Finding, Findings, Policy, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """A policy at its level and the findings; `first` where there was nothing to compare with."""

    policy: Policy
    findings: Findings
    first: bool = False
    complete: bool = True

    def verdict(self) -> Verdict:
        """Reach the verdict, for the first time or again."""
        reach = judge_first if self.first else judge
        return reach(self.policy, self.findings, complete=self.complete)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values from which the verdict can be reached again exactly.

        Slices that cannot change it are left out: those that may not block, and those that are too small to be tested.
        """
        blocking = self._blocking()
        kept = (*self.policy.rules, *blocking)
        values = {
            "alpha": self.policy.alpha,
            "targets": self.policy.targets,
            "first": self.first,
            "complete": self.complete,
            "rules": [rule.as_json() for rule in self.policy.rules],
            "findings": {rule.name: self.findings[rule.name].as_json() for rule in kept},
        }
        look = {} if self.policy.look is None else {"look": self.policy.look}
        return values | look | ({"slices": [rule.as_json() for rule in blocking]} if blocking else {})

    def explored_json(self, verdict: Verdict) -> dict[str, Any]:
        """Return what was found of the slices that were tested and only looked at; no verdict needs it."""
        rules = [one.rule for one in verdict.slices if one.p_adjusted is not None]
        if self.policy.slices_block or not rules:
            return {}
        return {
            "slices": [rule.as_json() for rule in rules],
            "findings": {rule.name: self.findings[rule.name].as_json() for rule in rules},
        }

    def with_explored(self, values: Mapping[str, Any]) -> Self:
        """Return the basis with what `explored_json` wrote.

        Raises:
            InvalidInput: it is something else.
        """
        if not values:
            return self
        try:
            rules = tuple(Rule.from_json(one) for one in values["slices"])
            found = {rule.name: Finding.from_json(values["findings"][rule.name]) for rule in rules}
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(f"this is not what was found of slices: {error!r}") from error
        policy = replace(self.policy, explored=rules)
        return replace(self, policy=policy, findings={**self.findings, **found})

    def _blocking(self) -> list[Rule]:
        if not self.policy.slices_block or self.first:
            return []
        return [one.rule for one in explore(self.policy, self.findings) if one.judged]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read back what `as_json` wrote.

        Raises:
            InvalidInput: it is something else.
        """
        try:
            rules = tuple(Rule.from_json(one) for one in values["rules"])
            slices = tuple(Rule.from_json(one) for one in values.get("slices", ()))
            policy = Policy(
                rules=rules,
                alpha=values["alpha"],
                look=values.get("look"),
                targets=values["targets"],
                explored=slices,
                slices_block=bool(slices),
            )
            findings = {name: Finding.from_json(one) for name, one in values["findings"].items()}
            if missing := {rule.name for rule in (*rules, *slices)} - set(findings):
                raise InvalidInput(
                    f"the basis of a verdict lacks what was found of {', '.join(sorted(missing))}"
                )
            return cls(policy=policy, findings=findings, first=values["first"], complete=values["complete"])
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(f"this is not the basis of a verdict: {error!r}") from error
