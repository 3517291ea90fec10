"""What goes live, who overruled what, and how it comes back: with real commits, clones and remotes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_help import CONFIG, ID, PATH, POINTER, SAMPLES, N, Project, Run, Said, git, project_at

Program = Callable[..., Said]
FOLDER = f"prompts/releases/{ID}"


def live(project: Project, environment: str = "production") -> str:
    """What a pointer of HEAD says, with its one commit's files."""
    return project.git("show", f"HEAD:{FOLDER}/{environment}.yaml")


def better(project: Project, word: str = "thorough") -> None:
    """Commit a version that answers as well as the one before."""
    project.edit("careful", word) if "careful" in (project.path / PATH).read_text() else project.edit(
        "Be ", f"Be {word} and "
    )
    project.commit(f"Be {word}")


def clone(project: Project, run_in: Run, name: str, *words: str) -> Project:
    target = project.path.parent / name
    git(project.path.parent, "clone", "-q", *words, f"file://{project.path}", name)
    return project_at(target, run_in)


@pytest.fixture
def remote(project: Project) -> Path:
    """A bare repository that `project` was pushed to."""
    bare = project.path.parent / "remote.git"
    git(project.path.parent, "init", "-q", "--bare", "remote.git")
    project.git("remote", "add", "origin", str(bare))
    project.git("push", "-q", "-u", "origin", "main")
    project.git("remote", "set-head", "origin", "main")
    return bare


def test_a_first_release_is_judged_by_its_floor(fresh: Project) -> None:
    before = fresh.git("rev-parse", "HEAD")
    said = fresh.run("promote", ID, "-m", "first version")
    assert said.code == 0
    assert "PASS   every floor holds" in said.out
    assert f"{ID} v1 is live in production on main; programs take it when they reload" in said.out
    assert fresh.git("rev-parse", "HEAD~1") == before
    files = fresh.git("show", "--name-only", "--format=", "HEAD").splitlines()
    assert sorted(re.sub(r"[0-9a-f]{16}", "HASH", name) for name in files) == [
        f"{FOLDER}/evidence/HASH.json",
        f"{FOLDER}/production.yaml",
        f"{FOLDER}/v1.yaml",
    ]
    assert fresh.git("status", "--porcelain") == ""
    assert fresh.git("log", "-1", "--format=%s") == f"Promote {ID} v1 to production"
    assert fresh.run("verify").code == 0


def test_evidence_holds_numbers_and_no_text_of_any_sample(project: Project) -> None:
    (evidence,) = (project.path / FOLDER / "evidence").iterdir()
    text = evidence.read_text()
    assert "message 0" not in text
    assert json.loads(text)["samples"]["n"] == N


def test_a_first_release_below_its_floor_is_refused(fresh: Project) -> None:
    fresh.reword("quick")
    fresh.edit("min: 0.8", "min: 0.9")
    fresh.commit()
    before = fresh.snapshot()
    said = fresh.run("promote", ID, "--first")
    assert said.code == 3
    assert "not promoted: the candidate is shown to be worse" in said.out
    assert fresh.snapshot() == before


def test_without_a_floor_a_first_release_is_adopted_and_says_so(fresh: Project) -> None:
    fresh.edit(", min: 0.8", "")
    fresh.commit()
    said = fresh.run("promote", ID)
    assert said.code == 4
    assert f"promptops promote {ID} --first" in said.out
    assert fresh.calls() == 0, "what no test could decide is not paid for"
    said = fresh.run("promote", ID, "--first")
    assert said.code == 0
    assert fresh.calls() == 0
    assert "adopted without a test" in fresh.run("status").out
    assert "Adopted as it is" in fresh.git("log", "-1", "--format=%b")
    assert fresh.run("verify").code == 0


def test_what_is_live_already_is_0_and_changes_nothing(project: Project) -> None:
    before = project.snapshot()
    said = project.run("promote", ID)
    assert (said.code, said.out) == (0, f"{ID} is already live in production as v1\n")
    assert project.run("rollback", ID, "--to", "v1").out == said.out
    assert project.snapshot() == before


