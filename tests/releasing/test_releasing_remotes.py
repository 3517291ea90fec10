"""Releases on real remotes: who wins a race, what a refusal leaves, and what a broken connection means."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from remote_help import (
    Remote,
    commit,
    ended,
    git,
    hook,
    live,
    start,
    state,
    text_of,
)
from typed import Run, Said

PROMPTS = tuple(f"greet-{number}" for number in range(6))
ONE = PROMPTS[0]


def race(tops: list[Path], *commands: tuple[str, ...]) -> list[Said]:
    """Start one program in each clone at once."""
    return [ended(one) for one in [start(top, *words) for top, words in zip(tops, commands, strict=True)]]


def whole(origin: Remote, run: Run) -> None:
    """Nothing half done: every release at the remote is what promptops writes, one commit each."""
    check = origin.clone("check")
    verified = run(check, "verify")
    assert verified.code == 0, verified.out


def test_of_six_clones_that_release_one_prompt_one_wins_and_five_exit_5(origin: Remote, run: Run) -> None:
    tops = [origin.clone(f"clone{number}") for number in range(6)]
    before = [state(top) for top in tops]
    said = race(tops, *[("rollback", ONE, "--push", "-m", f"clone {number}") for number in range(6)])
    assert sorted(one.code for one in said) == [0, 5, 5, 5, 5, 5], said
    winner = next(number for number, one in enumerate(said) if one.code == 0)
    assert live(origin.bare, ONE) == "v1 rollback 3"
    assert f"clone {winner}" in git(origin.bare, "log", "-1", "--format=%b", "main")
    assert git(origin.bare, "rev-list", "--count", "main") == "4"
    for number, one in enumerate(said):
        if number != winner:
            assert f"rolled back {ONE} to v1 in production first; that is what you asked for" in one.err
            assert state(tops[number]) == before[number]
    whole(origin, run)


@pytest.mark.slow
def test_of_six_clones_that_release_six_prompts_all_win(origin: Remote, run: Run) -> None:
    depth = ("--depth", "1")
    tops = [origin.clone(f"clone{number}", *depth[: number % 2 * 2]) for number in range(6)]
    said = race(tops, *[("rollback", prompt, "--push") for prompt in PROMPTS])
    assert [one.code for one in said] == [0] * 6, said
    assert {live(origin.bare, prompt) for prompt in PROMPTS} == {"v1 rollback 3"}
    assert git(origin.bare, "rev-list", "--count", "main") == "9"
    assert git(origin.bare, "rev-list", "--merges", "main") == ""
    for top in tops:
        assert git(top, "status", "--porcelain") == ""
    whole(origin, run)


@pytest.mark.slow
def test_six_clones_that_adopt_one_new_prompt_make_one_version(bare: Path, run: Run) -> None:
    origin = Remote(bare=bare, url=f"file://{bare}")
    seed = origin.clone("seed")
    (seed / "prompts/new.prompt.yaml").write_text(text_of("new", 1))
    commit(seed, "A prompt")
    git(seed, "push", "-q")
    tops = [origin.clone(f"clone{number}") for number in range(6)]
    for number, top in enumerate(tops[:3]):  # half of them release what they changed themselves
        (top / "prompts/new.prompt.yaml").write_text(text_of("new", number + 2))
        commit(top, "Mine")
    said = race(tops, *[("promote", "new", "--first", "--push") for _ in tops])
    assert sorted(one.code for one in said) == [0, 5, 5, 5, 5, 5], said
    assert live(origin.bare, "new") == "v1 first 1"
    whole(origin, run)


def test_a_number_that_somebody_else_took_meanwhile_becomes_the_next(origin: Remote, run: Run) -> None:
    """Staging takes v1 of a new prompt while production is on its way with another v1."""
    tops = [origin.clone("first"), origin.clone("second")]
    for number, top in enumerate(tops):
        (top / "prompts/new.prompt.yaml").write_text(text_of("new", number))
        commit(top, "Mine")
    done = run(tops[0], "promote", "new", "--first", "-e", "staging", "--push")
    assert done.code == 0, done
    before = git(tops[1], "rev-parse", "origin/main")
    # The second clone believes in what it fetched: the remote has moved under it.
    done = run(tops[1], "promote", "new", "--first", "--push")
    assert done.code == 0, done
    assert git(tops[1], "rev-parse", "origin/main~2") == before
    assert "new v2 is live in production on main at origin" in done.out
    assert "prompts/new.prompt.yaml on main is not this version yet: push it there, or merge it" in done.out
    assert live(origin.bare, "new") == "v2 first 1"
    names = git(origin.bare, "ls-tree", "--name-only", "main:prompts/releases/new").split("\n")
    assert {"v1.yaml", "v2.yaml", "staging.yaml", "production.yaml"} <= set(names)
    whole(origin, run)


PROTECTED = (
    "while read old new ref; do test $ref != refs/heads/main || "
    "{ echo 'main is protected: GH006' >&2; exit 1; }; done"
)


def github(top: Path, origin: Remote) -> None:
    """Have the remote's URL be one at GitHub, and git reach it where it really is."""
    git(top, "config", f"url.{origin.url}.insteadOf", "git@github.com:acme/app.git")
    git(top, "remote", "set-url", "origin", "git@github.com:acme/app.git")


