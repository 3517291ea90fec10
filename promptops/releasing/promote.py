"""Promote: what HEAD holds goes live if the evidence says so, or if a person says why it must."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from promptops.errors import ConfigError, InvalidFile, NotFound
from promptops.evaluation.evaluate import Options, evaluate
from promptops.evaluation.evidence import evidence_of
from promptops.evaluation.plan import Plan, make_plan
from promptops.evaluation.policy import nothing_to_judge
from promptops.gitstore.mending import mend
from promptops.gitstore.releases import release_files
from promptops.nextsteps import naming
from promptops.prompts.model import Prompt
from promptops.reading import Contender, committed_prompt, find, frozen_contender
from promptops.records import Release, Version, canonical, sha256
from promptops.releasing.base import Ground, check_not_behind, ground, push_branch
from promptops.releasing.outcome import Outcome, already, moment_text, outcomes
from promptops.releasing.pushing import Draft, Grounds, Landed, land
from promptops.releasing.signing import check_signs
from promptops.report import Report
from promptops.samplesource import source_of
from promptops.succession import following
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asks for: where to, why, what to overrule, and which test: stopping early, or with repeats."""

    environment: str
    reason: str = ""
    accept: bool = False
    force: bool = False
    first: bool = False
    push: bool = False
    branch: str | None = None
    sequential: bool = False
    repeats: int = 1


async def promote(
    workspace: Workspace,
    reference: str,
    wish: Wish,
    *,
    options: Options,
    now: Callable[[], datetime],
    before_asking: Callable[[Plan], None],
) -> Outcome:
    """Test what is not tested yet and commit the release if it may go live.

    Raises:
        RepoError: the prompt is not committed, the branch is behind, git refuses; LostRace: somebody was first.
        ConfigError: an overruling without a reason.
        RunStopped: the test could not finish.
    """
    _check(wish)
    check_signs(workspace, wish.environment)
    mended = mend(workspace.repo, online=wish.push)
    outcome = await _promote(workspace, reference, wish, options, now, before_asking)
    return replace(outcome, said=(mended.said, *outcome.said)) if mended else outcome


async def _promote(
    workspace: Workspace,
    reference: str,
    wish: Wish,
    options: Options,
    now: Callable[[], datetime],
    before_asking: Callable[[Plan], None],
) -> Outcome:
    candidate = committed_prompt(workspace, reference)
    prompt = candidate.prompt
    root = workspace.root_of(prompt.path)
    found = ground(workspace, prompt.id, root, branch=wish.branch, on_release=wish.push)
    pointer = check_not_behind(found, wish.environment)
    if pointer is not None and pointer.digest == prompt.digest:
        return Outcome(prompt=prompt.id, environment=wish.environment, said=(already(found, pointer),))
    live = found.live.live(prompt.id, workspace.config.live)
    baseline = frozen_contender(found.live, live) if live else None
    if baseline is None and not (wish.first or prompt.spec.has_floor):
        return _unjudged(prompt.id, wish)
    # What is live elsewhere already went live on evidence of its own; testing it against itself would show nothing.
    same = live is not None and live.digest == prompt.digest
    reused = live.evidence if live is not None and same else None
    report = None if same else await _tested(workspace, candidate, baseline, wish, options, before_asking)
    if report is not None and (refused := _refusal(report, wish)):
        code = report.exit_code() or 4
        return Outcome(
            prompt=prompt.id,
            environment=wish.environment,
            said=refused,
            exit_code=code,
            report=report,
            open=report.verdict == "inconclusive" and not report.unfinished,
        )
    at = moment_text(now())

    def draft(on: Grounds) -> Draft:
        return _draft(workspace, on[0], candidate, report, reused, wish, at)

    landed = land(
        workspace, (found,), draft, environment=wish.environment, push=wish.push, branch=wish.branch
    )
    (outcome,) = outcomes(landed)
    after = _file_elsewhere(workspace, landed, candidate) if wish.push and "@" not in reference else ()
    return replace(outcome, said=(*outcome.said, *after), report=report)


def _file_elsewhere(workspace: Workspace, landed: Landed, candidate: Contender) -> tuple[str, ...]:
    """Say that the release branch has another prompt file: who edits it there next would undo this."""
    prompt, (on,) = candidate.prompt, landed.found
    try:
        if find(workspace, f"{prompt.id}@git:{on.parent}").prompt.digest == prompt.digest:
            return ()
    except (NotFound, InvalidFile):
        pass
    return (f"{prompt.path} on {push_branch(on)} is not this version yet: push it there, or merge it",)


