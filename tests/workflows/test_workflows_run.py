"""The scripts of the written workflows, run by a real shell on real remotes; only GitHub's own answers are played."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typed import Run
from workflow_help import ROOT, Ran, Runner, read, step

from promptops.reports.gatecomment import MARKER

Git = Callable[..., str]
FILE = "prompts/support.prompt.yaml"
PROMPT = """\
model: bot/small
messages:
  - {role: system, content: "Be careful."}
  - {role: user, content: "{{ message }}"}
scorers:
  queue: {equals: "{{ expected }}", min: 0.8}
"""
BOT = """\
def answer(request):
    message = str(request.messages[-1].content)
    hasty = "quick" in str(request.messages[0].content) and int(message.split()[0]) % 5 == 0
    return "sales" if hasty else message.split()[-1]
"""
BASE = "github.event.merge_group.base_sha || format('refs/remotes/origin/{0}', github.base_ref)"
TIP = "github.event.pull_request.head.sha || github.sha"
OPEN = "Open its pull request, or say where"
COMMENT = "Comment, or update the comment that is there"
PLANTED = "import pathlib\npathlib.Path(__file__).with_name('planted').write_text('here')\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A repository with the written workflows, its remote, and the machine of a build server."""

    work: Path
    origin: Path
    runner: Runner
    git: Git
    state: Path

    def workflow(self, name: str) -> dict[str, Any]:
        return read(self.work / f".github/workflows/promptops-{name}.yml")

    def edit(self, name: str, text: str) -> None:
        (self.work / name).parent.mkdir(parents=True, exist_ok=True)
        (self.work / name).write_text(text, encoding="utf-8")
        self.git("add", "-A", cwd=self.work)
        self.git("commit", "-q", "-m", "Change", cwd=self.work)

    def check_out(self, ref: str) -> Path:
        """As actions/checkout does with fetch-depth 0."""
        folder = self.runner.temp / "checkout"
        subprocess.run(["rm", "-rf", str(folder)], check=True)
        self.git("clone", "-q", self.origin.as_uri(), str(folder), cwd=self.work)
        self.git("fetch", "-q", "origin", f"+{ref}:refs/remotes/pull", cwd=folder)
        self.git("checkout", "-q", "--detach", "refs/remotes/pull", cwd=folder)
        return folder

    def pull_request(self) -> str:
        """Push what is on the branch `change` and its merge with main; return its commit."""
        head = self.git("rev-parse", "change", cwd=self.work)
        self.git("checkout", "-q", "--detach", "main", cwd=self.work)
        self.git("merge", "-q", "--no-ff", "-m", "Merge", "change", cwd=self.work)
        refs = ["main", "HEAD:refs/pull/1/merge", "change:refs/pull/1/head"]
        self.git("push", "-q", "--force", "origin", *refs, cwd=self.work)
        self.git("checkout", "-q", "change", cwd=self.work)
        return head

    def judge(self, tip: str, *, trust: str = "", folder: str = ".") -> Ran:
        """Both jobs of the gate's workflow."""
        workflow, place = self.workflow("gate"), self.check_out("refs/pull/1/merge")
        values = {BASE: "refs/remotes/origin/main", TIP: tip, "steps.queue.outputs.trust": trust}
        values["github.sha"] = self.git("rev-parse", "HEAD", cwd=place)
        ran = self.runner.run(step(workflow, "Go to the base"), place, values)
        if not ran.code:
            gate = step(workflow, "gate")
            ran = self.runner.run({**gate, "env": {**gate["env"], "FOLDER": folder}}, place, values)
        self.answer(workflow, {"github.event.pull_request.number": "1"}, tip)
        return ran

    def answer(self, workflow: dict[str, Any], values: dict[str, str], head: str) -> None:
        given, nowhere = self.runner.outputs(), self.runner.temp
        values |= {"github.token": "token", "needs.gate.outputs.comment": given.get("comment", "")}
        values |= {"needs.gate.outputs.affects": given.get("affects", "")}
        values |= {"needs.gate.outputs.code": given.get("code", ""), "inputs.commit": head}
        values |= {TIP: head}
        for name in (COMMENT, "Set the status"):
            done = self.runner.run(step(workflow, name), nowhere, values)
            assert done.code == 0, done.out

    def load(self, name: str) -> Any:
        path = self.state / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else []

    def save(self, name: str, value: Any) -> None:
        (self.state / f"{name}.json").write_text(json.dumps(value))