def test_a_protected_branch_leaves_both_sides_and_a_branch_with_its_pull_request(
    origin: Remote, run: Run
) -> None:
    hook(origin.bare, "pre-receive", PROTECTED)
    top = origin.clone("work")
    github(top, origin)
    before, tip = state(top), git(origin.bare, "rev-parse", "main")
    said = run(top, "rollback", ONE, PROMPTS[1], "--push", "-m", "they don't like it")
    branch = f"promptops/rollback-production-{ONE}-v1-3-{PROMPTS[1]}-v1-3"
    assert said.code == 2, "a release that is not live is no success"
    assert state(top) == before
    assert git(origin.bare, "rev-parse", "main") == tip == git(origin.bare, "rev-parse", f"{branch}~1")
    assert live(origin.bare, ONE, branch) == live(origin.bare, PROMPTS[1], branch) == "v1 rollback 3"
    assert (
        f"{ONE} v1 is not live: it waits on {branch} at origin, "
        "and takes effect in production when that is merged into main\n"
    ) in said.out
    assert "main takes no pushes: main is protected: GH006 (pre-receive hook declined)\n" in said.out
    assert (
        f"open its pull request: https://github.com/acme/app/compare/main...{branch}?expand=1\n" in said.out
    )
    (line,) = [line for line in said.out.split("\n") if line.startswith("or: gh pr create")]
    words = shlex.split(line)
    assert words[words.index("--head") + 1] == branch
    assert "they don't like it" in words[words.index("--body") + 1]
    # what the pull request does once it is merged
    hook(origin.bare, "pre-receive", "exit 0")
    git(top, "fetch", "-q")
    git(top, "merge", "-q", "--no-ff", "-m", "Merge", f"origin/{branch}")
    git(top, "push", "-q")
    assert live(origin.bare, ONE) == "v1 rollback 3"
    whole(origin, run)


def test_a_second_try_finds_the_branch_of_the_first(origin: Remote, run: Run) -> None:
    hook(origin.bare, "pre-receive", PROTECTED)
    top, other = origin.clone("work"), origin.clone("other")
    first = run(top, "rollback", ONE, "--push", "--json", "-m", "one")
    second = run(other, "rollback", ONE, "--push", "--json", "-m", "two")
    assert (first.code, second.code) == (2, 2)
    one, two = (said.json for said in (first, second))
    assert one["pull_request"]["branch"] == f"promptops/rollback-production-{ONE}-v1-3"
    assert one["pull_request"] == two["pull_request"]
    assert (one["pull_request"]["url"], one["commit"]) == (None, None)
    assert "waits already" in two["said"][0]
    heads = git(origin.bare, "for-each-ref", "--format=%(refname:short)", "refs/heads").split("\n")
    assert heads == ["main", one["pull_request"]["branch"]]


