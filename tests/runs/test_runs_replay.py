"""A replay: what is asked, what is not asked again, and what comes out of it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import IntegrityError, RunStopped
from promptops.messages import Answer, Completion, Failure, Lost, Message, Request, ToolCall, Usage
from promptops.runs.cache import Cache
from promptops.runs.journal import Journal
from promptops.runs.recorded import NO_BASELINE, recorded_answer
from promptops.runs.replay import Arm, Arms, Progress, replay
from promptops.runs.retrying import Tally
from promptops.runs.spending import Spending
from promptops.samples import Pair, Sample

HEADER: dict[str, Any] = {"digests": {}}
NOW = 1_000_000.0


class Echo:
    """Answers with the question and the number of the call; `fail` says which questions get no answer."""

    def __init__(self, *, fail: Any = lambda word: False) -> None:
        self.asked: list[str] = []
        self.fail = fail

    async def answer(self, request: Request, tally: Tally) -> Answer:
        word = str(request.messages[-1].content)
        self.asked.append(word)
        number = len(self.asked)
        await asyncio.sleep(0)
        if self.fail(word):
            return Failure(kind="timeout", message="slow", attempts=2)
        text = f"{word} #{number}"
        return Completion(text=text, finish_reason="stop", model="m", cost=0.5, seconds=0.1)


def arm(asks: Any, name: str = "new") -> Arm:
    def render(sample: Sample) -> Request:
        return Request(model="m", messages=(Message(role="user", content=f"{name} {sample.inputs['word']}"),))

    return Arm(render=render, asks=asks, kind="fake")


def arms(asks: Any, *, same: bool = False) -> Arms:
    return Arms(baseline=arm(asks, "new" if same else "old"), candidate=arm(asks))


def run(samples: Any, ask: Arms, **more: Any) -> tuple[list[Pair], Progress]:
    pairs: list[Pair] = []
    options = {"now": lambda: NOW, "at_once": 4, **more}
    progress = asyncio.run(
        replay(samples, ask=ask, finished=lambda sample, pair: pairs.append(pair), **options)
    )
    return sorted(pairs, key=lambda pair: pair.index), progress


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache.open(tmp_path / "cache.db") as opened:
        yield opened


def test_every_sample_is_answered_by_both(samples) -> None:
    echo = Echo()
    pairs, progress = run(samples(20), arms(echo), total=20)
    assert [(pair.index, pair.sample_id) for pair in pairs] == [(n, f"smp_{n:04}") for n in range(20)]
    assert all(pair.baseline.text.startswith(f"old w{pair.index} #") for pair in pairs)
    assert all(pair.candidate.text.startswith(f"new w{pair.index} #") for pair in pairs)
    assert progress == Progress(done=20, total=20, calls=40, spent=20.0)


def test_who_is_asked_first_is_a_coin_that_always_falls_the_same_way(samples) -> None:
    def first(seed: int, at_once: int) -> dict[str, str]:
        echo = Echo()
        run(samples(200), arms(echo), seed=seed, at_once=at_once)
        first: dict[str, str] = {}
        for version, word in map(str.split, echo.asked):
            first.setdefault(word, version)
        return first

    alone = first(7, 1)
    assert alone == first(7, 50)
    assert alone != first(8, 1)
    assert 70 < sum(version == "old" for version in alone.values()) < 130


def test_progress_is_told_after_every_pair(samples) -> None:
    told: list[Progress] = []
    run(samples(3), arms(Echo(fail=lambda word: word == "new w1")), on_progress=told.append)
    assert [progress.done for progress in told] == [1, 2, 3]
    assert (told[-1].calls, told[-1].failures, told[-1].spent) == (7, 1, 2.5)


def test_a_resumed_run_asks_only_what_is_not_there(samples, tmp_path) -> None:
    with Journal.open(tmp_path / "run", HEADER) as journal:
        first, _ = run(samples(10), arms(Echo()), journal=journal)
    with Journal.open(tmp_path / "run", HEADER) as journal:
        echo = Echo()
        both, progress = run(samples(12), arms(echo), journal=journal)
    assert both[:10] == first
    assert sorted(echo.asked) == ["new w10", "new w11", "old w10", "old w11"]
    assert progress == Progress(done=12, calls=4, spent=2.0)


def test_a_failure_is_asked_again_by_the_next_run(samples, tmp_path) -> None:
    with Journal.open(tmp_path / "run", HEADER) as journal:
        failed, progress = run(samples(5), arms(Echo(fail=lambda word: word == "new w3")), journal=journal)
    assert failed[3].candidate == Failure(kind="timeout", message="slow", attempts=2)
    assert (progress.failures, progress.calls) == (1, 11)
    echo = Echo()
    with Journal.open(tmp_path / "run", HEADER) as journal:
        pairs, _ = run(samples(5), arms(echo), journal=journal)
        assert journal.read(3) == pairs[3]
    assert echo.asked == ["new w3"]
    assert pairs[3].candidate.text.startswith("new w3")
    assert pairs[3].baseline == failed[3].baseline


def halfway(folder: Path, samples: Any, *, now: float) -> list[str]:
    """A run that ends when each pair has one answer; return what was asked."""

    class Ending(Echo):
        async def answer(self, request: Request, tally: Tally) -> Answer:
            if len(self.asked) == 1:
                raise RunStopped("killed")
            return await super().answer(request, tally)

    echo = Ending()
    with Journal.open(folder, HEADER) as journal, pytest.raises(RunStopped):
        run(samples, arms(echo), journal=journal, at_once=1, now=lambda: now)
    return echo.asked


def test_half_a_pair_is_asked_for_its_other_half_only_and_counts_as_asked_in_this_run(
    samples, tmp_path
) -> None:
    first = halfway(tmp_path / "run", samples(1), now=NOW)
    echo = Echo()
    with Journal.open(tmp_path / "run", HEADER) as journal:
        assert 0 in journal
        assert not journal.complete(0)
        pairs, progress = run(samples(1), arms(echo), journal=journal)
        assert (journal.complete(0), journal.halves(0)) == (True, ())
    assert sorted([*first, *echo.asked]) == ["new w0", "old w0"]
    assert not pairs[0].baseline.cached
    assert not pairs[0].candidate.cached
    assert progress == Progress(done=1, calls=1, spent=0.5)


def test_half_a_pair_of_days_ago_is_asked_again(samples, tmp_path) -> None:
    halfway(tmp_path / "run", samples(1), now=NOW - 90_000)
    echo = Echo()
    with Journal.open(tmp_path / "run", HEADER) as journal:
        run(samples(1), arms(echo), journal=journal)
    assert sorted(echo.asked) == ["new w0", "old w0"]


def test_half_a_pair_of_another_sample_is_noticed(samples, tmp_path) -> None:
    halfway(tmp_path / "run", samples(1), now=NOW)
    others = [(0, samples(1)[0][1].model_copy(update={"sample_id": "smp_x"}))]
    with (
        Journal.open(tmp_path / "run", HEADER) as journal,
        pytest.raises(IntegrityError, match="sample 0 is smp_0000 in the journal and smp_x here"),
    ):
        run(others, arms(Echo()), journal=journal)


def test_a_clock_that_jumps_changes_no_duration(samples, tmp_path) -> None:
    jumps = iter([5e9, 0.0, 9e9, 1.0, *[3e9] * 50])
    with Journal.open(tmp_path / "run", HEADER) as journal:
        pairs, _ = run(samples(3), arms(Echo()), journal=journal, now=lambda: next(jumps))
    assert {answer.seconds for pair in pairs for answer in (pair.baseline, pair.candidate)} == {0.1}


def test_a_journal_of_other_samples_is_noticed(samples, tmp_path) -> None:
    with Journal.open(tmp_path / "run", HEADER) as journal:
        run(samples(2), arms(Echo()), journal=journal)
        others = [(index, sample.model_copy(update={"sample_id": "smp_x"})) for index, sample in samples(2)]
        with pytest.raises(IntegrityError, match="sample 0 is smp_0000 in the journal and smp_x here"):
            run(others, arms(Echo()), journal=journal, at_once=1)


def test_what_was_paid_for_is_not_asked_again(samples, cache) -> None:
    first, _ = run(samples(5), arms(Echo()), cache=cache)
    echo = Echo()
    again, progress = run(samples(5), arms(echo), cache=cache)
    assert echo.asked == []
    assert [pair.candidate for pair in again] == [replace(pair.candidate, cached=True) for pair in first]
    assert not any(pair.baseline.cached for pair in first)
    assert progress == Progress(done=5, cached=10)


def test_failures_are_not_cached(samples, cache) -> None:
    run(samples(2), arms(Echo(fail=lambda word: True)), cache=cache)
    assert cache.stats().answers == 0


@pytest.mark.parametrize(
    ("baseline_age", "candidate_age", "asked"),
    [
        (50, 50, []),
        (50, None, ["new"]),
        (150, None, ["new", "old"]),
        (1000, 950, []),
        (1000, 10, ["old"]),
        (1000, 890, ["new", "old"]),
        (-1000, None, ["new", "old"]),
    ],
)
def test_an_old_answer_never_stands_beside_a_fresh_one(
    samples, cache, baseline_age, candidate_age, asked
) -> None:
    for side, age in (("old", baseline_age), ("new", candidate_age)):
        if age is not None:
            only = Arms(baseline=None, candidate=arm(Echo(), side))
            run(samples(1), only, cache=cache, now=lambda age=age: NOW - age)
    echo = Echo()
    run(samples(1), arms(echo), cache=cache, cache_max_age=100.0)
    assert sorted(word.split()[0] for word in echo.asked) == asked


def test_the_same_prompt_against_itself_draws_two_answers(samples, cache) -> None:
    for expected in (10, 0):
        echo = Echo()
        pairs, _ = run(samples(5), arms(echo, same=True), cache=cache)
        assert len(echo.asked) == expected
        assert all(pair.baseline.text != pair.candidate.text for pair in pairs)


def test_samples_that_ask_the_same_draw_an_answer_each(cache) -> None:
    twins = [(index, Sample(sample_id=f"smp_{index}", inputs={"word": "same"})) for index in range(3)]
    number = {sample.sample_id: index for index, sample in twins}
    for expected in (6, 0):
        echo = Echo()
        pairs, _ = run(
            twins, arms(echo, same=True), cache=cache, occurrence=lambda sample: number[sample.sample_id]
        )
        assert len(echo.asked) == expected
        assert len({answer.text for pair in pairs for answer in (pair.baseline, pair.candidate)}) == 6


def test_a_sample_that_is_asked_repeatedly_draws_an_answer_each_time_and_the_first_stay_the_first(
    cache,
) -> None:
    again = [(index, Sample(sample_id="smp_0", inputs={"word": "same"})) for index in range(3)]
    first, _ = run(again[:1], arms(Echo()), cache=cache, earlier=lambda index: index)
    echo = Echo()
    pairs, progress = run(again, arms(echo), cache=cache, earlier=lambda index: index)
    assert (len(echo.asked), progress.cached) == (4, 2)
    assert pairs[0].candidate.text == first[0].candidate.text
    echo = Echo()
    pairs, _ = run(again, arms(echo), cache=cache, earlier=lambda index: index)
    assert (len(echo.asked), [pair.index for pair in pairs]) == (0, [0, 1, 2])


def test_only_recorded_answers_are_used_when_told_so_and_a_missing_one_is_named(samples, cache) -> None:
    run(samples(3), arms(Echo()), cache=cache, now=lambda: 0.0)
    echo = Echo()
    pairs, progress = run(samples(3), arms(echo), cache=cache, only_cached=True)
    assert (len(pairs), progress.cached) == (3, 6)
    with pytest.raises(
        RunStopped, match="sample smp_0003: the baseline's answer is not among the recorded ones"
    ):
        run(samples(4), arms(echo), cache=cache, only_cached=True)
    with pytest.raises(RunStopped, match="smp_0000"):
        run(samples(1), arms(echo), only_cached=True)
    assert echo.asked == []


def test_imported_answers_are_counted_and_stay_marked(samples, cache, tmp_path) -> None:
    run(samples(3), arms(Echo()), cache=cache)
    cache.export(tmp_path / "e.jsonl")
    with Cache.open(tmp_path / "other.db") as other:
        other.import_(tmp_path / "e.jsonl")
        with Journal.open(tmp_path / "run", HEADER) as journal:
            pairs, progress = run(samples(3), arms(Echo()), cache=other, journal=journal)
    assert progress.imported == 6
    assert all(pair.baseline.imported and pair.candidate.imported for pair in pairs)
    with Journal.open(tmp_path / "run", HEADER) as journal:
        assert run(samples(3), arms(Echo()), journal=journal)[0] == pairs


def test_a_first_release_has_no_baseline(samples, tmp_path) -> None:
    with Journal.open(tmp_path / "run", HEADER) as journal:
        for expected in (2, 0):
            echo = Echo()
            pairs, progress = run(samples(2), Arms(baseline=None, candidate=arm(echo)), journal=journal)
            assert len(echo.asked) == expected
            assert all(pair.baseline == NO_BASELINE for pair in pairs)
            assert progress.failures == 0


def test_what_production_answered_may_be_the_baseline() -> None:
    sample = Sample.model_validate(
        {
            "sample_id": "smp_1",
            "inputs": {"word": "x"},
            "output": {
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                "finish_reason": "stop",
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                    {"name": "go", "arguments": {"b": 1, "a": 2}},
                ],
            },
            "model": {"request": "m", "response": "m-2026"},
            "usage": {"input_tokens": 5, "output_tokens": None, "more": 1},
            "latency_ms": 1500,
            "cost_usd": 0.25,
        }
    )
    pairs, progress = run([(0, sample)], Arms(baseline="recorded", candidate=arm(Echo())))
    assert pairs[0].baseline == Completion(
        text="ab",
        finish_reason="stop",
        model="m-2026",
        tool_calls=(
            ToolCall(id="1", name="look", arguments="{}"),
            ToolCall(id="", name="go", arguments='{"a": 2, "b": 1}'),
        ),
        usage=Usage(input_tokens=5),
        seconds=1.5,
        cost=0.25,
        cached=True,
    )
    assert (progress.calls, progress.spent) == (1, 0.5)


def test_a_sample_without_an_output_is_a_failure_that_is_final() -> None:
    bare = Sample(inputs={"word": "x"})
    assert recorded_answer(bare) == Failure(
        kind="unrecorded", message="the sample holds no recorded output", attempts=0
    )
    empty = Sample.model_validate({"inputs": {}, "output": {"content": ""}})
    assert recorded_answer(empty).text == ""
    assert recorded_answer(empty).finish_reason == "unknown"


def test_a_stop_keeps_what_is_finished_and_what_was_paid_for(samples, cache, tmp_path) -> None:
    class Stopping(Echo):
        async def answer(self, request: Request, tally: Tally) -> Answer:
            if str(request.messages[-1].content) == "new w5":
                raise RunStopped("the model is down")
            return await super().answer(request, tally)

    stopping = Stopping()
    with Journal.open(tmp_path / "run", HEADER) as journal:
        with pytest.raises(RunStopped, match="down"):
            run(samples(50), arms(stopping), cache=cache, journal=journal)
        kept = sum(journal.complete(index) for index in range(50))
        assert kept >= 5
        assert not journal.complete(5)
        assert cache.stats().answers == len(stopping.asked)
        echo = Echo()
        pairs, _ = run(samples(50), arms(echo), cache=cache, journal=journal)
    assert len(pairs) == 50
    assert len(echo.asked) + len(stopping.asked) == 100


class Costly(Echo):
    """Is asked in vain: one arm ends the run at its second attempt, the other is cut off by that."""

    async def answer(self, request: Request, tally: Tally) -> Answer:
        tally.attempts += 1
        if str(request.messages[-1].content).startswith("new"):
            tally.attempts += 1
            tally.lost += Lost(usd=0.25)
            await asyncio.sleep(0)
            raise ZeroDivisionError
        try:
            await asyncio.Event().wait()
        finally:
            tally.lost += Lost(unknown=1)
        raise AssertionError


def test_what_was_asked_in_vain_when_the_run_ended_is_in_its_ledger(samples, tmp_path) -> None:
    told, read = Spending(), Spending()
    with (
        Journal.open(tmp_path / "run", HEADER, told=told.add) as journal,
        pytest.raises(ZeroDivisionError),
    ):
        run(samples(1), arms(Costly()), journal=journal)
    with Journal.open(tmp_path / "run", HEADER, told=read.add) as journal:
        assert journal.halves(0) == ()
        assert 0 not in journal
        assert read.accounts == told.accounts
        assert (read.calls, read.failures, read.usd, read.lost.unpriced) == (3, 2, 0.25, 1)
        run(samples(1), arms(Echo()), journal=journal)
        assert (read.calls, read.failures, read.usd, read.lost.unpriced) == (5, 0, 1.25, 1)


def test_a_failure_beside_a_call_that_ends_the_run_is_in_its_ledger(samples, tmp_path) -> None:
    class Half(Echo):
        async def answer(self, request: Request, tally: Tally) -> Answer:
            if str(request.messages[-1].content).startswith("new"):
                for _ in range(9):
                    await asyncio.sleep(0)
                raise RunStopped("wrong key")
            return Failure(kind="malformed", message="no JSON", attempts=4, lost=Lost(usd=0.5))

    told = Spending()
    with Journal.open(tmp_path / "run", HEADER, told=told.add) as journal, pytest.raises(RunStopped):
        run(samples(1), arms(Half()), journal=journal)
    assert (told.calls, told.failures, told.usd) == (4, 1, 0.5)


def test_samples_are_read_only_as_far_as_needed(samples) -> None:
    read: list[int] = []
    enough = asyncio.Event()

    def until_enough() -> Iterator[tuple[int, Sample]]:
        for index, sample in samples(10_000):
            if enough.is_set():
                return
            read.append(index)
            yield index, sample

    def finished(sample: Sample, pair: Pair) -> None:
        if pair.index == 20:
            enough.set()

    asyncio.run(replay(until_enough(), ask=arms(Echo()), finished=finished, at_once=8))
    assert len(read) < 40


def test_any_concurrency_gives_the_same_pairs(samples) -> None:
    class Pure:
        async def answer(self, request: Request, tally: Tally) -> Answer:
            text = hashlib.sha256(str(request.messages).encode()).hexdigest()
            for _ in range(int(text[0], 16)):
                await asyncio.sleep(0)
            return Completion(text=text, finish_reason="stop", model="m")

    assert run(samples(300), arms(Pure()), at_once=1) == run(samples(300), arms(Pure()), at_once=256)


class Served(Echo):
    """Echo by the model of the day; `first` answers the first calls, `model` the others."""

    def __init__(self, model: str, *, first: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.models, self.model = list(first), model

    async def answer(self, request: Request, tally: Tally) -> Answer:
        model = self.models.pop(0) if self.models else self.model
        answer = await super().answer(request, tally)
        assert isinstance(answer, Completion)
        return replace(answer, model=model)


def models(pairs: list[Pair]) -> set[tuple[str, str]]:
    return {(pair.baseline.model, pair.candidate.model) for pair in pairs}


def test_a_cached_answer_of_another_model_than_the_fresh_one_is_asked_again(samples, cache, tmp_path) -> None:
    run(samples(6), Arms(baseline=arm(Served("a"), "old"), candidate=arm(Served("a"), "before")), cache=cache)
    served = Served("b")
    with Journal.open(tmp_path / "run", HEADER) as journal:
        pairs, progress = run(samples(6), arms(served), cache=cache, journal=journal)
        assert [journal.read(pair.index) for pair in pairs] == pairs
    assert models(pairs) == {("b", "b")}
    assert (progress.calls, progress.cached, len(served.asked)) == (12, 0, 12)
    third, _ = run(samples(6), arms(Served("c")), cache=cache)
    assert [pair.baseline.text for pair in third] == [pair.baseline.text for pair in pairs]


def test_an_a_a_test_is_of_one_model_too(samples, cache) -> None:
    run(samples(6), Arms(baseline=None, candidate=arm(Served("a"))), cache=cache)
    pairs, progress = run(samples(6), arms(Served("b"), same=True), cache=cache)
    assert models(pairs) == {("b", "b")}
    assert progress.calls == 12
    assert all(pair.baseline.text != pair.candidate.text for pair in pairs)


def test_of_two_cached_answers_by_two_models_the_later_one_stands_if_its_model_still_answers(
    samples, cache
) -> None:
    def keep(name: str, model: str, now: float) -> None:
        run(
            samples(4),
            Arms(baseline=None, candidate=arm(Served(model), name)),
            cache=cache,
            now=lambda: now,
        )

    keep("old", "a", NOW - 5000)
    keep("new", "b", NOW - 1000)
    served = Served("b")
    pairs, _ = run(samples(4), arms(served), cache=cache)
    assert (models(pairs), len(served.asked)) == ({("b", "b")}, 4)


def test_recorded_answers_stand_whatever_answered_because_nobody_may_be_asked(samples, cache) -> None:
    run(samples(2), Arms(baseline=arm(Served("a"), "old"), candidate=arm(Served("b"))), cache=cache)
    pairs, _ = run(samples(2), arms(Served("c")), cache=cache, only_cached=True)
    assert models(pairs) == {("a", "b")}


def test_who_asks_for_two_models_is_answered_by_two(samples, cache) -> None:
    run(samples(3), Arms(baseline=arm(Served("a"), "old"), candidate=arm(Served("x"), "other")), cache=cache)
    elsewhere = replace(arm(Served("b")), base_url="elsewhere")
    pairs, progress = run(
        samples(3), Arms(baseline=arm(Served("a"), "old"), candidate=elsewhere), cache=cache
    )
    assert (models(pairs), progress.cached) == ({("a", "b")}, 3)


def test_a_half_that_another_model_gave_is_asked_again(samples, tmp_path) -> None:
    halfway(tmp_path / "run", samples(1), now=NOW)
    with Journal.open(tmp_path / "run", HEADER) as journal:
        pairs, progress = run(samples(1), arms(Served("n")), journal=journal)
        assert (journal.complete(0), journal.halves(0)) == (True, ())
    assert (models(pairs), progress.calls) == ({("n", "n")}, 2)


def test_pairs_of_two_models_are_asked_again_by_a_run_that_they_ended(samples, cache, tmp_path) -> None:
    with Journal.open(tmp_path / "run", HEADER) as journal:
        options: dict[str, Any] = {"journal": journal, "cache": cache, "at_once": 1}
        first, _ = run(samples(3), arms(Served("b", first=("a",))), **options)
        assert len(models(first)) == 2
        same, progress = run(samples(3), arms(Served("b")), **options)
        assert (same, progress.calls) == (first, 0), "a mixture alone is no reason"
        served = Served("b")
        pairs, _ = run(samples(3), arms(served), mixed_again=True, **options)
    assert (models(pairs), len(served.asked)) == ({("b", "b")}, 1)