@pytest.fixture
def shop(tmp_path: Path, git: Git, run_in: Run, monkeypatch: pytest.MonkeyPatch) -> Shop:
    work, origin, state = tmp_path / "work", tmp_path / "origin.git", tmp_path / "github"
    runner = Runner(temp=tmp_path / "temp", bin=tmp_path / "bin")
    for folder in (work / "prompts", state, runner.temp, runner.bin):
        folder.mkdir(parents=True)
    (runner.bin / "gh").symlink_to(Path(__file__).with_name("fake_gh.py"))
    monkeypatch.setenv("FAKE_GH", str(state))
    queues = ("billing", "technical", "account")
    rows = [
        {"inputs": {"message": f"{number} about {queues[number % 3]}"}, "expected": queues[number % 3]}
        for number in range(120)
    ]
    (work / "prompts/support.samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (work / FILE).write_text(PROMPT)
    (work / "bots.py").write_text(BOT)
    (work / "promptops.yaml").write_text('providers:\n  bot: {kind: python, target: "bots:answer"}\n')
    git("init", "-q", cwd=work)
    assert run_in(work, "init", "--ci", "github").code == 0
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", "Begin", cwd=work)
    git("clone", "-q", "--bare", str(work), str(origin), cwd=tmp_path)
    git("remote", "add", "origin", origin.as_uri(), cwd=work)
    git("fetch", "-q", "origin", cwd=work)
    return Shop(work=work, origin=origin, runner=runner, git=git, state=state)


def test_a_pull_request_gets_one_comment_that_is_kept_up_to_date_and_a_status(shop: Shop) -> None:
    shop.save("comments", [{"id": 1, "user": {"login": "mallory"}, "body": f"{MARKER}\nall is well"}])
    shop.git("checkout", "-q", "-b", "change", cwd=shop.work)
    shop.edit(FILE, PROMPT.replace("careful", "quick"))
    head = shop.pull_request()
    assert shop.judge(head).code == 3
    strangers, ours = shop.load("comments")
    assert strangers["body"] == f"{MARKER}\nall is well"
    assert ours["body"].startswith(MARKER)
    assert "1 prompt got worse" in ours["body"]
    assert "1 prompt got worse" in (shop.runner.temp / "job-summary.md").read_text()
    (last,) = shop.load("statuses")
    assert (last["sha"], last["context"], last["state"]) == (head, "promptops", "failure")
    shop.edit(FILE, PROMPT)
    (shop.runner.temp / "summary.md").unlink()
    head = shop.pull_request()
    assert shop.judge(head).code == 0
    assert len(shop.load("comments")) == 2
    assert "promptops: no prompt is affected" in shop.load("comments")[1]["body"]
    assert shop.load("statuses")[-1]["state"] == "success"


def test_a_pull_request_that_touches_no_prompt_gets_a_status_and_no_comment(shop: Shop) -> None:
    shop.git("checkout", "-q", "-b", "change", cwd=shop.work)
    shop.edit("README.md", "another shop\n")
    head = shop.pull_request()
    assert shop.judge(head).code == 0
    assert shop.load("comments") == []
    assert [one["state"] for one in shop.load("statuses")] == ["success"]


def test_nothing_that_a_pull_request_plants_is_executed(shop: Shop) -> None:
    shop.git("checkout", "-q", "-b", "change", cwd=shop.work)
    for name in ("pip.py", "venv.py", "sitecustomize.py", "promptops/__init__.py", "typer.py", "bots.py"):
        shop.edit(name, PLANTED)
    shop.edit(FILE, PROMPT.replace("careful", "quick"))
    assert shop.judge(shop.pull_request()).code == 3
    assert list(shop.runner.temp.rglob("planted")) == []
    assert not (shop.runner.temp / "checkout/pip.py").exists()  # it is the base that was checked out


@pytest.mark.slow
def test_the_change_that_brings_the_folder_finds_nothing_to_judge(shop: Shop) -> None:
    shop.git("checkout", "-q", "-b", "change", cwd=shop.work)
    shop.edit("new/promptops.yaml", "environments: [production]\n")
    ran = shop.judge(shop.pull_request(), folder="new")
    assert ran.code == 0, ran.out


@pytest.mark.parametrize(
    ("repository", "code", "given"),
    [
        ({"full_name": "acme/shop"}, 0, {}),
        ({"full_name": "mallory/shop"}, 0, {"trust": "--untrusted"}),
        ({}, 0, {"trust": "--untrusted"}),
    ],
    ids=["ours", "a fork's", "deleted"],
)
def test_a_queued_change_from_a_fork_is_not_believed(
    repository: dict[str, str], code: int, given: dict[str, str], shop: Shop
) -> None:
    shop.save("pull", {"head": {"repo": repository}})
    values = {"github.token": "t"}
    values["github.event.merge_group.head_ref"] = f"refs/heads/gh-readonly-queue/pr-9/main/pr-12-{'a' * 40}"
    assert shop.runner.run(step(shop.workflow("gate"), "queue"), shop.work, values).code == code
    assert shop.runner.outputs() == given
    assert shop.load("asked") == ["GET repos/acme/shop/pulls/12"]


@pytest.mark.slow
def test_a_merge_that_is_not_of_the_tip_earns_it_no_status(shop: Shop) -> None:
    shop.git("checkout", "-q", "-b", "change", cwd=shop.work)
    shop.edit("README.md", "another shop\n")
    shop.pull_request()
    shop.edit(FILE, PROMPT.replace("careful", "quick"))
    shop.git("push", "-q", "origin", "change", cwd=shop.work)
    ran = shop.judge(shop.git("rev-parse", "change", cwd=shop.work))
    assert (ran.code, shop.load("statuses")[-1]["state"]) == (2, "error")
    assert "run this again" in ran.out


@pytest.mark.slow
def test_a_gate_that_is_told_so_believes_no_evidence(shop: Shop) -> None:
    shop.git("checkout", "-q", "-b", "change", cwd=shop.work)
    shop.edit(FILE, PROMPT.replace("careful", "quick"))
    assert shop.judge(shop.pull_request(), trust="--untrusted").code == 3
    assert "from outside" in shop.load("comments")[0]["body"]


@pytest.mark.slow
def test_a_tip_that_is_a_merge_hides_nothing(shop: Shop) -> None:
    """A branch whose last commit merges main into it looks like a merge ref, and has its own work as first parent."""
    shop.git("checkout", "-q", "-b", "change", cwd=shop.work)
    shop.edit(FILE, PROMPT.replace("careful", "quick"))
    shop.git("checkout", "-q", "main", cwd=shop.work)
    shop.edit("README.md", "main goes on\n")
    shop.git("checkout", "-q", "change", cwd=shop.work)
    shop.git("merge", "-q", "--no-ff", "-m", "Take main", "main", cwd=shop.work)
    shop.git("push", "-q", "origin", "main", "change:refs/pull/1/merge", cwd=shop.work)
    assert shop.judge(shop.git("rev-parse", "change", cwd=shop.work)).code == 3


@pytest.mark.slow
def test_a_comment_of_64_kb_arrives_whole_and_the_next_takes_its_place(shop: Shop) -> None:
    for text in (f"{MARKER}\n" + "ü" * 32_000, f"{MARKER}\nshort"):
        values = {"github.token": "t", "needs.gate.outputs.comment": text}
        values |= {"needs.gate.outputs.affects": "true"}
        values |= {"github.event.pull_request.number": "1"}
        done = shop.runner.run(step(shop.workflow("gate"), COMMENT), shop.work, values)
        assert done.code == 0, done.out
        assert [one["body"] for one in shop.load("comments")] == [text]


@pytest.mark.slow
def test_the_action_judges_comments_and_hands_on_what_it_found(shop: Shop) -> None:
    shop.git("checkout", "-q", "-b", "change", cwd=shop.work)
    shop.edit(FILE, PROMPT.replace("careful", "quick"))
    shop.pull_request()
    place = shop.check_out("refs/pull/1/merge")
    (shop.runner.temp / "promptops").mkdir()
    (shop.runner.temp / "promptops/bin").symlink_to(Path(sys.executable).parent)
    action = read(ROOT / "action.yml")
    head = step(action, "gate")["env"]["HEAD"].removeprefix("${{ ").removesuffix(" }}")
    values = {f"inputs.base || {BASE}": "refs/remotes/origin/main", head: "HEAD", "inputs.folder": "."}
    values |= {"inputs.args": "--junit report.xml\n  --yes", "steps.queue.outputs.trust": ""}
    values |= {"github.token": "t"}
    assert shop.runner.run(step(action, "gate"), place, values).code == 3
    assert (place / "report.xml").read_text().startswith("<?xml")
    given = shop.runner.outputs()
    assert (given["code"], given["affects"]) == ("3", "true")
    values |= {f"steps.gate.outputs.{name}": value for name, value in given.items()}
    values |= {"github.event.pull_request.number": "1"}
    assert shop.runner.run(step(action, COMMENT), place, values).code == 0
    assert "1 prompt got worse" in shop.load("comments")[0]["body"]


@pytest.mark.slow
def test_no_answer_is_a_status_of_its_own(shop: Shop) -> None:
    shop.save("comments", [{"id": 1, "user": {"login": "github-actions[bot]"}, "body": f"{MARKER}\n✅"}])
    shop.answer(shop.workflow("gate"), {"github.event.pull_request.number": "1"}, "a" * 40)
    assert "no answer for the latest commit" in shop.load("comments")[0]["body"]
    assert [one["state"] for one in shop.load("statuses")] == ["error"]


@pytest.mark.slow
def test_a_maintainer_has_a_forks_commit_judged_from_a_checkout_of_the_base(shop: Shop) -> None:
    shop.git("checkout", "-q", "-b", "change", cwd=shop.work)
    shop.edit("bots.py", PLANTED)
    shop.edit(FILE, PROMPT.replace("careful", "quick"))
    head = shop.pull_request()
    shop.save("pull", {"head": {"sha": head}, "base": {"ref": "main"}})
    workflow, place = shop.workflow("fork"), shop.check_out("refs/heads/main")
    values = {"github.token": "t", "inputs.number": "1", "inputs.commit": head}
    fetched = shop.runner.run(step(workflow, "fetch"), place, values)
    assert fetched.code == 0, fetched.out
    ran = shop.runner.run(step(workflow, "gate"), place, values)
    assert ran.code == 3, ran.out
    assert not (place / "planted").exists()
    assert "careful" in (place / FILE).read_text()
    shop.answer(workflow, values, head)
    assert "1 prompt got worse" in shop.load("comments")[0]["body"]
    assert [(one["sha"], one["state"]) for one in shop.load("statuses")] == [(head, "failure")]


@pytest.mark.parametrize(
    ("number", "commit", "base"),
    [
        ("1", "b" * 40, "main"),
        ("1; id", "a" * 40, "main"),
        ("1", "main", "main"),
        ("1", "$(id)", "main"),
        ("1", "a" * 40, "lenient"),
    ],
)
@pytest.mark.slow
def test_a_fork_is_judged_at_the_commit_that_was_looked_at_or_not_at_all(
    number: str, commit: str, base: str, shop: Shop
) -> None:
    shop.save("pull", {"head": {"sha": "a" * 40}, "base": {"ref": base}})
    values = {"github.token": "t", "inputs.number": number, "inputs.commit": commit}
    assert shop.runner.run(step(shop.workflow("fork"), "fetch"), shop.work, values).code == 2


@pytest.fixture
def released(shop: Shop, run_in: Run) -> Shop:
    """Its prompt was released twice, both times on a test."""
    for word in ("careful", "very careful"):
        if word != "careful":
            shop.edit(FILE, PROMPT.replace("careful", word))
        assert run_in(shop.work, "promote", "support", "-m", "better").code == 0
    shop.git("push", "-q", "origin", "main", cwd=shop.work)
    return shop


def roll_back(shop: Shop, *, key: str = "") -> tuple[Ran, Path, dict[str, str]]:
    place = shop.runner.temp / "checkout"
    shop.git("clone", "-q", "--depth=1", shop.origin.as_uri(), str(place), cwd=shop.work)
    values = {"github.token": "t", "inputs.prompts": "support", "inputs.reason": 'it\'s `slow` $(id); "bad"'}
    values |= {"inputs.environment": "production", "secrets.PROMPTOPS_SIGNING_KEY": key}
    return shop.runner.run(step(shop.workflow("rollback"), "rollback"), place, values), place, values


@pytest.mark.slow
def test_the_button_rolls_back_in_one_push(released: Shop, git: Git) -> None:
    ran, _, _ = roll_back(released)
    assert ran.code == 0, ran.out
    pointer = git("show", "main:prompts/releases/support/production.yaml", cwd=released.origin)
    assert "version: 1" in pointer
    assert 'it\'s `slow` $(id); "bad"' in git("log", "-1", "--format=%B", "main", cwd=released.origin)
    assert git("log", "-1", "--format=%an", "main", cwd=released.origin) == "grace"
    assert released.runner.outputs() == {}
    assert "support v1 is live in production" in (released.runner.temp / "job-summary.md").read_text()


@pytest.mark.parametrize("signs", [True, False], ids=["a key", "no key"])
@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
@pytest.mark.slow
def test_the_button_signs_with_its_key_and_leaves_it_nowhere_or_releases_nothing(
    signs: bool, released: Shop, run_in: Run, tmp_path: Path
) -> None:
    key = tmp_path / "rollback_key"
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "promptops-rollback", "-f", str(key)]
    subprocess.run(made, check=True)
    kind, public, _ = key.with_suffix(".pub").read_text().split()
    released.edit("keys/allowed_signers", f"promptops-rollback {kind} {public}\n")
    config = (released.work / "promptops.yaml").read_text()
    released.edit("promptops.yaml", f"{config}require_signed: {{production: keys/allowed_signers}}\n")
    released.git("push", "-q", "origin", "main", cwd=released.work)
    ran, _, _ = roll_back(released, key=key.read_text() if signs else "")
    assert ran.code == (0 if signs else 2), ran.out
    assert ("releases to production have to be signed" in ran.out) is not signs
    released.git("pull", "-q", "--rebase", "origin", "main", cwd=released.work)
    assert run_in(released.work, "verify").code == 0
    assert not (released.runner.temp / "signing-key").exists()
    assert max(key.read_text().split(), key=len) not in ran.out


