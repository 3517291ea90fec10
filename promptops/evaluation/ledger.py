"""Which look at a question a test is: what the ledger here and the committed evidence know, counted.

A question is a prompt, a baseline and a candidate. Another run of it (other samples, another policy, answers drawn
anew) is another look, judged at a level of its own (stats/looks.py); reading the same answers again is not, and a
run that stopped showed nothing. Where earlier looks may have left no trace here, the number is the least that it
can be, and `known` is False: it is said, never guessed away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from promptops.evaluation.plan import Plan
from promptops.gitstore.trees import prompts
from promptops.records import Evidence
from promptops.report import Look as LookLine
from promptops.report import Report
from promptops.runs.ledger import NAME, Entry, Ledger, read, record
from promptops.stats.looks import alpha_at
from promptops.workspace import STATE, Workspace

MANY_CANDIDATES = 10  # from here on the best of them looks good by luck


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, and in which run; digests, `baseline` empty at a first release."""

    prompt: str
    baseline: str
    candidate: str
    samples: str
    run: str

    def is_asked_by(self, other: Entry) -> bool:
        same = (self.prompt, self.baseline, self.candidate)
        return same == (other.prompt, other.baseline, other.candidate)

    def is_answered_by(self, evidence: Evidence) -> bool:
        baseline = evidence.baseline.digest if evidence.baseline else ""
        return (self.prompt, self.baseline, self.candidate) == (evidence.prompt, baseline, evidence.candidate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The look that a test is, counted from 1; `known` is False where it is only the least that it can be.

    `why` says why not, in words; `tried` is how many candidates were tested on these samples, None if unknown.
    """

    number: int
    known: bool = True
    why: str = ""
    tried: int | None = None

    def alpha(self, whole: float) -> float:
        """The one-sided level at which this look is judged, `whole` being that of all looks together."""
        return alpha_at(self.number, whole)

    def line(self, whole: float) -> LookLine:
        """Return it as a report says it."""
        return LookLine(
            number=self.number, known=self.known, alpha=self.alpha(whole), whole=whole, why=self.why
        )


def question_of(plan: Plan) -> Question:
    return Question(
        prompt=plan.id,
        baseline=plan.digests["baseline"],
        candidate=plan.digests["candidate"],
        samples=plan.samples.digest,
        run=plan.run,
    )


def take_look(plan: Plan, *, begun: str, asked: bool) -> Look:
    """Write down the look that is about to be shown, and return it.

    `begun` is the mark of the run's beginning, `asked` whether answers came in just now: a run that begins anew
    with answers that are there already shows nothing new.

    Raises:
        PromptopsError: the ledger cannot be written.
    """
    question, ci = question_of(plan), in_ci(plan.workspace.environ)

    def decide(ledger: Ledger) -> tuple[Look, tuple[Entry, ...]]:
        left = () if ledger.existed else looks_left(plan.workspace.state)
        known = replace(ledger, entries=(*ledger.entries, *left))
        look, is_new = _count(question, known, plan.evidence, begun=begun, asked=asked, ci=ci)
        return look, (*left, _entry(question, begun, look)) if is_new else left

    return record(plan.workspace.state, lambda: _present(plan.workspace), decide)


def next_look(plan: Plan, *, begun: str = "", asked: bool = False) -> Look:
    """Return the look that running this plan would be, writing nothing; what is in its journal is taken as read.

    `begun` is the mark of a run that has begun, `asked` says that somebody may be asked.
    """
    question, ledger = question_of(plan), read(plan.workspace.state)
    if not ledger.existed:
        left = looks_left(plan.workspace.state)
        ledger = replace(ledger, entries=left, present=frozenset(_present(plan.workspace)))
    ci = in_ci(plan.workspace.environ)
    return _count(question, ledger, plan.evidence, begun=begun, asked=asked, ci=ci)[0]


def at_level(plan: Plan, look: Look) -> Plan:
    """Return the plan as it is judged at this look."""
    number = look.number if look.known else None
    return replace(plan, policy=replace(plan.policy, alpha=look.alpha(plan.policy.alpha), look=number))


def about(look: Look, whole: float) -> list[str]:
    """What a reader has to know about the look; nothing at an ordinary first one."""
    level = f"judged at {_percent(look.alpha(whole))}"
    said = []
    if not look.known:
        said.append(f"looks: unknown: {look.why}; {level}, as look {look.number}")
    elif look.number > 1:
        said.append(
            f"look {look.number} at this change: {level} instead of {_percent(alpha_at(1, whole))}, "
            f"so that all looks together err at most {_percent(whole)} of the time"
        )
    if look.tried is not None and look.tried >= MANY_CANDIDATES:
        said.append(
            f"{look.tried} candidates were tested on these samples, and the best of many looks good by luck: "
            "judge it on a fresh set"
        )
    return said


def _percent(level: float) -> str:
    return f"{level * 100:.3g} %"


def in_ci(environ: Mapping[str, str]) -> bool:
    """Whether this is a clone for one job, which forgets: every CI service says so in `CI`."""
    return environ.get("CI", "").strip().lower() not in ("", "0", "false", "no")


def _present(workspace: Workspace) -> list[str]:
    """The digests of what can be read of the prompts here: nobody knows how often they were tested.

    Those of HEAD where no file of any is written out: in a sparse checkout, or in the base that a change is judged in.
    """
    for ref in (None, workspace.repo.head()):
        found = [prompts(workspace.repo, ref, root=root).prompts for root in workspace.roots]
        if any(found) or ref is not None:
            break
    return [prompt.digest for here in found for prompt in here]


def looks_left(state: Path) -> tuple[Entry, ...]:
    """What the reports of earlier runs tell where there is no ledger: some looks, and nobody knows how many more."""
    found: list[Entry] = []
    paths = (state / "runs").glob("*/report.json")
    for path in sorted(paths, key=lambda one: (one.stat().st_mtime_ns, one)):
        try:
            report = Report.model_validate(json.loads(path.read_bytes()))
        except (ValueError, OSError, RecursionError):
            continue
        question = Question(
            prompt=report.prompt.id,
            baseline=report.digests.get("baseline", ""),
            candidate=report.digests.get("candidate", ""),
            samples=report.samples.digest,
            run=report.run,
        )
        number = 1 + sum(question.is_asked_by(entry) for entry in found)
        found.append(_entry(question, "", Look(number=number, known=False)))
    return tuple(found)


def _entry(question: Question, begun: str, look: Look) -> Entry:
    return Entry(
        prompt=question.prompt,
        baseline=question.baseline,
        candidate=question.candidate,
        samples=question.samples,
        run=question.run,
        begun=begun,
        look=look.number,
        known=look.known,
    )


def _count(
    question: Question, ledger: Ledger, told: tuple[Evidence, ...], *, begun: str, asked: bool, ci: bool
) -> tuple[Look, bool]:
    """Return the look, and whether the ledger has to learn of it."""
    before = [entry for entry in ledger.entries if question.is_asked_by(entry)]
    answers = [one for one in told if question.is_answered_by(one)]
    same = [entry for entry in before if entry.run == question.run]
    exact = [entry for entry in same if entry.begun == begun]
    why = _why_unknown(question, ledger, before, answers, ci=ci)
    if why and exact:
        # What was not known when this look was taken is not known for the same reason when it is shown again.
        others = [entry for entry in before if entry not in exact]
        why = _why_unknown(question, ledger, others, answers, ci=ci) or why
    tried = _tried(question, ledger, told, ci=ci)
    again = exact or ([] if asked else same)
    number = again[-1].look if again else _number(question, before, answers)
    return Look(number=number, known=not why, why=why, tried=tried), not exact


def _number(question: Question, before: list[Entry], answers: list[Evidence]) -> int:
    """Count the looks at this question so far: the ledger's, and those of evidence that it has not seen."""
    runs = {entry.run for entry in before}
    elsewhere = {one.run: one.look for one in answers if one.run not in runs}
    if question.run in elsewhere and (elsewhere[question.run] or not before):
        return elsewhere[question.run] or 1
    taken = {entry.look for entry in before}
    highest = max([*taken, *(look for look in elsewhere.values() if look), 0])
    return 1 + max(highest, len(taken) + len(elsewhere))


def _why_unknown(
    question: Question, ledger: Ledger, before: list[Entry], answers: list[Evidence], *, ci: bool
) -> str:
    """Say why earlier looks at this question may have left no trace here; nothing where none can have been."""
    place = f"{STATE}/{NAME}"
    if ledger.unreadable:
        return f"{place}:{ledger.unreadable[0]} cannot be read and may be an earlier look; restore the line"
    if before:
        known = all(entry.known for entry in before)
        return "" if known else "the looks before the first one that is counted here are not known"
    if any(one.look for one in answers):
        return ""
    if ci:
        return "a CI clone forgets; where the version was tested and promoted, its evidence tells"
    if not ledger.existed or question.candidate in ledger.present:
        return f"this clone does not know what was tested before {place} began; from now on it is counted"
    return ""


def _tried(question: Question, ledger: Ledger, told: tuple[Evidence, ...], *, ci: bool) -> int | None:
    """Count the candidates compared with this baseline on these samples, this one included."""
    here = (question.prompt, question.baseline, question.samples)
    found = {
        entry.candidate for entry in ledger.entries if (entry.prompt, entry.baseline, entry.samples) == here
    }
    for one in told:
        baseline = one.baseline.digest if one.baseline else ""
        if (one.prompt, baseline, one.samples.digest) == here:
            found.add(one.candidate)
    found.add(question.candidate)
    early = not ledger.existed or question.candidate in ledger.present
    unknown = ci or early or ledger.unreadable
    return None if unknown and len(found) < MANY_CANDIDATES else len(found)
