"""What stands in the files of `releaseworld`: the prompts as they are reworded, their samples, and what tests found.

A verdict is reached by the real statistics, once for each outcome and variant: it can be reached again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

ROOT = "prompts"
TEAMS = ("billing", "support", "search", "legal", "sales", "onboarding", "fraud", "returns", "care", "docs")
Outcome = Literal["pass", "inconclusive", "regression", "first"]


def name_of(number: int) -> str:
    return f"{TEAMS[number % len(TEAMS)]}-{number:04}"


def path_of(number: int) -> str:
    return f"{ROOT}/{TEAMS[number % len(TEAMS)]}/{name_of(number)}.prompt.yaml"


def partial_of(number: int) -> str:
    return f"{ROOT}/partials/{TEAMS[number % len(TEAMS)]}.md"


@dataclass(slots=True)
class Draft:
    """What a prompt's file says at a time: how often it was reworded, and how often only a comment was."""

    number: int
    words: int = 0
    comments: int = 0

    def text(self) -> str:
        """The file: some forty lines, every fifth with a schema of the answer, every tenth with a tool."""
        lines = [
            f"# Reviewed {self.comments} times",
            f"description: Handles messages of kind {self.number} for {TEAMS[self.number % len(TEAMS)]}",
            f'owners: ["@acme/{TEAMS[self.number % len(TEAMS)]}"]',
            "model: openai/gpt-4o-mini",
            "parameters: {temperature: 0, max_tokens: 200}",
            "messages:",
            "  - role: system",
            "    content: |",
            f"      You handle messages of kind {self.number}, as revised {self.words} times.",
            *(f"      {self._instruction(line)}" for line in range(14)),
            f'      {{% include "partials/{TEAMS[self.number % len(TEAMS)]}.md" %}}',
            '  - {role: user, content: "{{ message }}"}',
            "scorers:",
            '  queue: {equals: "{{ expected }}", min: 0.7, max_drop: 0.1}',
            *(SCHEMA if self.number % 5 == 0 else ()),
            *(TOOL if self.number % 10 == 3 else ()),
        ]
        return "\n".join([*lines, ""])

    def _instruction(self, line: int) -> str:
        """One line of the instructions; the last revisions have reworded some of them."""
        revised = max((one for one in range(self.words + 1) if one * 7 % 14 == line), default=0)
        what = ("Read the whole message", "Look at the order", "Keep to the facts", "Name one queue")[
            line % 4
        ]
        return f"{line + 1}. {what}, rule {self.number * 14 + line}, wording {revised}, before you answer."


SCHEMA = (
    "response_format:",
    "  type: json_schema",
    "  json_schema:",
    "    name: route",
    "    schema:",
    "      type: object",
    "      required: [queue]",
    "      properties: {queue: {enum: [billing, technical, account]}, why: {type: string}}",
)
TOOL = (
    "tools:",
    "  - name: find_order",
    "    description: Find an order by its number",
    "    risk: read",
    "    parameters: {type: object, required: [order], properties: {order: {type: string}}}",
)


def samples(number: int, count: int) -> str:
    rows = (
        {
            "inputs": {"message": f"Message {one} of kind {number}"},
            "expected": ("billing", "technical")[one % 2],
        }
        for one in range(count)
    )
    return "".join(f"{json.dumps(row)}\n" for row in rows)


@cache
def judged(outcome: Outcome, variant: int) -> dict[str, Any]:
    """Return basis, metrics, reasons, verdict and level of a test that came out so, by the real statistics."""
    import numpy as np

    from promptops.basis import Basis
    from promptops.evaluation.lines import metric_lines
    from promptops.rules import Measured, Policy, Rule, summarise

    draw, n = np.random.default_rng(variant), {"inconclusive": 40}.get(outcome, 300)
    old = (draw.random(n) < 0.9).astype(float)
    flips = {"pass": 0.02, "first": 0.02, "inconclusive": 0.05, "regression": 0.3}[outcome]
    new = np.where(draw.random(n) < flips, 0.0, old) if outcome == "regression" else old.copy()
    if outcome != "regression":
        new[: int(n * flips)] = 1 - new[: int(n * flips)]
    first = outcome == "first"
    rules = (
        Rule(metric="queue", kind="binary", margin=0.1, value_range=(0, 1), floor=0.6),
        Rule(metric="answered", kind="binary", margin=0.05, value_range=(0, 1)),
        *(
            Rule(metric=name, kind="ratio", guardrail=False, observe=True)
            for name in ("latency", "cost", "input_tokens", "output_tokens")
        ),
    )
    policy = Policy(rules=rules, alpha=0.05, look=None if first else 1)
    columns = {"queue": (old, new), "answered": (np.ones(n), np.ones(n))}
    columns |= {
        rule.metric: (before := draw.lognormal(0, 0.4, n), before * draw.lognormal(0, 0.1, n))
        for rule in rules[2:]
    }
    measured = {
        name: Measured(
            baseline=() if first else before, candidate=after, worst=60.0 if name == "latency" else None
        )
        for name, (before, after) in columns.items()
    }
    basis = Basis(policy=policy, findings=summarise(policy, measured), first=first)
    verdict = basis.verdict()
    return {
        "basis": basis.as_json(),
        "metrics": [one.model_dump(mode="json", exclude_defaults=True) for one in metric_lines(verdict)],
        "reasons": list(verdict.reasons),
        "verdict": verdict.outcome.value,
        "alpha": verdict.alpha,
        "n": n,
    }