def test_another_step_of_the_same_name_gets_a_branch_beside_it(origin: Remote, run: Run) -> None:
    hook(origin.bare, "pre-receive", PROTECTED)
    tops = [origin.clone("work"), origin.clone("other")]
    for number, top in enumerate(tops):
        (top / "prompts/new.prompt.yaml").write_text(text_of("new", number))
        commit(top, "Mine")
    said = [run(top, "promote", "new", "--push", "--json", "--first") for top in tops]
    names = [one.json["pull_request"]["branch"] for one in said]
    assert names[0] == "promptops/promote-production-new-v1-1"
    assert names[1].startswith(f"{names[0]}-")


def test_a_remote_that_has_it_under_one_of_two_addresses_is_believed(bare: Path, run: Run) -> None:
    """Both are pushed to, one after the other; the second refuses."""
    top = Remote(bare=bare, url=f"file://{bare}").clone("work")
    git(bare.parent, "clone", "-q", "--bare", f"file://{bare}", "copy.git")
    hook(bare.parent / "copy.git", "pre-receive", PROTECTED)
    for address in (bare, bare.parent / "copy.git"):
        git(top, "remote", "set-url", "--add", "--push", "origin", f"file://{address}")
    said = run(top, "rollback", ONE, "--push")
    assert (said.code, "is live in production on main at origin" in said.out) == (0, True), said
    assert live(bare, ONE) == "v1 rollback 3"


@pytest.mark.slow
def test_a_lock_that_something_left_at_the_remote_is_said_in_its_own_words(bare: Path, run: Run) -> None:
    top = Remote(bare=bare, url=f"file://{bare}").clone("work")
    (bare / "refs/heads/main.lock").touch()
    before = state(top)
    said = run(top, "rollback", ONE, "--push")
    assert said.code == 5
    assert "given up after 20 tries: origin/main is being moved: " in said.err
    assert "main.lock': File exists" in said.err
    assert state(top) == before


@pytest.mark.parametrize("script", [PROTECTED, "echo GH006 >&2; exit 1"])
def test_a_branch_called_promptops_is_in_nobodys_way(bare: Path, run: Run, script: str) -> None:
    top = Remote(bare=bare, url=f"file://{bare}").clone("work")
    git(top, "branch", "promptops")
    git(top, "push", "-q", "origin", "promptops")
    hook(bare, "pre-receive", script)
    said = run(top, "rollback", ONE, "--push", "--json")
    assert (said.code, "GH006" in said.out) == (2, True), said
    waits = said.json["pull_request"]
    assert waits["branch"].startswith("promptops-rollback-production-")
    assert live(bare if waits["remote"] else top, ONE, waits["branch"]) == "v1 rollback 3"


def test_where_the_remote_takes_no_branch_at_all_it_is_kept_here(origin: Remote, run: Run) -> None:
    hook(origin.bare, "pre-receive", "echo 'this repository is frozen' >&2; exit 1")
    top = origin.clone("work")
    before, refs = git(top, "rev-parse", "HEAD"), git(origin.bare, "for-each-ref")
    said = run(top, "rollback", ONE, "--push")
    assert said.code == 2
    assert "this repository is frozen" in said.out
    branch = git(top, "for-each-ref", "--format=%(refname:short)", "refs/heads/promptops")
    assert f"push {branch} where you may" in said.out
    assert live(top, ONE, branch) == "v1 rollback 3"
    assert git(top, "rev-parse", "HEAD") == before
    assert git(origin.bare, "for-each-ref") == refs
    assert git(top, "status", "--porcelain") == ""


