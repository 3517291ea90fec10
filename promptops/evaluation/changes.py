"""Which samples the candidate broke and which it fixed, the broken ones first.

Of a sample that was asked repeatedly its mean counts, and the answer that tells most is shown. Read off the columns
after the run; only so many are listed, and only the first few are looked up again for their texts, so that neither
memory nor a report grows with what changed. All of them are counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import nsmallest
from itertools import islice
from typing import Any, Literal

from promptops.evaluation.columns import Columns
from promptops.evaluation.plan import Plan
from promptops.evaluation.repeating import changes_by_sample
from promptops.messages import Answer, Completion
from promptops.report import Arm, Change, Changed, cut
from promptops.runs.journal import Journal
from promptops.samples import Pair, Sample

LISTED = 1000
WITH_TEXT = 50
INPUT_LIMIT = 80

Kind = Literal["broken", "fixed"]
Found = tuple[str, int, Kind]  # the scorer, the place of the pair


def changes_of(plan: Plan, columns: Columns, journal: Journal) -> tuple[list[Change], Changed]:
    """Return the first changes of a gating scorer's score, and how many there are.

    Broken come before fixed, in the order of the samples; a sample counts once for each scorer.
    """
    if plan.baseline is None:
        return [], Changed()
    counts: Counter[Kind] = Counter()
    n = plan.samples.n
    first = nsmallest(
        LISTED, _counted(_found(plan, columns), counts), key=lambda one: (one[2] != "broken", one[1] % n)
    )
    samples = _samples(plan, {index % n for _, index, _ in first[:WITH_TEXT]})
    listed = [
        _change(plan, name, journal.read(index), kind, samples.get(index % n) if place < WITH_TEXT else None)
        for place, (name, index, kind) in enumerate(first)
    ]
    return listed, Changed(broken=counts["broken"], fixed=counts["fixed"])


def _counted(found: Iterable[Found], counts: Counter[Kind]) -> Iterator[Found]:
    for one in found:
        counts[one[2]] += 1
        yield one


def _samples(plan: Plan, wanted: set[int]) -> dict[int, Sample]:
    """Read the samples at these places once more, no further than to the last of them."""
    if not wanted:
        return {}
    last = max(wanted) + 1
    return {index: one for index, one in enumerate(islice(plan.samples.source, last)) if index in wanted}


def _found(plan: Plan, columns: Columns) -> Iterator[Found]:
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


def _change(plan: Plan, name: str, pair: Pair, kind: Kind, sample: Sample | None) -> Change:
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
