"""Our own `gate.yml`, step by step in real clones: the examples' prompt is edited, and judged on recorded answers."""

from __future__ import annotations

import html
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from workflow_help import ROOT, Runner, read, steps

Git = Callable[..., str]
FILE = "examples/prompts/language-id.prompt.yaml"
RECORDED = "examples/recorded/language-id.jsonl"


@pytest.fixture
def origin(tmp_path: Path, git: Git) -> Path:
    """A remote whose main has the examples; and its clone, in which somebody works."""
    work = tmp_path / "work"
    shutil.copytree(ROOT / "examples", work / "examples", ignore=shutil.ignore_patterns(".promptops"))
    (work / ".gitignore").write_text(".promptops/\n")
    git("init", "-q", cwd=work)
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", "Add the examples", cwd=work)
    bare = tmp_path / "origin.git"
    git("clone", "-q", "--bare", str(work), str(bare), cwd=tmp_path)
    git("remote", "add", "origin", bare.as_uri(), cwd=work)
    return bare


def pull_request(work: Path, git: Git, version: str) -> None:
    """Open one: the prompt as in this version, main gone on meanwhile, the merge of both as GitHub makes it."""
    git("checkout", "-q", "-b", "change", cwd=work)
    shutil.copyfile(work / f"examples/demo/language-id.{version}.yaml", work / FILE)
    # its own recorded answers: were they read, most would be missing
    lines = (work / RECORDED).read_text(encoding="utf-8").splitlines(keepends=True)
    (work / RECORDED).write_text("".join(lines[:10]), encoding="utf-8")
    git("commit", "-qam", "Say it another way", cwd=work)
    git("checkout", "-q", "main", cwd=work)
    (work / "README.md").write_text("main has gone on\n")
    git("add", "-A", cwd=work)
    git("commit", "-qm", "Go on", cwd=work)
    git("checkout", "-q", "--detach", cwd=work)
    git("merge", "-q", "--no-ff", "-m", "Merge change into main", "change", cwd=work)
    git("push", "-q", "origin", "main", "change", "HEAD:refs/pull/1/merge", cwd=work)


def check_out(origin: Path, folder: Path, git: Git) -> None:
    """As actions/checkout does with fetch-depth 0."""
    folder.mkdir()
    git("init", "-q", cwd=folder)
    git("remote", "add", "origin", origin.as_uri(), cwd=folder)
    refs = ["+refs/heads/*:refs/remotes/origin/*", "+refs/pull/1/merge:refs/remotes/pull/1/merge"]
    git("fetch", "-q", "--no-tags", "origin", *refs, cwd=folder)
    git("checkout", "-q", "--detach", "refs/remotes/pull/1/merge", cwd=folder)


@pytest.mark.slow
@pytest.mark.parametrize(("version", "code"), [("v2", 3), ("v3", 0)])
def test_a_careless_edit_of_the_example_is_refused_and_a_better_one_passes(
    version: str, code: int, origin: Path, tmp_path: Path, git: Git
) -> None:
    pull_request(tmp_path / "work", git, version)
    check_out(origin, tmp_path / "checkout", git)
    runner = Runner(temp=tmp_path / "temp", bin=tmp_path / "bin")
    runner.temp.mkdir()
    given = {"github.base_ref": "main", "github.sha": git("rev-parse", "HEAD", cwd=tmp_path / "checkout")}
    ran = [
        runner.run(one, tmp_path / "checkout", given)
        for one in steps(read(ROOT / ".github/workflows/gate.yml"))
        if "run" in one and "pip install" not in one["run"]
    ]
    assert [one.code for one in ran[:-1]] == [0, 0, 0], ran
    assert ran[-1].code == code, ran[-1].out
    summary = (runner.temp / "job-summary.md").read_text(encoding="utf-8")
    assert "language-id" in html.unescape(summary)
    assert ("### ❌ promptops: 1 prompt got worse" in summary) is (code == 3)


@pytest.mark.slow
def test_without_the_recorded_answers_of_the_base_the_gate_stops(
    origin: Path, tmp_path: Path, git: Git
) -> None:
    pull_request(tmp_path / "work", git, "v3")
    check_out(origin, tmp_path / "checkout", git)
    runner = Runner(temp=tmp_path / "temp", bin=tmp_path / "bin")
    runner.temp.mkdir()
    last = list(steps(read(ROOT / ".github/workflows/gate.yml")))[-1]
    given = {"github.base_ref": "main", "github.sha": git("rev-parse", "HEAD", cwd=tmp_path / "checkout")}
    ran = runner.run(last, tmp_path / "checkout", given)
    assert ran.code == 7, ran.out
