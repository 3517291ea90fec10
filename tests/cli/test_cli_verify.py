"""`promptops verify`: since a commit, from the evidence alone, and by the signatures that the base asks for."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cli_help import ID, PATH, POINTER, SAMPLES, Project, Run

from promptops.records import (
    Evidence,
    Release,
    Version,
    canonical,
    evidence_name,
    parse_release,
    parse_version,
    sha256,
)

FOLDER = f"prompts/releases/{ID}"


@pytest.fixture
def compared(project: Project) -> Project:
    """v2 is live too: it is worse, and was forced."""
    project.reword("quick")
    project.commit()
    assert project.run("promote", ID, "--force", "-m", "to be seen").code == 0
    return project


def forge(project: Project, change: Callable[[dict[str, Any]], None], **more: object) -> None:
    """Rewrite the last release with other evidence, so that every hash fits again."""
    pointer = parse_release((project.path / POINTER).read_bytes(), path=POINTER)
    assert pointer.evidence is not None
    old = project.path / FOLDER / "evidence" / evidence_name(pointer.evidence)
    values = json.loads(old.read_text())
    change(values)
    content = canonical(Evidence.model_validate(values))
    old.unlink()
    project.write(f"{FOLDER}/evidence/{evidence_name(sha256(content))}", content)
    told = pointer.model_dump() | {"evidence": sha256(content), **more}
    project.write(POINTER, canonical(Release.model_validate(told)))
    project.git("add", "-A")
    project.git("commit", "-q", "--amend", "--no-edit")


def rows(project: Project, *words: str) -> list[Mapping[str, Any]]:
    return list(project.run("verify", "--json", *words).json["findings"])


def test_every_verdict_is_reached_again_from_its_evidence(compared: Project) -> None:
    said = compared.run("verify", "--recompute")
    assert (said.code, said.err) == (0, "")
    assert said.out == "every release file and its history is as it was written; 2 verdicts reached again\n"
    told = compared.run("verify", "--recompute", "--json").json
    assert (told["schema"], told["recomputed"], told["findings"]) == ("promptops.verify/1", 2, [])


def another_verdict(values: dict[str, Any]) -> None:
    values["verdict"] = "pass"


def another_number(values: dict[str, Any]) -> None:
    values["metrics"][0]["candidate_mean"] = 0.99


def another_level(values: dict[str, Any]) -> None:
    values["alpha"] = 0.2


def a_metric_less(values: dict[str, Any]) -> None:
    values["metrics"].pop()


def no_basis(values: dict[str, Any]) -> None:
    values["basis"] = {"rules": []}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (another_verdict, "says PASS, and its own numbers say REGRESSION"),
        (another_number, "says that candidate_mean of queue is 0.99"),
        (another_level, "says alpha 0.2"),
        (a_metric_less, "lists other metrics"),
        (no_basis, "not the basis of a verdict"),
    ],
)
def test_a_forgery_in_which_every_hash_fits_is_found_by_its_numbers(
    compared: Project, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    forge(compared, change, forced=change is not another_verdict)
    assert compared.run("verify").code == 0
    said = compared.run("verify", "--recompute")
    assert said.code == 6
    assert words in said.out


def test_findings_that_no_test_ever_made_are_an_error_and_no_crash(compared: Project) -> None:
    def shape(values: dict[str, Any]) -> None:
        for one in values["basis"]["findings"].values():
            one["compared"] = {"n": -1, "seen": []}

    forge(compared, shape)
    said = compared.run("verify", "--recompute")
    assert said.code == 6, said


def test_evidence_that_holds_too_little_is_said_to_be_unchecked(compared: Project) -> None:
    forge(compared, lambda values: values.pop("basis"))
    said = compared.run("verify", "--recompute")
    assert said.code == 0
    assert "unchecked: " in said.out
    assert "1 could not be checked" in said.out


def test_reasons_in_other_words_are_a_warning_from_the_same_version_only(compared: Project) -> None:
    def reword(values: dict[str, Any]) -> None:
        values["reasons"] = ["all is well"]

    forge(compared, reword)
    assert [row["severity"] for row in rows(compared, "--recompute")] == ["warning"]

    def age(values: dict[str, Any]) -> None:
        values["tool_version"] = "0.0.1"

    forge(compared, age)
    assert rows(compared, "--recompute") == []


def test_a_source_that_does_not_lead_to_its_body_is_told(compared: Project) -> None:
    path = f"{FOLDER}/v2.yaml"
    version = parse_version((compared.path / path).read_bytes(), path=path)
    nicer = Version.model_validate(
        version.model_dump() | {"source": version.source.replace("quick", "careful")}
    )
    compared.write(path, canonical(nicer))
    compared.git("add", "-A")
    compared.git("commit", "-q", "--amend", "--no-edit")
    assert rows(compared) == []
    (row,) = rows(compared, "--recompute")
    assert (row["severity"], row["path"]) == ("warning", path)
    assert "does not lead to its body" in row["message"]


@pytest.mark.parametrize("words", [["--sequential"], ["--repeats", "2"]])
def test_other_kinds_of_tests_are_reached_again_too(project: Project, words: list[str]) -> None:
    project.reword("quick")
    project.edit("scorers:", "gate: {slices: {by: [language], critical: ['language=de']}}\nscorers:")
    project.commit()
    assert project.run("promote", ID, *words, "--force", "-m", "to be seen").code == 0
    said = project.run("verify", "--recompute")
    assert (said.code, "2 verdicts reached again" in said.out) == (0, True), said
    assert "warning" not in said.out


def test_since_a_commit_only_what_followed_is_judged_and_recomputed(compared: Project) -> None:
    forge(compared, another_verdict, forced=False)
    start = compared.git("rev-parse", "HEAD")
    compared.edit("quick", "thorough")
    compared.commit()
    assert compared.run("promote", ID, "-m", "better").code == 0
    assert compared.run("verify", "--recompute").code == 6
    said = compared.run("verify", "--recompute", "--since", start)
    assert (said.code, said.out) == (
        0,
        f"every change of release files since {start} is as it was written; 1 verdict reached again\n",
    )
    assert compared.run("verify", "--since", "nowhere").code == 2


def test_a_checkout_that_is_too_shallow_is_no_success_in_ci(
    compared: Project, tmp_path: Path, run_in: Run
) -> None:
    compared.git("clone", "-q", "--depth=1", f"file://{compared.path}", str(tmp_path / "ci"))
    first = compared.git("rev-list", "--max-parents=0", "HEAD")
    subprocess.run(["git", "fetch", "-q", "--depth=1", "origin", first], cwd=tmp_path / "ci", check=True)
    said = run_in(tmp_path / "ci", "verify", "--since", first)
    assert said.code == 2
    assert "fetch-depth: 0" in said.out
    assert run_in(tmp_path / "ci", "verify").code == 0


def test_a_change_that_moves_the_prompts_folder_away_hides_nothing(compared: Project) -> None:
    start = compared.git("rev-parse", "HEAD")
    (compared.path / FOLDER / "v1.yaml").unlink()
    compared.edit("prompts: [prompts]", "prompts: [elsewhere]", name="promptops.yaml")
    compared.commit()
    assert compared.run("verify", "--since", start).code == 6
    # Git takes a tag before a branch of the same name; then nothing would have been done since.
    compared.git("branch", "start", start)
    compared.git("tag", "start")
    assert compared.run("verify", "--since", "start").code == 6
    compared.git("branch", "-q", "work")
    compared.git("checkout", "-q", "work")
    compared.git("branch", "-f", "main", start)
    assert compared.run("verify").code == 6


def test_names_and_subjects_of_commits_are_shown_escaped(compared: Project) -> None:
    compared.git("config", "user.name", "\x1b[31mEve ::error::")
    (compared.path / FOLDER / "v1.yaml").unlink()
    compared.commit("\x1b]0;title\x07 ::set-output name=a::b")
    said = compared.run("verify")
    assert said.code == 6
    assert "\x1b" not in said.out
    assert "\x07" not in said.out
    assert not any(line.startswith("::") for line in said.out.splitlines())
    assert compared.run("verify", "--json").json["exit_code"] == 6


ssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


@pytest.fixture
def signed(project: Project, tmp_path: Path) -> Project:
    """v1 is live, and then the team decides that releases are signed; commits are signed from now on."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    project.git("config", "gpg.format", "ssh")
    project.git("config", "user.signingKey", str(key))
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    project.write("keys/allowed_signers", f"ada@example.org {public}\n")
    project.edit(
        "promptops: 1",
        "promptops: 1\nrequire_signed: {production: keys/allowed_signers}",
        name="promptops.yaml",
    )
    project.commit("Have releases signed")
    project.git("config", "commit.gpgSign", "true")
    return project


