"""What is kept beside a repository, and what happens to it: real faults, the real program."""

from __future__ import annotations

import json
import time

import pytest
from cli_help import ID, N, Project


def test_imported_answers_are_marked_in_the_report_and_in_the_evidence(project: Project) -> None:
    project.reword("calm")
    first = project.run("test", "--json").json["reports"][0]
    assert first["cost"]["imported"] == 0
    assert project.run("cache", "export", "../answers.jsonl").code == 0
    project.forget()
    assert project.run("cache", "import", "../answers.jsonl").code == 0
    calls = project.calls()
    said = project.run("test", "--recorded", "--json").json["reports"][0]
    assert (project.calls(), said["cost"]["calls"], said["cost"]["imported"]) == (calls, 0, 2 * N)
    warning = f"{2 * N} answers were imported from a file and not asked for here"
    assert warning in said["warnings"]
    assert warning in project.run("report", ID).out
    # Also when they come from the journal of the run.
    assert project.run("test", "--json").json["reports"][0]["cost"]["imported"] == 2 * N
    project.commit()
    assert project.run("promote", ID, "-m", "calmer").code == 0
    evidence = [
        json.loads(path.read_text()) for path in project.path.glob(f"prompts/releases/{ID}/evidence/*")
    ]
    assert sorted(one.get("imported", 0) for one in evidence) == [0, 2 * N]
    assert project.run("verify").code == 0


def test_the_cache_tells_what_it_holds_by_model_and_age(project: Project) -> None:
    project.reword("calm")
    project.run("test")
    kept = project.run("cache", "stats", "--json").json
    (one,) = kept["models"]
    assert (kept["schema"], kept["answers"], kept["imported"]) == ("promptops.cache/1", 2 * N, 0)
    assert (one["model"], one["answers"], one["old"]) == ("small", 2 * N, 0)
    assert abs(one["newest"] - time.time()) < 600
    said = project.run("cache", "stats").out.splitlines()
    assert said[0].startswith(f"{2 * N} answers, ")
    assert said[1].startswith(f"small: {2 * N} answers, ")
    project.run("cache", "export", "../answers.jsonl")
    assert project.run("cache", "clear", "--older-than", "1d").err == "0 answers forgotten\n"
    assert project.run("cache", "clear", "--dry-run").err == f"{2 * N} answers would be forgotten\n"
    assert project.run("cache", "clear").err == f"{2 * N} answers forgotten\n"
    assert project.run("cache", "stats").out == "0 answers, 0 bytes\n"
    assert project.run("cache", "import", "../answers.jsonl").err.startswith(f"{2 * N} answers taken from")
    said = project.run("cache", "stats").out.splitlines()
    assert said[0].endswith(f", {2 * N} imported")


@pytest.mark.parametrize("age", ["soon", "-1d", "30", ""])
def test_an_age_that_is_none_is_refused(project: Project, age: str) -> None:
    said = project.run("cache", "clear", "--older-than", age)
    assert said.code == 2
    assert "expected a length of time" in said.err
    assert project.run("cache", "stats", "--json").json["answers"] == N


def test_without_a_key_the_recorded_answers_decide_and_a_missing_one_ends_the_run(project: Project) -> None:
    project.reword("calm")
    project.run("test")
    project.run("cache", "export", "../answers.jsonl")
    lines = (project.path.parent / "answers.jsonl").read_text().splitlines(keepends=True)
    project.forget()
    calls = project.calls()
    (project.path.parent / "fewer.jsonl").write_text("".join(lines[:-1]))
    project.run("cache", "import", "../fewer.jsonl")
    said = project.run("test", "--recorded")
    assert said.code == 7
    assert "answer is not among the recorded ones" in said.err
    project.run("cache", "import", "../answers.jsonl")
    assert project.run("test", "--recorded").code == 0
    assert project.calls() == calls


def test_every_kind_of_bad_line_is_named_and_only_left_out_when_asked(project: Project) -> None:
    good = '{"sample_id": "a%d", "inputs": {"message": "message %d about billing"}, "expected": "billing"}'
    lines = [
        b"\xef\xbb\xbf" + (good % (1, 1)).encode() + b"\r",
        b'{"inputs": {"message": "half',
        (good % (2, 2)).encode() + b"\r",
        (good % (1, 3)).encode(),
        b'{"inputs": {"message": "' + b"x" * (50 * 1024 * 1024) + b'"}}',
        b'{"inputs": {"message": "\xff"}}',
        (good % (4, 4)).encode()[:-5],
    ]
    project.write("../calls.jsonl", b"\n".join(lines))
    said = project.run("import", "../calls.jsonl", "--prompt", ID)
    assert said.code == 2
    wrong = {
        2: "not JSON",
        4: "already at",
        5: "more than 16 MiB",
        6: "not UTF-8",
        7: "the last line is cut off",
    }
    for number, words in wrong.items():
        assert any(f"calls.jsonl:{number}:" in line and words in line for line in said.err.splitlines()), (
            words
        )
    said = project.run("import", "../calls.jsonl", "--prompt", ID, "--skip-bad")
    assert said.code == 0
    assert "2 samples added" in said.out
    assert "5 left out" in said.out
    assert said.err.count("left out: ") == 5
