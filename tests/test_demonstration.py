"""The demonstration is no story: its verdicts are computed, and a changed scorer changes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from promptops.demonstration import examples, steps
from promptops.errors import ConfigError

PROMPTOPS = [sys.executable, "-P", "-m", "promptops"]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROMPTOPS, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_recorded_demonstration_refuses_releases_and_rolls_back(tmp_path: Path) -> None:
    place = tmp_path / "scratch"
    done = run("demo", "--recorded", "--folder", str(place), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "REGRESSION   language fell by" in done.stdout
    assert "p = " in done.stdout
    assert "Broken: smp_" in done.stdout
    assert "language-id v2 is live in production" in done.stdout
    assert "rolled back from v2, not re-tested" in done.stdout
    assert "NOT AS IT SHOULD BE" not in done.stdout

    # The same careless edit under a scorer that is content with any answer: the same samples now pass.
    prompt = place / "prompts" / "language-id.prompt.yaml"
    careless = (place / "demo" / "language-id.v2.yaml").read_text(encoding="utf-8")
    written = '{equals: "{{ expected.language }}", path: $.language, max_drop: 5%'
    assert written in careless
    prompt.write_text(careless.replace(written, '{contains: "language", max_drop: 5%'), encoding="utf-8")
    changed = run("test", "--recorded", cwd=place)
    assert changed.returncode == 0, changed.stdout + changed.stderr
    assert "PASS" in changed.stdout


def test_a_demonstration_never_writes_into_a_folder_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = run("demo", "--recorded", "--folder", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_every_command_of_the_demonstration_is_printed_in_the_readme_as_it_is_typed() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    typed = {" ".join(f'"{word}"' if " " in word else word for word in step.command) for step in steps(False)}
    shown = {line[2:] for line in readme.split("\n") if line.startswith("$ ")}
    assert shown
    assert shown <= typed


def test_the_examples_are_found_beside_the_package() -> None:
    try:
        found = examples()
    except ConfigError as error:
        pytest.fail(str(error))
    assert (found / "recorded" / "language-id.jsonl").is_file()