@ssh
def test_releases_are_signed_from_when_the_base_wants_it(signed: Project) -> None:
    assert signed.run("verify").code == 0  # v1 went live before
    signed.reword("thorough")
    start = signed.commit()
    assert signed.run("promote", ID, "-m", "signed").code == 0
    assert [signed.run("verify", *words).code for words in ([], ["--since", start])] == [0, 0]
    assert signed.run("rollback", ID, "-m", "unsigned").code == 0
    signed.git("commit", "-q", "--amend", "--no-edit", "--no-gpg-sign")
    for words in ([], ["--since", start]):
        said = signed.run("verify", *words)
        assert said.code == 6
        assert "must be signed by one of keys/allowed_signers; its commit is not signed" in said.out


@ssh
def test_what_verify_would_refuse_unsigned_is_not_released(signed: Project) -> None:
    signed.git("config", "commit.gpgSign", "false")
    signed.reword("thorough")
    before = signed.commit()
    for words in (["promote", ID, "-m", "better"], ["rollback", f"{ID}@v1", "-m", "worse"]):
        said = signed.run(*words)
        assert (said.code, "git config commit.gpgSign true" in said.err) == (2, True), said
    assert signed.git("rev-parse", "HEAD") == before


@ssh
def test_a_change_cannot_take_the_need_of_a_signature_away(signed: Project) -> None:
    start = signed.git("rev-parse", "HEAD")
    signed.git("config", "commit.gpgSign", "false")
    signed.edit("require_signed: {production: keys/allowed_signers}\n", "", name="promptops.yaml")
    signed.reword("thorough")
    signed.commit("Loosen")
    assert signed.run("promote", ID, "-m", "unsigned").code == 0
    assert signed.run("verify", "--since", start).code == 6


