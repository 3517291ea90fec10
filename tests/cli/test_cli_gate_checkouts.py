"""`gate` where build servers run it: merge refs, checkouts of one commit, forks, and the files they read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_help import ID, PATH, Project, Run, git, project_at


@pytest.fixture
def origin(project: Project, tmp_path: Path) -> Path:
    """A remote with main, a branch that makes the prompt worse, and the merge ref of its pull request."""
    project.git("branch", "-M", "main")
    project.git("checkout", "-q", "-b", "change")
    project.reword("quick")
    project.commit("Answer quickly")
    project.git("checkout", "-q", "main")
    project.write("README.md", "main has gone on\n")
    project.commit("Go on")
    project.git("checkout", "-q", "--detach")
    project.git("merge", "-q", "--no-ff", "-m", "Merge change into main", "change")
    bare = tmp_path / "origin.git"
    git(tmp_path, "init", "-q", "--bare", "--initial-branch=main", str(bare))
    project.git("push", "-q", str(bare), "main", "change", "HEAD:refs/pull/1/merge")
    return bare


@pytest.fixture
def checkout(origin: Path, tmp_path: Path, run_in: Run) -> Callable[[str], Project]:
    """Check one ref out as actions/checkout does: one commit, detached, no branch."""

    def out(ref: str) -> Project:
        folder = tmp_path / "checkout"
        git(tmp_path, "init", "-q", str(folder))
        git(folder, "remote", "add", "origin", origin.as_uri())
        git(folder, "fetch", "-q", "--no-tags", "--depth=1", "origin", f"+{ref}:refs/remotes/pull/1/merge")
        git(folder, "checkout", "-q", "--detach", "refs/remotes/pull/1/merge")
        return project_at(folder, run_in)

    return out


def test_a_merge_ref_of_one_commit_is_compared_with_its_first_parent(
    checkout: Callable[[str], Project],
) -> None:
    here = checkout("refs/pull/1/merge")
    said = here.run("gate", "--base", "origin/main", "--json")
    assert said.code == 3, said
    assert [one["status"] for one in said.json["prompts"]] == ["regression"]
    assert said.json["prompts"][0]["reasons"] == ["the prompt"]
    assert said.json["prompts"][0]["baseline"]["version"] == 1


def test_a_branch_of_one_commit_is_compared_with_where_it_left_the_base(
    checkout: Callable[[str], Project],
) -> None:
    here = checkout("refs/heads/change")
    said = here.run("gate", "--base", "origin/main", "--json")
    assert said.code == 3, said
    assert said.json["prompts"][0]["reasons"] == ["the prompt"]


def test_the_command_for_a_maintainer_fetches_the_commit_that_it_names(
    project: Project, origin: Path, tmp_path: Path, run_in: Run
) -> None:
    project.git("checkout", "-q", "change")
    project.git("push", "-q", str(origin), "HEAD:refs/pull/2/head")
    git(tmp_path, "clone", "-q", "--single-branch", origin.as_uri(), "maintainer")
    here = project_at(tmp_path / "maintainer", run_in)
    head = project.git("rev-parse", "HEAD")
    said = here.run("gate", "--base", "origin/main", "--head", head, "--untrusted", "--json")
    assert (said.code, said.json["head"]) == (3, head)
    assert here.git("rev-parse", "--is-shallow-repository") == "false"
    assert here.git("status", "--porcelain") == ""
    other = here.run("gate", "--base", "origin/main", "--head", "0123456789" * 4)
    assert other.code == 2
    assert "there is no commit" in other.err


@pytest.mark.parametrize("ref", ["refs/pull/1/merge", "refs/heads/taken"])
def test_a_merge_is_compared_with_the_base_and_not_with_its_own_first_parent(
    ref: str, project: Project, origin: Path, checkout: Callable[[str], Project]
) -> None:
    """A branch that merged the base has its own work as first parent; and the base may have gone on since."""
    project.git("checkout", "-q", "change")
    project.git("merge", "-q", "--no-ff", "-m", "Take main", "main")
    project.git("checkout", "-q", "main")
    project.write("README.md", "main has gone on further\n")
    project.commit("Go on further")
    project.git("push", "-q", str(origin), "main", "change:taken")
    here = checkout(ref)
    said = here.run("gate", "--base", "origin/main", "--json")
    assert said.code == 3, said
    assert said.json["base"] == project.git("rev-parse", "main")
    assert [one["reasons"] for one in said.json["prompts"]] == [["the prompt"]]


def test_releases_of_several_commits_are_fetched_to_be_checked(
    project: Project, tmp_path: Path, run_in: Run
) -> None:
    project.git("branch", "-M", "main")
    project.git("checkout", "-q", "-b", "change")
    for before, after in (("Be careful", "Be very careful"), ("Be very careful", "Be most careful")):
        project.edit(before, after)
        project.commit()
        assert project.run("promote", ID).code == 0
    bare = tmp_path / "origin.git"
    git(tmp_path, "init", "-q", "--bare", "--initial-branch=main", str(bare))
    project.git("push", "-q", str(bare), "main", "change")
    project.git("checkout", "-q", "--detach", "main")
    project.git("merge", "-q", "--no-ff", "-m", "Merge change into main", "change")
    project.git("push", "-q", str(bare), "HEAD:refs/pull/1/merge")
    folder = tmp_path / "checkout"
    git(tmp_path, "init", "-q", str(folder))
    git(folder, "remote", "add", "origin", bare.as_uri())
    git(folder, "fetch", "-q", "--depth=1", "origin", "+refs/pull/1/merge:refs/remotes/pull/1/merge")
    git(folder, "checkout", "-q", "--detach", "refs/remotes/pull/1/merge")
    said = project_at(folder, run_in).run("gate", "--base", "origin/main", "--json")
    assert said.code == 0, said
    assert {note["level"] for note in said.json["integrity"]} <= {"warning"}
    assert said.json["prompts"][0]["candidate"]["version"] == 3
    assert said.json["prompts"][0]["status"] == "pass"


def test_a_base_that_cannot_be_fetched_is_exit_2_with_the_line_to_add(
    checkout: Callable[[str], Project], origin: Path
) -> None:
    here = checkout("refs/pull/1/merge")
    origin.rename(origin.with_name("gone.git"))
    said = here.run("gate", "--base", "origin/main")
    assert said.code == 2
    assert "fetch-depth: 0" in said.err


def test_the_job_summary_the_comment_junit_and_annotations_are_written(
    checkout: Callable[[str], Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = checkout("refs/pull/1/merge")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    (tmp_path / "summary.md").write_text("what another step wrote\n")
    comment, junit = tmp_path / "comment.md", tmp_path / "junit.xml"
    said = here.run("gate", "--base", "origin/main", "--markdown", str(comment), "--junit", str(junit))
    assert said.code == 3
    assert comment.read_text().startswith("<!-- promptops-gate -->")
    assert "1 prompt got worse" in comment.read_text()
    assert (tmp_path / "summary.md").read_text().startswith("what another step wrote\n")
    assert "promptops" in (tmp_path / "summary.md").read_text()
    assert junit.read_text().startswith("<?xml")
    assert f"::error file={PATH},line=5" in said.out


def test_a_report_that_cannot_be_written_is_said_before_anybody_is_asked(
    checkout: Callable[[str], Project], tmp_path: Path
) -> None:
    here = checkout("refs/pull/1/merge")
    said = here.run("gate", "--base", "origin/main", "--junit", str(tmp_path / "no" / "folder.xml"))
    assert said.code == 2
    assert not (here.path / ".promptops").exists()


def pull_request(head: str | None) -> dict[str, object]:
    repository = None if head is None else {"full_name": head}
    return {"pull_request": {"head": {"repo": repository}, "base": {"repo": {"full_name": "acme/bot"}}}}


@pytest.mark.parametrize(
    ("event", "outside"),
    [
        (pull_request("mallory/bot"), True),
        (pull_request(None), True),
        (pull_request("acme/bot"), False),
        ({"push": {}}, False),
    ],
    ids=["another repository", "a fork that was deleted", "the same repository", "no pull request"],
)
def test_github_says_whether_a_pull_request_comes_from_outside(
    event: object,
    outside: bool,
    checkout: Callable[[str], Project],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = checkout("refs/pull/1/merge")
    (tmp_path / "event.json").write_text(json.dumps(event))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    said = here.run("gate", "--base", "origin/main", "--json")
    assert (said.code, said.json["untrusted"]) == (3, outside)


def test_nothing_of_the_gate_is_left_in_the_checkout(checkout: Callable[[str], Project]) -> None:
    here = checkout("refs/pull/1/merge")
    before = here.git("status", "--porcelain", "--ignored=no"), here.git("rev-parse", "HEAD")
    here.run("gate", "--base", "origin/main")
    assert (here.git("status", "--porcelain", "--ignored=no"), here.git("rev-parse", "HEAD")) == before
    assert ID in here.git("ls-files")


def test_a_tag_with_the_name_of_the_base_is_not_the_base(
    project: Project, origin: Path, tmp_path: Path, run_in: Run
) -> None:
    """Git takes tags first: one at the change itself would leave nothing to be judged."""
    project.git("push", "-q", str(origin), "change:refs/tags/origin/main", "change:refs/tags/main")
    git(tmp_path, "clone", "-q", origin.as_uri(), "whole")
    git(tmp_path, "clone", "-q", "--depth=1", "--branch=change", origin.as_uri(), "one-commit")
    git(tmp_path, "clone", "-q", "--single-branch", "--branch=change", origin.as_uri(), "one-branch")
    for name in ("whole", "one-commit", "one-branch"):
        here = project_at(tmp_path / name, run_in)
        here.git("checkout", "-q", "--detach", "refs/remotes/origin/change")
        for base in ("origin/main", "refs/remotes/origin/main"):
            said = here.run("gate", "--base", base, "--json")
            assert said.code == 3, (name, base, said)
    assert here.git("rev-parse", "--is-shallow-repository") == "false"


@pytest.mark.parametrize("leads_to", ["lenient", "new"])
def test_a_folder_that_became_a_link_is_not_judged_by_where_it_leads(
    leads_to: str, project: Project, run_in: Run
) -> None:
    """The prompts are gone then, and those that programs read through the link were never tested."""
    for name in ("strict", "lenient"):
        project.write(f"{name}/promptops.yaml", "prompts: [prompts]\n")
        project.write(f"{name}/{PATH}", (project.path / PATH).read_text())
    project.commit("Begin")
    project.git("branch", "base")
    project.git("mv", "strict", "new")
    project.write(f"new/{PATH}", (project.path / PATH).read_text().replace("careful", "quick"))
    (project.path / "strict").symlink_to(leads_to)
    project.commit("Turn it")
    said = run_in(project.path, "-C", "strict", "gate", "--base", "base")
    assert said.code == 2
    assert "strict: a symbolic link" in said.err
    assert run_in(project.path, "gate", "-C", "strict/prompts", "--base", "base").code == 2
