"""Which look a test is, from a ledger and from evidence; the plan is a real one, what it compares is made up."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptops.evaluation.ledger import Look, about, at_level, in_ci, next_look, take_look
from promptops.evaluation.plan import Plan, make_plan
from promptops.reading import contender
from promptops.records import Arm, Evidence, SampleSet
from promptops.runs.ledger import begin, read
from promptops.samplesource import source_of
from promptops.workspace import open_workspace

PROMPT = """\
model: bot/small
messages: [{role: user, content: "{{ message }}"}]
scorers: {right: {equals: "yes", min: 0.5}}
"""
BASE, NEW = f"sha256:{'b' * 64}", f"sha256:{'c' * 64}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "promptops.yaml").write_text('providers: {bot: {kind: python, target: "bots:answer"}}\n')
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/p.prompt.yaml").write_text(PROMPT)
    (tmp_path / "prompts/p.samples.jsonl").write_text('{"inputs": {"message": "well?"}}\n')
    return tmp_path


def plan_in(folder: Path, environ: Mapping[str, str] | None = None) -> Plan:
    workspace = open_workspace(folder, environ or {})
    candidate = contender(workspace, "p")
    source = source_of(candidate.prompt, root=workspace.top)
    return make_plan(workspace, baseline=None, candidate=candidate, source=source)


@pytest.fixture
def plan(folder: Path) -> Plan:
    """A test of a candidate that was written after the ledger began."""
    found = plan_in(folder)
    begin(found.workspace.state)
    return replace(found, digests={**found.digests, "baseline": BASE, "candidate": NEW})


@pytest.mark.parametrize("written", [True, False])
def test_a_prompt_that_was_there_when_the_ledger_began_may_have_been_tested_before(
    folder: Path, written: bool
) -> None:
    for words in (["add", "-A"], ["commit", "-qm", "A prompt"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    found = plan_in(folder)
    if not written:  # as in a sparse checkout
        (folder / "prompts/p.prompt.yaml").unlink()
    take_look(replace(found, digests={**found.digests, "baseline": BASE}), begun="1", asked=True)
    assert read(found.workspace.state).present == {found.candidate.prompt.digest}


def other(plan: Plan, number: int) -> Plan:
    """The same question, in another run: with other samples, say."""
    return replace(plan, digests={**plan.digests, "samples": f"sha256:{number:064d}"})


def evidence(plan: Plan, *, run: str | None = None, look: int | None = None, **more: Any) -> Evidence:
    values = {
        "prompt": plan.id,
        "baseline": Arm(version=1, digest=BASE),
        "candidate": NEW,
        "samples": SampleSet(digest=f"sha256:{'5' * 64}", n=100),
        "policy": f"sha256:{'6' * 64}",
        "verdict": "pass",
        "alpha": 0.04,
        "tool_version": "1",
        "model": "small",
        "provider": "bot",
        "run": run or plan.run,
        "at": "2026-01-05T10:00:00Z",
        "look": look,
    }
    return Evidence(**{**values, **more})


def take(plan: Plan, *, begun: str = "x", asked: bool = True) -> Look:
    return take_look(plan, begun=begun, asked=asked)


def test_runs_are_counted_and_each_keeps_its_number(plan: Plan) -> None:
    assert [take(other(plan, run)).number for run in (1, 2, 3, 2, 1, 4)] == [1, 2, 3, 2, 1, 4]
    assert len(read(plan.workspace.state).entries) == 4


def test_a_run_that_begins_anew_is_another_look_only_if_somebody_was_asked(plan: Plan) -> None:
    assert take(plan, begun="first").number == 1
    assert take(plan, begun="second", asked=False).number == 1
    assert take(plan, begun="third").number == 2
    assert take(plan, begun="second").number == 1, "resumed: what had no answer was asked again"
    assert take(plan, begun="third").number == 2
    assert take(plan, begun="fourth").number == 3


def test_what_is_shown_again_gives_the_same_reason(folder: Path) -> None:
    first = take(plan_in(folder))
    assert "this clone does not know" in first.why
    assert take(plan_in(folder)) == first


def test_what_is_shown_again_in_ci_gives_the_same_reason(folder: Path) -> None:
    in_ci = plan_in(folder, {"CI": "true"})
    first = take(in_ci)
    assert "forgets" in first.why
    assert take(in_ci) == first


def test_what_would_be_the_next_look_is_told_and_not_written(plan: Plan) -> None:
    assert next_look(plan).number == 1
    take(plan)
    assert next_look(plan).number == 1
    assert next_look(other(plan, 2)).number == 2
    assert len(read(plan.workspace.state).entries) == 1


def test_a_look_is_judged_at_its_own_level(plan: Plan) -> None:
    assert [at_level(plan, Look(number=look)).policy.alpha for look in (1, 2)] == [0.04, 0.005]


def test_evidence_of_another_run_counts_and_of_the_same_one_names_its_number(
    folder: Path, plan: Plan
) -> None:
    told = replace(plan, evidence=(evidence(plan, look=1), evidence(plan, run="p-other", look=2)))
    assert (take(told).number, take(told).known) == (1, True)
    assert take(other(told, 7)).number == 3


def test_evidence_that_is_in_the_ledger_too_counts_once(plan: Plan) -> None:
    take(plan)
    told = replace(plan, evidence=(evidence(plan, look=1),))
    assert take(other(told, 2)).number == 2


def test_evidence_of_another_question_does_not_count(plan: Plan) -> None:
    foreign = (
        evidence(plan, run="p-1", look=1, candidate=BASE),
        evidence(plan, run="p-2", look=1, baseline=None),
        evidence(plan, run="p-3", look=1, prompt="q"),
    )
    assert take(replace(plan, evidence=foreign)).number == 1


@pytest.mark.parametrize(("look", "known"), [(1, True), (None, False)])
def test_in_ci_only_evidence_that_knows_its_look_makes_it_known(
    folder: Path, look: int | None, known: bool
) -> None:
    plan = plan_in(folder, {"CI": "true"})
    plan = replace(plan, digests={**plan.digests, "baseline": BASE, "candidate": NEW})
    found = take(replace(plan, evidence=(evidence(plan, run="p-1", look=look),)))
    assert (found.number, found.known) == (2, known)
    assert found.tried is None


def test_a_look_after_one_that_was_unknown_is_unknown_for_good(folder: Path) -> None:
    plan = plan_in(folder)
    assert [take(other(plan, run)).known for run in (1, 2, 3)] == [False, False, False]
    assert take(other(plan, 4)).number == 4


def test_candidates_on_the_same_samples_are_counted_with_those_of_evidence(plan: Plan) -> None:
    samples = SampleSet(digest=plan.samples.digest, n=1)
    told = replace(plan, evidence=(evidence(plan, run="p-1", look=1, candidate=BASE, samples=samples),))
    assert take(told).tried == 2
    third = replace(told, digests={**told.digests, "candidate": f"sha256:{'d' * 64}"})
    assert take(third).tried == 3


def test_a_damaged_ledger_fails_closed(plan: Plan) -> None:
    take(plan)
    path = plan.workspace.state / "looks.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:-20], json.dumps(["x"]), ""]))
    found = take(other(plan, 2))
    assert not found.known
    assert "looks.jsonl:2 cannot be read" in found.why


def test_the_words_name_both_levels_and_what_all_looks_keep() -> None:
    assert about(Look(number=1, tried=3), 0.05) == []
    assert about(Look(number=3), 0.05) == [
        "look 3 at this change: judged at 0.25 % instead of 4 %, so that all looks together err at most 5 % of the time"
    ]
    (unknown,) = about(Look(number=2, known=False, why="nobody kept count"), 0.05)
    assert unknown == "looks: unknown: nobody kept count; judged at 0.5 %, as look 2"
    (many,) = about(Look(number=1, tried=10), 0.05)
    assert many.startswith("10 candidates were tested on these samples")


@pytest.mark.parametrize(("value", "ci"), [(None, False), ("", False), ("false", False), ("1", True)])
def test_ci_is_what_says_so(value: str | None, ci: bool) -> None:
    assert in_ci({} if value is None else {"CI": value}) == ci
