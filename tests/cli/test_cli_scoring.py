"""Scorers that hang, end their process or print, in the real program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_help import ID, N, Project, Said

HANGS = """\
import os, pathlib, time

def queue(output, sample) -> bool:
    if sample["inputs"]["message"].split()[1] == "7":
        pathlib.Path({told!r}).write_text(str(os.getpid()))
        while True:
            pass
    print("looking at", output)
    return output == sample["expected"]
"""


def scored_by(project: Project, code: str) -> None:
    project.write("checks.py", code)
    project.edit('queue: {equals: "{{ expected }}", min: 0.8}', 'queue: {python: "checks:queue"}')
    project.reword("quick")


def missing(said: Said) -> dict[str, int]:
    found: dict[str, int] = said.json["reports"][0]["unscored"]["by_kind"]
    return found


def test_a_scorer_that_hangs_on_one_sample_costs_its_score_and_prints_into_no_json(
    project: Project, program: Callable[..., Said], tmp_path: Path
) -> None:
    scored_by(project, HANGS.format(told=str(tmp_path / "told")))
    project.edit("outage: 0.3", "outage: 0.3, scoring: 1s", name="promptops.yaml")
    said = program(project.path, "test", ID, "--json")
    assert said.code == 3, said.err
    assert json.loads(said.out)["reports"][0]["verdict"] == "regression"
    assert "looking at billing" in said.err
    assert missing(said) == {"scorer:queue": 2}


def test_a_scorer_that_ends_the_process_that_imports_it_is_no_success(
    project: Project, program: Callable[..., Said]
) -> None:
    scored_by(project, "import os\nos._exit(0)\n")
    said = program(project.path, "test", ID)
    assert said.code == 2
    assert "scorer 'queue': importing checks.py ended its process: exit code 0" in said.err
    assert project.calls() == 0


def test_what_a_scorer_prints_when_it_is_imported_is_in_no_json(
    project: Project, program: Callable[..., Said]
) -> None:
    scored_by(project, "print('loud')\ndef queue(output, sample) -> bool:\n    return True\n")
    said = program(project.path, "test", ID, "--json")
    assert json.loads(said.out)["reports"][0]["verdict"]
    assert "loud" in said.err


def test_ctrl_c_ends_a_scorer_whose_import_hangs(
    project: Project, interruptible: Callable[[], None], tmp_path: Path
) -> None:
    told = tmp_path / "told"
    scored_by(project, f"import pathlib, time\npathlib.Path({str(told)!r}).touch()\ntime.sleep(600)\n")
    command = [sys.executable, "-P", "-m", "promptops", "test"]
    started = subprocess.Popen(
        command, cwd=project.path, preexec_fn=interruptible, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not told.exists():
        assert started.poll() is None
        time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=30)
    assert started.returncode == 130
    assert b"interrupted before a sample was finished" in said


def test_ctrl_c_ends_a_scorer_that_hangs(
    project: Project, interruptible: Callable[[], None], tmp_path: Path
) -> None:
    told = tmp_path / "told"
    scored_by(project, HANGS.format(told=str(told)))
    project.edit("outage: 0.3", "outage: 0.3, scoring: 10m", name="promptops.yaml")
    started = subprocess.Popen(
        [sys.executable, "-P", "-m", "promptops", "test"],
        cwd=project.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )
    while not (told.exists() and told.read_text()):
        assert started.poll() is None
        os.sched_yield()
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=30)
    assert started.returncode == 130, said
    assert "Traceback" not in said
    assert f"of {N} samples are finished and kept" in said
    stat = Path(f"/proc/{told.read_text()}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_pattern_without_end_hangs_no_test(project: Project) -> None:
    project.edit('equals: "{{ expected }}", min: 0.8', 'regex: "^(\\\\w+)+$"')
    project.edit("outage: 0.3", "outage: 0.3, scoring: 1s", name="promptops.yaml")
    project.write(
        "bots.py", "def answer(request):\n    return 'a' * 40 + '!' if '17' in str(request) else 'a'\n"
    )
    project.reword("quick")
    said = project.run("test", "--json")
    assert said.code == 4, said.err
    assert missing(said)["scorer:queue"] >= 1


@pytest.mark.slow
def test_a_scorer_that_always_ends_its_process_ends_the_run_with_its_name(project: Project) -> None:
    scored_by(project, "import os\n\ndef queue(output, sample) -> bool:\n    os._exit(9)\n")
    said = project.run("test")
    assert said.code == 7
    assert "scorer 'queue' gave no score 10 times in a row" in said.err
    assert "exit code 9" in said.err


@pytest.mark.slow
def test_a_try_gives_up_a_scorer_that_hangs(project: Project, tmp_path: Path) -> None:
    scored_by(project, HANGS.format(told=str(tmp_path / "told")))
    project.edit("outage: 0.3", "outage: 0.3, scoring: 1s", name="promptops.yaml")
    said = project.run("try", "-n", "9")
    assert said.code == 0, said.err
    assert "the scorer took more than 1 s" in said.out
