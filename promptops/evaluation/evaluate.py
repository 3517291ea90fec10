"""One test from plan to report: replay, scores, columns, verdict. Reads like the list in docs/architecture.md."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from promptops.errors import RunStopped
from promptops.evaluation.arms import Endpoint, arm, open_endpoints
from promptops.evaluation.columns import NOT_ANSWERED, Columns
from promptops.evaluation.costs import kept_ledger, spending_of
from promptops.evaluation.failing import Failing
from promptops.evaluation.ledger import at_level, next_look, take_look
from promptops.evaluation.measuring import Measuring, measuring
from promptops.evaluation.models import Answering
from promptops.evaluation.plan import Plan
from promptops.evaluation.policy import TIMES
from promptops.evaluation.repeating import asked_repeatedly, draws_before
from promptops.importers.digest import content_hash, samples_digest
from promptops.messages import Answer, Completion
from promptops.ports import Scorer
from promptops.prompts.model import Prompt
from promptops.report import Report
from promptops.reports.machine import report_json
from promptops.runs.budget import Budget
from promptops.runs.cache import Cache
from promptops.runs.journal import Journal
from promptops.runs.replay import Arm, Arms, Progress, replay
from promptops.runs.spending import Spending
from promptops.samples import Pair, Sample, Score
from promptops.version import tool_version

if TYPE_CHECKING:
    from promptops.evaluation.sequential import Ask, Course


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run a test; nothing here changes what is tested."""

    say: Callable[[str], None]
    recorded: bool = False
    on_progress: Callable[[Progress], None] | None = None


async def evaluate(plan: Plan, options: Options) -> Report:
    """Run a test, or finish one that was begun, and write its report beside its journal.

    Raises:
        RunStopped: the provider is down or refuses, the budget is reached, the model that answers to a name is
            another for one arm than for the other; what was finished is kept.
        ConfigError: a key is missing, a runtime is not installed.
    """
    workspace, limits = plan.workspace, plan.workspace.config.limits
    contenders = [one for one in (plan.baseline, plan.candidate) if one is not None]
    models = [one.prompt.spec.model for one in contenders]
    with ExitStack() as stack:
        cache = stack.enter_context(Cache.open(workspace.state / "cache.db"))
        folder = workspace.state / "runs" / plan.run
        spending = spending_of(plan)
        opening = Journal.open_when_free(folder, _header(plan), say=options.say, told=spending.add)
        journal = stack.enter_context(await opening)
        budget = _budget(limits.budget_usd, spending)
        stack.enter_context(kept_ledger(plan, journal, spending))
        at_once = max(1, limits.concurrency)
        scoring = stack.enter_context(measuring(plan.scorers, limit=limits.scoring, most=at_once))
        plan = replace(plan, scorers=scoring.scorers)
        async with open_endpoints(
            workspace, models, budget=budget, recorded=options.recorded, say=options.say
        ) as endpoints:
            answering = Answering(plan, journal, recorded=options.recorded)
            ask = _asking(plan, endpoints, journal, cache, answering, scoring, options)
            course = _course(plan, journal, scoring) if plan.sequential else None
            columns = course.columns if course is not None else Columns(plan.pairs)
            if course is not None:
                progress = await course.run(ask, at_once=at_once, on_progress=options.on_progress)
            else:
                progress = await ask(
                    asked_repeatedly(_numbered(plan), n=plan.samples.n, repeats=plan.repeats),
                    finished=lambda sample, pair: _measure(plan, columns, scoring, pair),
                    total=plan.pairs,
                    on_progress=options.on_progress,
                )
        journal.amend(answered_by={arm: sorted(models) for arm, models in columns.answered_by.items()})
        answering.check()
        look = take_look(plan, begun=str(journal.recall("begun") or ""), asked=progress.is_new)
        # numpy and the statistics: the first question does not wait for them.
        from promptops.evaluation.concluding import conclude

        report = conclude(plan, look, columns, course, spending=spending, journal=journal)
        journal.keep_report(report_json(report))
    return report


def _budget(limit: float | None, spending: Spending) -> Budget | None:
    """A budget holds for the whole run: what was paid before it was resumed counts."""
    return Budget(limit, spent=spending.usd or 0.0, dearest=spending.dearest) if limit else None


