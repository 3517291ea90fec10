"""The inner loop and the commands that only look: try, diff, render, show, lint, log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_help import CONFIG, ID, PATH, PROMPT, SAMPLES, Project, sample

from promptops.evaluation import watching
from promptops.workspace import open_workspace


def test_try_shows_five_samples_beside_live_and_never_a_verdict(project: Project) -> None:
    project.reword("quick")
    said = project.run("try")
    assert said.code == 0, "no exit 3 or 4: a look proves nothing"
    assert "[-careful-]{+quick+}" in said.out
    assert said.out.count("  live ") == said.out.count("  new ") == 5
    assert "✗ queue: expected 'billing', got 'sales'" in said.out
    assert "5 samples" in said.out
    assert f"a look, not a test; promptops test {ID} decides" in said.out
    assert "REGRESSION" not in said.out
    assert not [path for path in (project.path / ".promptops/runs").iterdir() if "first" in path.name]
    assert len(list((project.path / ".promptops/runs").iterdir())) == 1, "a look leaves no run"


def test_try_puts_what_the_last_test_broke_first(project: Project) -> None:
    project.reword("quick")
    assert project.run("test").code == 3
    tried = project.run("try", "--json").json
    assert tried["schema"] == "promptops.try/1"
    assert [one["input"].split()[1] for one in tried["samples"]] == ["0", "5", "10", "15", "20"]
    assert tried["samples"][0]["candidate"]["scores"]["queue"]["value"] == 0
    assert tried["samples"][0]["baseline"]["scores"]["queue"]["value"] == 1
    only = project.run("try", ID, "--failed", "-n", "100", "--json").json
    assert len(only["samples"]) == 24
    first = only["samples"][0]["sample_id"]
    assert project.run("try", "--sample", first[:12], "--json").json["samples"][0]["sample_id"] == first


def test_try_failed_without_anything_broken_is_2(project: Project) -> None:
    project.reword("thorough")
    said = project.run("try", "--failed")
    assert said.code == 2
    assert f"the last test of {ID} broke no sample" in said.err


def test_try_with_an_input_of_ones_own(project: Project) -> None:
    project.reword("quick")
    said = project.run("try", "-i", "message=message 7 about account", "-n", "1")
    assert said.code == 0
    assert "account" in said.out
    assert "1 samples" in said.out or "1 sample" in said.out
    said = project.run("try", "-i", "massage=hello")
    assert said.code == 2
    assert "message" in said.err


def test_try_before_the_first_release_asks_only_the_work_tree(fresh: Project) -> None:
    said = fresh.run("try", "-n", "2")
    assert said.code == 0
    assert "is not live yet: only the work tree answers" in said.err
    assert "  live " not in said.out
    assert fresh.calls() == 2


def test_try_asks_which_where_there_are_several(project: Project) -> None:
    project.write("prompts/other.prompt.yaml", PROMPT)
    said = project.run("try")
    assert said.code == 2
    assert f"which prompt? other, {ID}" in said.err


def test_a_failed_call_is_shown_as_such(project: Project) -> None:
    project.reword("silent")
    said = project.run("try", "-n", "1")
    assert said.code == 0
    assert "no answer for this one" in said.out
    assert "? queue: not answered" in said.out


def test_watch_goes_on_through_a_half_typed_file(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    edits = [
        lambda: project.write(PATH, "model: ["),
        lambda: project.write(PATH, PROMPT.replace("careful", "kind")),
    ]

    def pretended(_workspace: object) -> Iterator[Path]:
        for edit in edits:
            edit()
            yield project.path / PATH

    monkeypatch.setattr(watching, "changes", pretended)
    said = project.run("try", "--watch", "-n", "1")
    assert said.code == 0
    assert f"error: {PATH}:2:1" in said.err
    assert "{+kind+}" in said.out


def test_watching_sees_prompts_partials_samples_and_configuration(project: Project) -> None:
    workspace = open_workspace(project.path, {})
    names = iter([PATH, "prompts/partials/new.md", "unrelated.txt", SAMPLES, "promptops.yaml"])
    written: list[str] = []

    def pause(_seconds: float) -> None:
        written.append(next(names))
        project.write(written[-1], f"text {len(written)}")

    seen = watching.changes(workspace, sleep=pause)
    found = [next(seen).relative_to(project.path).as_posix() for _ in range(4)]
    assert found == [name for name in written if name != "unrelated.txt"]


def test_an_edit_between_the_call_and_the_first_look_is_seen(project: Project) -> None:
    seen = watching.changes(open_workspace(project.path, {}), sleep=lambda _seconds: None)
    project.write(PATH, "edited while the first answers came")
    assert next(seen) == project.path / PATH
    (project.path / PATH).unlink()
    assert next(seen) == project.path / PATH


def test_diff_says_what_changed_in_words(project: Project) -> None:
    assert project.run("diff", ID).out == "no difference\n"
    project.edit("{{ message }}", "{{ message }} ({{ language }})")
    said = project.run("diff", ID)
    assert said.code == 0
    assert "breaking" in said.out
    assert "language" in said.out
    assert said.err.startswith(f"{ID}: v1 → work tree")
    found = project.run("diff", ID, "--json").json
    assert found["schema"] == "promptops.diff/1"
    assert any(change["label"] == "breaking" for change in found["changes"])


def test_a_rendered_diff_compares_what_is_sent(project: Project) -> None:
    project.reword("quick")
    said = project.run("diff", ID, "--rendered")
    assert said.code == 0
    assert "[-careful-]{+quick+}" in said.out
    assert "rendered with smp_" in said.err
    sample_id = project.run("try", "-n", "1", "--json").json["samples"][0]["sample_id"]
    assert f"rendered with {sample_id}" in project.run("diff", ID, "--sample", sample_id).err


def test_diff_against_a_commit(project: Project) -> None:
    project.reword("quick")
    project.commit()
    assert project.run("diff", ID, "--against", "HEAD").out == "no difference\n"
    assert "{+quick+}" in project.run("diff", ID, "--against", "HEAD~1").out
    assert "{+careful+}" in project.run("diff", f"{ID}@v1", "--against", "HEAD").out


def test_render_shows_what_would_be_sent(project: Project) -> None:
    said = project.run("render", ID)
    assert said.code == 0
    assert said.out.splitlines()[0] == "model: small"
    assert said.out.endswith("── user\nmessage 0 about billing\n")
    assert project.run("render", ID, "-i", "message=hello").out.endswith("── user\nhello\n")
    found = project.run("render", ID, "-i", "message=hello", "--json").json
    assert found["schema"] == "promptops.request/1"
    assert found["messages"][1] == {"role": "user", "content": "hello"}
    assert project.calls() == 0


def test_show_gives_a_version_as_it_was_written(project: Project) -> None:
    project.write("prompts/partials/tone.md", "Be friendly.\n")
    project.edit("Answer with", "{% include 'partials/tone.md' %} Answer with")
    said = project.run("show", ID)
    assert said.code == 0
    assert said.out.startswith((project.path / PATH).read_text())
    assert "# partial partials/tone.md\nBe friendly." in said.out
    old = project.run("show", f"{ID}@v1")
    assert old.out == PROMPT
    assert "v1" in old.err
    assert "sha256:" in old.err
    found = project.run("show", f"{ID}@production", "--json").json
    assert (found["schema"], found["version"]) == ("promptops.show/1", 1)


def test_lint_shows_all_problems_of_all_files_at_once(project: Project) -> None:
    assert project.run("lint").code == 0
    project.edit("model: bot/small", "model: bot/small\ntemprature: 0\nscorer: {}")
    project.write("prompts/other.prompt.yaml", "model: [\n")
    rows = [sample(number) for number in range(3)] + [{"inputs": {"text": "x"}}]
    project.write("prompts/third.prompt.yaml", PROMPT.replace('owners: ["@acme/support"]\n', ""))
    project.write("prompts/third.samples.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    said = project.run("lint")
    assert said.code == 2
    for words in (
        f"{PATH}:4:1: temprature: unknown key",
        f"{PATH}:5:1: scorer: unknown key; did you mean scorers",
        "prompts/other.prompt.yaml:2:1:",
        "prompts/third.prompt.yaml:5:31: error: 1 of 4 samples have no input message [missing-input]",
        "info: nobody owns this prompt",
    ):
        assert words in said.out, said.out
    found = project.run("lint", "--json")
    assert found.code == 2
    assert found.json["schema"] == "promptops.lint/1"
    assert {"path", "line", "column", "severity", "code", "message"} <= found.json["findings"][0].keys()
    assert project.run("lint", "third").out.count("\n") == 2


def test_lint_says_that_named_samples_are_not_there(project: Project) -> None:
    project.edit("scorers:", 'samples: ["logs/*.jsonl"]\nscorers:')
    said = project.run("lint")
    assert said.code == 2
    assert f"{PATH}: samples: nothing matches 'logs/*.jsonl'" in said.out


def test_log_tells_one_story_of_commits_and_releases(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.reword("quick")
    project.commit("Be quick")
    project.write("prompts/other.prompt.yaml", PROMPT)
    project.commit("Add another")
    lines = project.run("log", ID).out.splitlines()
    assert len(lines) == 3
    assert "changed" in lines[0]
    assert "Be quick" in lines[0]
    assert "live in production" in lines[1]
    assert "created" in lines[2]
    assert len(project.run("log").out.splitlines()) == 4
    assert len(project.run("log", "-n", "2").out.splitlines()) == 2
    assert len(project.run("log", "-e", "production").out.splitlines()) == 1
    found = project.run("log", ID, "--json").json
    assert found["schema"] == "promptops.log/1"
    assert [event["kind"] for event in found["events"]] == ["changed", "released", "created"]
    assert found["events"][1]["reason"] == "first version"
    # the clock of these tests' commits stands in January 2026
    assert project.run("log", "--since", "12h").out == "nothing happened in that time\n"
    assert len(project.run("log", "--since", "2026-01-01").out.splitlines()) == 4
    assert project.run("log", ID, "--since", "12h").code == 0


def test_two_folders_of_prompts_are_one_story_newest_first(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("promptops.yaml", CONFIG.replace("[prompts]", "[prompts, more]"))
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-06T10:00:00+00:00")
    project.write("more/other.prompt.yaml", PROMPT)
    project.commit("Add another")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-07T10:00:00+00:00")
    project.reword("quick")
    project.commit("Be quick")
    subjects = [line.split("   ")[-1] for line in project.run("log").out.splitlines()]
    assert subjects[:2] == ["Be quick", "Add another"]
    assert {one["id"] for one in project.run("status", "--json").json["prompts"]} == {ID, "other"}
    assert project.run("render", "other", "-i", "message=x").code == 0
    project.write("more/other.samples.jsonl", (project.path / SAMPLES).read_text())
    assert project.run("promote", "other").code == 0
    assert (project.path / "more/releases/other/production.yaml").exists()
    assert project.run("verify").code == 0


@pytest.mark.parametrize("root", ["./prompts", "prompts/", "prompts/."])
def test_a_folder_of_prompts_may_be_written_in_other_ways(project: Project, root: str) -> None:
    project.write("promptops.yaml", CONFIG.replace("[prompts]", f'["{root}"]'))
    said = project.run("status")
    assert said.code == 0
    assert "production   v1" in said.out
    assert project.run("test").out == f"{ID}: nothing differs from production\n"


def test_a_test_may_name_the_file(project: Project) -> None:
    project.reword("quick")
    said = project.run("test", PATH)
    assert said.code == 3, said


def test_a_configuration_further_down_is_a_workspace_of_its_own(project: Project) -> None:
    for name in ("promptops.yaml", "bots.py", PATH, SAMPLES):
        project.write(f"teams/one/{name}", (project.path / name).read_text())
    project.commit("Add a team")
    said = project.run("-C", "teams/one", "promote", ID)
    assert said.code == 0, said
    assert (project.path / f"teams/one/prompts/releases/{ID}/production.yaml").exists()
    assert project.run("-C", "teams/one/prompts", "status").out.startswith(ID)
    assert (project.path / "teams/one/.promptops/cache.db").exists()
    assert project.run("verify").code == 0