def test_a_pass_is_promoted_on_the_evidence_of_the_test_that_was_run(project: Project) -> None:
    project.reword("thorough")
    assert project.run("test").code == 0
    asked = project.calls()
    project.commit()
    said = project.run("promote", ID, "-m", "clearer")
    assert said.code == 0
    assert project.calls() == asked
    assert f"{ID} v2 is live in production on main" in said.out
    assert "sequence: 2" in live(project)
    assert project.run("verify").code == 0


def test_a_regression_is_refused_with_exactly_how_to_overrule(project: Project) -> None:
    project.reword("quick")
    project.commit()
    before = project.snapshot()
    said = project.run("promote", ID)
    assert said.code == 3
    assert "REGRESSION   queue fell by 20 points" in said.out
    assert said.out.endswith(
        "not promoted: the candidate is shown to be worse\n"
        f'an owner may overrule it, visibly for ever: promptops promote {ID} --force -m "why"\n'
    )
    assert project.run("promote", ID, "--accept", "-m", "please").code == 3, "accept is for what is open"
    refused = project.run("promote", ID, "--json")
    assert refused.code == 3
    assert refused.json["schema"] == "promptops.release/1"
    assert refused.json["release"] is None
    assert refused.json["report"]["verdict"] == "regression"
    assert project.snapshot() == before


def test_force_stays_visible_in_status_log_and_commit(project: Project) -> None:
    project.reword("quick")
    project.commit()
    said = project.run("promote", ID, "--force", "-m", "the old model is switched off")
    assert said.code == 0
    assert "REGRESSION" in said.out
    assert "forced: the old model is switched off" in project.run("status").out
    assert "live in production (forced)" in project.run("log", ID).out
    assert project.git("log", "-1", "--format=%s").endswith("to production (forced)")
    assert "forced: true" in live(project)
    assert project.run("verify").code == 0
    better(project, "thorough")
    assert project.run("promote", ID).code in (0, 3, 4)
    assert "(forced)" in project.run("log", ID).out


def test_accept_decides_what_is_open_and_stays_visible(project: Project) -> None:
    project.keep_samples(30)
    project.reword("thorough")
    project.commit()
    said = project.run("promote", ID)
    assert said.code == 4
    assert f'promptops promote {ID} --accept -m "why"' in said.out
    said = project.run("promote", ID, "--accept", "-m", "read by two of us")
    assert said.code == 0
    assert "accepted: read by two of us" in project.run("status").out
    assert "live in production (accepted)" in project.run("log", ID).out
    assert project.run("verify").code == 0


def test_what_is_blocked_while_open_needs_force(project: Project) -> None:
    project.keep_samples(30)
    project.edit("scorers:", "gate: {inconclusive: block}\nscorers:")
    project.reword("thorough")
    project.commit()
    said = project.run("promote", ID, "--accept", "-m", "x")
    assert said.code == 4
    assert "--force" in said.out
    assert project.run("promote", ID, "--force", "-m", "we must").code == 0


def test_open_is_enough_where_the_prompt_says_so(project: Project) -> None:
    project.keep_samples(30)
    project.edit("scorers:", "gate: {inconclusive: allow}\nscorers:")
    project.reword("thorough")
    project.commit()
    assert project.run("test").code == 0 or project.run("test", ID, "--against", "v1").code == 0
    assert project.run("promote", ID).code == 0


def test_staged_and_dirty_work_of_others_stays_byte_for_byte(project: Project) -> None:
    better(project)
    project.write("README.md", "staged\n")
    project.git("add", "README.md")
    project.write("README.md", "staged, then dirty\n")
    project.write("promptops.yaml", CONFIG + "# dirty\n")
    project.write("new.txt", "untracked\n")
    project.write("staged-new.txt", "added\n")
    project.git("add", "staged-new.txt")
    entries, status = project.git("ls-files", "--stage"), project.git("status", "--porcelain")
    files = {
        path: path.read_bytes()
        for path in project.path.rglob("*.*")
        if path.is_file() and ".git" not in path.parts
    }
    assert project.run("promote", ID).code == 0
    after = project.git("ls-files", "--stage").splitlines()
    assert [line for line in after if FOLDER not in line] == [
        line for line in entries.splitlines() if FOLDER not in line
    ]
    assert project.git("status", "--porcelain") == status
    release = {FOLDER, ".promptops"}
    for path, content in files.items():
        if not any(place in str(path) for place in release):
            assert path.read_bytes() == content
    assert "README.md" not in project.git("show", "--name-only", "--format=", "HEAD")
    project.git("commit", "-q", "-m", "Mine")
    assert "version: 2" in live(project), "a plain commit keeps the release"
    assert sorted(project.git("show", "--name-only", "--format=", "HEAD").splitlines()) == [
        "README.md",
        "staged-new.txt",
    ]
    assert project.run("verify").code == 0


