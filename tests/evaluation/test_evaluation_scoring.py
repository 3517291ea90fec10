"""Where a run's answers are scored: the same scores wherever it is, bounded, and never a hung run."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import InvalidFile, RunStopped
from promptops.evaluation import scoring as limits
from promptops.evaluation.measuring import Measuring, measuring, movable
from promptops.evaluation.scoring import Measured, Placed
from promptops.messages import Answer, Completion, Failure, Request
from promptops.prompts.model import ScorerSpec
from promptops.prompts.parse import parse_prompt
from promptops.runs.replay import Arm, Arms, replay
from promptops.runs.retrying import Tally
from promptops.samples import Pair, Sample, Score
from promptops.scorers.build import Recipe

CODE = """
import os, time

def length(output, sample): return min(len(output), 100), output
def who(output, sample): return 1.0, str(os.getpid())
def ends(output, sample): os._exit(1)
def slow(output, sample):
    time.sleep(0.01)
    return True
"""
PROMPT = """\
model: bot/small
messages: [{role: user, content: "{{ message }}"}]
scorers:
  short: {equals: "a"}
  length: {python: "po_scored:length", range: [0, 10]}
"""
BACKTRACKS = "a" * 40 + "b"


def sample(index: int) -> Sample:
    return Sample(sample_id=f"s{index}", inputs={"message": f"message {index}"})


def answer(text: str) -> Completion:
    return Completion(text=text, finish_reason="stop", model="m")


def pair(index: int, *texts: str | None) -> Pair:
    first, second = (
        Failure(kind="timeout.total", message="late") if text is None else answer(text) for text in texts
    )
    return Pair(index=index, sample_id=f"s{index}", baseline=first, candidate=second)


Make = Callable[..., Mapping[str, Placed]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    (tmp_path / "po_scored.py").write_text(CODE)

    def make(**written: dict[str, Any]) -> Mapping[str, Placed]:
        prompt = parse_prompt(
            PROMPT, path="prompts/x.prompt.yaml", read_partial=lambda _: None, root="prompts"
        )
        made = {}
        for name, words in written.items():
            spec = ScorerSpec.model_validate(words)
            recipe = Recipe(name=name, spec=spec, response_format=None, root=tmp_path, template="jinja2")
            made[name] = Placed(scorer=recipe.build(), recipe=recipe, prompt=prompt)
        return made

    return make


PYTHON = {"python": "po_scored:length", "range": [0, 100]}


async def scored(run: Measuring, pairs: list[Pair]) -> dict[int, Any]:
    found: dict[int, Any] = {}

    def finished(sample: Sample, pair: Pair) -> None:
        found[pair.index] = run.scores(pair)

    for one in pairs:
        run.take(sample(one.index), one, finished)
    await run.settle()
    return found


def all_scores(scorers: Mapping[str, Placed], pairs: list[Pair], **options: Any) -> dict[int, Any]:
    async def go() -> dict[int, Any]:
        with measuring(scorers, **{"limit": 5, "most": 4, **options}) as run:
            return await scored(run, pairs)

    return asyncio.run(go())


def test_scores_do_not_depend_on_where_and_in_which_order_they_are_made(make: Make) -> None:
    pairs = [pair(index, "a" * index, None if index % 5 == 0 else f"b{index}") for index in range(40)]
    scorers = make(length=PYTHON, short={"equals": "aa"}, pattern={"regex": "^a+$"})
    found = all_scores(scorers, pairs)
    assert sorted(found) == list(range(40))
    for one in pairs:
        for text, scores in zip((one.baseline, one.candidate), found[one.index], strict=True):
            assert list(scores) == ["length", "short", "pattern"]
            if isinstance(text, Completion):
                here = {name: scorer.score(sample(one.index), text) for name, scorer in scorers.items()}
                assert scores == here
            else:
                assert {score.reason for score in scores.values()} == {"not answered"}


def test_cheap_scorers_start_no_process(make: Make) -> None:
    before = threading.active_count()
    scorers = make(short={"equals": "a"}, pattern={"regex": "^a+$"}, words={"length": {"max": 3}})
    pairs = [pair(index, "a", "b c d e") for index in range(50)]

    async def go() -> None:
        with measuring(scorers, limit=5, most=4) as run:
            await scored(run, pairs)
            assert threading.active_count() == before

    asyncio.run(go())


def test_a_function_of_somebodys_own_runs_in_a_process_of_its_own(make: Make) -> None:
    found = all_scores(make(who={"python": "po_scored:who"}), [pair(0, "a", "b")])
    assert {score["who"].reason for score in found[0]}.isdisjoint({str(os.getpid())})


def test_a_pattern_without_end_is_given_up_after_the_limit(make: Make) -> None:
    pairs = [pair(0, "aaa", BACKTRACKS), pair(1, "aaa", "bbb")]
    found = all_scores(make(pattern={"regex": "(a+)+$"}), pairs, limit=0.3)
    assert [one["pattern"].value for one in found[0]] == [1.0, None]
    assert found[0][1]["pattern"].reason == "the scorer took more than 0.3 s"
    assert [one["pattern"].value for one in found[1]] == [1.0, 0.0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A scorer that needs processor time, and tells where it was asked."""

    seconds: float
    value_range: tuple[float, float] = (0.0, 1.0)
    binary: bool = True

    def score(self, sample: Sample, completion: Completion) -> Score:
        until = time.thread_time() + self.seconds
        while time.thread_time() < until:
            pass
        return Score(value=1.0, reason="here")


