"""`promptops blame`: who wrote a line, which version released it first, on what evidence, and where it is live."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cli_help import ID, PATH, Project, Run, git, project_at

from promptops.reports.columns import width

SYSTEM = 4  # the index of the line with the instructions


def blamed(project: Project, *words: str) -> dict[str, Any]:
    said = project.run("blame", *(words or (ID,)), "--json")
    assert said.code == 0, said
    found: dict[str, Any] = said.json
    assert found["schema"] == "promptops.blame/1"
    return found


def lines(project: Project, *words: str) -> list[dict[str, Any]]:
    return blamed(project, *words)["files"][0]["lines"]


def line(project: Project, *words: str) -> dict[str, Any]:
    """What is told of the line with the instructions."""
    found = lines(project, *words)[SYSTEM]
    assert "role: system" in found["text"]
    return found


def promoted(project: Project, *words: str) -> None:
    said = project.run("promote", ID, *words)
    assert said.code == 0, said


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the next commits be made at a time of 2026-03-01, and from then on."""

    def at(time: str) -> None:
        for who in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{who}_DATE", f"2026-03-01T{time}:00+00:00")

    return at


def test_every_line_names_its_commit_author_first_version_and_where_it_is_live(project: Project) -> None:
    first = project.git("log", "--format=%H", "--reverse").splitlines()[0]
    project.reword("thorough")
    project.git(
        "-c", "user.name=Grace", "-c", "user.email=grace@example.org", "commit", "-qam", "Be thorough"
    )
    second = project.git("rev-parse", "HEAD")
    promoted(project)
    found = blamed(project)
    rows = found["files"][0]["lines"]
    assert (found["id"], found["ref"], found["live"]) == (ID, "work tree", {"production": 2})
    assert found["files"][0]["path"] == PATH
    assert "".join(f"{one['text']}\n" for one in rows) == (project.path / PATH).read_text()
    assert {(one["commit"], one["author"], one["version"]) for one in rows} == {
        (first, "Ada", 1),
        (second, "Grace", 2),
    }
    changed = rows[SYSTEM]
    assert (changed["version"], changed["how"], changed["live"]) == (2, "pass", ["production"])
    assert (changed["email"], changed["subject"]) == ("grace@example.org", "Be thorough")
    two, one = found["versions"]
    assert (two["version"], two["verdict"], two["samples"], two["baseline"]) == (2, "pass", 120, 1)
    assert two["commit"] == project.git("rev-parse", "HEAD")
    assert {"name": "queue", "candidate_mean": 1.0}.items() <= two["metrics"][0].items()
    assert (one["version"], one["verdict"], one["baseline"], one["reason"]) == (
        1,
        "pass",
        None,
        "first version",
    )
    assert found["notes"] == []


def test_what_is_not_committed_or_not_released_says_so(project: Project) -> None:
    project.reword("thorough")
    found = line(project)
    assert (found["commit"], found["version"], found["live"]) == (None, None, [])
    project.commit("Be thorough")
    found = line(project)
    assert (found["subject"], found["version"], found["how"]) == ("Be thorough", None, None)
    said = project.run("blame", ID)
    assert "unreleased" in said.out
    assert "note: 1 of 8 lines are not in what was released last" in said.out
    assert "do not reach the model" not in said.out


def test_words_beside_the_prompt_are_told_from_those_that_reach_the_model(project: Project) -> None:
    project.edit("description: Sends", "description: Always sends")
    said = project.run("blame", ID)
    assert "the lines that are not released do not reach the model: it gets what production sends" in said.out


def test_a_rolled_back_line_keeps_its_version_and_is_not_live(project: Project) -> None:
    project.reword("thorough")
    project.commit()
    promoted(project)
    project.run("rollback", ID, "-m", "complaints")
    found = blamed(project)
    assert found["live"] == {"production": 1}
    row = found["files"][0]["lines"][SYSTEM]
    assert (row["version"], row["live"]) == (2, [])
    assert [(one["version"], one["live"]) for one in found["versions"]] == [(2, []), (1, ["production"])]


