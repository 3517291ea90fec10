"""`gate`: what a pull request does to the prompts, judged by what its base says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_help import CONFIG, ID, PATH, POINTER, SAMPLES, Project, gated, only


def test_a_change_that_touches_no_prompt_is_silent(pull: Project) -> None:
    pull.write("README.md", "another project\n")
    pull.commit()
    said = pull.run("gate", "--base", "main")
    assert (said.code, said.out, said.err) == (0, "", "")
    assert gated(pull)[1]["prompts"] == []


def test_what_is_not_committed_is_said_to_be_left_out(pull: Project) -> None:
    pull.reword("quick")
    said = pull.run("gate", "--base", "main")
    assert (said.code, said.out) == (0, "")
    assert f"not judged, because it is not committed: {PATH}" in said.err


def test_a_worse_prompt_is_a_regression_on_the_line_that_changed(pull: Project) -> None:
    pull.reword("quick")
    pull.commit()
    code, found = gated(pull)
    assert code == 3
    assert (only(found)["status"], only(found)["baseline"]["version"]) == ("regression", 1)
    assert (only(found)["path"], only(found)["line"], found["notes"]) == (PATH, 5, [])
    assert only(found)["commands"] == [f'promptops promote {ID} --force -m "why"']


def test_a_prompt_that_is_as_good_passes_and_its_report_is_shown(pull: Project) -> None:
    pull.reword("very careful")
    pull.commit()
    said = pull.run("gate", "--base", "main")
    assert said.code == 0
    assert ID in said.out
    assert "PASS" in said.out


def test_words_that_no_model_sees_are_not_tested(pull: Project) -> None:
    pull.edit("Sends a message", "Sends any message")
    pull.commit()
    code, found = gated(pull)
    assert (code, only(found)["status"], only(found)["reasons"]) == (
        0,
        "unchanged",
        ["words that no model sees"],
    )


def test_evidence_that_was_committed_stands_for_a_test(pull: Project) -> None:
    pull.reword("very careful")
    pull.commit()
    assert pull.run("promote", ID).code == 0
    pull.forget()
    code, found = gated(pull)
    assert (code, only(found)["status"], only(found)["report"]) == (0, "pass", None)
    assert not (pull.path / ".promptops" / "runs").exists()
    assert only(found)["said"][0].startswith("its committed evidence stands: PASS on 120 samples")
    assert only(found)["evidence"].startswith("sha256:")


def distrusting(project: Project, how: str) -> None:
    """Begin a change whose evidence counts for nothing, by the base's word or for where it comes from."""
    project.git("branch", "-M", "main")
    if how != "--untrusted":
        project.write(PATH, (project.path / PATH).read_text() + "gate: {trust: ci}\n")
        project.commit()
    project.git("checkout", "-q", "-b", "change")


@pytest.mark.parametrize("how", ["--untrusted", "trust: ci"])
def test_what_is_not_trusted_is_tested_again(how: str, project: Project) -> None:
    distrusting(project, how)
    project.reword("very careful")
    project.commit()
    assert project.run("promote", ID).code == 0
    code, found = gated(project, *(["--untrusted"] if how == "--untrusted" else []))
    assert (code, only(found)["status"], only(found)["evidence"]) == (0, "pass", None)
    assert only(found)["report"]["samples"]["n"] == 120


@pytest.mark.parametrize("how", ["--untrusted", "trust: ci"])
def test_where_a_test_here_is_all_that_counts_no_way_round_it_is_named(how: str, project: Project) -> None:
    distrusting(project, how)
    project.reword("quick")
    project.commit()
    assert project.run("promote", ID, "--force", "-m", "now").code == 0
    code, found = gated(project, *(["--untrusted"] if how == "--untrusted" else []))
    assert (code, only(found)["commands"]) == (3, [])
    words = "from outside" if how == "--untrusted" else "(trust: ci)"
    assert words in only(found)["said"][-1]