@pytest.mark.parametrize(("seconds", "moves"), [(0.0, False), (3 * limits.HEAVY, True)])
def test_a_scorer_moves_once_its_answers_take_long(make: Make, seconds: float, moves: bool) -> None:
    made = make(short={"equals": "a"})
    scorers = {"short": replace(made["short"], scorer=Busy(seconds=seconds))}
    with movable(scorers, limit=5) as (found, _):
        said = [found["short"].score(sample(0), answer("b")).reason for _ in range(limits.LOOKED_AT + 1)]
    assert set(said[: limits.LOOKED_AT]) == {"here"}
    assert said[-1] == ("expected 'a', got 'b'" if moves else "here")


def test_pairs_that_wait_for_scores_are_bounded(make: Make) -> None:
    most = 4

    async def go() -> int:
        with measuring(make(slow={"python": "po_scored:slow"}), limit=5, most=most) as run:
            waiting = 0

            def finished(sample: Sample, pair: Pair) -> None:
                nonlocal waiting
                waiting -= 1
                run.scores(pair)

            peak = 0
            for index in range(30):
                waiting += 1
                run.take(sample(index), pair(index, "a", "b"), finished)
                peak = max(peak, waiting)
            await run.settle()
            assert waiting == 0
            return peak

    assert asyncio.run(go()) < 2 * most


class Asked:
    """Answers at once, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    async def answer(self, request: Request, tally: Tally) -> Answer:
        self.calls += 1
        await asyncio.sleep(0)
        return answer("a")


def test_nothing_is_asked_while_many_pairs_wait_for_their_scores(make: Make) -> None:
    most, asks, peak, done = 4, Asked(), 0, 0

    async def go() -> None:
        with measuring(make(slow={"python": "po_scored:slow"}), limit=5, most=most) as run:

            def scored(sample: Sample, pair: Pair) -> None:
                nonlocal done
                done += 1
                run.scores(pair)

            def finished(sample: Sample, pair: Pair) -> None:
                nonlocal peak
                run.take(sample, pair, scored)
                peak = max(peak, asks.calls // 2 - done)

            one = Arm(
                render=lambda sample: Request(model="m", messages=()), asks=run.held(asks), kind="python"
            )
            await replay(
                ((index, sample(index)) for index in range(40)),
                ask=Arms(baseline=one, candidate=one),
                finished=finished,
                at_once=most,
            )
            await run.settle()

    asyncio.run(go())
    assert asks.calls == 80
    assert done == 40
    assert peak <= 2 * most


def test_a_scorer_that_only_ends_its_process_stops_the_run_and_not_the_program(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptops.scorers.workers.LOST_IN_A_ROW", 2)
    pairs = [pair(index, "a", "b") for index in range(20)]
    with pytest.raises(RunStopped, match="scorer 'ends' gave no score 2 times in a row"):
        all_scores(make(ends={"python": "po_scored:ends"}), pairs)


def test_a_value_outside_of_the_range_is_said_where_the_range_is_written(make: Make) -> None:
    scorers = make(length={"python": "po_scored:length", "range": [0, 10]})
    with pytest.raises(InvalidFile, match=r"x\.prompt\.yaml:5:3: scorers\.length: sample s0: .* 20, outside"):
        all_scores(scorers, [pair(0, "a", "a" * 20)])


def test_a_run_that_is_cancelled_while_it_waits_ends_at_once(make: Make, tmp_path: Path) -> None:
    scorers = make(slow={"python": "po_scored:slow"})
    (tmp_path / "po_scored.py").write_text("def slow(output, sample):\n    while True: pass\n")

    async def take(run: Measuring) -> None:
        for index in range(10):
            run.take(sample(index), pair(index, "a", "b"), lambda sample, pair: None)

    async def go() -> None:
        with measuring(scorers, limit=600, most=1) as run:
            task = asyncio.current_task()
            assert task is not None
            # As Ctrl-C does: from outside, while the loop itself is held up.
            threading.Timer(0.2, task.cancel).start()
            await asyncio.gather(take(run))

    begun = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(go())
    assert time.monotonic() - begun < 60


def test_a_scorer_says_its_scale_wherever_it_runs(make: Make) -> None:
    with movable(make(length=PYTHON), limit=5) as (found, _):
        one = found["length"]
        assert isinstance(one, Measured)
        assert (one.value_range, one.binary) == ((0.0, 100.0), False)
        assert one.score(sample(0), answer("abc")) == Score(value=3.0, reason="abc")
