"""An open verdict ends with the cheapest honest way on, and a person's decision comes last."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.nextsteps import NextStep, Open, Situation, next_steps

FEW = Situation(
    prompt="support",
    verdict="inconclusive",
    samples=100,
    usd_a_call=0.01,
    open=(Open(metric="queue", reason="not_shown", needed=467, expected=560),),
)


def texts(now: Situation) -> list[str]:
    return [step.text for step in next_steps(now)]


def test_more_samples_are_counted_with_their_calls_and_their_money() -> None:
    more, sequential, person = next_steps(FEW)
    assert more.text == "add about 367 samples, 467 in all, and test again"
    assert (more.calls, more.usd) == (734, pytest.approx(7.34))
    assert more.command == "promptops import FILE --prompt support"
    assert sequential.command == "promptops test support --sequential"
    assert (sequential.calls, sequential.usd) == (920, pytest.approx(9.2))
    assert "about 560 samples in all" in sequential.text
    assert person.command == 'promptops promote support --accept -m "why"'


def test_a_price_that_nobody_knows_is_not_free() -> None:
    more, *_ = next_steps(replace(FEW, usd_a_call=None))
    assert (more.calls, more.usd) == (734, None)


def test_the_hungriest_question_sets_the_number() -> None:
    two = (*FEW.open, Open(metric="tone", needed=900, expected=1000))
    assert texts(replace(FEW, open=two))[0] == "add about 800 samples, 900 in all, and test again"
    hopeless = (*FEW.open, Open(metric="tone", needed=None))
    assert texts(replace(FEW, open=hopeless)) == ["a person decides, visibly for ever"]


def test_what_was_not_answered_is_asked_first_where_it_is_cheapest() -> None:
    first, *_ = next_steps(replace(FEW, unanswered=7))
    assert (first.command, first.calls, first.usd) == ("promptops test support", 7, pytest.approx(0.07))


def test_missing_answers_are_no_lack_of_samples() -> None:
    missing = (Open(metric="queue", reason="missing", needed=467),)
    first, last = next_steps(replace(FEW, unanswered=30, open=missing))
    assert first.command == "promptops test support"
    assert "--accept" in last.command


def test_where_nothing_says_what_is_right_no_sample_helps() -> None:
    scorer, person = next_steps(replace(FEW, silent=True))
    assert scorer.text.startswith("declare a scorer")
    assert "--accept" in person.command
    path, _ = next_steps(replace(FEW, blind=("queue",)))
    assert path.text == "see why queue is at its worst everywhere: its path, or what it expects"


def test_a_scorer_that_fails_is_looked_at() -> None:
    assert texts(replace(FEW, unscored=("tone",)))[0] == "see why tone could not score every answer"


def test_what_fell_beyond_its_margin_is_mended_rather_than_asked_again() -> None:
    worse = (Open(metric="queue", needed=467, worse=True), Open(metric="tone", needed=200))
    mend, person = next_steps(replace(FEW, open=worse))
    assert mend.text == "mend queue first: more samples are likelier to confirm a regression"
    assert mend.command == "promptops try support --failed"
    assert "--accept" in person.command


def test_what_must_improve_and_did_not_needs_another_prompt() -> None:
    first, last = next_steps(replace(FEW, open=(Open(metric="queue", idle=True),)))
    assert first.text == "change the prompt: queue must improve, and did not"
    assert first.command == "promptops try support"
    assert "--accept" in last.command


def test_repeats_are_offered_where_they_would_be_enough() -> None:
    repeated = (Open(metric="queue", needed=467, repeats=3),)
    one, two, _ = next_steps(replace(FEW, open=repeated))
    assert two.text.startswith("add about 367 samples")
    assert (one.command, one.calls) == ("promptops test support --repeats 3", 400)
    assert len(next_steps(replace(FEW, repeats=3, open=repeated))) == 2, "three were asked already"


def test_a_sequential_test_is_continued() -> None:
    steps = next_steps(replace(FEW, sequential=True, open=(Open(metric="queue", expected=560),)))
    assert steps[0].text.startswith("add samples and continue this test: about 460 more")
    assert steps[0].calls == 920
    assert [step.command for step in steps[1:]] == [
        'promptops promote support --sequential --accept -m "why"'
    ]


def test_a_sequential_test_of_which_nobody_knows_when_it_stops_is_continued_all_the_same() -> None:
    waiting = Open(metric="latency", reason="decided_at_the_end")
    step, _ = next_steps(replace(FEW, sequential=True, open=(waiting, Open(metric="queue", expected=20))))
    assert (step.text, step.usd) == ("add samples and continue this test", None)


def test_a_sequential_test_at_its_declared_end_needs_a_later_one() -> None:
    step, _ = next_steps(
        replace(FEW, sequential=True, ended=True, open=(Open(metric="queue", expected=560),))
    )
    assert "max_samples" in step.text


def test_small_falls_that_add_up_are_tested_against_where_they_began() -> None:
    first, *_ = next_steps(replace(FEW, anchor="v2", open=()))
    assert (first.command, first.calls) == ("promptops test support --against v2", 200)


def test_few_conversations_need_others() -> None:
    first, _ = next_steps(replace(FEW, open=(Open(metric="queue", reason="too_few_clusters", needed=300),)))
    assert first.text == "add samples of other conversations: with fewer than 5 nothing is shown"


def test_a_blocking_gate_takes_force_and_a_lenient_one_lets_it_pass() -> None:
    assert next_steps(replace(FEW, inconclusive="block"))[-1].command.endswith('--force -m "why"')
    assert next_steps(replace(FEW, inconclusive="allow"))[-1].command == "promptops promote support"


def test_a_clear_verdict_has_one_way_on() -> None:
    passed = next_steps(replace(FEW, verdict="pass"))
    assert passed == (NextStep(text="release it", command="promptops promote support", usd=0.0),)
    assert next_steps(replace(FEW, verdict="regression"))[0].command == "promptops try support --failed"


OPEN = st.builds(
    Open,
    metric=st.sampled_from(["a", "b"]),
    reason=st.sampled_from(["", "missing", "not_shown", "too_few_clusters"]),
    needed=st.none() | st.integers(1, 10**6),
    repeats=st.none() | st.integers(1, 10),
    expected=st.none() | st.integers(1, 10**6),
    worse=st.booleans(),
)
SITUATIONS = st.builds(
    Situation,
    prompt=st.just("p"),
    verdict=st.sampled_from(["pass", "regression", "inconclusive"]),
    samples=st.integers(0, 10**6),
    arms=st.sampled_from([1, 2]),
    usd_a_call=st.none() | st.floats(0, 1),
    unanswered=st.integers(0, 100),
    silent=st.booleans(),
    sequential=st.booleans(),
    anchor=st.none() | st.just("v1"),
    inconclusive=st.sampled_from(["review", "block", "allow"]),
    open=st.lists(OPEN, max_size=3).map(tuple),
)


@given(SITUATIONS)
def test_there_is_always_a_way_on_the_cheapest_first_and_a_person_last(now: Situation) -> None:
    steps = next_steps(now)
    assert steps
    assert all(step.calls >= 0 for step in steps)
    before = [step.calls for step in steps[:-1]]
    assert before == sorted(before)
    if now.verdict == "inconclusive":
        assert steps[-1].command.startswith("promptops promote p")
        assert sum("promote" in step.command for step in steps) == 1