def test_a_prompt_whose_answers_are_recorded_is_judged_beside_one_whose_are_not(project: Project) -> None:
    project.git("branch", "-M", "main")
    text = (project.path / PATH).read_text().replace("Answer", "Alpha: answer")
    project.write("prompts/alpha.prompt.yaml", text)
    project.write("prompts/alpha.samples.jsonl", (project.path / SAMPLES).read_text())
    project.commit()
    project.git("checkout", "-q", "-b", "change")
    project.reword("quick")
    project.edit("careful", "quick", name="prompts/alpha.prompt.yaml")
    project.commit()
    assert project.run("test", ID).code == 3
    code, found = gated(project, "--recorded")
    assert [(one["id"], one["status"]) for one in found["prompts"]] == [
        ("alpha", "stopped"),
        (ID, "regression"),
    ]
    assert code == 3


def test_evidence_of_other_samples_does_not_stand(pull: Project) -> None:
    pull.reword("hasty")
    pull.keep_samples(30)
    pull.commit()
    pull.run("promote", ID, "--accept", "-m", "few samples are enough")
    code, found = gated(pull)
    assert only(found)["report"]["samples"]["n"] == 120
    assert "tested here: its evidence is of another test: the samples are others" in only(found)["said"]
    assert found["first"] == [f"{ID}: 90 samples were removed; the base's samples judge"]
    assert code == 4


def test_evidence_whose_numbers_are_none_is_tested_again(pull: Project) -> None:
    pull.reword("quick")
    pull.commit()
    assert pull.run("promote", ID, "--force", "-m", "why").code == 0
    newest = pull.git("log", "-1", "--format=", "--name-only").split("\n")
    name = next(path for path in newest if path.endswith(".json"))
    values = json.loads((pull.path / name).read_text())
    for finding in values["basis"]["findings"].values():
        for key in finding:
            finding[key] = None
    pull.write(name, json.dumps(values))
    pull.commit()
    code, found = gated(pull)
    assert code == 6
    assert only(found)["status"] in ("regression", "broken")


def test_a_release_that_somebody_forced_is_shown_with_the_reason(pull: Project) -> None:
    pull.reword("quick")
    pull.commit()
    assert pull.run("promote", ID, "--force", "-m", "the old one is illegal").code == 0
    code, found = gated(pull)
    assert (code, only(found)["status"]) == (0, "released")
    overruled = only(found)["overruled"]
    assert (overruled["how"], overruled["reason"]) == ("forced", "the old one is illegal")
    assert gated(pull, "--untrusted")[0] == 3


def test_a_way_back_needs_no_model(pull: Project) -> None:
    pull.reword("very careful")
    pull.commit()
    assert pull.run("promote", ID).code == 0
    pull.git("checkout", "-q", "main")
    pull.git("merge", "-q", "--ff-only", "change")
    pull.git("checkout", "-q", "-b", "back")
    assert pull.run("rollback", ID, "-m", "worse in the field").code == 0
    pull.forget()
    code, found = gated(pull)
    assert (code, only(found)["status"], only(found)["report"]) == (0, "pass", None)
    assert not (pull.path / ".promptops" / "runs").exists()
    assert only(found)["said"] == ["goes back to v1, on the evidence with which it went live"]


def test_a_file_that_goes_on_after_its_release_is_to_be_released_again(pull: Project) -> None:
    pull.reword("very careful")
    pull.commit()
    assert pull.run("promote", ID).code == 0
    pull.edit("very careful", "most careful")
    pull.commit()
    code, found = gated(pull)
    assert (code, only(found)["status"]) == (2, "broken")
    assert f"promptops promote {ID} once more" in only(found)["said"][0]


def test_a_pointer_that_was_edited_is_exit_6(pull: Project) -> None:
    pull.edit("version: 1", "version: 2", name=POINTER)
    pull.commit()
    code, found = gated(pull)
    assert code == 6
    assert any(POINTER in note["path"] for note in found["integrity"])


def test_a_step_that_was_not_allowed_is_exit_6_also_where_the_next_commit_takes_it_back(
    pull: Project,
) -> None:
    pull.edit("version: 1", "version: 2", name=POINTER)
    pull.commit("Edit by hand")
    pull.git("revert", "--no-edit", "HEAD")
    code, found = gated(pull)
    assert (code, found["prompts"]) == (6, [])
    assert any("Edit by hand" in note["message"] for note in found["integrity"])
    pull.git("checkout", "-q", "-b", "beside", "main")
    pull.write("README.md", "beside\n")
    pull.commit("Beside")
    pull.git("merge", "-q", "--no-ff", "-m", "Join", "change")
    assert gated(pull)[0] == 6