def protect(origin: Path) -> None:
    hook = origin / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nwhile read -r old new ref; do [ $ref != refs/heads/main ] || exit 1; done\n")
    hook.chmod(0o755)


@pytest.mark.slow
def test_where_workflows_may_open_no_pull_request_the_summary_says_where_to(released: Shop) -> None:
    protect(released.origin)
    released.save("refuses", [True])
    _, place, values = roll_back(released)
    branch = released.runner.outputs()["branch"]
    values["steps.rollback.outputs.branch"] = branch
    said = released.runner.run(step(released.workflow("rollback"), OPEN), place, values)
    assert said.code == 0, said.out
    page = f"https://github.example/acme/shop/compare/main...{branch}?expand=1"
    summary = released.runner.temp / "job-summary.md"
    assert summary.read_text().endswith(f"is merged:** <{page}>\n")
    released.save("refuses", [])
    for _ in range(2):  # the second time there is one
        assert released.runner.run(step(released.workflow("rollback"), OPEN), place, values).code == 0
        assert summary.read_text().endswith("is merged:** <https://github.example/acme/shop/pull/2>\n")


@pytest.mark.slow
def test_where_the_branch_is_protected_the_button_opens_a_pull_request_that_is_judged_at_once(
    released: Shop, git: Git
) -> None:
    protect(released.origin)
    before = git("rev-parse", "main", cwd=released.origin)
    ran, place, values = roll_back(released)
    assert ran.code == 0, ran.out
    given = released.runner.outputs()
    values |= {f"steps.rollback.outputs.{name}": value for name, value in given.items()}
    assert git("rev-parse", given["branch"], cwd=released.origin) == given["commit"]
    workflow = released.workflow("rollback")
    opened = released.runner.run(step(workflow, OPEN), place, values)
    assert opened.code == 0, opened.out
    assert released.load("created")["head"] == given["branch"]
    judged = released.runner.run(step(workflow, "gate"), place, values)
    assert judged.code == 0, judged.out
    values["steps.gate.outputs.code"] = released.runner.outputs()["code"]
    assert released.runner.run(step(workflow, "Set the status"), place, values).code == 0
    assert [(one["sha"], one["state"]) for one in released.load("statuses")] == [(given["commit"], "success")]
    assert git("rev-parse", "main", cwd=released.origin) == before


