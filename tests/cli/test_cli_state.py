"""What is kept beside a repository, and what happens to it: real faults, the real program."""

from __future__ import annotations

import json

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