def test_a_loosened_policy_and_easier_samples_are_the_first_lines(pull: Project) -> None:
    pull.reword("quick")
    pull.edit("min: 0.8", "min: 0.1, max_drop: 0.9")
    lines = (pull.path / SAMPLES).read_text().splitlines(keepends=True)
    pull.write(SAMPLES, "".join(lines[10:]))
    pull.commit()
    said = pull.run("gate", "--base", "main")
    assert said.code == 3
    head = said.out.split("got worse")[0]
    assert "max_drop nothing written → 0.9" in head
    assert "min 0.8 → 0.1" in head
    assert "10 samples were removed" in head


def test_a_change_of_samples_alone_is_said_and_asks_nobody(pull: Project) -> None:
    pull.keep_samples(100)
    pull.commit()
    code, found = gated(pull)
    assert (code, only(found)["status"], only(found)["reasons"]) == (0, "unchanged", [SAMPLES])
    assert only(found)["report"] is None
    assert found["first"] == [f"{ID}: 20 samples were removed; the base's samples judge"]


def test_a_new_prompt_is_linted_and_releases_nothing(pull: Project) -> None:
    text = (pull.path / PATH).read_text()
    pull.write("prompts/second.prompt.yaml", text)
    pull.commit()
    code, found = gated(pull)
    assert (code, only(found)["id"], only(found)["status"]) == (0, "second", "new")


def test_a_prompt_that_is_removed_stays_live_and_that_is_said(pull: Project) -> None:
    (pull.path / PATH).unlink()
    pull.commit()
    code, found = gated(pull)
    assert (code, only(found)["status"]) == (0, "removed")
    assert "v1 stays live" in only(found)["said"][0]


def test_a_partial_affects_the_prompts_that_include_it_and_no_other(project: Project) -> None:
    project.git("branch", "-M", "main")
    text = (project.path / PATH).read_text()
    with_partial = text.replace("Be careful.", "{% include 'tone.md' %} Be careful.")
    project.write("prompts/tone.md", "Be kind.\n")
    for name in ("one", "two"):
        project.write(f"prompts/{name}.prompt.yaml", with_partial)
        project.write(f"prompts/{name}.samples.jsonl", (project.path / SAMPLES).read_text())
    project.commit()
    project.git("checkout", "-q", "-b", "change")
    project.write("prompts/tone.md", "Be quick.\n")
    project.commit()
    code, found = gated(project)
    assert [one["id"] for one in found["prompts"]] == ["one", "two"]
    assert {one["status"] for one in found["prompts"]} == {"regression"}
    assert found["prompts"][0]["reasons"] == ["what it includes", "prompts/tone.md"]
    assert code == 3


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("messages: [\n", "broken"),
        ("model: bot/small\nmessages:\n  - {role: user, content: '{{ nobody }}'}\n", "broken"),
        ("model: other/small\nmessages:\n  - {role: user, content: '{{ message }}'}\n", "broken"),
        (
            "model: bot/small\nmessages:\n  - role: user\n    content: |\n"
            "      {% set a = 'x' * 10000000 %}{% for i in range(99999) %}{{ a }}{% endfor %}{{ message }}\n",
            "broken",
        ),
    ],
    ids=[
        "no yaml",
        "an input that no sample has",
        "nobody answers for the model",
        "a template that explodes",
    ],
)
def test_a_prompt_that_cannot_be_tested_is_exit_2(text: str, word: str, pull: Project) -> None:
    pull.write(PATH, text)
    pull.commit()
    code, found = gated(pull)
    assert (code, only(found)["status"]) == (2, word)
    assert only(found)["said"][0]


