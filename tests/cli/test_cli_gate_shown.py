"""What people see of a real gate whose model, samples and branch are hostile: comment, summary, annotations, JUnit."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cli_help import ID, PATH, SAMPLES, Project

ATTACK = "</td><script>alert(1)</script>\\n::set-output name=x::y\\n@everyone | `x` \\x1b[31m ##[add-mask]z "


@pytest.fixture
def pull(project: Project) -> Project:
    """A change for the worse, where the worse answers are five megabytes of what would act if it were not escaped."""
    bots = next(path for path in project.path.rglob("bots.py"))
    name = bots.relative_to(project.path).as_posix()
    project.edit('return "sales"', f'return "{ATTACK}" * 60_000', name=name)
    project.commit("Base")
    project.git("branch", "-M", "main")
    project.git("checkout", "-q", "-b", "change")
    project.reword("quick")
    project.commit()
    return project


def written(pull: Project, folder: Path) -> tuple[str, dict[str, str]]:
    """Run the gate as a job of GitHub does, and return its output and what it wrote."""
    files = {kind: folder / kind for kind in ("markdown", "summary", "junit")}
    options = [part for kind, path in files.items() for part in (f"--{kind}", str(path))]
    said = pull.run("gate", "--base", "main", *options)
    assert said.code == 3, said.err
    return said.out, {kind: path.read_text(encoding="utf-8") for kind, path in files.items()}


def test_hostile_answers_of_megabytes_are_shown_short_and_do_nothing(
    pull: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    out, files = written(pull, tmp_path)
    comment = files["markdown"]
    assert comment.startswith("<!-- promptops-gate -->\n\n### ❌ promptops: 1 prompt got worse\n")
    assert re.search(rf"\| {ID.replace('-', '&#45;')} v1 → PR \| ❌ Regression \| queue 100% → 80% ", comment)
    assert f'To merge: fix it, or an owner runs `promptops promote {ID} --force -m "why"`' in comment
    assert len(comment.encode()) < 20_000
    assert len(files["summary"].encode()) < 100_000
    for text in (comment, files["summary"]):
        assert "<script" not in text
        assert not re.search(r"@everyone", text)
    root = ElementTree.fromstring(files["junit"].encode())
    assert [case.get("name") for case in root[0]][:2] == ["verdict", "queue"]
    commands = [line for line in out.split("\n") if line.startswith("::")]
    assert len(commands) == 1
    assert commands[0].startswith(
        f"::error file={PATH},line=5,title=promptops::{ID}: regression: queue 100%25 → 80%25"
    )
    assert not re.search(r"\x1b|##\[|^\s*::set", out, re.MULTILINE)


def test_easier_samples_are_the_first_thing_that_is_read(pull: Project, tmp_path: Path) -> None:
    pull.keep_samples(60)
    pull.commit("Keep the easy ones")
    out, files = written(pull, tmp_path)
    for text in (out, files["markdown"], files["summary"]):
        assert text.index("60") < text.index("got worse")
    assert files["markdown"].startswith("<!-- promptops-gate -->\n> [!WARNING]\n> **Read this first.**")
    assert SAMPLES.split("/")[-1].split(".")[0] in out
