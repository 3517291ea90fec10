"""`init --ci` and our own workflow files: what they may do, and that the tools for such files find nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typed import Run
from workflow_help import ROOT, read, step, steps

from promptops.evaluation.apis import _VENDORS
from promptops.starting import VENDORS_KEYS

Git = Callable[..., str]
WORKFLOWS = ("fork", "gate", "released", "rollback", "verify")


@pytest.fixture
def empty(tmp_path: Path, git: Git) -> Path:
    git("init", "-q", cwd=tmp_path)
    return tmp_path


@pytest.fixture
def written(empty: Path, run_in: Run) -> Path:
    """A repository for which the files of GitHub were written."""
    assert run_in(empty, "init", "--ci", "github").code == 0
    return empty


def ours(folder: Path) -> dict[str, dict[str, Any]]:
    """All files in which jobs are described: those that are written, and our own."""
    paths = [*(folder / ".github/workflows").iterdir(), *(ROOT / ".github/workflows").iterdir()]
    return {path.name: read(path) for path in [*paths, ROOT / "action.yml"]}


def tool(name: str) -> str:
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_init_writes_every_workflow_and_overwrites_nothing(empty: Path, run_in: Run) -> None:
    mine = empty / ".github/workflows/promptops-gate.yml"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine\n")
    said = run_in(empty, "init", "--ci", "github")
    assert said.code == 0
    assert "kept .github/workflows/promptops-gate.yml" in said.out
    assert mine.read_text() == "mine\n"
    assert {path.stem for path in mine.parent.iterdir()} == {f"promptops-{name}" for name in WORKFLOWS}
    again = run_in(empty, "init", "--ci", "github")
    assert "wrote" not in again.out


def test_init_prints_the_commands_that_make_the_gate_required(empty: Path, run_in: Run) -> None:
    (empty / "promptops.yaml").write_text("release_branch: live\n")
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "Begin"], cwd=empty, check=True)
    subprocess.run(["git", "branch", "-q", "-M", "live"], cwd=empty, check=True)
    out = run_in(empty, "init", "--ci", "github").out
    assert (
        "gh api --method POST 'repos/{owner}/{repo}/rulesets' --input .github/promptops-ruleset.json" in out
    )
    rules = json.loads((empty / ".github/promptops-ruleset.json").read_text())
    assert rules["conditions"]["ref_name"]["include"] == ["refs/heads/live"]
    assert rules["rules"][-1]["parameters"]["required_status_checks"][0]["context"] == "promptops"


def test_the_keys_of_the_configuration_and_of_the_prompts_reach_the_gate_and_no_other_step(
    empty: Path, run_in: Run
) -> None:
    (empty / "promptops.yaml").write_text(
        "providers:\n  ours: {kind: openai, base_url: https://models.example/v1, api_key: {env: OUR_KEY},"
        " headers: {x-team: {env: TEAM_KEY}}}\n"
    )
    for name, model in (("a", "anthropic/claude-x"), ("b", "ours/small")):
        path = empty / f"prompts/{name}.prompt.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"model: {model}\nmessages: [{{role: user, content: '{{{{ text }}}}'}}]\n")
    out = run_in(empty, "init", "--ci", "github").out
    names = {"OUR_KEY", "TEAM_KEY", "ANTHROPIC_API_KEY"}
    assert names == set(re.findall(r"gh secret set (\w+)", out))
    for name in ("gate", "fork"):
        workflow = read(empty / f".github/workflows/promptops-{name}.yml")
        with_keys = [one for one in steps(workflow) if "secrets." in str(one)]
        assert [one["id"] for one in with_keys] == ["gate"]
        assert {key for key in with_keys[0]["env"] if key in names} == names


def test_a_configuration_in_a_folder_is_found_from_the_top(empty: Path, run_in: Run) -> None:
    (empty / "ai team" / "prompts").mkdir(parents=True)
    (empty / "ai team" / "promptops.yaml").write_text("environments: [staging, live]\n")
    assert run_in(empty / "ai team", "init", "--ci", "github").code == 0
    workflow = read(empty / ".github/workflows/promptops-rollback.yml")
    assert step(workflow, "rollback")["env"]["FOLDER"] == "ai team"
    environment = workflow["on"]["workflow_dispatch"]["inputs"]["environment"]
    assert (environment["default"], environment["options"]) == ("live", ["staging", "live"])


def test_of_several_rollbacks_none_is_dropped_while_it_waits(written: Path) -> None:
    """GitHub keeps one waiting run of a group, the last."""
    for name in ("rollback", "released"):
        group = read(written / f".github/workflows/promptops-{name}.yml")["concurrency"]["group"]
        assert re.search(r"github\.(run_id|sha)", group), name


def test_the_vendors_keys_are_those_that_are_read() -> None:
    assert VENDORS_KEYS.keys() == _VENDORS.keys()
    assert all(key in _VENDORS[name].key_variables for name, key in VENDORS_KEYS.items())


def test_no_expression_stands_in_a_script_and_every_action_is_pinned(written: Path) -> None:
    for name, workflow in ours(written).items():
        for one in steps(workflow):
            assert "${{" not in one.get("run", ""), name
            if "uses" in one:
                assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", one["uses"]), name


def test_nothing_of_a_pull_request_runs_with_rights(written: Path) -> None:
    for name, workflow in ours(written).items():
        assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(workflow.get("on", {})), (
            name
        )
        for one in steps(workflow):
            if "checkout" in one.get("uses", ""):
                assert one["with"]["persist-credentials"] is False, name
            assert not re.search(r"(python3?|pipx?) -m pip|-r requirements|npm ", one.get("run", "")), name


def test_no_job_that_has_keys_may_write_and_none_that_may_write_sees_files(written: Path) -> None:
    for name in ("gate", "fork"):
        workflow = read(written / f".github/workflows/promptops-{name}.yml")
        assert workflow["permissions"] == {}
        judge, answer = workflow["jobs"]["gate"], workflow["jobs"]["answer"]
        assert "write" not in judge["permissions"].values()
        assert "secrets" not in json.dumps(answer)
        assert not any("uses" in one for one in answer["steps"])


@pytest.mark.parametrize("name", ["Comment, or update the comment that is there", "queue"])
def test_the_action_and_the_workflows_share_their_scripts(name: str, written: Path) -> None:
    flows = ours(written).values()
    texts = {one["run"] for flow in flows for one in steps(flow) if name in (one.get("id"), one.get("name"))}
    assert len(texts) == 1


def test_what_the_gate_found_is_handed_on_by_one_script(written: Path) -> None:
    ends = {
        step(flow, "gate")["run"].partition("|| code=$?\n")[2]
        for name, flow in ours(written).items()
        if name in ("promptops-gate.yml", "promptops-fork.yml", "action.yml")
    }
    assert len(ends) == 1


def test_zizmor_finds_nothing(written: Path) -> None:
    command = [tool("zizmor"), "--offline", "--no-progress", "--persona=pedantic", "--format=plain"]
    done = subprocess.run([*command, "."], cwd=written, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    command[3] = "--persona=regular"
    done = subprocess.run(
        [*command, ".github", "action.yml"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schemas_of_the_build_servers_hold(written: Path, run_in: Run) -> None:
    assert run_in(written, "init", "--ci", "gitlab").code == 0
    found = {
        "vendor.github-workflows": [
            *(written / ".github/workflows").iterdir(),
            *(ROOT / ".github/workflows").iterdir(),
        ],
        "vendor.github-actions": [ROOT / "action.yml"],
        "vendor.gitlab-ci": [written / ".gitlab-ci.yml", written / ".gitlab/promptops.yml"],
    }
    for schema, paths in found.items():
        command = [tool("check-jsonschema"), "--builtin-schema", schema, *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_gitlab_gets_its_files_and_the_line_for_a_file_that_is_there(empty: Path, run_in: Run) -> None:
    (empty / ".gitlab-ci.yml").write_text("stages: [test]\n")
    said = run_in(empty, "init", "--ci", "gitlab")
    assert said.code == 0
    assert (empty / ".gitlab-ci.yml").read_text() == "stages: [test]\n"
    assert "add to .gitlab-ci.yml: include: [{local: .gitlab/promptops.yml}]" in said.out
    jobs = yaml.safe_load((empty / ".gitlab/promptops.yml").read_text())
    assert {"promptops-gate", "promptops-verify"} < jobs.keys()


def test_the_hooks_for_pre_commit_type_commands_that_exist(written: Path, run_in: Run) -> None:
    assert run_in(written, "new", "support").code == 0
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "Begin"], cwd=written, check=True)
    for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()):
        assert re.compile(hook["files"])
        assert hook["pass_filenames"] is False
        assert run_in(written, *hook["entry"].split()[1:]).code == 0, hook["id"]
    lint = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())[0]["files"]
    for path in ("prompts/partials/tone.md", "a.prompt.yml", "x/a.samples.csv", "ai/promptops.yaml"):
        assert re.search(lint, path), path


def test_only_what_goes_to_the_release_branch_earns_the_status(empty: Path, run_in: Run) -> None:
    """A status belongs to a commit: earned by the rules of another base, it would count for the release branch, too."""
    (empty / "promptops.yaml").write_text("release_branch: live\n")
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "Begin"], cwd=empty, check=True)
    subprocess.run(["git", "branch", "-q", "-M", "live"], cwd=empty, check=True)
    assert run_in(empty, "init", "--ci", "github").code == 0
    events = read(empty / ".github/workflows/promptops-gate.yml")["on"]
    assert events == {"pull_request": {"branches": ["live"]}, "merge_group": {"branches": ["live"]}}
    assert run_in(empty, "init", "--ci", "gitlab").code == 0
    rules = yaml.safe_load((empty / ".gitlab/promptops.yml").read_text())["promptops-verify"]["rules"]
    assert rules[-1]["if"].endswith('$CI_COMMIT_BRANCH == "live"')


def test_branches_are_named_in_full_where_a_tag_could_stand_for_them(written: Path, run_in: Run) -> None:
    assert run_in(written, "init", "--ci", "gitlab").code == 0
    paths = [*(written / ".github").rglob("*.yml"), written / ".gitlab/promptops.yml"]
    for path in [*paths, ROOT / "action.yml", ROOT / ".github/workflows/gate.yml", ROOT / "docs/ci.md"]:
        text = path.read_text(encoding="utf-8").replace("refs/remotes/origin/", "")
        assert not re.search(r"origin/(\$|\{)", text), path


def test_the_action_does_not_compare_the_base_with_itself() -> None:
    """`pull_request_target` checks out the base: what is checked out would always pass."""
    head = step(read(ROOT / "action.yml"), "gate")["env"]["HEAD"]
    assert "github.event_name == 'pull_request_target' && github.event.pull_request.head.sha" in head


def test_a_repository_without_a_prompt_is_ready_for_the_one_that_new_writes(empty: Path, run_in: Run) -> None:
    assert "gh secret set OPENAI_API_KEY" in run_in(empty, "init", "--ci", "github").out
    assert run_in(empty, "new", "support").code == 0
    before = (empty / ".github/workflows/promptops-gate.yml").read_bytes()
    (empty / ".github/workflows/promptops-gate.yml").unlink()
    assert run_in(empty, "init", "--ci", "github").code == 0
    assert (empty / ".github/workflows/promptops-gate.yml").read_bytes() == before


def test_shellcheck_finds_nothing(written: Path, run_in: Run) -> None:
    """In every script, also GitLab's; what is optional stays so, but words are always quoted."""
    assert run_in(written, "init", "--ci", "gitlab").code == 0
    jobs = yaml.safe_load((written / ".gitlab/promptops.yml").read_text(encoding="utf-8")).values()
    scripts = [("bash", one["run"]) for flow in ours(written).values() for one in steps(flow) if "run" in one]
    scripts += [("sh", "\n".join([*job.get("before_script", []), *job.get("script", [])])) for job in jobs]
    for shell, script in scripts:
        command = [tool("shellcheck"), "--shell", shell, "--enable=quote-safe-variables", "-"]
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
