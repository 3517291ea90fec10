"""Which samples the candidate broke and which it fixed, the broken ones first.

Of a sample that was asked repeatedly its mean counts, and the answer that tells most is shown. Read off the columns
after the run; only the first few are looked up again for their texts, so that memory does not
grow with what changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from promptops.evaluation.columns import Columns
from promptops.evaluation.plan import Plan
from promptops.evaluation.repeating import changes_by_sample
from promptops.messages import Answer, Completion
from promptops.report import Arm, Change, cut
from promptops.runs.journal import Journal
from promptops.samples import Pair, Sample

WITH_TEXT = 50
INPUT_LIMIT = 80


def changes_of(plan: Plan, columns: Columns, journal: Journal) -> list[Change]:
    """Return every change of a gating scorer's score, broken before fixed, in the order of the samples."""
    if plan.baseline is None:
        return []
    found = sorted(_found(plan, columns), key=lambda one: (one[2] != "broken", one[1] % plan.samples.n))
    detailed = {index for _, index, _ in found[:WITH_TEXT]}
    n = plan.samples.n
    wanted = {index % n for index in detailed}
    samples = {index: one for index, one in enumerate(plan.samples.source) if index in wanted}
    return [
        _change(plan, name, journal.read(index), kind, samples.get(index % n) if index in detailed else None)
        for name, index, kind in found
    ]


def _found(plan: Plan, columns: Columns) -> Iterator[tuple[str, int, Literal["broken", "fixed"]]]:
    observed = {rule.metric for rule in plan.policy.rules if rule.observe}
    for name in plan.scorers:
        column = columns.by_name.get(name)
        if column is None or name in observed:
            continue
        scale = plan.scorers[name].value_range
        # A missing score is neither broken nor fixed.
        for index, rise in changes_by_sample(
            column.baseline, column.candidate, n=plan.samples.n, scale=scale
        ):
            yield name, index, "broken" if rise < 0 else "fixed"


def _change(
    plan: Plan, name: str, pair: Pair, kind: Literal["broken", "fixed"], sample: Sample | None
) -> Change:
    if sample is None:
        return Change(sample_id=pair.sample_id, metric=name, change=kind)
    return Change(
        sample_id=pair.sample_id,
        metric=name,
        change=kind,
        input=cut(describe(sample), INPUT_LIMIT),
        expected=cut(as_text(sample.expected)) if sample.expected is not None else "",
        baseline=_arm(plan, name, sample, pair.baseline),
        candidate=_arm(plan, name, sample, pair.candidate),
    )


def _arm(plan: Plan, name: str, sample: Sample, answer: Answer) -> Arm:
    if not isinstance(answer, Completion):
        return Arm(text=f"({answer.kind}: {answer.message})", value=None)
    score = plan.scorers[name].score(sample, answer)
    return Arm(text=cut(answer_text(answer)), value=score.value, reason=score.reason)


def answer_text(answer: Completion) -> str:
    """What an answer says: its text, or the tools that it calls."""
    if answer.text is not None:
        return answer.text
    return "; ".join(f"{call.name}({call.arguments})" for call in answer.tool_calls)


def describe(sample: Sample) -> str:
    """What a sample asks, short: its only input, all of them, or the last message."""
    inputs = sample.inputs or {}
    if len(inputs) == 1:
        return as_text(next(iter(inputs.values())))
    if inputs:
        return as_text(inputs)
    said = [message.get("content") for message in sample.messages or [] if message.get("role") == "user"]
    return as_text(said[-1]) if said else ""


def as_text(value: Any) -> str:
    """Return a value as people read it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
