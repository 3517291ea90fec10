"""`diff`, `render`, `show` and `lint`: looking at prompts without asking any model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptops.errors import ConfigError, InvalidFile, NotFound, NothingToDo, Problem
from promptops.gitstore.trees import prompts
from promptops.messages import Request
from promptops.prompts.diff import PromptDiff, diff, diff_requests
from promptops.prompts.lint import Finding, lint
from promptops.prompts.model import Prompt
from promptops.prompts.render import render, render_sample
from promptops.reading import Contender, contender, live_contender
from promptops.samples import Sample
from promptops.samplesource import source_of
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two versions and how they differ; `rendered` is of one sample, by its id."""

    baseline: Contender
    candidate: Contender
    difference: PromptDiff
    rendered: str = ""


def compare(
    workspace: Workspace,
    reference: str,
    *,
    against: str | None,
    rendered: bool = False,
    sample: str | None = None,
) -> Compared:
    """Compare a version with what is live, or with another.

    Raises:
        NothingToDo: nothing is live to compare with.
        NotFound, InvalidFile, InvalidInput: as what is named can be.
    """
    candidate = contender(workspace, reference)
    baseline = (
        contender(workspace, f"{candidate.prompt.id}@{against}")
        if against
        else live_contender(workspace, candidate.prompt.id)
    )
    if baseline is None:
        raise NothingToDo(f"{candidate.prompt.id} is not live yet; compare with --against HEAD")
    if not rendered:
        return Compared(
            baseline=baseline, candidate=candidate, difference=diff(baseline.prompt, candidate.prompt)
        )
    chosen = one_sample(workspace, candidate.prompt, sample)
    requests = [render_sample(one.prompt, chosen) for one in (baseline, candidate)]
    return Compared(
        baseline=baseline, candidate=candidate, difference=diff_requests(*requests), rendered=chosen.sample_id
    )


def render_one(
    workspace: Workspace, reference: str, *, sample: str | None, inputs: Mapping[str, Any]
) -> Request:
    """Render a version with inputs, with a sample by id, or with its first sample.

    Raises:
        InvalidInput: an input is missing or does not fit.
    """
    prompt = contender(workspace, reference).prompt
    if inputs:
        return render(prompt, inputs)
    return render_sample(prompt, one_sample(workspace, prompt, sample))


def one_sample(workspace: Workspace, prompt: Prompt, wanted: str | None) -> Sample:
    """Return the sample that is named, or the first."""
    for sample in source_of(prompt, root=workspace.top, ids=[wanted] if wanted else []):
        return sample
    raise NothingToDo(f"{prompt.id} has no samples; give its inputs with -i NAME=VALUE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What is wrong with the prompts here: problems keep a file from being read, findings do not."""

    problems: tuple[Problem, ...]
    findings: tuple[Finding, ...]
    prompts: int

    @property
    def exit_code(self) -> int:
        return 2 if self.problems or any(one.severity == "error" for one in self.findings) else 0

    def as_json(self) -> dict[str, Any]:
        problems = [
            {"path": one.path, "line": one.line, "column": one.column, "severity": "error", "code": "invalid"}
            | {"message": one.message}
            for one in self.problems
        ]
        findings = [
            {"path": one.path, "line": one.line, "column": one.column, "severity": str(one.severity)}
            | {"code": one.code, "message": one.message}
            for one in self.findings
        ]
        return {"schema": "promptops.lint/1", "findings": [*problems, *findings], "prompts": self.prompts}


def lint_prompts(workspace: Workspace, only: list[str]) -> Linted:
    """Check the prompts of the work tree, all or those that are named.

    Raises:
        NotFound: there is no such prompt.
        NothingToDo: there is no prompt at all.
    """
    problems: list[Problem] = []
    found: list[Prompt] = []
    for root in workspace.roots:
        read = prompts(workspace.repo, "HEAD" if workspace.repo.is_bare else None, root=root)
        problems += read.problems
        found += read.prompts
    chosen = [one for one in found if not only or one.id in only or one.path in only]
    known = {name for one in found for name in (one.id, one.path)}
    broken = [one for one in problems if not only or any(name in one.path for name in only)]
    for name in only:
        if name not in known and not broken:
            raise NotFound("prompt", name, known)
    if not found and not problems:
        raise NothingToDo(f"no prompts in {', '.join(workspace.roots)}; promptops new ID writes one")
    findings: list[Finding] = []
    for prompt in chosen:
        inputs, bad = _inputs(workspace, prompt)
        broken += bad
        findings += lint(prompt, inputs)
    return Linted(problems=tuple(broken), findings=tuple(findings), prompts=len(chosen))


def _inputs(workspace: Workspace, prompt: Prompt) -> tuple[list[Mapping[str, Any]] | None, list[Problem]]:
    """The inputs of the prompt's samples, None where there are none to look at; and what is wrong with them."""
    if workspace.repo.is_bare:
        return None, []
    try:
        source = source_of(prompt, root=workspace.top)
        return [sample.inputs for sample in source if sample.inputs is not None], []
    except InvalidFile as error:
        return None, list(error.problems)
    except ConfigError as error:
        return None, [Problem(prompt.path, 0, 0, str(error))]
    except NothingToDo as error:
        # A prompt without samples is complete; one that names samples which are not there is not.
        named = prompt.spec.samples is not None
        return None, [Problem(prompt.path, 0, 0, str(error))] if named else []
