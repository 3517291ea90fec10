"""A sequential test: its order is fixed and kept, its answers are counted in it, and it stops when it is decided."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from promptops.errors import ConfigError, InvalidInput, RunStopped
from promptops.evaluation.columns import Columns
from promptops.evaluation.ordering import AT_FIRST, Order, arrange, in_order
from promptops.evaluation.sequential import Ask, Course
from promptops.evaluation.stopping import about_order
from promptops.messages import Completion
from promptops.rules import Policy, Rule
from promptops.runs.journal import Journal
from promptops.runs.replay import Progress
from promptops.samples import Pair, Sample
from promptops.samplesource import SampleSource
from promptops.sampling import SampleSet, survey

SEED = "sha256:old:sha256:new"
Make = Callable[[Iterable[dict[str, Any]]], SampleSet]


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"sample_id": f"s{number}", "inputs": {"message": f"message {number}"}, **more}


def talk(number: int, conversation: object, **more: Any) -> dict[str, Any]:
    return row(number, cluster={"conversation_id": f"c{conversation}"}, **more)


@pytest.fixture
def samples(tmp_path: Path) -> Make:
    def make(rows: Iterable[dict[str, Any]]) -> SampleSet:
        file = tmp_path / "samples.jsonl"
        file.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
        return survey(SampleSource(root=tmp_path, files=(file,)), lambda sample: None)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def ordered(
    found: SampleSet, folder: Path, *, most: int | None = None, asked: int = 0, seed: str = SEED
) -> Order:
    """Arrange the samples of a run, and answer the first of them."""
    answer = Completion(text="yes", finish_reason="stop", model="m")
    with Journal.open(folder, {"digests": {}}) as journal:
        order = arrange(found, seed=seed, journal=journal, folder=folder, most=most)
        for index, place in enumerate(order.places[:asked]):
            journal.append(Pair(index=index, sample_id=place.sample_id, baseline=answer, candidate=answer))
    return order


def ids(order: Order) -> list[str]:
    return [place.sample_id for place in order.places]


def test_the_order_follows_from_what_is_compared_and_from_nothing_else(samples: Make, tmp_path: Path) -> None:
    found = samples(row(number) for number in range(60))
    one = ids(ordered(found, tmp_path / "one"))
    backwards = samples(row(number) for number in reversed(range(60)))
    assert ids(ordered(backwards, tmp_path / "two")) == one
    assert ids(ordered(found, tmp_path / "three", seed="another candidate")) != one
    assert one != sorted(one)
    assert sorted(one) == sorted(f"s{number}" for number in range(60))


def test_conversations_stay_together_in_the_order_of_their_turns(samples: Make, folder: Path) -> None:
    order = ordered(samples(talk(number, number % 10) for number in range(40)), folder)
    units = [place.unit for place in order.places]
    assert [units[index] for index in range(0, 40, 4)] == list(dict.fromkeys(units))
    assert ids(order)[:4] == sorted(ids(order)[:4], key=lambda name: int(name[1:]))
    assert order.largest == 4
    assert [order.unit_ends(index) for index in range(5)] == [False, False, False, True, False]


def test_added_samples_follow_what_was_asked(samples: Make, folder: Path) -> None:
    begun = ordered(samples(row(number) for number in range(30)), folder, asked=12)
    grown = ordered(samples(row(number) for number in range(90)), folder)
    assert ids(grown)[:12] == ids(begun)[:12]
    assert len(ids(grown)) == 90
    assert ids(grown)[12:30] != ids(begun)[12:], "what was not asked is mixed with what came"


def test_an_answer_out_of_turn_keeps_all_before_it_in_their_places(samples: Make, folder: Path) -> None:
    begun = ordered(samples(row(number) for number in range(30)), folder)
    answer = Completion(text="yes", finish_reason="stop", model="m")
    with Journal.open(folder, {"digests": {}}) as journal:
        journal.append(Pair(index=20, sample_id=ids(begun)[20], baseline=answer, candidate=answer))
    assert ids(ordered(samples(row(number) for number in range(90)), folder))[:21] == ids(begun)[:21]


def test_a_sample_that_may_have_been_asked_can_not_go_or_change(samples: Make, folder: Path) -> None:
    begun = ordered(samples(row(number) for number in range(30)), folder, asked=12)
    gone, untouched = begun.places[3].sample_id, begun.places[20].sample_id
    with pytest.raises(InvalidInput, match=gone):
        ordered(samples(row(number) for number in range(30) if f"s{number}" != gone), folder)
    changed = [
        row(number, expected="another") if f"s{number}" == gone else row(number) for number in range(30)
    ]
    with pytest.raises(InvalidInput, match=f"{gone}; put them back to go on"):
        ordered(samples(changed), folder)
    rest = ordered(samples(row(number) for number in range(30) if f"s{number}" != untouched), folder)
    assert len(rest.places) == 29


def test_a_conversation_that_was_counted_takes_no_further_turns(samples: Make, folder: Path) -> None:
    begun = ordered(samples(talk(number, number % 10) for number in range(20)), folder, asked=5)
    counted = {place.unit for place in begun.places[:6]}
    grown = ordered(samples(talk(number, number % 10) for number in range(30)), folder)
    assert grown.late == len(counted) == 3
    assert grown.cut == 7, "the others are larger now than the bets allow for"
    assert len(grown.places) == 20


def test_a_later_conversation_is_cut_at_the_largest_of_the_beginning(samples: Make, folder: Path) -> None:
    ordered(samples(talk(number, number % 10) for number in range(20)), folder, asked=4)
    larger = [talk(number, number % 10) for number in range(20)] + [
        talk(number, "late") for number in range(20, 25)
    ]
    grown = ordered(samples(larger), folder)
    assert (grown.largest, grown.cut, len(grown.places)) == (2, 3, 22)


def test_weights_bound_a_unit(samples: Make, folder: Path) -> None:
    order = ordered(
        samples(talk(number, number % 10, inclusion_prob=0.1 if number % 2 else 0.5) for number in range(20)),
        folder,
    )
    assert order.largest == pytest.approx(20)


def test_the_end_that_was_declared_takes_whole_conversations(samples: Make, tmp_path: Path) -> None:
    found = samples(talk(number, number % 10) for number in range(40))
    order = ordered(found, tmp_path / "one", most=10)
    assert (len(order.places), order.open_end) == (8, False)
    with pytest.raises(ConfigError, match="one conversation has 4 samples, and max_samples is 3"):
        ordered(found, tmp_path / "two", most=3)
    assert ordered(found, tmp_path / "three", most=50).open_end
    assert not ordered(found, tmp_path / "four", most=40).open_end


def test_samples_are_streamed_in_their_order_with_all_that_belongs_to_them(
    samples: Make, folder: Path
) -> None:
    count = 3 * AT_FIRST
    found = samples(
        talk(number, number // 3, inclusion_prob=0.5 if number % 2 else 1.0) for number in range(count)
    )
    order = ordered(found, folder)
    whole, part = in_order(found, order), in_order(found, order, 30)
    assert [sample.sample_id for sample in whole.source] == ids(order)
    assert [sample.sample_id for sample in part.source] == ids(order)[:30]
    assert (whole.n, whole.units, part.n, part.units) == (count, count // 3, 30, 10)
    assert [round(1 / weight, 1) for weight in part.weights or ()] == [
        sample.inclusion_prob for sample in part.source
    ]
    assert part.clusters is not None
    assert len(set(part.clusters)) == 10
    assert part.unit_kinds == {"conversation": 30}


def test_samples_that_vanish_meanwhile_stop_the_run(samples: Make, folder: Path) -> None:
    found = samples(row(number) for number in range(20))
    whole = in_order(found, ordered(found, folder))
    samples(row(number) for number in range(10))
    with pytest.raises(RunStopped, match="run it again"):
        list(whole.source)


RULES = Policy(rules=(Rule(metric="right", kind="binary", value_range=(0.0, 1.0), margin=0.05),))
Shuffle = Callable[[list[tuple[int, Sample]]], list[tuple[int, Sample]]]
ORDERS: dict[str, Shuffle] = {
    "as asked": lambda asked: asked,
    "the last first": lambda asked: asked[::-1],
    "by chance": lambda asked: Random(3).sample(asked, len(asked)),
    "wrong answers last": lambda asked: sorted(asked, key=lambda one: number(one[1]) % 5 == 0),
}


def number(sample: Sample) -> int:
    return int(sample.sample_id.removeprefix("s"))


def wrong_fifth(columns: Columns, sample: Sample, pair: Pair) -> None:
    """Every fifth sample is answered wrongly by the candidate."""
    columns.put("right", pair.index, 1.0, float(number(sample) % 5 != 0))


def always_right(columns: Columns, sample: Sample, pair: Pair) -> None:
    columns.put("right", pair.index, 1.0, 1.0)


def asker(order: Shuffle, seen: list[int]) -> Ask:
    """Answers a whole window, and hands the answers over in an order of its own."""
    answer = Completion(text="yes", finish_reason="stop", model="m")

    async def ask(
        samples: Iterator[tuple[int, Sample]],
        *,
        finished: Callable[[Sample, Pair], None],
        total: int,
        on_progress: Callable[[Progress], None] | None,
    ) -> Progress:
        asked = list(samples)
        for index, sample in order(asked):
            seen.append(index)
            finished(sample, Pair(index=index, sample_id=sample.sample_id, baseline=answer, candidate=answer))
        progress = Progress(done=len(asked), total=total, calls=2 * len(asked))
        if on_progress is not None:
            on_progress(progress)
        return progress

    return ask


def course(
    found: SampleSet,
    folder: Path,
    measure: Callable[[Columns, Sample, Pair], None],
    *,
    anew: float = RULES.alpha,
) -> Course:
    """A run whose level is another one, `anew`, once somebody was asked."""
    order = ordered(found, folder)
    return Course(
        found,
        order,
        lambda asked: replace(RULES, alpha=anew) if asked else RULES,
        compared=True,
        measure=measure,
    )


@pytest.mark.parametrize("order", ORDERS)
def test_what_is_counted_does_not_depend_on_which_answer_comes_first(
    samples: Make, tmp_path: Path, order: str
) -> None:
    found = samples(talk(one, one // 2) for one in range(400))
    stops = []
    for name, shuffle in (("plain", ORDERS["as asked"]), ("other", ORDERS[order])):
        run, seen = course(found, tmp_path / name, wrong_fifth), []
        progress = asyncio.run(run.run(asker(shuffle, seen), at_once=4, on_progress=None))
        ending = run.end(RULES)
        assert ending.monitor.decided
        assert progress.done == len(seen) <= ending.samples.n + 16
        stops.append((ending.samples.n, ending.digest, ending.columns.by_name["right"].candidate.tolist()))
    assert stops[0] == stops[1]
    assert stops[0][0] < 100


def test_answers_drawn_anew_are_judged_at_their_level_before_the_run_ends(
    samples: Make, tmp_path: Path
) -> None:
    found = samples(row(one) for one in range(400))
    stops, said = [], []
    for anew in (0.05, 0.01):
        run = course(found, tmp_path / str(anew), always_right, anew=anew)
        asyncio.run(run.run(asker(ORDERS["as asked"], []), at_once=4, on_progress=said.append))
        ending = run.end(replace(RULES, alpha=anew))
        assert ending.monitor.decided
        stops.append(ending.samples.n)
    assert stops[0] == 103
    assert stops[1] > 130
    assert said[-1].done == said[-1].total < 400


def test_a_sample_that_changes_meanwhile_stops_the_run(samples: Make, folder: Path) -> None:
    run = course(samples(row(one) for one in range(20)), folder, always_right)
    samples(row(one, expected="another") for one in range(20))
    with pytest.raises(RunStopped, match="the samples changed while the test ran"):
        asyncio.run(run.run(asker(ORDERS["as asked"], []), at_once=4, on_progress=None))


def test_a_reader_is_told_what_was_left_out() -> None:
    order = Order(places=(), largest=2.0, late=3, cut=4)
    late, cut = about_order(order, slices=False)
    assert late.startswith("3 samples belong to conversations that were counted before they came")
    assert cut.startswith("4 samples of conversations larger than any at the beginning")
    assert len(about_order(order, slices=True)) == 3
