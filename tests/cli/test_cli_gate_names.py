"""`gate`: files whose names are hostile, and samples of several prompts in one folder."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

from cli_help import ID, PATH, SAMPLES, Project

NAMES = (
    b"evil\xff.py",
    b"new\nline.py",
    b"prompts/b\xffad.prompt.yaml",
    b"prompts/a::error b.prompt.yaml",
    b"prompts/\x1b[31mred.prompt.yaml",
    b"prompts/\xff.samples.jsonl",
    b"prompts/releases/\xff/production.yaml",
    b"prompts/releases/x/\xff.yaml",
)


def test_names_that_are_no_text_or_command_terminals_are_shown_and_do_nothing(
    project: Project, tmp_path: Path
) -> None:
    project.git("branch", "-M", "main")
    for name in NAMES:
        place = project.path / os.fsdecode(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((project.path / PATH).read_bytes())
    project.commit()
    project.git("checkout", "-q", "-b", "change")
    for name in NAMES:
        place = project.path / os.fsdecode(name)
        place.write_bytes(place.read_bytes() + b"# more\n")
    project.reword("quick")
    project.commit()
    files = {kind: tmp_path / kind for kind in ("markdown", "summary", "junit")}
    wanted = [word for kind, path in files.items() for word in (f"--{kind}", str(path))]
    said = project.run("gate", "--base", "main", *wanted)
    assert said.code == 6
    assert "\x1b[31m" not in said.out
    assert not any(line.startswith("line.py") for line in said.out.splitlines())
    for path in files.values():
        assert ID in path.read_bytes().decode("utf-8")
    ElementTree.parse(files["junit"])
    found = project.run("gate", "--base", "main", "--json").json
    assert {one["id"]: one["status"] for one in found["prompts"]}[ID] == "regression"


def test_samples_of_another_prompt_in_the_folder_are_not_taken_for_ones_own(project: Project) -> None:
    project.git("branch", "-M", "main")
    project.write("prompts/second.prompt.yaml", (project.path / PATH).read_text())
    project.write("prompts/second.samples.jsonl", (project.path / SAMPLES).read_text())
    project.commit()
    project.git("checkout", "-q", "-b", "change")
    project.keep_samples(100)
    lines = (project.path / SAMPLES).read_text().splitlines(keepends=True)
    project.write("prompts/second.samples.jsonl", "".join(lines[:50]))
    project.commit()
    said = project.run("gate", "--base", "main", "--json")
    assert said.json["first"] == [
        "second: 70 samples were removed; the base's samples judge",
        f"{ID}: 20 samples were removed; the base's samples judge",
    ]
