"""What to do now: the honest ways on from a verdict, the cheapest first, with what each would cost.

A person's decision comes last, and after an open verdict it is always among them. Promises nothing that the next
test could not keep: how many samples it takes is planned at the level of the next look, not of the one just taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """One way on. `calls` are those that it would ask, `usd` about what they cost, None where nobody knows."""

    text: str
    command: str
    calls: int = 0
    usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """One metric that keeps a verdict open.

    `reason` is the gate's code. `needed` is how many samples the next look takes in all, `repeats` how many answers
    a sample would do instead, `expected` after how many samples the sequential mode stops if both versions are
    equally good; None where no number would, or where it is not known. `worse` is what fell beyond its margin, `idle`
    what must improve and did not.
    """

    metric: str
    reason: str = ""
    needed: int | None = None
    repeats: int | None = None
    expected: int | None = None
    worse: bool = False
    idle: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A verdict and what it rests on, as far as it decides what to do next.

    `arms` is 2, or 1 at a first release; `repeats` answers were asked for each sample and arm. `unanswered` counts
    answers that never came, `unscored` names the scorers that could not score some. `silent`: nothing says what is
    right; `blind`: the metrics that are at their worst everywhere. `sequential`: it stopped when it was decided, or
    ran out of samples; `ended`: these were all that its prompt file declares. `anchor` is the version to test against
    when small falls have added up.
    """

    prompt: str
    verdict: Literal["pass", "regression", "inconclusive"]
    samples: int
    arms: int = 2
    repeats: int = 1
    usd_a_call: float | None = None
    unanswered: int = 0
    unscored: tuple[str, ...] = ()
    silent: bool = False
    blind: tuple[str, ...] = ()
    sequential: bool = False
    ended: bool = False
    anchor: str | None = None
    inconclusive: Literal["review", "block", "allow"] = "review"
    open: tuple[Open, ...] = ()

    @property
    def options(self) -> str:
        return naming(repeats=self.repeats, sequential=self.sequential)


def naming(*, repeats: int, sequential: bool) -> str:
    """What names a test on the command line: without it another one is run, and that is another look."""
    return (f" --repeats {repeats}" if repeats > 1 else "") + (" --sequential" if sequential else "")


def next_steps(now: Situation) -> tuple[NextStep, ...]:
    """Return the ways on, the cheapest first; never none."""
    if now.verdict == "pass":
        return (NextStep(text="release it", command=f"promptops promote {now.prompt}{now.options}", usd=0.0),)
    if now.verdict == "regression":
        return (_look_at_broken(now, "look at what broke"),)
    found = [*_mending(now), *(() if now.silent or now.blind else _asking(now))]
    # Stable: of two that cost the same, the one that is named first is the better.
    return (*sorted(found, key=lambda step: step.calls), _decide(now))


def _mending(now: Situation) -> Iterator[NextStep]:
    """What more samples would not cure."""
    if now.silent:
        yield NextStep(
            text="declare a scorer, or give the samples an expected answer: nothing says what is right",
            command=f"promptops lint {now.prompt}",
            usd=0.0,
        )
    for metric in now.blind:
        yield NextStep(
            text=f"see why {metric} is at its worst everywhere: its path, or what it expects",
            command=f"promptops try {now.prompt} -n 3",
            usd=0.0,
        )
    for scorer in now.unscored:
        yield NextStep(
            text=f"see why {scorer} could not score every answer",
            command=f"promptops try {now.prompt} -n 3",
            usd=0.0,
        )
    if now.unanswered:
        yield _asked(
            now,
            "ask again for what was not answered",
            f"promptops test {now.prompt}{now.options}",
            now.unanswered,
        )


