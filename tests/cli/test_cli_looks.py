"""How often a question was asked: counted where it can be, and called unknown where it cannot."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cli_help import ID, SAMPLES, N, Project, Run, git, project_at, sample

LEDGER = ".promptops/looks.jsonl"


@pytest.fixture
def at_home(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project on somebody's own machine, where the ledger began with the first version."""
    monkeypatch.delenv("CI")
    return project


def report_of(project: Project, *words: str) -> dict[str, Any]:
    (report,) = project.run("test", *words, "--json").json["reports"]
    return dict(report)


def look(project: Project, *words: str) -> tuple[int | None, float]:
    report = report_of(project, *words)
    return report["looks"], report["alpha"]


def warnings(report: dict[str, Any]) -> str:
    return "\n".join(report["warnings"])


def test_the_first_look_has_four_fifths_of_alpha_and_says_nothing_about_it(at_home: Project) -> None:
    at_home.reword("thorough")
    report = report_of(at_home)
    assert (report["looks"], report["alpha"], report["candidates_tried"]) == (1, 0.04, 1)
    assert report["look"] == {"number": 1, "known": True, "alpha": 0.04, "whole": 0.05, "why": ""}
    assert "look" not in warnings(report)
    assert "92 % interval" in at_home.run("test").out


def test_the_same_test_again_is_the_same_look(at_home: Project) -> None:
    at_home.reword("thorough")
    assert look(at_home) == look(at_home) == (1, 0.04)
    at_home.commit("Be thorough")
    released = at_home.run("promote", ID)
    assert released.code == 0
    assert "look" not in released.out


def test_one_sample_more_or_less_another_margin_and_a_new_draw_are_looks(at_home: Project) -> None:
    at_home.reword("thorough")
    assert look(at_home) == (1, 0.04)
    at_home.keep_samples(N - 1)
    report = report_of(at_home)
    assert (report["looks"], report["alpha"]) == (2, 0.005)
    assert "look 2 at this change: judged at 0.5 % instead of 4 %" in warnings(report)
    assert "99 % interval" in at_home.run("test").out
    at_home.edit("min: 0.8", "min: 0.8, max_drop: 0.06")
    assert look(at_home) == (3, 0.0025)


def test_deleted_runs_are_remembered_and_answers_drawn_anew_are_another_look(at_home: Project) -> None:
    at_home.reword("thorough")
    assert look(at_home) == (1, 0.04)
    shutil.rmtree(at_home.path / ".promptops/runs")
    assert look(at_home) == (1, 0.04), "the very same answers, from the cache"
    shutil.rmtree(at_home.path / ".promptops/runs")
    (at_home.path / ".promptops/cache.db").unlink()
    assert look(at_home) == (2, 0.005), "the same question, answered anew"
    assert look(at_home) == (2, 0.005), "and read again"


def test_a_run_of_which_only_the_answers_were_deleted_is_another_look_too(at_home: Project) -> None:
    at_home.reword("thorough")
    assert look(at_home) == (1, 0.04)
    for pairs in (at_home.path / ".promptops/runs").glob("*/pairs.jsonl"):
        pairs.unlink()
    (at_home.path / ".promptops/cache.db").unlink()
    assert look(at_home) == (2, 0.005)


def test_five_fresh_sample_sets_are_five_looks(at_home: Project) -> None:
    at_home.reword("thorough")
    found = []
    for start in range(0, 500, 100):
        lines = [json.dumps(sample(number)) + "\n" for number in range(start, start + 100)]
        at_home.write(SAMPLES, "".join(lines))
        found.append(look(at_home))
    assert [number for number, _ in found] == [1, 2, 3, 4, 5]
    assert sum(alpha for _, alpha in found) <= 0.05


def test_another_candidate_and_another_baseline_are_other_questions(at_home: Project) -> None:
    at_home.reword("thorough")
    assert look(at_home)[0] == 1
    at_home.keep_samples(N - 1)
    assert look(at_home)[0] == 2
    at_home.edit("thorough", "exact")
    report = report_of(at_home)
    assert (report["looks"], report["candidates_tried"]) == (1, 2)
    at_home.commit("Be exact")
    assert at_home.run("promote", ID).code == 0
    at_home.edit("exact", "thorough")
    assert look(at_home)[0] == 1


def test_try_and_a_dry_run_are_no_looks(at_home: Project) -> None:
    before = (at_home.path / LEDGER).read_bytes()
    at_home.reword("thorough")
    assert at_home.run("try", "-n", "2").code == 0
    assert at_home.run("test", "--dry-run").code == 0
    assert (at_home.path / LEDGER).read_bytes() == before


def test_a_run_that_stopped_without_a_verdict_is_no_look(at_home: Project) -> None:
    at_home.reword("thorough")
    before = (at_home.path / LEDGER).read_bytes()
    down = at_home.path.parent / "down"
    down.write_text("60")
    assert at_home.run("test").code == 7
    assert (at_home.path / LEDGER).read_bytes() == before
    down.unlink()
    assert look(at_home) == (1, 0.04)


def test_a_clone_that_forgot_everything_says_unknown_and_goes_on_from_the_least(at_home: Project) -> None:
    at_home.reword("thorough")
    at_home.forget()
    report = report_of(at_home)
    assert (report["looks"], report["alpha"], report["candidates_tried"]) == (None, 0.04, None)
    assert "looks: unknown: this clone does not know what was tested before" in warnings(report)
    at_home.keep_samples(N - 1)
    report = report_of(at_home)
    assert (report["looks"], report["alpha"], report["look"]["number"]) == (None, 0.005, 2)
    at_home.edit("thorough", "exact")
    assert look(at_home) == (1, 0.04), "what is written from now on was never tested elsewhere"