def test_only_the_prompts_own_files_have_to_be_as_committed(project: Project) -> None:
    project.write("prompts/partials/tone.md", "Be friendly.\n")
    project.edit("Answer with", "{% include 'partials/tone.md' %} Answer with")
    project.commit()
    for name, text in (
        (PATH, (project.path / PATH).read_text() + "# one more\n"),
        ("prompts/partials/tone.md", "X"),
    ):
        kept = (project.path / name).read_bytes()
        project.write(name, text)
        before = project.snapshot()
        said = project.run("promote", ID)
        assert said.code == 2
        assert "is not as committed: commit it, or restore it" in said.err
        assert project.snapshot() == before
        project.write(name, kept)
    project.write("prompts/other.prompt.yaml", (project.path / PATH).read_text())
    assert project.run("promote", ID).code == 0
    said = project.run("promote", "other")
    assert said.code == 2
    assert "is not committed yet: git add prompts/other.prompt.yaml; git commit" in said.err


def test_rollback_goes_back_and_says_that_nothing_was_tested(project: Project) -> None:
    better(project)
    assert project.run("promote", ID).code == 0
    asked = project.calls()
    said = project.run("rollback", ID, "-m", "complaints")
    assert said.code == 0
    assert f"{ID} v1 is live in production on main; programs take it when they reload" in said.out
    assert "rolled back from v2, not re-tested" in said.out
    assert project.calls() == asked
    assert "rolled back, not re-tested" in project.run("status").out
    log = project.run("log", ID).out
    assert "rolled back in production" in log.splitlines()[0]
    assert project.run("verify").code == 0
    assert project.git("status", "--porcelain") == ""


def test_a_rollback_of_a_rollback_goes_further_back_and_never_in_a_circle(project: Project) -> None:
    better(project)
    assert project.run("promote", ID).code == 0
    better(project, "kind")
    assert project.run("promote", ID).code == 0
    assert "version: 3" in live(project)
    assert project.run("rollback", ID).code == 0
    assert "version: 2" in live(project)
    assert project.run("rollback", ID).code == 0
    assert "version: 1" in live(project)
    before = project.snapshot()
    said = project.run("rollback", ID)
    assert said.code == 2
    assert "nothing was live before" in said.err
    assert project.snapshot() == before
    said = project.run("rollback", f"{ID}@v3")
    assert said.code == 0
    assert "version: 3" in live(project)
    assert project.run("rollback", ID, "--to", "v1").code == 0
    assert "version: 1" in live(project)
    assert project.run("verify").code == 0


def test_nothing_before_is_2(project: Project) -> None:
    before = project.snapshot()
    said = project.run("rollback", ID)
    assert said.code == 2
    assert f"nothing was live before {ID} v1; there is nothing to go back to" in said.err
    assert project.snapshot() == before


def test_a_version_without_evidence_needs_a_person_or_a_test(fresh: Project) -> None:
    fresh.edit(", min: 0.8", "")
    fresh.commit()
    assert fresh.run("promote", ID, "--first").code == 0
    better(fresh)
    assert fresh.run("promote", ID).code == 0
    before = fresh.snapshot()
    said = fresh.run("rollback", ID)
    assert said.code == 2
    assert "v1" in said.err
    assert "--force -m" in said.err
    assert fresh.snapshot() == before
    said = fresh.run("rollback", ID, "--force", "-m", "it worked for a year")
    assert said.code == 0
    assert "forced: it worked for a year" in fresh.run("status").out
    assert fresh.run("verify").code == 0