@ssh
def test_a_need_that_was_taken_away_and_came_back_held_in_between(signed: Project) -> None:
    signed.git("config", "commit.gpgSign", "false")
    line = "require_signed: {production: keys/allowed_signers}\n"
    signed.edit(line, "", name="promptops.yaml")
    signed.reword("thorough")
    signed.commit("Loosen")
    assert signed.run("promote", ID, "-m", "unsigned").code == 0
    signed.edit("promptops: 1\n", f"promptops: 1\n{line}", name="promptops.yaml")
    signed.commit("As if nothing had been")
    assert signed.run("verify").code == 6


@ssh
def test_a_branch_that_left_before_the_need_was_there_brings_nothing_unsigned(signed: Project) -> None:
    signed.git("config", "commit.gpgSign", "false")
    signed.git("checkout", "-q", "-b", "early", "HEAD~1")
    signed.reword("thorough")
    signed.commit("From before")
    assert signed.run("promote", ID, "-m", "unsigned").code == 0
    oid = signed.git("rev-parse", "HEAD")
    signed.git("checkout", "-q", "main")
    signed.git("merge", "-q", "--no-ff", "-m", "Join", "early")
    (row,) = rows(signed)
    assert (row["commit"], "its commit is not signed" in row["message"]) == (oid, True)


@ssh
def test_a_change_cannot_name_another_branch_as_its_judge(signed: Project) -> None:
    signed.git("config", "commit.gpgSign", "false")
    signed.git("checkout", "-q", "-b", "eve")
    signed.edit(
        "require_signed: {production: keys/allowed_signers}", "release_branch: eve", name="promptops.yaml"
    )
    signed.reword("thorough")
    signed.commit("Loosen")
    assert signed.run("promote", ID, "-m", "unsigned").code == 0
    said = signed.run("verify")
    assert said.code == 6
    assert "must be signed by one of keys/allowed_signers" in said.out


@ssh
def test_a_clone_that_is_too_shallow_for_signatures_or_deletions_says_so(
    signed: Project, tmp_path: Path, run_in: Run
) -> None:
    words = "unchecked: prompts/releases: what was done before this shallow clone begins is not here"
    signed.git("clone", "-q", "--depth=1", f"file://{signed.path}", str(tmp_path / "ci"))
    assert words in run_in(tmp_path / "ci", "verify").out
    signed.git("rm", "-rq", "prompts/releases")
    signed.commit("Delete")
    signed.git("clone", "-q", "--depth=1", f"file://{signed.path}", str(tmp_path / "later"))
    assert words in run_in(tmp_path / "later", "verify").out


# where prompts are


def test_a_folder_of_prompts_that_is_left_behind_or_moved_is_named(compared: Project) -> None:
    """Else another folder could begin anew, with a first release that needs no evidence."""
    start = compared.git("rev-parse", "HEAD")
    compared.edit("prompts: [prompts]", "prompts: [elsewhere]", name="promptops.yaml")
    (compared.path / "elsewhere").mkdir()
    compared.git("mv", PATH, SAMPLES, "elsewhere")
    compared.edit("quick", "hasty", name=f"elsewhere/{ID}.prompt.yaml")
    oid = compared.commit("Move")
    assert compared.run("promote", ID, "--first", "-m", "begin anew").code == 0
    for words in ([], ["--since", start]):
        (row,) = rows(compared, *words)
        assert row["message"] == f"takes the folder prompts out, where {ID} went live: put it back"
        assert (row["path"], row["commit"]) == ("promptops.yaml", None if words else oid)
    compared.git("rm", "-rq", "prompts/releases")
    compared.commit("Tidy up")
    assert {row["severity"] for row in rows(compared)} == {"error"}
    assert any("was deleted by" in row["message"] for row in rows(compared))