def test_every_prompt_that_was_there_when_the_ledger_began_is_unknown(at_home: Project) -> None:
    text = (at_home.path / f"prompts/{ID}.prompt.yaml").read_text()
    at_home.write("prompts/other.prompt.yaml", text)
    shutil.copy(at_home.path / SAMPLES, at_home.path / "prompts/other.samples.jsonl")
    at_home.reword("thorough")
    at_home.forget()
    assert look(at_home, ID)[0] is None
    assert look(at_home, "other")[0] is None


def test_without_a_ledger_the_runs_that_are_left_still_count(at_home: Project) -> None:
    at_home.reword("thorough")
    assert look(at_home) == (1, 0.04)
    (at_home.path / LEDGER).unlink()
    at_home.keep_samples(N - 1)
    report = report_of(at_home)
    assert (report["looks"], report["look"]["number"], report["alpha"]) == (None, 2, 0.005)


def clone(project: Project, run_in: Run, name: str) -> Project:
    folder = project.path.parent / name / "repo"
    folder.parent.mkdir()
    git(project.path.parent, "clone", "-q", f"file://{project.path}", str(folder))
    return project_at(folder, run_in)


@pytest.mark.slow
def test_five_ci_clones_do_not_know(project: Project, run_in: Run) -> None:
    project.reword("thorough")
    project.commit("Be thorough")
    for name in "abcde":
        there = clone(project, run_in, name)
        report = report_of(there, ID, "--against", "v1")
        assert (report["looks"], report["alpha"]) == (None, 0.04)
        assert "looks: unknown: a CI clone forgets" in warnings(report)
        assert "looks: unknown" in there.run("test", ID, "--against", "v1").out


def test_committed_evidence_tells_a_clone(
    project: Project, run_in: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.reword("thorough")
    project.commit("Be thorough")
    with monkeypatch.context() as here:
        here.delenv("CI")
        assert project.run("promote", ID).code == 0
    there = clone(project, run_in, "ci")
    assert look(there, f"{ID}@v2", "--against", "v1") == (1, 0.04)
    there.keep_samples(N - 1)
    assert look(there, f"{ID}@v2", "--against", "v1") == (2, 0.005)


def test_evidence_carries_its_look_and_an_unknown_one_tells_nobody(project: Project, run_in: Run) -> None:
    project.reword("thorough")
    project.commit("Be thorough")
    assert project.run("promote", ID).code == 0
    evidence = [json.loads(path.read_bytes()) for path in project.path.glob("prompts/releases/*/evidence/*")]
    assert not any("look" in one for one in evidence)
    there = clone(project, run_in, "ci")
    there.keep_samples(N - 1)
    report = report_of(there, f"{ID}@v2", "--against", "v1")
    assert (report["looks"], report["look"]["number"]) == (None, 2)


def test_a_garbled_ledger_is_named_and_nothing_is_known(at_home: Project) -> None:
    at_home.reword("thorough")
    path = at_home.path / LEDGER
    path.write_bytes(path.read_bytes() + b"{oops\n")
    report = report_of(at_home)
    assert report["looks"] is None
    assert "looks: unknown: .promptops/looks.jsonl:3 cannot be read" in warnings(report)


def test_a_ledger_that_cannot_be_written_shows_no_verdict(at_home: Project) -> None:
    at_home.reword("thorough")
    (at_home.path / LEDGER).unlink()
    (at_home.path / LEDGER).mkdir()
    said = at_home.run("test")
    assert said.code == 2
    assert said.out == ""
    assert "a verdict is only shown after its look is written down" in said.err


@pytest.mark.slow
def test_the_tenth_candidate_on_one_sample_set_is_told_so(at_home: Project) -> None:
    words = [f"word{number}" for number in range(10)]
    at_home.reword(words[0])
    at_home.keep_samples(40)
    for before, after in zip(words, [*words[1:], "last"], strict=True):
        report = report_of(at_home)
        assert ("candidates were tested" in warnings(report)) == (before == words[9])
        at_home.edit(before, after)
    assert "11 candidates were tested on these samples" in warnings(report_of(at_home))


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_a_variable_that_says_no_is_no_ci(
    project: Project, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("CI", value)
    project.reword("thorough")
    assert look(project) == (1, 0.04)


def test_the_ledger_is_beside_the_runs_and_ignored_by_git(at_home: Project) -> None:
    assert (at_home.path / LEDGER).is_file()
    assert at_home.git("status", "--porcelain") == ""


def test_a_prompt_that_is_written_by_new_starts_a_ledger_that_knows(
    run_in: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI")
    git(tmp_path, "init", "-q")
    assert run_in(tmp_path, "init").code == 0
    assert json.loads((tmp_path / LEDGER).read_text()) == {"schema": "promptops.looks/1", "present": []}
    (tmp_path / LEDGER).unlink()
    assert run_in(tmp_path, "init").code == 0
    assert not (tmp_path / LEDGER).exists(), "there was a configuration: prompts may stand elsewhere"
    assert run_in(tmp_path, "new", "triage").code == 0
    assert (tmp_path / LEDGER).exists()
    (tmp_path / LEDGER).unlink()
    assert run_in(tmp_path, "new", "another").code == 0
    assert not (tmp_path / LEDGER).exists()


def test_answers_that_were_drawn_elsewhere_and_imported_are_another_look(at_home: Project) -> None:
    at_home.reword("thorough")
    assert look(at_home) == (1, 0.04)
    assert at_home.run("cache", "export", "answers.jsonl").code == 0
    shutil.rmtree(at_home.path / ".promptops/runs")
    (at_home.path / ".promptops/cache.db").unlink()
    assert at_home.run("cache", "import", "answers.jsonl").code == 0
    assert look(at_home, "--recorded") == (2, 0.005)