@pytest.mark.parametrize("fault", ["before", "half", "forbidden"])
def test_a_connection_that_breaks_before_the_remote_has_it_leaves_both_sides(
    server: Remote, fault: str, run: Run
) -> None:
    top = server.clone("work")
    before, tip = state(top), git(server.bare, "rev-parse", "main")
    server.fault = fault
    said = run(top, "rollback", ONE, "--push")
    assert said.code == 2, said
    assert "pushing to origin failed" in said.err
    assert "origin is as before" in said.err
    assert state(top) == before
    assert git(server.bare, "rev-parse", "main") == tip
    assert run(top, "rollback", ONE, "--push").code == 0, "and the next try is an ordinary one"
    assert live(server.bare, ONE) == "v1 rollback 3"


def test_a_server_that_says_nothing_is_left(server: Remote, run: Run) -> None:
    """After a minute, or what git is configured to wait."""
    top = server.clone("work")
    git(top, "config", "http.lowSpeedLimit", "1")
    git(top, "config", "http.lowSpeedTime", "1")
    before = state(top)
    server.fault = "stall"
    said = run(top, "rollback", ONE, "--push")
    assert (said.code, "origin is as before" in said.err) == (2, True), said
    assert state(top) == before


def test_an_answer_that_is_lost_does_not_lose_the_release(server: Remote, run: Run) -> None:
    top = server.clone("work")
    server.fault = "after"
    said = run(top, "rollback", ONE, "--push")
    assert said.code == 0, said
    assert live(server.bare, ONE) == "v1 rollback 3"
    assert git(top, "rev-parse", "HEAD") == git(server.bare, "rev-parse", "main")
    assert git(top, "status", "--porcelain") == ""


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_network_that_stays_away_is_said_and_a_rerun_finds_out(
    server: Remote, fault: str, run: Run
) -> None:
    top = server.clone("work")
    before = state(top)
    server.fault, server.stays_gone = fault, True
    said = run(top, "rollback", ONE, "--push")
    assert said.code == 2, said
    assert "run the command again once origin can be reached" in said.err
    assert state(top) == before
    server.gone = False
    again = run(top, "rollback", ONE, "--push")
    assert again.code == 0, again
    assert live(server.bare, ONE) == "v1 rollback 3", "once, and not twice"
    assert ("is already live" in again.out) == (fault == "after")
    assert git(top, "rev-parse", "HEAD") == git(server.bare, "rev-parse", "main")
    assert git(top, "status", "--porcelain") == ""


@pytest.mark.slow
def test_of_two_branches_that_both_released_the_second_takes_the_next_number(bare: Path, run: Run) -> None:
    top = Remote(bare=bare, url=f"file://{bare}").clone("work")
    for number, branch in enumerate(("kind", "kinder")):
        git(top, "checkout", "-q", "-b", branch, "origin/main")
        (top / "prompts/greet-0.prompt.yaml").write_text(text_of(ONE, 20 + number))
        commit(top, "Mine")
        done = run(top, "promote", ONE, "--force", "-m", "both at once")
        assert f"{ONE} v3 is released" in done.out, done
    again = run(top, "promote", ONE)
    assert again.out == (
        f"{ONE} is already released in production as v3 here; it takes effect when this reaches origin/main\n"
    )
    git(top, "push", "-q", "origin", "kind:main")
    git(top, "fetch", "-q")
    (top / "prompts/greet-0.prompt.yaml").write_text(text_of(ONE, 22))
    commit(top, "More")
    behind = run(top, "promote", ONE)
    assert behind.code == 2
    assert "production has moved to v3 on origin/main; bring it in first: git merge origin/main" in behind.err
    assert f"prompts/releases/{ONE}/v3.yaml" in start_merge(top)
    git(top, "checkout", "-q", "--theirs", "prompts/releases")
    git(top, "checkout", "-q", "--ours", "prompts/greet-0.prompt.yaml")
    commit(top, "Merge main, whose releases count")
    done = run(top, "promote", ONE, "--force", "-m", "after kind")
    assert f"{ONE} v4 is released" in done.out, done
    git(top, "push", "-q", "origin", "HEAD:main")
    assert live(bare, ONE) == "v4 promote 4"


