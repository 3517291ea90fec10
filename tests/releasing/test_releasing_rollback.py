"""Rollback in a bad hour: several prompts in one commit or none, offline, in a clone of depth 1, without the engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from remote_help import Remote, commit, git, live, state, text_of
from typed import Run

ONE, TWO, THREE = "greet-0", "greet-1", "greet-2"


@pytest.fixture
def top(bare: Path) -> Path:
    return Remote(bare=bare, url=f"file://{bare}").clone("work")


def test_several_prompts_go_back_in_one_commit(top: Path, run: Run) -> None:
    before = git(top, "rev-parse", "HEAD")
    said = run(top, "rollback", ONE, f"{TWO}@v1", THREE, "-m", "the answers are rude")
    assert said.code == 0, said
    assert git(top, "rev-parse", "HEAD~1") == before
    assert git(top, "show", "--name-only", "--format=", "HEAD").split("\n") == [
        f"prompts/releases/{name}/production.yaml" for name in (ONE, TWO, THREE)
    ]
    assert git(top, "log", "-1", "--format=%B").strip() == (
        "Roll 3 prompts back in production\n\nthe answers are rude\n\n"
        f"{ONE} to v1, from v2\n{TWO} to v1, from v2\n{THREE} to v1, from v2"
    )
    for name in (ONE, TWO, THREE):
        assert f"{name} v1 is released in production on main here; it takes effect with git push" in said.out
    assert said.out.count("commit ") == 1
    assert run(top, "verify").code == 0


def test_several_go_back_together_or_none_does(top: Path, run: Run) -> None:
    (top / "prompts/new.prompt.yaml").write_text(text_of("new", 1))
    commit(top, "A prompt")
    assert run(top, "promote", "new", "--first").code == 0
    before = state(top)
    for other, words in (
        ("new", "nothing was live before new v1"),
        ("greet-9", "no released prompt called 'greet-9'; did you mean greet-"),
        (f"{TWO}@v7", "no version of greet-1 called 'v7'"),
        (f"{TWO}@x", "is not a version"),
        (f"{ONE}@v1", "is named twice"),
    ):
        said = run(top, "rollback", ONE, other)
        assert (said.code, words in said.err) == (2, True), said
    said = run(top, "rollback", ONE, TWO, "--to", "v1")
    assert "--to is for one prompt; of several, write each with its own: greet-0@v1" in said.err
    assert state(top) == before


def test_who_is_there_already_holds_up_nobody(top: Path, run: Run) -> None:
    assert run(top, "rollback", ONE).code == 0
    said = run(top, "rollback", f"{ONE}@v1", f"{TWO}@v1", "--json")
    assert said.code == 0
    assert said.json["schema"] == "promptops.releases/1"
    first, second = said.json["releases"]
    assert (first["release"], second["release"]["version"]) == (None, 1)
    assert "already released in production as v1 here" in first["said"][0]
    assert live(top, TWO, "HEAD") == "v1 rollback 3"
    assert git(top, "log", "-1", "--format=%s") == f"Roll {TWO} back to v1 in production"


def test_a_direct_push_of_several_is_one_commit_at_the_remote(top: Path, bare: Path, run: Run) -> None:
    said = run(top, "rollback", ONE, TWO, "--push")
    assert said.code == 0, said
    assert f"{TWO} v1 is live in production on main at origin; programs take it when they reload" in said.out
    assert git(bare, "rev-list", "--count", "main") == "4"
    assert live(bare, ONE) == live(bare, TWO) == "v1 rollback 3"


def test_a_race_that_one_of_several_loses_is_lost_by_all(top: Path, bare: Path, run: Run) -> None:
    other = Remote(bare=bare, url=f"file://{bare}").clone("other")
    assert run(other, "rollback", TWO, "--push").code == 0
    before = state(top)
    said = run(top, "rollback", ONE, TWO, "--push")
    assert said.code == 5
    assert f"rolled back {TWO} to v1 in production first; look at promptops status, and run" in said.err
    assert state(top) == before
    assert live(bare, ONE) == "v2 promote 2"
    again = run(top, "rollback", ONE, "--push")
    assert again.code == 0, "the same prompts one by one: only the one that moved was lost"


@pytest.mark.parametrize("words", [("--depth", "1"), ("--depth", "1", "--no-tags"), ("--filter=blob:none",)])
def test_a_clone_that_has_little_and_no_network_can_go_back(
    bare: Path, run: Run, words: tuple[str, ...]
) -> None:
    git(bare, "config", "uploadpack.allowFilter", "true")
    git(bare.parent, "clone", "-q", *words, f"file://{bare}", "little")
    little = bare.parent / "little"
    bare.rename(bare.with_name("gone"))
    said = run(little, "rollback", ONE, TWO)
    assert said.code == 0, said
    assert live(little, ONE, "HEAD") == "v1 rollback 3"
    assert git(little, "status", "--porcelain") == ""


def test_a_test_of_today_decides_for_all_or_a_person_does(top: Path, run: Run) -> None:
    """Two samples cannot show anything: the test stays open."""
    (top / f"prompts/{TWO}.samples.jsonl").write_text('{"inputs": {}, "expected": "fine"}\n' * 2)
    commit(top, "Samples")
    before = state(top)
    said = run(top, "rollback", ONE, TWO, "--test", "--json")
    assert said.code == said.json["exit_code"] == 4, said
    assert [one["said"] for one in said.json["releases"]] == [
        ["not rolled back: v1 did not pass today's test"]
    ] * 2
    assert state(top) == before
    said = run(top, "rollback", ONE, TWO, "--test", "--force", "-m", "we read the answers")
    assert said.code == 0, said
    assert said.out.count("rolled back from v2, tested today") == 2
    git(top, "push", "-q")
    assert "forced: we read the answers" in run(top, "status", ONE).out
    assert len(git(top, "show", "--name-only", "--format=", "HEAD").split("\n")) == 4
    assert run(top, "verify").code == 0


def test_a_rollback_needs_neither_the_engine_nor_what_draws_reports(top: Path) -> None:
    script = (
        "import sys\n"
        "from promptops.cli.app import main\n"
        f"sys.argv = ['promptops', 'rollback', {ONE!r}]\n"
        "try: main()\n"
        "finally: print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=top, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.split())
    heavy = {"numpy", "scipy", "httpx", "aiohttp", "rich", "jinja2", "asyncio"}
    assert not heavy & loaded
    assert not {name for name in loaded if name.startswith(("promptops.evaluation", "promptops.providers"))}
