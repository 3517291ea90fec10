"""Every command of the README and of the guide is run, in order, in a repository like a reader's."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from stand_in import QUEUES, serving
from typed import Run, Said

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(?:<!-- file: (?P<file>[^ ]+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)
EXIT = re.compile(r"\s+# exit (\d)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A file to write, or a command to run with the exit code that the page promises."""

    file: str = ""
    text: str = ""
    command: str = ""
    code: int = 0


def actions(page: str) -> list[Action]:
    found: list[Action] = []
    for match in BLOCK.finditer((ROOT / page).read_text(encoding="utf-8")):
        if match["file"]:
            found.append(Action(file=match["file"], text=match["text"]))
        elif match["language"] == "console":
            lines = [line[2:] for line in match["text"].split("\n") if line.startswith("$ ")]
            found += [Action(command=EXIT.sub("", line), code=_code(line)) for line in lines]
    return found


def _code(line: str) -> int:
    promised = EXIT.search(line)
    return int(promised[1]) if promised else 0


def tickets(count: int) -> str:
    rows = [
        f"ticket {number}: my {QUEUES[number % 3]} matter,{QUEUES[number % 3]}" for number in range(count)
    ]
    return "\n".join(["message,expected", *rows]) + "\n"


def carry_out(command: str, folder: Path, run_in: Run) -> Said:
    """Run one line of a page; its words are split as a shell does it."""
    program, *words = shlex.split(command)
    if program == "promptops":
        return run_in(folder, *words)
    done = subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """A new user's repository."""
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=tmp_path, check=True)
    (tmp_path / "tickets.csv").write_text(tickets(240))
    return tmp_path


def test_the_guide_does_what_it_says_from_top_to_bottom(
    reader: Path, run_in: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-real-key")
    with serving() as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        done = actions("docs/guide.md")
        assert sum(bool(action.command) for action in done) >= 20
        for action in done:
            if action.file:
                (reader / action.file).write_text(action.text)
                continue
            ran = carry_out(action.command, reader, run_in)
            assert ran.code == action.code, f"{action.command}\n{ran.out}\n{ran.err}"
            assert "not-a-real-key" not in ran.out + ran.err


def test_every_promptops_command_on_a_page_exists() -> None:
    from typer.main import get_command

    from promptops.cli.app import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        named = re.findall(r"`promptops ([a-z]+)", page.read_text(encoding="utf-8"))
        assert set(named) <= known, page.name
