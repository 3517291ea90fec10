"""A direct release: pushed first, so that a refusal leaves both sides as they were."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from gitstore_help import hook, lock

from promptops.errors import LostRace, RepoError
from promptops.gitstore.commits import commit_files
from promptops.gitstore.moving import Committed
from promptops.gitstore.push import fetch
from promptops.gitstore.repo import Repo

POINTER = "prompts/releases/greet/production.yaml"
FILES = {POINTER: b"sequence: 1\n"}


def release(top: Path, **more: object) -> Committed:
    return commit_files(Repo.open(top), FILES, "Release", branch="main", remote="origin", **more)  # type: ignore[arg-type]


def state(git, *tops: Path) -> list[str]:
    return [git("rev-parse", "main", cwd=top) for top in tops]


def clone(git, origin: Path, name: str) -> Path:
    git("clone", "-q", f"file://{origin}", name, cwd=origin.parent)
    return origin.parent / name


def test_a_pushed_release_is_at_the_remote_and_here(work, origin, git):
    done = release(work)
    assert (done.local, done.remote) == (True, "origin")
    assert state(git, work, origin) == [done.commit] * 2
    assert git("rev-parse", "origin/main", cwd=work) == done.commit
    assert git("status", "--porcelain", cwd=work) == ""
    assert (work / POINTER).exists()


def test_a_remote_that_has_moved_is_a_lost_race_and_nothing_changes(work, origin, git):
    other = clone(git, origin, "other")
    git("commit", "-q", "--allow-empty", "-m", "First", cwd=other)
    git("push", "-q", cwd=other)
    before = state(git, work, origin)
    with pytest.raises(LostRace, match="pushed first; run the command again") as caught:
        release(work)
    assert caught.value.exit_code == 5
    assert before == state(git, work, origin)
    assert git("status", "--porcelain", cwd=work) == ""


def test_after_a_lost_race_the_release_goes_on_top_of_what_was_fetched(work, origin, git):
    other = clone(git, origin, "other")
    git("commit", "-q", "--allow-empty", "-m", "First", cwd=other)
    git("push", "-q", cwd=other)
    git("commit", "-q", "--allow-empty", "-m", "Mine, not pushed", cwd=work)
    mine = state(git, work)
    tip = fetch(Repo.open(work), "main", remote="origin")
    done = release(work, expected_parent=tip)
    assert (done.local, done.parent) == (False, tip)
    assert state(git, work, origin) == [*mine, done.commit]
    assert git("log", "--format=%s", "origin/main", cwd=work).split("\n")[:2] == ["Release", "First"]
    assert not (work / POINTER).exists()


def test_a_refusing_hook_is_quoted_and_both_sides_stay_as_they_were(work, origin, git):
    hook(origin, "pre-receive", 'echo "main is protected, use a pull request" >&2; exit 1')
    before = state(git, work, origin)
    with pytest.raises(RepoError, match=r"main is protected.*open a pull request") as caught:
        release(work)
    assert caught.value.exit_code == 2
    assert before == state(git, work, origin)
    assert git("status", "--porcelain", cwd=work) == ""
    assert not (work / "prompts/releases").exists()


def test_a_remote_that_is_gone_changes_nothing(work, origin, git):
    git("remote", "set-url", "origin", f"file://{origin}-gone", cwd=work)
    before = state(git, work)
    with pytest.raises(RepoError, match="pushing to origin failed"):
        release(work)
    with pytest.raises(RepoError, match="fetching main"):
        fetch(Repo.open(work), "main", remote="origin")
    assert before == state(git, work)


def test_a_local_refusal_comes_before_the_push(work, origin, git):
    lock(work)
    before = state(git, work, origin)
    with pytest.raises(RepoError, match="locked"):
        release(work)
    assert before == state(git, work, origin)


def test_an_index_that_gets_locked_after_the_push_leaves_a_released_remote_and_says_so(work, origin, git):
    """The pre-push hook runs between the check and the staging."""
    hook(work, "pre-push", "touch .git/index.lock")
    done = release(work)
    assert (done.local, done.remote) == (False, "origin")
    assert state(git, origin) == [done.commit]
    (work / ".git/index.lock").unlink()
    assert git("status", "--porcelain", cwd=work) == ""
    git("pull", "-q", cwd=work)
    assert (work / POINTER).exists()


def test_a_branch_that_only_the_remote_has_can_be_released_on(work, origin, git):
    git("checkout", "-q", "--detach", cwd=work)
    git("branch", "-q", "-D", "main", cwd=work)
    done = release(work, expected_parent=git("rev-parse", "origin/main", cwd=work))
    assert not done.local
    assert state(git, origin) == [done.commit]


def test_the_very_commit_that_somebody_else_pushed_is_a_lost_race(work, origin, git):
    """Two jobs of one robot, in the same second."""
    other = clone(git, origin, "other")
    done = release(work)
    with pytest.raises(LostRace, match="has this very commit already"):
        release(other)
    assert state(git, work, origin) == [done.commit] * 2
    assert git("status", "--porcelain", cwd=other) == ""


def test_of_several_clones_at_once_exactly_one_wins(work, origin, git, tmp_path):
    script = tmp_path / "race.py"
    script.write_text(
        "import sys\n"
        "from promptops.errors import LostRace\n"
        "from promptops.gitstore.commits import commit_files\n"
        "from promptops.gitstore.repo import Repo\n"
        "repo = Repo.open(sys.argv[1])\n"
        "sys.stdin.readline()\n"
        f"files = {{{POINTER!r}: sys.argv[1].encode()}}\n"
        "try: commit_files(repo, files, 'Race', branch='main', remote='origin')\n"
        "except LostRace: sys.exit(5)\n"
    )
    tops = [clone(git, origin, f"clone{number}") for number in range(4)]
    racers = [subprocess.Popen([sys.executable, script, top], stdin=subprocess.PIPE) for top in tops]
    for racer in racers:
        racer.stdin.write(b"go\n")
        racer.stdin.close()
    assert sorted(racer.wait() for racer in racers) == [0, 5, 5, 5]
    winner = git("show", f"main:{POINTER}", cwd=origin)
    for top, racer in zip(tops, racers, strict=True):
        assert (racer.returncode == 0) == (str(top) == winner)
        assert git("status", "--porcelain", cwd=top) == ""
    assert git("rev-list", "--count", "main", cwd=origin) == "2"