def test_a_symbolic_link_is_not_followed_out_of_the_repository(pull: Project, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("model: bot/small\nmessages: [{role: user, content: hush}]\n")
    (pull.path / PATH).unlink()
    (pull.path / PATH).symlink_to(tmp_path / "secret")
    pull.commit()
    code, found = gated(pull)
    assert code == 2
    assert "leaves the repository" in only(found)["said"][0]
    assert "hush" not in json.dumps(found["prompts"])


def test_answers_that_a_change_brings_are_not_read(pull: Project) -> None:
    pull.reword("quick")
    pull.commit()
    assert pull.run("test").code == 3
    pull.git("add", "-f", ".promptops/cache.db")
    pull.commit("Bring answers")
    code, found = gated(pull)
    assert code == 3
    assert only(found)["report"]["cost"]["cached"] == 0
    assert ".promptops: the change brings answers of its own; none of them is read" in found["first"]


def test_configuration_and_code_are_the_bases(pull: Project, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    pull.write("bots.py", f"open({str(planted)!r}, 'w')\n\n\ndef answer(request):\n    return 'billing'\n")
    pull.write("promptops.yaml", CONFIG.replace("bots:answer", "evil:answer"))
    pull.write("evil.py", f"open({str(planted)!r}, 'w')\n\n\ndef answer(request):\n    return 'billing'\n")
    pull.reword("quick")
    pull.edit('queue: {equals: "{{ expected }}"', 'queue: {python: "evil:answer"')
    pull.commit()
    code, found = gated(pull)
    assert (code, planted.exists()) == (3, False)
    words = "promptops.yaml: providers.bot.target is changed; the base's holds here, this once it is merged"
    assert words in found["first"]
    assert "bots.py: is changed; the base's code is what runs" in found["first"]
    assert f"{ID}: scorer queue scores by another rule" in found["first"]


def test_a_pull_request_without_a_key_gets_the_diff_and_the_command(pull: Project) -> None:
    pull.git("checkout", "-q", "main")
    pull.edit("model: bot/small", "model: openai/gpt-4o-mini")
    pull.commit()
    pull.git("checkout", "-q", "-B", "change")
    pull.reword("quick")
    pull.commit()
    code, found = gated(pull, "--untrusted")
    assert (code, only(found)["status"]) == (7, "stopped")
    assert "OPENAI_API_KEY" in only(found)["said"][0]
    words = "Be [-careful-]{+quick+}. Answer with one word: billing, technical or account."
    assert only(found)["diff"][-2:] == ["messages[0] system", f"  {words}"]
    assert found["command"] == f"promptops gate --base main --head {found['head']} --untrusted"


def test_a_base_that_is_not_there_is_exit_2(pull: Project) -> None:
    said = pull.run("gate", "--base", "mian")
    assert said.code == 2
    assert "did you mean main?" in said.err


def test_a_way_back_that_edits_the_prompt_too_is_for_a_person(pull: Project) -> None:
    pull.reword("very careful")
    pull.commit()
    assert pull.run("promote", ID).code == 0
    pull.git("checkout", "-q", "main")
    pull.git("merge", "-q", "--ff-only", "change")
    pull.git("checkout", "-q", "-b", "back")
    assert pull.run("rollback", ID, "-m", "worse in the field").code == 0
    pull.edit("very careful", "quick")
    pull.commit()
    code, found = gated(pull)
    assert (code, only(found)["status"]) == (4, "inconclusive")
    assert "edits the prompt as well" in only(found)["said"][0]


def test_a_first_release_passes_by_evidence_that_holds(newcomer: Project) -> None:
    assert newcomer.run("promote", ID, "-m", "first").code == 0
    code, found = gated(newcomer)
    assert (code, only(found)["status"], only(found)["overruled"]) == (0, "pass", None)
    assert only(found)["said"][0] == "is released for the first time: PASS by floors of its own"
    assert gated(newcomer, "--untrusted")[0] == 4


def test_a_prompt_whose_id_hides_is_not_taken_for_another(pull: Project) -> None:
    text = (pull.path / PATH).read_text()
    inner = json.dumps(
        {"id": ID, "model": "bot/small", "messages": [{"role": "user", "content": "{{ message }}"}]}
    )
    assert "message" in text
    (pull.path / PATH).unlink()
    pull.write("prompts/other.prompt.yaml", inner)
    pull.commit()
    code, found = gated(pull)
    assert (code, only(found)["status"]) == (2, "broken")
    assert "on a line of its own" in only(found)["said"][0]


def test_prompts_at_the_top_of_the_repository_have_their_releases_checked(project: Project) -> None:
    project.git("branch", "-M", "main")
    for path in (project.path / "prompts").iterdir():
        path.rename(project.path / path.name)
    project.write("promptops.yaml", CONFIG.replace("prompts: [prompts]", "prompts: [.]"))
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "Move up")
    project.git("checkout", "-q", "-b", "change")
    project.edit("version: 1", "version: 2", name=f"releases/{ID}/production.yaml")
    project.commit()
    assert gated(project)[0] == 6