@pytest.mark.parametrize(
    ("word", "option", "how", "verdict"),
    [("quick", "--force", "forced", "regression"), ("hasty", "--accept", "accepted", "inconclusive")],
)
def test_what_was_overruled_stays_visible_at_the_line(
    project: Project, word: str, option: str, how: str, verdict: str
) -> None:
    project.reword(word)
    project.commit()
    if how == "accepted":
        project.keep_samples(45)
        project.commit("Fewer samples")
    promoted(project, option, "-m", "customers wait")
    found = blamed(project)
    assert found["files"][0]["lines"][SYSTEM]["how"] == how
    assert (found["versions"][0]["verdict"], found["versions"][0]["reason"]) == (verdict, "customers wait")
    said = project.run("blame", ID).out
    assert f"v2 {how}" in said
    assert f"{verdict.upper()} on" in said
    assert f", {how}: customers wait;" in said


def test_a_line_that_was_taken_out_and_written_again_counts_from_the_second_time(project: Project) -> None:
    for before, after in (("careful", "thorough"), ("thorough", "careful")):
        project.edit(before, after)
        project.commit(f"From {before} to {after}")
        if after == "thorough":
            promoted(project)
    assert line(project)["version"] is None
    assert line(project)["subject"] == "From thorough to careful"
    assert line(project, f"{ID}@v1")["version"] == 1


def test_versions_environments_and_commits_can_be_looked_at(project: Project) -> None:
    project.reword("thorough")
    project.commit("Be thorough")
    promoted(project)
    project.edit("thorough", "exact")
    project.commit("Be exact")
    assert (line(project)["version"], line(project)["subject"]) == (None, "Be exact")
    for words in ((f"{ID}@production",), (ID, "-e", "production"), (f"{ID}@v2",), (f"{ID}@HEAD~1",)):
        found = line(project, *words)
        assert (found["version"], found["subject"], found["live"]) == (2, "Be thorough", ["production"])
    old = line(project, f"{ID}@v1")
    assert "careful" in old["text"]
    assert (old["version"], old["subject"], old["live"]) == (1, "Add a prompt and its samples", [])


