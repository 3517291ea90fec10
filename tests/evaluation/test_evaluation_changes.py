"""What a report lists of what changed: the broken first, bounded, and all of it counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from promptops.evaluation.changes import LISTED, WITH_TEXT, changes_of
from promptops.evaluation.columns import Columns
from promptops.messages import Completion
from promptops.runs.journal import Journal
from promptops.samples import Pair, Sample, Score


class Says:
    """Right is an answer that says yes."""

    value_range, binary = (0.0, 1.0), True

    def score(self, sample: Sample, completion: Completion) -> Score:
        return Score(value=float(completion.text == "yes"))


class Stream:
    """Samples that are counted as they are read."""

    def __init__(self, n: int) -> None:
        self.n, self.read = n, 0

    def __iter__(self) -> Iterator[Sample]:
        for index in range(self.n):
            self.read += 1
            yield Sample(sample_id=f"smp_{index}", inputs={"n": str(index)})


def plan_of(source: Stream, *, first: bool = False) -> Any:
    return SimpleNamespace(
        baseline=None if first else object(),
        scorers={"queue": Says()},
        policy=SimpleNamespace(rules=()),
        samples=SimpleNamespace(n=source.n, source=source),
    )


def said(text: str) -> Completion:
    return Completion(text=text, finish_reason="stop", model="m")


def run(folder: Path, answers: list[tuple[str, str]]) -> tuple[Any, Any, Stream]:
    """Write down what both arms said to each sample, in another order than that of the samples."""
    source, columns = Stream(len(answers)), Columns(len(answers))
    with Journal.open(folder / "run", {"digests": {}}) as journal:
        for index in reversed(range(len(answers))):
            baseline, candidate = map(said, answers[index])
            pair = Pair(index=index, sample_id=f"smp_{index}", baseline=baseline, candidate=candidate)
            journal.append(pair)
            before, after = (float(text == "yes") for text in answers[index])
            columns.put("queue", index, before, after)
        listed, changed = changes_of(plan_of(source), columns, journal)
    return listed, changed, source


def test_the_broken_come_before_the_fixed_and_each_in_the_order_of_the_samples(tmp_path: Path) -> None:
    listed, changed, source = run(tmp_path, [("no", "yes"), ("yes", "no"), ("yes", "yes"), ("yes", "no")])
    assert [(one.sample_id, one.change) for one in listed] == [
        ("smp_1", "broken"),
        ("smp_3", "broken"),
        ("smp_0", "fixed"),
    ]
    assert (changed.broken, changed.fixed) == (2, 1)
    assert (listed[0].input, listed[0].baseline.text, listed[0].candidate.text) == ("1", "yes", "no")
    assert source.read == 4


def test_a_report_does_not_grow_with_what_changed_and_counts_all_of_it(tmp_path: Path) -> None:
    many = LISTED + 200
    listed, changed, source = run(tmp_path, [("no", "yes")] * 100 + [("yes", "no")] * many)
    assert len(listed) == LISTED
    assert {one.change for one in listed} == {"broken"}
    assert (changed.broken, changed.fixed) == (many, 100)
    assert [bool(one.input) for one in listed] == [True] * WITH_TEXT + [False] * (LISTED - WITH_TEXT)
    assert source.read == 100 + WITH_TEXT, "no further than to the last sample that is shown"


def test_where_nothing_changed_no_sample_is_read_again(tmp_path: Path) -> None:
    listed, changed, source = run(tmp_path, [("yes", "yes")] * 5)
    assert (listed, changed.broken, changed.fixed, source.read) == ([], 0, 0, 0)
