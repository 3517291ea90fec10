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


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """What an earlier answer has left."""
    found = {kind: tmp_path / kind for kind in ("markdown", "summary", "junit")}
    for path in found.values():
        path.write_text("### ✅ promptops: 1 prompt passes\n")
    return found


def test_what_keeps_the_gate_from_judging_takes_the_place_of_an_earlier_answer(
    pull: Project, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    said = pull.run(
        "gate", "--base", "mian", *(part for kind in files for part in (f"--{kind}", str(files[kind])))
    )
    assert said.code == 2
    assert said.out.startswith("::error title=promptops::this change could not be judged: there is no commit")
    for path in files.values():
        text = path.read_text(encoding="utf-8")
        assert "this change could not be judged" in text
        assert "did you mean main?" in text
        assert "passes" not in text
    assert files["markdown"].read_text().startswith("<!-- promptops-gate -->\n")
    said = pull.run("gate", "--base", "mian", "--json")
    assert (said.code, said.json["failed"], said.json["prompts"]) == (2, 2, [])
    assert said.err.startswith("error: there is no commit")


def test_what_ends_before_there_is_an_answer_leaves_no_earlier_one(
    pull: Project, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("promptops.gating.gate.find_range", killed)
    pull.run("gate", "--base", "main", *(part for kind in files for part in (f"--{kind}", str(files[kind]))))
    assert {path.read_text() for path in files.values()} == {""}


def test_a_comment_of_a_change_that_affects_nothing_any_more_says_so(
    pull: Project, files: dict[str, Path]
) -> None:
    pull.git("checkout", "-q", "-b", "nothing", "main")
    pull.write("README.md", "another\n")
    pull.commit()
    said = pull.run(
        "gate", "--base", "main", *(part for kind in files for part in (f"--{kind}", str(files[kind])))
    )
    assert (said.code, said.out) == (0, "")
    assert "### ✅ promptops: no prompt is affected\n" in files["markdown"].read_text()
    assert files["summary"].read_text() == ""
    assert "no prompt is affected" in files["junit"].read_text()


def test_a_jobs_summary_is_added_to_and_stays_below_what_github_takes(
    pull: Project, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(files["summary"]))
    files["summary"].write_text("x" * 995_000)
    assert pull.run("gate", "--base", "main").code == 3
    text = files["summary"].read_text(encoding="utf-8")
    assert text.startswith("xxx")
    assert "1 prompt got worse" in text
    assert len(text.encode()) <= 1_020_000


def test_easier_samples_are_the_first_thing_that_is_read(pull: Project, tmp_path: Path) -> None:
    pull.keep_samples(60)
    pull.commit("Keep the easy ones")
    out, files = written(pull, tmp_path)
    for text in (out, files["markdown"], files["summary"]):
        assert text.index("60") < text.index("got worse")
    assert files["markdown"].startswith("<!-- promptops-gate -->\n> [!WARNING]\n> **Read this first.**")
    assert SAMPLES.split("/")[-1].split(".")[0] in out
