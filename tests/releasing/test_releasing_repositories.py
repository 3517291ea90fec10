"""Releases in repositories as they come: other hashes, submodules, renamed files, hooks and signatures, odd names."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from remote_help import Remote, build, commit, git, hook, live, state, text_of
from typed import Run

ONE = "greet-0"
NEEDS_KEYS = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


@pytest.fixture
def top(bare: Path) -> Path:
    return Remote(bare=bare, url=f"file://{bare}").clone("work")


def test_a_sha256_repository_and_its_remote_take_releases(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    top = build(tmp_path / "top", [ONE])
    git(tmp_path, "clone", "-q", "--bare", "top", "origin.git")
    git(top, "remote", "add", "origin", f"file://{tmp_path / 'origin.git'}")
    git(top, "fetch", "-q")
    said = run(top, "rollback", ONE, "--push")
    assert said.code == 0, said
    assert len(git(tmp_path / "origin.git", "rev-parse", "main")) == 64
    assert live(tmp_path / "origin.git", ONE) == "v1 rollback 3"
    assert run(top, "verify").code == 0


def test_a_submodule_releases_for_itself(tmp_path: Path, bare: Path, run: Run) -> None:
    outer = tmp_path / "outer"
    git(tmp_path, "init", "-q", "outer")
    git(outer, "submodule", "--quiet", "add", f"file://{bare}", "inner")
    git(outer, "commit", "-q", "-m", "With a submodule")
    said = run(outer / "inner", "rollback", ONE, "--push")
    assert said.code == 0, said
    assert live(bare, ONE) == "v1 rollback 3"
    assert git(outer, "status", "--porcelain") == " M inner", (
        "which commit is wanted there is its own decision"
    )


def test_a_remotes_name_may_hold_a_slash(top: Path, bare: Path, run: Run) -> None:
    git(top, "remote", "rename", "origin", "team/up")
    said = run(top, "rollback", ONE, "--push")
    assert (said.code, "is live in production on main at team/up" in said.out) == (0, True), said
    assert live(bare, ONE) == "v1 rollback 3"
    assert git(bare, "for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/main"


def test_where_several_remotes_could_be_meant_none_is_guessed(top: Path, run: Run) -> None:
    git(top, "remote", "rename", "origin", "up")
    git(top, "remote", "add", "fork", "file:///nowhere")
    said = run(top, "rollback", ONE, "--push")
    assert (said.code, "which of fork, up counts? call it origin: git remote rename" in said.err) == (2, True)


def test_a_push_goes_to_the_release_branch_and_no_other(top: Path, run: Run) -> None:
    before = state(top)
    for words in (("rollback", ONE), ("promote", ONE)):
        said = run(top, *words, "--push", "--branch", "side")
        assert (said.code, "--push goes to the release branch" in said.err) == (2, True), said
    assert state(top) == before


@pytest.mark.parametrize("name", ["", "@v1", "greet-0/../greet-1", "../x", "*"])
def test_what_is_no_id_is_said_to_be_none(top: Path, run: Run, name: str) -> None:
    said = run(top, "rollback", name)
    assert (said.code, "no released prompt called" in said.err) == (2, True), said


def test_a_push_leaves_a_branch_alone_that_another_work_tree_has(top: Path, bare: Path, run: Run) -> None:
    git(top, "checkout", "-q", "-b", "feature")
    git(top, "worktree", "add", "-q", "../main", "main")
    before = state(top.parent / "main")
    said = run(top, "rollback", ONE, "--push")
    assert (said.code, "main here does not have it yet: git pull" in said.out) == (0, True), said
    assert live(bare, ONE) == "v1 rollback 3"
    assert state(top.parent / "main")[0] == before[0]
    git(top.parent / "main", "pull", "-q")
    assert run(top, "rollback", ONE, "--push").code == 2, "and nothing is left to mend"


def test_a_rollback_typed_again_with_push_says_how_to_come_back_together(
    top: Path, bare: Path, run: Run
) -> None:
    assert run(top, "rollback", ONE).code == 0
    said = run(top, "rollback", ONE, "--push")
    assert said.code == 0, said
    assert (
        f"main here has releases of its own of {ONE}, which are live nowhere: git pull --rebase" in said.out
    )
    # Made within one second both records are the same, and git leaves ours out by itself.
    for words in (["pull", "-q", "--rebase"], ["rebase", "--skip"]):
        subprocess.run(["git", *words], cwd=top, capture_output=True, check=False)
    assert state(top)[0] == git(bare, "rev-parse", "main")
    assert run(top, "verify").code == 0


def test_a_rebase_goes_on_after_a_push(top: Path, bare: Path, run: Run) -> None:
    (top / "app.py").write_text("print(1)\n")
    commit(top, "Mine")
    git(top, "push", "-q")
    subprocess.run(
        ["git", "rebase", "-q", "--exec", "false", "HEAD~1"], cwd=top, capture_output=True, check=False
    )
    said = run(top, "rollback", ONE, "--push")
    assert said.code == 0, said
    assert live(bare, ONE) == "v1 rollback 3"
    git(top, "rebase", "--continue")
    assert git(top, "symbolic-ref", "--short", "HEAD") == "main"


def test_a_renamed_prompt_file_keeps_its_releases(top: Path, run: Run) -> None:
    first = run(top, "promote", ONE, "--force", "-m", "as it is")
    assert "v3 is released" in first.out
    (top / "prompts/support").mkdir()
    git(top, "mv", f"prompts/{ONE}.prompt.yaml", "prompts/support/hello.prompt.yaml")
    path = top / "prompts/support/hello.prompt.yaml"
    path.write_text(f"id: {ONE}\n{path.read_text()}")
    commit(top, "Move it")
    said = run(top, "promote", ONE)
    assert (said.code, "already released in production as v3" in said.out) == (0, True), said
    assert run(top, "rollback", ONE).code == 0
    assert live(top, ONE, "HEAD") == "v2 rollback 4"
    assert run(top, "verify").code == 0


def test_names_that_differ_in_case_only_cannot_be_released(top: Path, run: Run) -> None:
    """On Windows and macOS they would be one folder."""
    (top / "prompts/Greet-0.prompt.yaml").write_text(text_of("other", 1))
    commit(top, "A name in capitals")
    before = state(top)
    said = run(top, "promote", "Greet-0", "--first")
    assert said.code == 2
    assert "'Greet-0' is no id; small letters, digits and hyphens" in said.err
    assert state(top) == before


@NEEDS_KEYS
def test_a_direct_push_runs_the_hooks_and_is_signed_with_a_key_that_verifies(
    top: Path, bare: Path, tmp_path: Path, run: Run
) -> None:
    key = tmp_path / "key"
    make_key(key)
    (tmp_path / "allowed").write_text(f"ada@example.org {key.with_suffix('.pub').read_text()}")
    for name, value in {
        "gpg.format": "ssh",
        "user.signingkey": str(key),
        "commit.gpgsign": "true",
        "gpg.ssh.allowedSignersFile": str(tmp_path / "allowed"),
    }.items():
        git(top, "config", name, value)
    for name in ("pre-commit", "commit-msg", "pre-push"):
        hook(top, name, f"echo {name} >> {tmp_path}/ran")
    assert run(top, "rollback", ONE, "--push").code == 0
    assert (tmp_path / "ran").read_text().split() == ["pre-commit", "commit-msg", "pre-push"]
    git(top, "verify-commit", "origin/main")
    assert git(top, "log", "-1", "--format=%G? %GS", "origin/main") == "G ada@example.org"


@pytest.mark.parametrize("name", ["pre-commit", "commit-msg", "pre-push"])
def test_a_hook_that_refuses_a_direct_push_leaves_both_sides(
    top: Path, bare: Path, run: Run, name: str
) -> None:
    hook(top, name, "echo not on a friday >&2; exit 1")
    before, tip = state(top), git(bare, "rev-parse", "main")
    said = run(top, "rollback", ONE, "--push")
    assert (said.code, "not on a friday" in said.err) == (2, True), said
    assert state(top) == before
    assert git(bare, "rev-parse", "main") == tip
    assert git(bare, "for-each-ref", "refs/heads/promptops") == ""


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