def test_a_clock_that_is_ahead_hides_nothing_that_is_live_now(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2099-03-01T10:00:00+00:00")
    project.reword("thorough")
    project.commit("Be thorough")
    promoted(project)
    assert blamed(project, ID, "--at", "0h")["ref"].startswith("production v2, live at")


def test_at_a_time_it_shows_what_was_live_then(project: Project, clock: Callable[[str], None]) -> None:
    for time, before, after in (("10:00", "careful", "thorough"), ("12:00", "thorough", "exact")):
        clock(time)
        project.edit(before, after)
        project.commit(f"Be {after}")
        promoted(project)
    clock("14:00")
    project.run("rollback", ID)
    for time, version, word in (
        ("2026-01-05T10:00", 1, "careful"),
        ("2026-03-01T10:00", 2, "thorough"),
        ("2026-03-01T13:59+00:00", 3, "exact"),
        ("2026-03-01T15:05+01:00", 2, "thorough"),
    ):
        found = blamed(project, ID, "--at", time)
        assert f"production v{version}, live at 2026-" in found["ref"]
        row = found["files"][0]["lines"][SYSTEM]
        assert (row["version"], word in row["text"]) == (version, True)
    early = project.run("blame", ID, "--at", "2025-12-01")
    assert early.code == 2
    assert "nothing was live there at 2025-12-01 00:00 UTC" in early.err


def test_a_release_that_is_merged_was_live_from_the_merge_on(
    project: Project, clock: Callable[[str], None]
) -> None:
    project.git("switch", "-q", "-c", "side")
    clock("10:00")
    project.reword("thorough")
    project.commit("Be thorough")
    promoted(project)
    assert blamed(project)["live"] == {"production": 1}
    assert (line(project)["version"], line(project)["live"]) == (2, [])
    project.git("switch", "-q", "main")
    clock("12:00")
    project.git("merge", "-q", "--no-ff", "-m", "Merge", "side")
    assert line(project, ID, "--at", "2026-03-01T11:00")["version"] == 1
    found = line(project, ID, "--at", "2026-03-01T12:00")
    assert (found["version"], found["subject"]) == (2, "Be thorough")


def test_a_clone_of_depth_one_knows_versions_and_verdicts_and_says_what_is_out_of_sight(
    project: Project, run_in: Run
) -> None:
    project.reword("thorough")
    project.commit()
    promoted(project)
    git(project.path.parent, "clone", "-q", "--depth=1", f"file://{project.path}", "shallow")
    there = project_at(project.path.parent / "shallow", run_in)
    found = blamed(there)
    assert found["is_cut"]
    rows = found["files"][0]["lines"]
    assert all(one["is_cut"] and one["commit"] for one in rows)
    assert [one["version"] for one in rows] == [one["version"] for one in lines(project)]
    two, one = found["versions"]
    assert (two["verdict"], two["environment"], two["is_cut"]) == ("pass", "production", True)
    assert (one["verdict"], one["samples"], one["at"], one["is_cut"]) == ("pass", 120, None, True)
    said = there.run("blame", ID).out
    assert "who wrote the lines marked ^ is not here (git fetch --unshallow)" in said
    assert "how it went live is out of sight; PASS on 120 samples" in said
    assert " Ada " not in said.split("\nv2")[0]
    early = there.run("blame", ID, "--at", "2025-12-01")
    assert early.code == 2
    assert "this shallow clone begins after 2025-12-01 00:00 UTC; git fetch --unshallow" in early.err


def test_evidence_that_no_pointer_names_is_found_by_what_it_is_about(project: Project, run_in: Run) -> None:
    project.reword("thorough")
    project.commit()
    promoted(project)
    project.run("rollback", ID)
    git(project.path.parent, "clone", "-q", "--depth=1", f"file://{project.path}", "shallow")
    found = blamed(project_at(project.path.parent / "shallow", run_in), f"{ID}@v2")
    assert [(one["version"], one["verdict"], one["at"]) for one in found["versions"]] == [
        (2, "pass", None),
        (1, "pass", None),
    ]


def test_partials_are_told_of_where_they_are_asked_for(project: Project) -> None:
    project.write("prompts/partials/tone.md", "Be kind.\nBe brief.\n")
    project.edit("Answer with", "{% include 'partials/tone.md' %} Answer with")
    project.commit("Say how")
    promoted(project)
    project.write("prompts/partials/tone.md", "Be kind.\nBe short.\n")
    project.commit("Be short")
    assert len(blamed(project)["files"]) == 1
    own, partial = blamed(project, ID, "--partials")["files"]
    assert (own["partial"], partial["partial"]) == (None, "partials/tone.md")
    assert partial["path"] == "prompts/partials/tone.md"
    assert [(one["subject"], one["version"], one["live"]) for one in partial["lines"]] == [
        ("Say how", 2, ["production"]),
        ("Be short", None, []),
    ]
    frozen = blamed(project, f"{ID}@v2", "--partials")["files"][1]
    assert [(one["text"], one["subject"]) for one in frozen["lines"]] == [
        ("Be kind.", "Say how"),
        ("Be brief.", "Say how"),
    ]


def test_a_moved_prompt_keeps_its_lines(project: Project) -> None:
    project.edit("description:", f"id: {ID}\ndescription:")
    project.commit("Name it")
    (project.path / "prompts/deep").mkdir()
    for file in (PATH, PATH.replace("prompt.yaml", "samples.jsonl")):
        project.git("mv", file, file.replace("prompts/", "prompts/deep/"))
    project.git("mv", "prompts/deep/support-triage.prompt.yaml", "prompts/deep/triage.prompt.yaml")
    project.commit("Move it")
    rows = lines(project)
    assert {one["path"] for one in rows} == {PATH}
    assert [one["version"] for one in rows] == [None, *[1] * (len(rows) - 1)]


def test_a_prompt_that_was_never_committed_or_released_is_told_of_too(fresh: Project) -> None:
    found = blamed(fresh)
    assert (found["live"], found["versions"]) == ({}, [])
    assert {one["subject"] for one in found["files"][0]["lines"]} == {"Add a prompt and its samples"}
    assert "not live anywhere" in fresh.run("blame", ID).out
    fresh.write("prompts/new.prompt.yaml", "model: bot/small\nmessages: [{role: user, content: Hi}]\n")
    assert {one["commit"] for one in lines(fresh, "new")} == {None}


def test_a_bare_repository_answers_for_head(project: Project, run_in: Run) -> None:
    git(project.path.parent, "clone", "-q", "--bare", str(project.path), "bare.git")
    there = project_at(project.path.parent / "bare.git", run_in)
    assert lines(there, ID, "--partials") == lines(project)


def test_several_environments_are_named_at_the_line(project: Project) -> None:
    project.write(
        "promptops.yaml",
        f"{(project.path / 'promptops.yaml').read_text()}environments: [staging, production]\n",
    )
    project.reword("thorough")
    project.commit()
    promoted(project, "-e", "staging")
    assert (line(project)["live"], line(project)["version"]) == (["staging"], 2)
    assert lines(project)[0]["live"] == ["staging", "production"]
    found = blamed(project)
    assert [(one["environment"], one["live"]) for one in found["versions"]] == [
        ("staging", ["staging"]),
        ("production", ["production"]),
    ]
    assert "staging, production" in project.run("blame", ID).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((f"{ID}@v1", "-e", "production"), "says already which version is meant"),
        ((f"{ID}@v1", "--at", "12h"), "says already which version is meant"),
        ((ID, "--at", "noon"), "'noon' is no time"),
        ((ID, "--at", "2999-01-01"), "is yet to come"),
        ((ID, "-e", "nowhere"), "nowhere"),
        (("support-triag",), "did you mean support-triage"),
        ((f"{ID}@v7",), "v7"),
        (("nobody", "--at", "1h"), "nothing was live there"),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_line(
    project: Project, words: tuple[str, ...], said: str
) -> None:
    answer = project.run("blame", *words)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_a_damaged_version_is_an_error_of_integrity(project: Project) -> None:
    file = project.path / f"prompts/releases/{ID}/v1.yaml"
    file.write_text(file.read_text().replace("careful", "hateful"))
    project.commit("Tamper")
    assert project.run("blame", ID).code == 6


def test_hostile_names_and_lines_are_shown_escaped(project: Project) -> None:
    project.edit("description: Sends", 'description: "\\e ::set-output name=x::\u202e"\n# \u202eSends')
    project.git("-c", "user.name=A\x1b[31mB", "commit", "-qam", "Hostile")
    said = project.run("blame", ID).out
    assert not set(said) & {"\x1b", "\u202e"}
    assert "A\\u{1b}[31mB" in said
    assert not any(row.lstrip().startswith("::") for row in said.splitlines())


def test_it_is_json_for_programs_and_the_same_twice(project: Project) -> None:
    first, second = project.run("blame", ID, "--json"), project.run("blame", ID, "--json")
    assert json.loads(first.out)
    assert first.out == second.out


def test_no_line_is_wider_than_the_widest_terminal(project: Project) -> None:
    project.edit("Be careful.", "Be careful. " + "Read on. " * 60)
    project.commit()
    said = project.run("blame", ID).out
    assert max(map(width, said.splitlines())) <= 200
    assert any(row.endswith("…") for row in said.splitlines())
