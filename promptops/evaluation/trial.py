"""`promptops try`: a few samples answered beside what is live. No verdict, no evidence, no look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice

from promptops.errors import ConfigError, NotFound, NothingToDo
from promptops.evaluation.arms import arm, check_provider, open_endpoints
from promptops.evaluation.changes import answer_text, as_text, describe
from promptops.evaluation.evaluate import score_answer
from promptops.evaluation.measuring import movable
from promptops.evaluation.past import last_report
from promptops.evaluation.plan import check_renders, scorers_of
from promptops.messages import Answer, Completion
from promptops.ports import Scorer
from promptops.prompts.diff import diff
from promptops.reading import Contender, contender, live_contender, prompt_ids
from promptops.reports.trial import Answered, Tick, Tried
from promptops.reports.trial import Trial as Shown
from promptops.runs.budget import Budget
from promptops.runs.cache import Cache
from promptops.runs.replay import Arms, replay
from promptops.samples import Pair, Sample
from promptops.samplesource import SampleSource, source_of
from promptops.sampling import inputs_of
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What to try: a prompt (None: the only one), how many samples and which, or inputs of one's own."""

    reference: str | None = None
    count: int = 5
    failed: bool = False
    ids: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    against: str | None = None
    recorded: bool = False


async def try_prompt(workspace: Workspace, wanted: Trial, *, say: Callable[[str], None]) -> Shown:
    """Answer a few samples by both versions.

    Raises:
        NothingToDo: no samples, or none that the last test broke.
        PromptopsError: what is missing or wrong.
    """
    candidate = contender(workspace, wanted.reference or _only(workspace))
    baseline = _baseline(workspace, candidate, wanted)
    samples = _samples(workspace, candidate, wanted)
    if baseline is None:
        say(f"{candidate.prompt.id} is not live yet: only the work tree answers")
    # Everything that a person can have wrong is found before anything is asked or paid.
    _, scorers, _ = scorers_of(candidate.prompt, workspace, samples)
    arms = [one.prompt for one in (baseline, candidate) if one is not None]
    for one in arms:
        check_provider(workspace.config, one)
    check_renders(arms, samples)
    pairs, cost = await _ask(workspace, baseline, candidate, samples, recorded=wanted.recorded, say=say)
    with movable(scorers, limit=workspace.config.limits.scoring) as (measured, _):
        tried = [
            _tried(sample, pair, measured, baseline) for sample, pair in zip(samples, pairs, strict=True)
        ]
    versions = [one.side.short if one.side.version else one.side.ref for one in (baseline, candidate) if one]
    return Shown(
        prompt=candidate.prompt.id,
        title=" → ".join(versions),
        difference=diff(baseline.prompt, candidate.prompt) if baseline else None,
        tried=tuple(tried),
        cost=cost,
    )


def _only(workspace: Workspace) -> str:
    known = prompt_ids(workspace)
    if len(known) == 1:
        return known[0]
    if not known:
        raise NotFound("prompt", "ID", hint="there is none here; promptops new ID writes one")
    raise ConfigError(f"which prompt? {', '.join(known)}")


def _baseline(workspace: Workspace, candidate: Contender, wanted: Trial) -> Contender | None:
    if wanted.against is not None:
        return contender(workspace, f"{candidate.prompt.id}@{wanted.against}")
    return live_contender(workspace, candidate.prompt.id)


def _samples(workspace: Workspace, candidate: Contender, wanted: Trial) -> list[Sample]:
    if wanted.inputs:
        return [Sample(sample_id="-i", inputs=dict(inputs_of(list(wanted.inputs))))]
    source = source_of(candidate.prompt, root=workspace.top, ids=wanted.ids)
    if wanted.ids:
        return list(source)
    broken = _broken_before(workspace, candidate.prompt.id)
    if wanted.failed and not broken:
        raise NothingToDo(f"the last test of {candidate.prompt.id} broke no sample")
    first = [sample for sample in source if sample.sample_id in broken] if broken else []
    rest: Iterator[Sample] = iter(()) if wanted.failed else _others(source, broken)
    chosen = list(islice(chain(first, rest), wanted.count))
    if not chosen:
        raise NothingToDo(f"no sample of {candidate.prompt.id} to try")
    return chosen


def _others(source: SampleSource, left_out: frozenset[str]) -> Iterator[Sample]:
    return (sample for sample in source if sample.sample_id not in left_out)


def _broken_before(workspace: Workspace, prompt: str) -> frozenset[str]:
    try:
        report = last_report(workspace, prompt)
    except NothingToDo:
        return frozenset()
    return frozenset(change.sample_id for change in report.broken)


async def _ask(
    workspace: Workspace,
    baseline: Contender | None,
    candidate: Contender,
    samples: list[Sample],
    *,
    recorded: bool,
    say: Callable[[str], None],
) -> tuple[list[Pair], float | None]:
    limits = workspace.config.limits
    budget = Budget(limits.budget_usd) if limits.budget_usd else None
    models = [one.prompt.spec.model for one in (baseline, candidate) if one is not None]
    pairs: dict[int, Pair] = {}

    def keep(_sample: Sample, pair: Pair) -> None:
        pairs[pair.index] = pair

    with ExitStack() as stack:
        cache = stack.enter_context(Cache.open(workspace.state / "cache.db"))
        async with open_endpoints(
            workspace, models, budget=budget, recorded=recorded, say=say, stand_ins=True
        ) as endpoints:
            progress = await replay(
                enumerate(samples),
                ask=Arms(
                    baseline=arm(baseline.prompt, endpoints) if baseline else None,
                    candidate=arm(candidate.prompt, endpoints),
                ),
                finished=keep,
                cache=cache,
                at_once=limits.concurrency,
                cache_max_age=limits.cache_max_age,
                only_cached=recorded,
            )
    spent = progress.spent if progress.spent or not progress.calls else None
    return [pairs[index] for index in range(len(samples))], spent


def _tried(sample: Sample, pair: Pair, scorers: Mapping[str, Scorer], baseline: Contender | None) -> Tried:
    return Tried(
        sample_id=sample.sample_id,
        input=describe(sample),
        expected="" if sample.expected is None else as_text(sample.expected),
        baseline=_answered(sample, pair.baseline, scorers) if baseline else None,
        candidate=_answered(sample, pair.candidate, scorers),
    )


def _answered(sample: Sample, answer: Answer, scorers: Mapping[str, Scorer]) -> Answered:
    scores = score_answer(scorers, sample, answer)
    ticks = tuple(Tick(name=name, value=score.value, reason=score.reason) for name, score in scores.items())
    if not isinstance(answer, Completion):
        return Answered(text=f"({answer.kind}: {answer.message})", ticks=ticks)
    return Answered(
        text=answer_text(answer), ticks=ticks, seconds=answer.seconds, cost=answer.cost, cached=answer.cached
    )