def _unjudged(prompt: str, wish: Wish) -> Outcome:
    said = (
        f"not promoted: {nothing_to_judge(prompt)}",
        f"adopt it as it is: promptops promote {prompt} --first",
    )
    return Outcome(prompt=prompt, environment=wish.environment, said=said, exit_code=4)


def _draft(
    workspace: Workspace,
    found: Ground,
    candidate: Contender,
    report: Report | None,
    reused: str | None,
    wish: Wish,
    at: str,
) -> Draft:
    """Work the release out on this ground; `reused` is the hash of evidence that is there already."""
    pointer = found.here.live(candidate.prompt.id, wish.environment)
    evidence = evidence_of(report, at=at) if report is not None else None
    digest = sha256(canonical(evidence)) if evidence else reused
    release, version = _records(workspace, found, candidate, pointer, digest, report, wish, at)
    return Draft(
        releases=(release,),
        files=release_files(found.root, release, version=version, evidence=evidence),
        message=_message(release, report, reused),
    )


def _check(wish: Wish) -> None:
    if wish.accept and wish.force:
        raise ConfigError("--accept and --force exclude one another: --force is for a regression")
    if (wish.accept or wish.force) and not wish.reason.strip():
        raise ConfigError(f'{"--accept" if wish.accept else "--force"} needs a reason: -m "why"')


async def _tested(
    workspace: Workspace,
    candidate: Contender,
    baseline: Contender | None,
    wish: Wish,
    options: Options,
    before_asking: Callable[[Plan], None],
) -> Report | None:
    """Return the report of this very test; None where a first release is adopted without any floor."""
    if baseline is None and wish.first and not candidate.prompt.spec.has_floor:
        return None
    source = source_of(candidate.prompt, root=workspace.top)
    plan = make_plan(
        workspace,
        baseline=baseline,
        candidate=candidate,
        source=source,
        sequential=wish.sequential,
        repeats=wish.repeats,
    )
    before_asking(plan)
    return await evaluate(plan, options)


def _refusal(report: Report, wish: Wish) -> tuple[str, ...]:
    """Say why not and how a person may overrule it; nothing where it may go live."""
    named = naming(repeats=wish.repeats, sequential=wish.sequential)
    prompt, allowed = f"{report.prompt.id}{named}", report.inconclusive
    if report.verdict == "pass" or wish.force:
        return ()
    if report.verdict == "regression":
        return (
            "not promoted: the candidate is shown to be worse",
            f'an owner may overrule it, visibly for ever: promptops promote {prompt} --force -m "why"',
        )
    if allowed == "allow" or (allowed == "review" and wish.accept):
        return ()
    if report.unfinished:
        return (
            "not promoted: some answers never came, so the test is not finished",
            f"ask for what is missing: promptops promote {prompt}",
        )
    return ("not promoted: the samples cannot tell",)  # the report ends with the ways on


def _records(
    workspace: Workspace,
    found: Ground,
    candidate: Contender,
    pointer: Release | None,
    evidence: str | None,
    report: Report | None,
    wish: Wish,
    at: str,
) -> tuple[Release, Version]:
    prompt = candidate.prompt
    # A version is written once: a digest that was released before keeps its number and its file.
    known = found.here.number_of(prompt.id, prompt.digest)
    version = found.here.version(prompt.id, known) if known else _frozen(found, prompt)
    verdict = report.verdict if report is not None else "pass"
    release = following(
        pointer,
        version=version,
        environment=wish.environment,
        kind="promote" if pointer else "first",
        evidence=evidence,
        reason=wish.reason.strip(),
        by=workspace.repo.identity(),
        at=at,
        accepted=verdict == "inconclusive" and not wish.force,
        forced=verdict != "pass" and wish.force,
    )
    return release, version


def _frozen(found: Ground, prompt: Prompt) -> Version:
    return Version(
        id=prompt.id,
        version=found.number_for(prompt.id, prompt.digest),
        digest=prompt.digest,
        path=prompt.path,
        source=prompt.source,
        partials=dict(prompt.partials),
        body=dict(prompt.body),
    )


def _message(release: Release, report: Report | None, reused: str | None) -> str:
    overruled = " (forced)" if release.forced else " (accepted)" if release.accepted else ""
    subject = f"Promote {release.id} v{release.version} to {release.environment}{overruled}"
    lines = [release.reason] if release.reason else []
    if report is not None:
        lines.append(f"{report.verdict.upper()} on {report.samples.n} samples: {report.reasons[0]}")
    elif reused is not None:
        lines.append("On the evidence with which it went live elsewhere.")
    else:
        lines.append("Adopted as it is: nothing to compare with, and no floor.")
    return "\n\n".join([subject, *lines])