def start_merge(top: Path) -> str:
    """Begin a merge that conflicts, and return the paths that do."""
    done = subprocess.run(["git", "merge", "-q", "origin/main"], cwd=top, capture_output=True, check=False)
    assert done.returncode == 1
    return git(top, "diff", "--name-only", "--diff-filter=U")


def test_the_pull_request_of_a_rollback_needs_no_key_and_no_model(bare: Path, run: Run) -> None:
    origin = Remote(bare=bare, url=f"file://{bare}")
    seed = origin.clone("seed")
    (seed / "bots.py").write_text("def answer(request):\n    raise ValueError('nobody may be asked')\n")
    commit(seed, "A model that is down")
    git(seed, "push", "-q")
    hook(bare, "pre-receive", PROTECTED)
    top = origin.clone("work")
    waits = run(top, "rollback", ONE, "--push", "--json").json["pull_request"]
    git(top, "checkout", "-q", "-b", "pull", f"origin/{waits['branch']}")
    said = run(top, "gate", "--base", "origin/main")
    assert said.code == 0, said
    assert "goes back to v1, on the evidence with which it went live" in said.out
    assert run(top, "verify", "--since", "origin/main").code == 0


@pytest.mark.parametrize("default", ["main", "trunk"])
def test_a_clone_of_a_feature_branch_releases_on_the_main_one(origin: Remote, run: Run, default: str) -> None:
    git(origin.bare, "branch", "feature", "main")
    git(origin.bare, "branch", "-m", "main", default)
    top = origin.clone("work", "--single-branch", "--branch", "feature")
    here = run(top, "rollback", "greet-1")
    assert "v1 is released in production on feature here; it takes effect on the release branch" in here.out
    said = run(top, "rollback", ONE, "--push")
    assert (said.code, f"is live in production on {default} at origin" in said.out) == (0, True), said
    assert "git pull" not in said.out, "there is no such branch here"
    assert live(origin.bare, ONE, default) == "v1 rollback 3"
    assert live(origin.bare, ONE, "feature") == "v2 promote 2"


def test_the_first_push_makes_an_empty_remotes_first_branch(bare: Path, run: Run) -> None:
    top = Remote(bare=bare, url=f"file://{bare}").clone("work")
    git(top, "checkout", "-q", "-b", "trunk")
    git(top, "branch", "-q", "-D", "main")
    git(top, "remote", "remove", "origin")
    git(bare.parent, "init", "-q", "--bare", "empty.git")
    git(top, "remote", "add", "origin", f"file://{bare.parent / 'empty.git'}")
    said = run(top, "rollback", ONE, "--push")
    assert (said.code, "is live in production on trunk at origin" in said.out) == (0, True), said
    assert live(bare.parent / "empty.git", ONE, "trunk") == "v1 rollback 3"


def test_a_checkout_of_one_commit_in_ci_fetches_the_release_branch_that_it_lacks(
    origin: Remote, run: Run
) -> None:
    seed = origin.clone("seed")
    (seed / "promptops.yaml").write_text("release_branch: main\n")
    commit(seed, "Say which branch decides")
    git(seed, "push", "-q", "origin", "main", "main:change")
    top = origin.clone("work", "--depth", "1", "--branch", "change")
    git(top, "checkout", "-q", "--detach")
    git(top, "branch", "-q", "-D", "change")
    said = run(top, "rollback", ONE, "--push")
    assert said.code == 0, said
    assert live(origin.bare, ONE) == "v1 rollback 3"
    assert git(top, "rev-list", "--count", "origin/main") == "2", "and no more than that"
