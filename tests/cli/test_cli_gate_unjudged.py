"""`gate`: what a change could have live without a test: releases that nothing else of it shows, names that hide."""

from __future__ import annotations

import json

import pytest
from cli_help import CONFIG, ID, PATH, POINTER, SAMPLES, Project, gated, only


def force(project: Project, *arguments: str) -> None:
    assert project.run("promote", ID, "--force", "-m", "why", *arguments).code == 0


def test_a_release_whose_prompt_file_is_removed_with_it_is_exit_2(pull: Project) -> None:
    pull.reword("quick")
    pull.commit()
    force(pull)
    (pull.path / PATH).unlink()
    pull.commit()
    code, found = gated(pull)
    assert (code, only(found)["status"]) == (2, "broken")
    assert (
        only(found)["said"][0]
        == "releases v2, and has no file of it here that could be tested; bring it back"
    )


def test_a_release_of_a_prompt_that_has_no_file_on_either_side_is_exit_2(project: Project) -> None:
    text = (project.path / PATH).read_text()
    project.git("branch", "-M", "main")
    (project.path / PATH).unlink()
    project.commit()
    project.git("checkout", "-q", "-b", "change")
    project.write(PATH, text.replace("careful", "quick"))
    project.commit()
    force(project)
    (project.path / PATH).unlink()
    project.commit()
    code, found = gated(project)
    assert (code, only(found)["status"], only(found)["id"]) == (2, "broken", ID)


def test_a_prompt_without_a_file_still_goes_back_on_its_evidence(project: Project) -> None:
    project.git("branch", "-M", "main")
    project.reword("very careful")
    project.commit()
    assert project.run("promote", ID).code == 0
    (project.path / PATH).unlink()
    project.commit()
    project.git("checkout", "-q", "-b", "back")
    assert project.run("rollback", ID, "-m", "worse in the field").code == 0
    code, found = gated(project)
    assert (code, only(found)["status"]) == (0, "pass")
    assert only(found)["said"] == ["goes back to v1, on the evidence with which it went live"]


def test_a_version_that_was_forced_on_the_way_is_left_open(pull: Project) -> None:
    pull.reword("quick")
    pull.commit()
    force(pull)
    pull.edit("quick", "very careful")
    pull.commit()
    pull.run("promote", ID)
    code, found = gated(pull)
    assert (code, only(found)["status"]) == (4, "inconclusive")
    assert only(found)["said"][0].startswith(
        "releases v2 on the way to v3, and a rollback could go back to it"
    )


def test_a_version_that_passed_on_the_way_counts_where_evidence_does(pull: Project) -> None:
    for word in ("very careful", "most very careful"):
        pull.edit("careful" if word == "very careful" else "very careful", word)
        pull.commit()
        assert pull.run("promote", ID).code == 0
    assert gated(pull)[0] == 0
    code, found = gated(pull, "--untrusted")
    assert (code, only(found)["status"]) == (4, "inconclusive")


def test_a_change_that_brings_the_file_back_says_not_who_is_believed(project: Project) -> None:
    project.git("branch", "-M", "main")
    text = (project.path / PATH).read_text()
    (project.path / PATH).unlink()
    project.commit()
    project.git("checkout", "-q", "-b", "change")
    for words in ("very careful", "most very careful"):
        project.write(PATH, text.replace("careful", words))
        project.commit()
        assert project.run("promote", ID).code == 0
    code, found = gated(project)
    assert (code, only(found)["status"]) == (4, "inconclusive")
    assert only(found)["said"][0].startswith("releases v2 on the way to v3")


def test_a_first_release_that_went_on_is_adopted_as_a_whole(newcomer: Project) -> None:
    assert newcomer.run("promote", ID, "--first", "-m", "as it is").code == 0
    newcomer.reword("very careful")
    newcomer.commit()
    assert newcomer.run("promote", ID).code == 0
    code, found = gated(newcomer)
    assert (code, only(found)["status"]) == (0, "pass")
    assert only(found)["said"][0].endswith("PASS by floors of its own")
    assert gated(newcomer, "--untrusted")[0] == 4


def test_what_another_environment_gets_is_tested_or_left_open(project: Project) -> None:
    project.git("branch", "-M", "main")
    project.write("promptops.yaml", CONFIG + "environments: [europe, production]\n")
    project.commit()
    project.git("checkout", "-q", "-b", "change")
    project.reword("quick")
    project.commit()
    force(project, "-e", "europe")
    assert gated(project)[0] == 3
    project.edit("quick", "careful")
    project.commit()
    code, found = gated(project)
    assert (code, only(found)["status"]) == (4, "inconclusive")
    assert only(found)["said"][0].startswith("releases v2 in europe, which is neither what its file says")


def test_a_configuration_that_cannot_be_read_is_exit_2_with_its_line(pull: Project) -> None:
    pull.write("promptops.yaml", "promptops: 1\nprompts: [[\n")
    pull.commit()
    said = pull.run("gate", "--base", "main")
    assert said.code == 2
    assert "promptops.yaml:3" in said.err + said.out


