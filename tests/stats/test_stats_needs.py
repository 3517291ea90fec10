"""How many samples an open question takes, from what the last test found."""

from __future__ import annotations

import numpy as np

from promptops.rules import Measured, Policy, Rule, question_of, summarise
from promptops.stats.facts import facts_of
from promptops.stats.metric import need_of
from promptops.stats.planning import Need
from promptops.stats.question import ask


def test_several_guardrails_are_each_planned_to_hold_together() -> None:
    moved = np.array([0.0] * 90 + [1.0] * 5 + [-1.0] * 5)
    columns = (np.where(moved < 0, 1.0, 0.0), np.where(moved > 0, 1.0, 0.0))
    needs = [
        need_of(
            question := ask("binary", margin=0.05, value_range=(0.0, 1.0), guardrails=count),
            facts_of(question, *columns),
        ).n
        for count in (1, 4)
    ]
    assert needs == [248, 433]


def test_being_answered_takes_no_power_from_the_others() -> None:
    def named(*names: str) -> Policy:
        return Policy(
            rules=tuple(
                Rule(metric=name, kind="binary", value_range=(0.0, 1.0), margin=0.05) for name in names
            )
        )

    two, three = named("queue", "answered"), named("queue", "tone", "answered")
    assert question_of(two.rules[0], two).guardrails == 1
    assert question_of(three.rules[0], three).guardrails == 2


def test_ties_of_twenty_conversations_prove_as_little_as_twenty_ties() -> None:
    policy = Policy(rules=(Rule(metric="queue", kind="binary", value_range=(0.0, 1.0), margin=0.05),))
    same = np.ones(100)
    measured = Measured(baseline=same, candidate=same, clusters=np.repeat(np.arange(20), 5))
    found = summarise(policy, {"queue": measured})["queue"].compared
    assert need_of(question_of(policy.rules[0], policy), found) == Need(n=295, least=295)


def test_what_was_not_measured_or_only_observed_has_no_need() -> None:
    question = ask("binary", margin=0.05, value_range=(0.0, 1.0), role="observe")
    assert need_of(question, facts_of(question, [1.0], [1.0])) == Need()