def test_rollback_works_in_a_clone_of_depth_1_without_its_remote(project: Project, run_in: Run) -> None:
    better(project)
    assert project.run("promote", ID).code == 0
    shallow = clone(project, run_in, "shallow", "--depth", "1")
    project.path.rename(project.path.with_name("gone"))
    said = shallow.run("rollback", ID, "-m", "offline")
    assert said.code == 0, said
    assert "version: 1" in live(shallow)
    assert "git push" in said.out
    verified = shallow.run("verify")
    assert verified.code == 0
    assert "could not be checked" in verified.out
    assert "shallow" in shallow.run("log").out


def test_a_feature_branch_releases_when_it_is_merged(project: Project, remote: Path) -> None:
    project.git("checkout", "-q", "-b", "kinder")
    better(project)
    said = project.run("promote", ID)
    assert said.code == 0
    assert (
        f"{ID} v2 is released in production on kinder; it takes effect when kinder is merged into main"
        in said.out
    )
    status = project.run("status").out
    assert "v2 waits on this branch" in status
    assert "production   v1" in status
    assert "merge or push this branch: that is the release" in status
    state = project.run("status", "--json").json
    assert state["schema"] == "promptops.status/1"
    assert state["prompts"][0]["environments"][0]["waiting"] == 2
    project.git("checkout", "-q", "main")
    project.git("merge", "-q", "--no-ff", "-m", "Merge kinder", "kinder")
    project.git("push", "-q")
    assert "production   v2" in project.run("status").out
    assert "waits" not in project.run("status").out
    assert project.run("verify").code == 0


def test_the_release_branch_itself_takes_effect_with_a_push(project: Project, remote: Path) -> None:
    better(project)
    said = project.run("promote", ID)
    assert said.code == 0
    assert f"{ID} v2 is released in production on main here; it takes effect with git push" in said.out
    assert "v2 waits on this branch" in project.run("status").out
    project.git("push", "-q")
    assert "production   v2" in project.run("status").out


def test_a_direct_push_is_live_at_once(project: Project, remote: Path) -> None:
    better(project)
    project.git("push", "-q")
    said = project.run("promote", ID, "--push")
    assert said.code == 0
    assert f"{ID} v2 is live in production on main at origin; programs take it when they reload" in said.out
    assert "version: 2" in git(remote, "show", f"main:{POINTER}")
    assert project.git("rev-parse", "HEAD") == git(remote, "rev-parse", "main")
    assert project.git("status", "--porcelain") == ""
    said = project.run("rollback", ID, "--push", "-m", "back")
    assert said.code == 0
    assert "version: 1" in git(remote, "show", f"main:{POINTER}")


def test_who_comes_second_loses_with_5_and_nothing_of_his_is_lost(
    project: Project, remote: Path, run_in: Run
) -> None:
    better(project)
    project.git("push", "-q")
    git(project.path.parent, "clone", "-q", str(remote), "second")
    second = project_at(project.path.parent / "second", run_in)
    assert project.run("promote", ID, "--push").code == 0
    before = second.snapshot()
    said = second.run("promote", ID, "--push", "-m", "me too")
    assert said.code == 5, said
    assert said.err.endswith(
        "error: origin/main has moved: Ada <ada@example.org> promoted support-triage to v2 in production first; "
        "that is what you asked for\n"
    )
    assert second.snapshot() == before
    second.git("pull", "-q")
    said = second.run("promote", ID, "--push")
    assert (said.code, said.out) == (0, f"{ID} is already live in production as v2\n")


def test_a_branch_that_lacks_a_release_has_to_take_it_in_first(
    project: Project, remote: Path, run_in: Run
) -> None:
    project.git("checkout", "-q", "-b", "behind")
    project.git("checkout", "-q", "main")
    better(project)
    assert project.run("promote", ID).code == 0
    project.git("push", "-q")
    project.git("checkout", "-q", "behind")
    better(project, "kind")
    said = project.run("promote", ID)
    assert said.code == 2
    assert "production has moved to v2 on origin/main; bring it in first: git merge origin/main" in said.err


def test_a_detached_head_needs_a_branch(project: Project) -> None:
    better(project)
    project.git("checkout", "-q", "--detach")
    said = project.run("promote", ID)
    assert said.code == 2
    assert "--branch" in said.err
    said = project.run("promote", ID, "--branch", "main")
    assert said.code == 0
    assert "version: 2" in project.git("show", f"main:{POINTER}")
    said = project.run("promote", ID, "--branch", "nowhere")
    assert said.code == 2
    assert "no branch called 'nowhere' here" in said.err