def _asking(now: Situation) -> Iterator[NextStep]:
    """What more answers would show."""
    worse = list(dict.fromkeys(one.metric for one in now.open if one.worse))
    if worse:
        why = f"mend {_names(worse)} first: more samples are likelier to confirm a regression"
        yield _look_at_broken(now, why)
        return
    if idle := list(dict.fromkeys(one.metric for one in now.open if one.idle)):
        yield NextStep(
            text=f"change the prompt: {_names(idle)} must improve, and did not",
            command=f"promptops try {now.prompt}",
            usd=0.0,
        )
    if now.anchor is not None:
        yield _asked(
            now,
            f"compare it with {now.anchor}, from which small falls add up",
            f"promptops test {now.prompt}{now.options} --against {now.anchor}",
            now.samples * now.arms * now.repeats,
        )
    if any(one.reason == "too_few_clusters" for one in now.open):
        yield NextStep(
            text="add samples of other conversations: with fewer than 5 nothing is shown",
            command=f"promptops import FILE --prompt {now.prompt}",
            usd=None,
        )
        return
    yield from _sampling(now)


def _sampling(now: Situation) -> Iterator[NextStep]:
    # Missing answers are no lack of samples.
    questions = [one for one in now.open if one.reason != "missing"]
    if now.sequential:
        yield from _continuing(now, questions)
        return
    needs = [one.needed for one in questions]
    if questions and all(need is not None for need in needs):
        needed = max(need or 0 for need in needs)
        more = needed - now.samples
        if more > 0:
            yield _asked(
                now,
                f"add about {more} {'sample' if more == 1 else 'samples'}, {needed} in all, and test again",
                f"promptops import FILE --prompt {now.prompt}",
                more * now.arms * now.repeats,
            )
    repeats = [one.repeats for one in questions]
    if questions and all(count is not None and count > now.repeats for count in repeats):
        count = max(one or 0 for one in repeats)
        yield _asked(
            now,
            f"ask {count} times for each sample, where there are no more samples",
            f"promptops test {now.prompt} --repeats {count}",
            now.samples * now.arms * (count - now.repeats),
        )
    expected = [one.expected for one in questions]
    if questions and now.repeats == 1 and all(count is not None for count in expected):
        count = max(count or 0 for count in expected)
        text = (
            f"let it stop as soon as it is decided: about {count} samples in all if both versions are equally good, "
            "fewer the more they differ"
        )
        more = max(0, count - now.samples)
        yield _asked(now, text, f"promptops test {now.prompt} --sequential", more * now.arms * now.repeats)


def _continuing(now: Situation, questions: Sequence[Open]) -> Iterator[NextStep]:
    """The way on of a test that stops when it is decided: the same test, with more samples."""
    if not questions:
        return
    if now.ended:
        text = "raise gate.sequential.max_samples in the prompt file: another look, at a level of its own"
        yield NextStep(text=text, command=f"promptops test {now.prompt}", usd=None)
        return
    expected = [one.expected for one in questions]
    known = max((count or 0 for count in expected), default=0) if None not in expected else 0
    more = max(0, known - now.samples)
    likely = f": about {more} more, if both versions are equally good" if more else ""
    command = f"promptops test {now.prompt} --sequential"
    text = f"add samples and continue this test{likely}"
    if more:
        yield _asked(now, text, command, more * now.arms)
    else:
        yield NextStep(text=text, command=command, usd=None)


def _look_at_broken(now: Situation, text: str) -> NextStep:
    return NextStep(text=text, command=f"promptops try {now.prompt} --failed", usd=0.0)


def _asked(now: Situation, text: str, command: str, calls: int) -> NextStep:
    usd = 0.0 if calls == 0 else None if now.usd_a_call is None else now.usd_a_call * calls
    return NextStep(text=text, command=command, calls=calls, usd=usd)


def _decide(now: Situation) -> NextStep:
    """What a person may do without another answer; it stays visible for ever."""
    if now.inconclusive == "allow":
        return NextStep(
            text="release it: this prompt's gate lets an open verdict pass",
            command=f"promptops promote {now.prompt}{now.options}",
            usd=0.0,
        )
    flag = "--accept" if now.inconclusive == "review" else "--force"
    return NextStep(
        text="a person decides, visibly for ever",
        command=f'promptops promote {now.prompt}{now.options} {flag} -m "why"',
        usd=0.0,
    )


def _names(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