def test_a_prompt_cannot_begin_again_in_a_folder_that_the_change_adds(pull: Project) -> None:
    pull.write("promptops.yaml", CONFIG.replace("prompts: [prompts]", "prompts: [more, prompts]"))
    text = (pull.path / PATH).read_text()
    (pull.path / PATH).unlink()
    pull.write(PATH.replace("prompts/", "more/"), text.replace("careful", "quick"))
    pull.write(SAMPLES.replace("prompts/", "more/"), (pull.path / SAMPLES).read_text())
    pull.commit()
    force(pull)
    code, found = gated(pull)
    assert code == 2
    assert {one["status"] for one in found["prompts"]} == {"broken", "removed"}
    assert "promptops.yaml: prompts is changed" in found["first"][-1]


def test_a_folder_of_prompts_that_the_change_adds_is_looked_at(pull: Project) -> None:
    pull.write("promptops.yaml", CONFIG.replace("prompts: [prompts]", "prompts: [prompts, more]"))
    text = (pull.path / PATH).read_text()
    pull.write("more/second.prompt.yaml", text + "unknown: word\n")
    pull.commit()
    code, found = gated(pull)
    assert (code, only(found)["id"], only(found)["status"]) == (2, "second", "broken")


def test_a_folder_that_some_file_systems_take_for_the_releases_is_exit_6(pull: Project) -> None:
    pull.write(f"prompts/Releases/{ID}/production.yaml", (pull.path / POINTER).read_text())
    pull.commit()
    code, found = gated(pull)
    assert code == 6
    assert found["integrity"][0]["path"] == "prompts/Releases"


def test_a_folder_of_prompts_that_is_a_file_holds_none(project: Project) -> None:
    project.git("branch", "-M", "main")
    project.write("promptops.yaml", CONFIG.replace("prompts: [prompts]", "prompts: [prompts, README.md]"))
    project.commit()
    project.git("checkout", "-q", "-b", "change")
    project.reword("quick")
    project.commit()
    assert gated(project)[0] == 3


def test_answers_in_a_folder_of_other_letters_are_seen(pull: Project) -> None:
    pull.write(".PromptOps/cache.db", "none\n")
    pull.reword("quick")
    pull.commit()
    code, found = gated(pull)
    assert code == 3
    assert ".promptops: the change brings answers of its own; none of them is read" in found["first"]


def test_a_changed_scorer_beside_a_configuration_in_a_folder_is_a_reason(project: Project) -> None:
    project.git("branch", "-M", "main")
    project.write("marks.py", "def same(context):\n    return 1.0\n")
    project.edit('queue: {equals: "{{ expected }}"', 'queue: {python: "marks:same"')
    for name in ("promptops.yaml", "bots.py", "marks.py", "prompts"):
        (project.path / "app").mkdir(exist_ok=True)
        project.git("mv", "-k", name, f"app/{name}")
    (project.path / "marks.py").rename(project.path / "app/marks.py")
    project.commit()
    project.git("checkout", "-q", "-b", "change")
    project.write("app/marks.py", "def same(context):\n    return 0.9\n")
    project.commit()
    said = project.run("-C", "app", "gate", "--base", "main", "--json")
    assert (said.code, only(said.json)["reasons"]) == (0, ["app/marks.py"])
    assert "app/marks.py: is changed; the base's code is what runs" in said.json["first"]


def test_a_tool_that_may_do_more_is_among_the_first_lines(project: Project) -> None:
    project.git("branch", "-M", "main")
    tool = "tools: [{name: refund, risk: irreversible, approval: required, parameters: {type: object}}]\n"
    project.write(PATH, (project.path / PATH).read_text() + tool)
    project.commit()
    project.git("checkout", "-q", "-b", "change")
    project.edit("risk: irreversible, approval: required", "risk: write")
    project.commit()
    assert gated(project)[1]["first"] == [
        f"{ID}: tool refund: approval required → none, which goes live with it",
        f"{ID}: tool refund: risk irreversible → write, which goes live with it",
    ]


INCLUDES = {
    "joined": ("prompts/tone.md", "{% include 'to' 'ne.md' %}"),
    "escaped in jinja2": ("prompts/tone.md", r"{% include 'to\\x6ee.md' %}"),
    "escaped in yaml": ("prompts/tone.md", r"{% include 'to\x6ee.md' %}"),
    "behind a text outside": ("common/tone.md", "{% include '../common/first.md' %}"),
    "behind links outside": ("common/tone.md", "{% include 'link.md' %}"),
}


@pytest.mark.parametrize("case", INCLUDES)
def test_a_partial_that_is_not_named_plainly_affects_its_prompt(case: str, project: Project) -> None:
    changed, include = INCLUDES[case]
    project.git("branch", "-M", "main")
    project.write(changed, "Be kind.\n")
    project.write("common/first.md", "{% include '../common/tone.md' %}\n")
    (project.path / "prompts/link.md").symlink_to("../common/second.md")
    (project.path / "common/second.md").symlink_to("third.md")
    (project.path / "common/third.md").symlink_to("tone.md")
    project.edit('"Be careful. ', f'"{include} Be careful. ')
    project.commit()
    project.git("checkout", "-q", "-b", "change")
    project.write(changed, "Be quick.\n")
    project.commit()
    code, found = gated(project)
    assert (code, only(found)["status"]) == (3, "regression"), json.dumps(found["prompts"])