def _asking(
    plan: Plan,
    endpoints: Mapping[str, Endpoint],
    journal: Journal,
    cache: Cache,
    answering: Answering,
    scoring: Measuring,
    options: Options,
) -> Ask:
    """Settle everything about asking but which samples."""
    failing = Failing(options.say)

    async def ask(
        samples: Iterator[tuple[int, Sample]],
        *,
        finished: Callable[[Sample, Pair], None],
        total: int,
        on_progress: Callable[[Progress], None] | None,
    ) -> Progress:
        def count(sample: Sample, pair: Pair) -> None:
            scoring.take(sample, pair, finished)
            failing.add(sample, pair)
            answering.add(pair)

        progress = await replay(
            samples,
            ask=_arms(plan, endpoints, scoring),
            finished=count,
            journal=journal,
            cache=cache,
            at_once=max(1, plan.workspace.config.limits.concurrency),
            seed=_seed(plan),
            cache_max_age=_cache_age(plan),
            only_cached=options.recorded,
            mixed_again=answering.asks_again,
            occurrence=lambda sample: plan.samples.repeats.get(sample.sample_id, 0),
            earlier=draws_before(plan.samples),
            total=total,
            on_progress=on_progress,
        )
        await scoring.settle()
        return progress

    return ask


def _course(plan: Plan, journal: Journal, scoring: Measuring) -> Course:
    """Put the samples of a sequential test in their order; it is watched at the level that its look will have."""
    from promptops.evaluation.ordering import arrange
    from promptops.evaluation.sequential import Course

    order = arrange(
        plan.samples,
        seed=f"{plan.digests['baseline']}:{plan.digests['candidate']}",
        journal=journal,
        folder=plan.workspace.state / "runs" / plan.run,
        most=plan.max_samples,
    )
    begun = str(journal.recall("begun") or "")
    return Course(
        plan.samples,
        order,
        lambda asked: at_level(plan, next_look(plan, begun=begun, asked=asked)).policy,
        compared=plan.baseline is not None,
        measure=lambda columns, sample, pair: _measure(plan, columns, scoring, pair),
    )


def _numbered(plan: Plan) -> Iterator[tuple[int, Sample]]:
    """Stream the samples with their places, and notice when they are no longer those of the plan.

    Raises:
        RunStopped: a file of samples was edited since the plan was made; what was answered is kept.
    """
    hashes = []
    for index, sample in enumerate(plan.samples.source):
        if index >= plan.samples.n:
            break
        hashes.append(content_hash(sample))
        yield index, sample
    if samples_digest(hashes) != plan.samples.digest:
        raise RunStopped(f"the samples of {plan.id} changed while the test ran; run it again")


def _header(plan: Plan) -> Mapping[str, object]:
    """What `run.json` records; only the digests decide whether a run may be resumed."""
    return {
        "schema": "promptops.run/1",
        "prompt": plan.id,
        "digests": dict(plan.digests),
        "models": plan.models,
        "seed": _seed(plan),
        "samples": plan.samples.n,
        "repeats": plan.repeats,
        "tool_version": tool_version(),
        # Two beginnings of the same run draw their own answers: the ledger of looks tells them apart by this.
        "begun": secrets.token_hex(8),
    }


def _seed(plan: Plan) -> int:
    """The order of the arms follows from what is tested, so that nobody chooses it."""
    return int.from_bytes(hashlib.sha256(plan.run.encode()).digest()[:4])


def _cache_age(plan: Plan) -> float:
    """Where time decides, only answers asked in this run say anything: then no cached one is young enough."""
    timed = any(rule.gates and rule.metric in TIMES for rule in plan.policy.rules)
    return -1.0 if timed else plan.workspace.config.limits.cache_max_age


def _arms(plan: Plan, endpoints: Mapping[str, Endpoint], scoring: Measuring) -> Arms:
    def asked(prompt: Prompt) -> Arm:
        one = arm(prompt, endpoints)
        return replace(one, asks=scoring.held(one.asks))

    return Arms(
        baseline=asked(plan.baseline.prompt) if plan.baseline else None,
        candidate=asked(plan.candidate.prompt),
    )


def _measure(plan: Plan, columns: Columns, scoring: Measuring, pair: Pair) -> None:
    """Write down what is measured of both answers of a pair, and their scores; the pair is forgotten afterwards."""
    before, after = scoring.scores(pair)
    columns.put_answers(pair.index, pair.baseline if plan.baseline else None, pair.candidate)
    columns.put_scores(pair.index, before if plan.baseline else None, after)


def score_answer(scorers: Mapping[str, Scorer], sample: Sample, answer: Answer) -> dict[str, Score]:
    """Score one answer by every scorer; an answer that never came has no score."""
    if not isinstance(answer, Completion):
        return {name: Score(value=None, reason=NOT_ANSWERED) for name in scorers}
    return {name: scorer.score(sample, answer) for name, scorer in scorers.items()}
