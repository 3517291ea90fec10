"""Samples in, pairs out: each sample answered by the baseline and by the candidate, side by side.

A pair that the journal holds is not asked again. A cached answer stands for a fresh one only where that is
fair to both arms: an old baseline beside a fresh candidate would charge the model's drift to the prompt, and so
would one that another model gave under the same name (standing.py): then the one from before is asked again.
Who answers, what the time is and what is printed is the caller's business; a call that failed is a Failure
in its pair.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from promptops.errors import IntegrityError, RunStopped
from promptops.messages import NOTHING_LOST, Answer, Completion, Failure, Request
from promptops.runs.cache import Cache
from promptops.runs.cachekey import cache_key
from promptops.runs.encoding import Half, Role, Unanswered
from promptops.runs.flow import run_all
from promptops.runs.journal import Journal, is_final
from promptops.runs.recorded import NO_BASELINE, recorded_answer
from promptops.runs.retrying import Tally
from promptops.runs.standing import Standing, are_of_two_models, of_one_model
from promptops.samples import Pair, Sample

WEEK = 7 * 86400.0
# What a killed run has of a pair goes with an answer asked now, as long as both are of about the same time.
_SAME_RUN = 86400.0


class Asks(Protocol):
    """What promptops.runs.pacing.Paced does: an answer, or why there is none, as a value; attempts are counted."""

    async def answer(self, request: Request, tally: Tally) -> Answer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One of the two versions: how it asks, and whom; `kind` and `base_url` tell the cache where that is."""

    render: Callable[[Sample], Request]
    asks: Asks
    kind: str
    base_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """Who is compared; no baseline at a first release, `recorded` to take what production answered then."""

    baseline: Arm | Literal["recorded"] | None
    candidate: Arm


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is; pairs from the journal count in `done` only. `spent` is in US dollars."""

    done: int = 0
    total: int | None = None
    calls: int = 0
    failures: int = 0
    cached: int = 0
    imported: int = 0
    spent: float = 0.0

    @property
    def is_new(self) -> bool:
        """Whether answers came in that were not drawn here before: asked for just now, or imported."""
        return self.calls > 0 or self.imported > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    arm: Arm
    role: Role
    request: Request
    key: str = ""


@dataclass(slots=True, kw_only=True)
class _Open:
    """A pair that is being put together; `before` are those of its answers that were not asked for just now."""

    index: int
    sample: Sample
    questions: Sequence[_Question]
    before: dict[Role, Standing]
    answers: dict[Role, Answer]

    @property
    def missing(self) -> list[_Question]:
        return [question for question in self.questions if question.role not in self.answers]

    @property
    def is_whole(self) -> bool:
        return len(self.answers) == 2

    def take(self, role: Role, answer: Answer) -> None:
        """Take an answer; one from before that another model gave no longer stands beside it."""
        self.answers[role] = answer
        for other in [one for one in self.before if one != role]:
            if _ask_for_one_model(self.questions) and are_of_two_models(answer, self.answers[other]):
                del self.before[other], self.answers[other]

    def done(self) -> _Done:
        """Return the whole pair."""
        baseline, candidate = self.answers["baseline"], self.answers["candidate"]
        pair = Pair(index=self.index, sample_id=self.sample.sample_id, baseline=baseline, candidate=candidate)
        return _Done(
            sample=self.sample,
            pair=pair,
            imported=sum(one.answer.imported for one in self.before.values()),
            halves=frozenset(role for role, one in self.before.items() if not one.answer.cached),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    sample: Sample
    pair: Pair
    resumed: bool = False
    imported: int = 0
    halves: frozenset[str] = frozenset()  # the arms that an earlier process asked


async def replay(
    samples: Iterable[tuple[int, Sample]],
    *,
    ask: Arms,
    finished: Callable[[Sample, Pair], None],
    journal: Journal | None = None,
    cache: Cache | None = None,
    at_once: int = 32,
    seed: int = 0,
    cache_max_age: float = WEEK,
    only_cached: bool = False,
    mixed_again: bool = False,
    occurrence: Callable[[Sample], int] | None = None,
    earlier: Callable[[int], int] | None = None,
    total: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    now: Callable[[], float] = time.time,
) -> Progress:
    """Answer every sample and call `finished` with each pair, in finishing order; return the last progress.

    `samples` gives (index, sample) and is read lazily, `at_once` ahead at most; to stop early, end it.
    `seed` and the sample's id decide which arm is asked first. Both arms asking the same (an A/A test) draw
    two answers; `occurrence` numbers samples that ask the same, from 0, so that each draws its own, and
    `earlier` says how many draws come before the pair at an index, where a sample is asked repeatedly. A
    cached answer is used when both arms have one and they were asked within `cache_max_age` seconds of each
    other, or when it is not older than that, unless another model gave it. With `only_cached` nobody is asked.
    With `mixed_again` pairs of the journal are asked again that two models answered under one name.

    Raises:
        RunStopped: a provider refuses us or is down, the budget is reached, the disk is full, or, with
            `only_cached`, an answer is missing. Everything finished is in the journal.
        IntegrityError: the journal holds another sample under an index.
    """
    work = _Replay(
        ask,
        journal,
        cache,
        seed,
        cache_max_age,
        only_cached,
        mixed_again,
        occurrence or (lambda sample: 0),
        earlier or (lambda index: 0),
        now,
    )
    progress = Progress(total=total)

    def hand_over(done: _Done) -> None:
        nonlocal progress
        finished(done.sample, done.pair)
        progress = _after(progress, done)
        if on_progress is not None:
            on_progress(progress)

    await run_all(work.one, samples, hand_over, at_once=at_once)
    return progress


@dataclass(frozen=True, slots=True)
class _Replay:
    ask: Arms
    journal: Journal | None
    cache: Cache | None
    seed: int
    cache_max_age: float
    only_cached: bool
    mixed_again: bool
    occurrence: Callable[[Sample], int]
    earlier: Callable[[int], int]
    now: Callable[[], float]

    async def one(self, item: tuple[int, Sample]) -> _Done:
        index, sample = item
        if self.journal is not None and self.journal.complete(index):
            pair = _resumed(self.journal, index, sample)
            if not (self.mixed_again and are_of_two_models(pair.baseline, pair.candidate)):
                return _Done(sample=sample, pair=pair, resumed=True)
        questions = self._questions(index, sample)
        before = self._before(questions, index, sample)
        answers: dict[Role, Answer] = {role: one.answer for role, one in before.items()}
        if len(questions) == 1:
            answers["baseline"] = NO_BASELINE if self.ask.baseline is None else recorded_answer(sample)
        opened = _Open(index=index, sample=sample, questions=questions, before=before, answers=answers)
        if opened.is_whole:
            self._write(opened)
        else:
            await self._ask(opened)
        return opened.done()

    def _before(self, questions: Sequence[_Question], index: int, sample: Sample) -> dict[Role, Standing]:
        """Return the answers that need not be asked for, by role."""
        halves = self._halves(index, sample)
        kept = self._kept([question for question in questions if question.role not in halves], sample)
        found = {**halves, **kept}
        if self.only_cached or len(found) < 2 or not _ask_for_one_model(questions):
            return found
        return of_one_model(found)

    def _halves(self, index: int, sample: Sample) -> dict[Role, Standing]:
        """Return the answers of this pair that a killed run has left, by role, unless they are old."""
        if self.journal is None:
            return {}
        found = self.journal.halves(index)
        for half in found:
            _check_sample(index, half.sample_id, sample)
        now = self.now()
        return {
            half.role: Standing(answer=half.answer, asked_at=half.asked_at)
            for half in found
            if abs(now - half.asked_at) <= _SAME_RUN
        }

    def _questions(self, index: int, sample: Sample) -> list[_Question]:
        questions = [self._question("candidate", self.ask.candidate, sample)]
        if isinstance(self.ask.baseline, Arm):
            questions.insert(0, self._question("baseline", self.ask.baseline, sample))
        if self.cache is None:
            return questions
        draw = 2 * (self.occurrence(sample) + self.earlier(index))
        keyed = [_keyed(question, draw=draw) for question in questions]
        if len(keyed) == 2 and keyed[0].key == keyed[1].key:
            keyed[1] = _keyed(keyed[1], draw=draw + 1)
        return keyed

    def _question(self, role: Role, arm: Arm, sample: Sample) -> _Question:
        return _Question(arm=arm, role=role, request=arm.render(sample))

    def _kept(self, questions: Sequence[_Question], sample: Sample) -> dict[Role, Standing]:
        """Return the cached answers that may be used, by role."""
        found: dict[Role, Standing] = {}
        for question in questions:
            kept = None if self.cache is None else self.cache.get(question.key)
            if kept is not None:
                answer = replace(kept.completion, cached=True, imported=kept.imported, lost=NOTHING_LOST)
                found[question.role] = Standing(answer=answer, asked_at=kept.asked_at)
            elif self.only_cached:
                raise RunStopped(
                    f"sample {sample.sample_id}: the {question.role}'s answer is not among the recorded ones,"
                    " and nobody may be asked; what was finished is kept"
                )
        if self.only_cached:
            return found
        asked = [kept.asked_at for kept in found.values()]
        if len(found) == len(questions) == 2 and max(asked) - min(asked) <= self.cache_max_age:
            return found
        now = self.now()
        return {role: kept for role, kept in found.items() if abs(now - kept.asked_at) <= self.cache_max_age}

    async def _ask(self, pair: _Open) -> None:
        """Ask for what is missing, side by side, and keep every answer before anything else can happen.

        So a killed run finds in its journal whatever was answered before it asked for more: half a pair (even
        if the other arm ends the run, or fails), or a whole one. Where the run ends here, what was asked in vain is
        kept, too: it may have been paid.
        """
        tallies: dict[Role, Tally] = {}

        async def answered(question: _Question) -> tuple[_Question, Answer]:
            tally = tallies[question.role] = Tally()
            return question, await question.arm.asks.answer(question.request, tally)

        try:
            while missing := pair.missing:
                if len(missing) == 1:
                    self._keep(pair, await answered(missing[0]))
                    continue
                if _second_first(self.seed, pair.sample.sample_id):
                    missing.reverse()
                await run_all(answered, missing, lambda one: self._keep(pair, one), at_once=2)
        except BaseException:
            self._keep_unanswered(pair, tallies)
            raise

    def _keep_unanswered(self, pair: _Open, tallies: Mapping[Role, Tally]) -> None:
        """Write what was asked and no answer came to; an answer that came is written already."""
        for role, tally in tallies.items():
            failure = pair.answers.get(role) or Failure(
                kind="stopped", message="the run ended", attempts=tally.attempts, lost=tally.lost
            )
            if self.journal is None or not isinstance(failure, Failure) or not failure.attempts:
                continue
            with suppress(RunStopped):  # what ended the run is what people have to read
                self.journal.append(
                    Unanswered(index=pair.index, sample_id=pair.sample.sample_id, role=role, failure=failure)
                )

    def _keep(self, pair: _Open, answered: tuple[_Question, Answer]) -> None:
        question, answer = answered
        pair.take(question.role, answer)
        if isinstance(answer, Completion):
            asked_at = self.now()
            if self.journal is not None and not (pair.is_whole and all(map(is_final, pair.answers.values()))):
                self.journal.append(_half(pair, question.role, asked_at, answer))
            if self.cache is not None:
                self.cache.put(question.key, answer, asked_at)
        if pair.is_whole:
            self._write(pair)

    def _write(self, pair: _Open) -> None:
        if self.journal is not None:
            self.journal.append(pair.done().pair)


def _ask_for_one_model(questions: Sequence[_Question]) -> bool:
    """Whether both arms ask for the same model at the same place."""
    return len({(one.request.model, one.arm.kind, one.arm.base_url) for one in questions}) < len(questions)


def _keyed(question: _Question, *, draw: int) -> _Question:
    arm = question.arm
    return replace(question, key=cache_key(question.request, kind=arm.kind, base_url=arm.base_url, draw=draw))


def _resumed(journal: Journal, index: int, sample: Sample) -> Pair:
    pair = journal.read(index)
    _check_sample(index, pair.sample_id, sample)
    return pair


def _check_sample(index: int, written: str, sample: Sample) -> None:
    if written != sample.sample_id:
        raise IntegrityError(
            f"sample {index} is {written} in the journal and {sample.sample_id} here: samples changed"
        )


def _half(pair: _Open, role: Role, asked_at: float, answer: Completion) -> Half:
    return Half(
        index=pair.index, sample_id=pair.sample.sample_id, role=role, asked_at=asked_at, answer=answer
    )


def _second_first(seed: int, sample_id: str) -> bool:
    """Toss a coin that falls the same way on every machine and at any concurrency."""
    return bool(hashlib.sha256(f"{seed}:{sample_id}".encode("utf-8", "surrogatepass")).digest()[0] & 1)


def _after(progress: Progress, done: _Done) -> Progress:
    if done.resumed:
        return replace(progress, done=progress.done + 1)
    by_role = {"baseline": done.pair.baseline, "candidate": done.pair.candidate}
    answers = [answer for role, answer in by_role.items() if role not in done.halves]
    asked = [answer for answer in answers if not _cached(answer) and answer.attempts]
    costs = [answer.lost.usd for answer in asked] + [
        answer.cost or 0.0 for answer in asked if isinstance(answer, Completion)
    ]
    return replace(
        progress,
        done=progress.done + 1,
        calls=progress.calls + sum(answer.attempts for answer in asked),
        failures=progress.failures + sum(isinstance(answer, Failure) for answer in asked),
        cached=progress.cached + sum(map(_cached, answers)),
        imported=progress.imported + done.imported,
        spent=progress.spent + sum(costs),
    )


def _cached(answer: Answer) -> bool:
    return isinstance(answer, Completion) and answer.cached