@pytest.mark.parametrize("before", ["HEAD~2", "0" * 40], ids=["a push", "a new branch"])
@pytest.mark.slow
def test_what_reached_the_release_branch_is_verified(before: str, released: Shop, git: Git) -> None:
    place = released.check_out("refs/heads/main")
    commit = before if before.startswith("0") else git("rev-parse", before, cwd=place)
    script = next(
        one
        for one in released.workflow("released")["jobs"]["verify"]["steps"]
        if "BEFORE" in one.get("env", {})
    )
    ran = released.runner.run(script, place, {"github.event.before": commit})
    assert ran.code == 0, ran.out
    assert "support" in (released.runner.temp / "job-summary.md").read_text()
    pointer = released.work / "prompts/releases/support/production.yaml"
    released.edit("prompts/releases/support/production.yaml", pointer.read_text().replace("better", "worse"))
    released.git("push", "-q", "origin", "main", cwd=released.work)
    place = released.check_out("refs/heads/main")
    assert released.runner.run(script, place, {"github.event.before": commit}).code == 6


@pytest.mark.parametrize(("project", "untrusted"), [("7", False), ("8", True)], ids=["our own", "a fork's"])
@pytest.mark.slow
def test_gitlab_judges_a_merge_request_and_trusts_no_fork(
    project: str, untrusted: bool, shop: Shop, run_in: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_in(shop.work, "init", "--ci", "gitlab").code == 0
    shop.edit("victim", "mine\n")
    shop.git("push", "-q", "origin", "main", cwd=shop.work)
    jobs = yaml.safe_load((shop.work / ".gitlab/promptops.yml").read_text())
    shop.git("checkout", "-q", "-b", "change", cwd=shop.work)
    (shop.work / "promptops.md").symlink_to("victim")
    shop.edit(FILE, PROMPT.replace("careful", "quick"))
    shop.pull_request()
    place = shop.check_out("refs/pull/1/head")
    assert (place / "promptops.md").is_symlink()
    world = {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": project, "CI_MERGE_REQUEST_PROJECT_ID": "7"}
    world |= {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_PROJECT_DIR": str(place)}
    world["CI_COMMIT_SHA"] = shop.git("rev-parse", "HEAD", cwd=place)
    for name, value in {**world, "PROMPTOPS_FOLDER": "."}.items():
        monkeypatch.setenv(name, value)
    ran = shop.runner.run({"run": "\n".join(jobs["promptops-gate"]["script"]), "shell": "bash"}, place, {})
    assert ran.code == 3, ran.out
    answer = (place / "promptops.md").read_text()
    assert (place / "victim").read_text() == "mine\n"
    assert "1 prompt got worse" in answer
    assert ("from outside" in answer) is untrusted
    assert "<failure" in (place / "promptops.xml").read_text()


def test_the_tests_player_of_gh_is_a_program() -> None:
    assert os.access(Path(__file__).with_name("fake_gh.py"), os.X_OK)
