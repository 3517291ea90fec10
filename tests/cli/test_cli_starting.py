"""From an empty folder to a prompt with samples: init, new, import."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_help import ID, PATH, SAMPLES, N, Project, Run, git, sample


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


def test_init_writes_what_is_missing_and_nothing_twice(empty: Path, run_in: Run) -> None:
    said = run_in(empty, "init")
    assert said.code == 0
    assert "wrote promptops.yaml" in said.out
    assert said.out.endswith("next: promptops new ID\n")
    first = contents(empty)
    assert json.loads(first[".promptops/schema/prompt.schema.json"])["properties"]["messages"]
    assert b".promptops/\n" in first[".gitignore"]
    again = run_in(empty, "init")
    assert again.code == 0
    assert "wrote" not in again.out
    assert "kept promptops.yaml" in again.out
    assert contents(empty) == first


def test_init_adds_no_folder_where_prompts_have_their_place(project: Project) -> None:
    assert project.run("init").code == 0
    assert not (project.path / "prompts/.gitkeep").exists()
    (project.path / "promptops.yaml").unlink()
    assert project.run("init").code == 0
    assert not (project.path / "prompts/.gitkeep").exists()


@pytest.mark.parametrize("text", [b"*.pyc", b"# caf\xe9\n*.pyc\n", b"a\r\nb\r\n"])
def test_init_adds_to_an_ignore_file_and_keeps_every_byte_of_it(
    empty: Path, run_in: Run, text: bytes
) -> None:
    (empty / ".gitignore").write_bytes(text)
    (empty / "promptops.yaml").write_text("environments: [staging, production]\n")
    assert run_in(empty, "init").code == 0
    written = (empty / ".gitignore").read_bytes()
    assert written.startswith(text)
    assert written.endswith(b"\n.promptops/\n")
    assert (empty / "promptops.yaml").read_text() == "environments: [staging, production]\n"
    assert run_in(empty, "init").code == 0
    assert (empty / ".gitignore").read_bytes() == written


def test_a_new_prompt_is_clean_and_complete(empty: Path, run_in: Run) -> None:
    assert run_in(empty, "init").code == 0
    said = run_in(empty, "new", "support-triage")
    assert said.code == 0
    assert f"wrote {PATH}" in said.out
    assert f"samples go to {SAMPLES}" in said.out
    linted = run_in(empty, "lint")
    assert linted.code == 0
    assert "error" not in linted.out
    assert "warning" not in linted.out
    assert run_in(empty, "render", "support-triage", "-i", "message=hello").out.endswith("hello\n")


def test_new_overwrites_nothing(project: Project) -> None:
    before = (project.path / PATH).read_bytes()
    said = project.run("new", ID)
    assert said.code == 2
    assert f"{PATH} is there already" in said.err
    assert (project.path / PATH).read_bytes() == before


def test_new_refuses_an_id_that_another_file_has(project: Project) -> None:
    project.git("mv", PATH, "prompts/other.prompt.yaml")
    project.edit("description:", f"id: {ID}\ndescription:", name="prompts/other.prompt.yaml")
    said = project.run("new", ID)
    assert said.code == 2
    assert "prompts/other.prompt.yaml" in said.err
    assert not (project.path / PATH).exists()


@pytest.mark.parametrize("name", ["../x", "Support", "a/b", "con", "", "a" * 200, "x\n", "-x"])
def test_new_takes_only_an_id(project: Project, name: str) -> None:
    before = contents(project.path)
    assert project.run("new", name).code == 2
    assert contents(project.path) == before


def rows(*numbers: int) -> str:
    return "".join(json.dumps(sample(number)) + "\n" for number in numbers)


def test_import_adds_what_is_new_and_says_what_the_samples_show(project: Project) -> None:
    project.write("calls.jsonl", rows(*range(110, 140)))
    said = project.run("import", "calls.jsonl", "--prompt", ID)
    assert said.code == 0
    assert f"20 samples added to {SAMPLES}, 10 were there already\n" in said.out
    assert (
        "with 140 samples an unchanged prompt passes a 5-point allowance about 49 % of the time" in said.out
    )
    assert said.out.endswith(f"next: promptops try {ID}\n")
    before = (project.path / SAMPLES).read_bytes()
    again = project.run("import", "calls.jsonl", "--prompt", ID)
    assert "0 samples added" in again.out
    assert "30 were there already" in again.out
    assert (project.path / SAMPLES).read_bytes() == before


def test_import_reads_csv(project: Project) -> None:
    project.write("calls.csv", "message,expected\nmessage 200 about billing,billing\n")
    said = project.run("import", "calls.csv", "--prompt", ID, "--json")
    assert said.code == 0
    assert said.json["schema"] == "promptops.import/1"
    assert (said.json["added"], said.json["total"]) == (1, N + 1)
    assert json.loads((project.path / SAMPLES).read_text().splitlines()[-1])["expected"] == "billing"


def test_a_bad_line_stops_an_import_before_anything_is_written(project: Project) -> None:
    project.write("calls.jsonl", rows(200) + "{\n" + rows(201))
    before = (project.path / SAMPLES).read_bytes()
    said = project.run("import", "calls.jsonl", "--prompt", ID)
    assert said.code == 2
    assert "calls.jsonl:2" in said.err
    assert (project.path / SAMPLES).read_bytes() == before
    said = project.run("import", "calls.jsonl", "--prompt", ID, "--skip-bad")
    assert said.code == 0
    assert "2 samples added" in said.out
    assert "1 left out" in said.out
    assert "left out: " in said.err
    assert "calls.jsonl:2" in said.err


def test_import_says_where_the_prompt_does_not_look(project: Project) -> None:
    project.edit("scorers:", 'samples: ["logs/*.jsonl"]\nscorers:')
    project.write("prompts/logs/a.jsonl", rows(1, 2))
    project.write("calls.jsonl", rows(200))
    said = project.run("import", "calls.jsonl", "--prompt", ID)
    assert said.code == 0
    assert f"{ID} does not read {SAMPLES}: add it under samples:" in said.out


def test_a_whole_first_session(empty: Path, run_in: Run) -> None:
    assert run_in(empty, "init").code == 0
    assert run_in(empty, "new", "support-triage").code == 0
    (empty / "bots.py").write_text("def answer(request):\n    return 'billing'\n")
    config = (empty / "promptops.yaml").read_text()
    (empty / "promptops.yaml").write_text(
        config + 'providers:\n  bot: {kind: python, target: "bots:answer"}\n'
    )
    text = (empty / PATH).read_text().replace("openai/gpt-4o-mini", "bot/small")
    (empty / PATH).write_text(text)
    (empty / "calls.csv").write_text("message,expected\ncharged twice,billing\nno login,account\n")
    assert run_in(empty, "import", "calls.csv", "--prompt", ID).code == 0
    tried = run_in(empty, "try")
    assert tried.code == 0
    assert "expected 'account', got 'billing'" in tried.out
    git(empty, "add", "-A")
    git(empty, "commit", "-qm", "Start")
    assert run_in(empty, "promote", ID, "--first").code == 0
    assert run_in(empty, "test").out == f"{ID}: nothing differs from production\n"
    assert run_in(empty, "verify").code == 0