@pytest.mark.parametrize("name", ["production.yaml", "v1.yaml"])
def test_a_hand_edit_is_found_with_exit_6(project: Project, name: str) -> None:
    text = (project.path / FOLDER / name).read_text()
    edited = text.replace("careful", "careless").replace("Ada", "Eve")
    assert edited != text
    project.write(f"{FOLDER}/{name}", edited)
    project.commit("By hand")
    said = project.run("verify")
    assert said.code == 6
    assert f"{FOLDER}/{name}" in said.out
    assert "a release is not what promptops wrote" in said.out
    found = project.run("verify", "--json")
    assert found.code == 6
    assert found.json["schema"] == "promptops.verify/1"
    assert any(row["severity"] == "error" for row in found.json["findings"])


def test_export_is_the_same_byte_for_byte(project: Project, program: Program) -> None:
    first = project.run("export").out
    assert program(project.path, "export", PYTHONHASHSEED="7").out == first
    found = json.loads(first)
    assert found["schema"] == "promptops.export/1"
    assert found["prompts"][ID]["version"] == 1
    assert found["prompts"][ID]["messages"][1] == {"role": "user", "content": "{{ message }}"}
    assert project.run("export", "-e", "production", "-o", "prompts.json").code == 0
    assert (project.path / "prompts.json").read_text() == first
    project.reword("thorough")
    assert project.run("export").out == first, "only what is live is exported"


def test_staging_comes_before_production(project: Project) -> None:
    project.write("promptops.yaml", CONFIG + "environments: [staging, production]\n")
    better(project)
    said = project.run("promote", ID, "-e", "staging")
    assert said.code == 0
    assert f"{ID} v2 is live in staging" in said.out
    status = project.run("status").out
    assert re.search(r"staging +v2", status)
    assert re.search(r"production +v1", status)
    project.edit("thorough", "quick")
    project.commit("Not this one")
    asked = project.calls()
    said = project.run("promote", f"{ID}@staging", "-m", "a quiet week")
    assert said.code == 0, said
    assert f"{ID} v2 is live in production" in said.out
    assert project.calls() == asked, "the test of staging was the same test"
    assert "version: 2" in live(project)
    assert project.run("rollback", ID, "-e", "staging").code == 2
    assert project.run("rollback", ID).code == 0
    assert "version: 1" in live(project)
    assert "version: 2" in live(project, "staging")
    assert json.loads(project.run("export", "-e", "staging").out)["prompts"][ID]["version"] == 2
    log = project.run("log", ID, "-e", "staging").out
    assert len(log.splitlines()) == 1
    assert project.run("verify").code == 0


def test_an_old_version_can_be_released_again_under_its_old_number(project: Project) -> None:
    better(project)
    assert project.run("promote", ID).code == 0
    said = project.run("promote", f"{ID}@v1", "-m", "back to what we know")
    assert said.code == 0, said
    assert f"{ID} v1 is live in production" in said.out
    assert "kind: promote" in live(project)
    assert project.run("verify").code == 0


def test_a_hook_that_refuses_leaves_everything_as_it_was(project: Project) -> None:
    better(project)
    hook = project.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not on a Friday >&2\nexit 1\n")
    hook.chmod(0o755)
    before = project.snapshot()
    said = project.run("promote", ID)
    assert said.code == 2
    assert "not on a Friday" in said.err
    assert project.snapshot() == before


def test_status_before_and_after(fresh: Project) -> None:
    said = fresh.run("status")
    assert said.code == 0
    assert f"{ID}   production   –" in said.out
    assert f"never released   promptops promote {ID}\n" in said.out
    assert fresh.run("promote", ID).code == 0
    assert "work tree is what is live" in fresh.run("status").out
    fresh.reword("quick")
    assert f"work tree differs   promptops test {ID}" in fresh.run("status", ID).out
    fresh.git("rm", "-qf", PATH)
    assert "no prompt file here any more" in fresh.run("status").out


def test_samples_are_not_part_of_a_release(project: Project) -> None:
    (project.path / SAMPLES).unlink()
    assert project.run("rollback", ID).code == 2
    assert project.run("export").code == 0
    assert project.run("verify").code == 0