def test_a_folder_of_prompts_that_was_moved_on_purpose_goes_on_once_that_was_looked_into(
    compared: Project,
) -> None:
    compared.git("mv", "prompts", "elsewhere")
    compared.edit("prompts: [prompts]", "prompts: [elsewhere]", name="promptops.yaml")
    oid = compared.commit("Move")
    assert {(row["severity"], row["commit"]) for row in rows(compared)} == {("error", oid)}
    compared.edit("promptops: 1\n", f"promptops: 1\nlooked_into:\n  {oid}: moved\n", name="promptops.yaml")
    compared.commit("Moved on purpose")
    assert compared.run("rollback", ID, "-m", "goes on").code == 0
    assert compared.run("verify").code == 0


def test_files_beside_the_prompts_are_no_releases(compared: Project) -> None:
    """Nobody ever looked for prompts there, but without a configuration one would."""
    compared.git("mv", "prompts", "llm")
    compared.edit("prompts: [prompts]", "prompts: [llm]", name="promptops.yaml")
    compared.git("add", "-A")
    compared.git("update-ref", "-d", "HEAD")
    compared.git("rm", "-rq", "--cached", "llm/releases")
    shutil.rmtree(compared.path / "llm/releases")
    compared.write("prompts/releases/notes.txt", "x")
    compared.commit("Begin")
    assert rows(compared) == []


# what people have looked into


def test_a_commit_that_people_have_looked_into_is_a_warning_with_what_they_say(compared: Project) -> None:
    compared.git("revert", "--no-edit", "HEAD")
    oid = compared.git("rev-parse", "HEAD")
    assert compared.run("verify").code == 6
    line = f"looked_into: {{{oid}: undone by mistake}}"
    compared.git("checkout", "-q", "-b", "side")
    compared.edit("promptops: 1\n", f"promptops: 1\n{line}\n", name="promptops.yaml")
    compared.commit("We know")
    assert compared.run("verify").code == 6  # not before it is in the base
    compared.git("checkout", "-q", "main")
    compared.git("merge", "-q", "side")
    said = compared.run("verify")
    assert said.code == 0, said
    assert "looked into: undone by mistake" in said.out
    assert "its history is as it was written, but for 3 warnings" in said.out
    assert {row["severity"] for row in rows(compared)} == {"warning"}
    (compared.path / FOLDER / "v1.yaml").unlink()
    compared.commit("Another one")
    assert compared.run("verify").code == 6


def test_a_step_that_people_looked_into_beforehand_passes_the_gate(compared: Project) -> None:
    compared.git("checkout", "-q", "-b", "change")
    compared.git("revert", "--no-edit", "HEAD")
    oid = compared.git("rev-parse", "HEAD")
    compared.git("checkout", "-q", "main")
    assert compared.run("gate", "--base", "main", "--head", "change").code == 6
    compared.edit("promptops: 1\n", f"promptops: 1\nlooked_into: {{{oid}: undo}}\n", name="promptops.yaml")
    compared.commit("We know")
    assert compared.run("gate", "--base", "main", "--head", "change").code != 6


def test_new_evidence_that_holds_too_little_is_no_success_in_ci(compared: Project) -> None:
    forge(compared, lambda values: values.pop("basis"))
    assert compared.run("verify", "--recompute", "--since", "HEAD~1").code == 2


# a prompt that goes out of use


def test_a_prompt_goes_out_of_use_with_its_file_and_its_releases_stay(project: Project) -> None:
    start = project.git("rev-parse", "HEAD")
    project.git("checkout", "-q", "-b", "change")
    project.git("rm", "-q", PATH, SAMPLES)
    project.commit("Take it out")
    assert rows(project) == rows(project, "--since", start) == []
    gated = project.run("gate", "--base", "main")
    assert (gated.code, "its file is removed; v1 stays live" in gated.out) == (0, True)
    project.git("checkout", "-q", "main")
    project.git("merge", "-q", "change")
    assert "no prompt file here any more" in project.run("status").out
    assert "Be careful" in project.run("show", f"{ID}@production").out
    project.git("rm", "-rq", "prompts/releases")
    project.commit("Its releases too")
    assert any("what was live is no longer" in row["message"] for row in rows(project))
