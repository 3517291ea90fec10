"""Answers from before, and which of them may stand in a pair: two of one model, or the later one alone.

A provider may change the model behind a name. What it answered then and what it answers now, side by side, would
charge that to the prompt; the arm whose answer is the older one is asked again, so that one model answers both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promptops.messages import Answer, Completion
from promptops.runs.encoding import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An answer that was not asked for just now: from the cache, or the half of a pair that a killed run left."""

    answer: Completion
    asked_at: float


def of_one_model(found: Mapping[Role, Standing]) -> dict[Role, Standing]:
    """Return both answers where one model gave them, else the later one."""
    if len(found) < 2 or not are_of_two_models(*(one.answer for one in found.values())):
        return dict(found)
    latest = max(found, key=lambda role: found[role].asked_at)
    return {latest: found[latest]}


def are_of_two_models(one: Answer, other: Answer) -> bool:
    """Whether two answers name different models; one that never came names none."""
    return isinstance(one, Completion) and isinstance(other, Completion) and one.model != other.model
