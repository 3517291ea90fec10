"""What customers, models and pull requests write is shown and never obeyed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_help import CONFIG, ID, PATH, SAMPLES, N, Project, Said, sample

Program = Callable[..., Said]
EVIL = (
    "\x1b[2J\x1b]0;owned\x07 <script>alert(1)</script> @acme/team [x](javascript:y) `code` "
    "| cell |\n::set-output name=x::y\n::add-mask::z\r\n\u202egnp\u200b \x00\x9b31m ##[add-mask]x é 中"
)
# A terminal obeys ESC, C1, bidi controls; GitHub obeys :: at the start of a line, after spaces too.
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
COMMAND = re.compile(r"^\s*::|##\[", re.MULTILINE)
# Answers everything with the customer's own text, made longer for the second half of the samples.
ECHO = """\
def answer(request):
    text = str(request.messages[-1].content)
    return text if "careful" in str(request.messages[0].content) else "wrong \\ud800" + text * 2
"""


def harmless(said: Said) -> None:
    for text in (said.out, said.err):
        assert not OBEYED.search(text), OBEYED.search(text)
        assert not COMMAND.search(text), text


@pytest.fixture
def evil(project: Project) -> Project:
    rows = [sample(number) for number in range(N)]
    for number, row in enumerate(rows):
        row["inputs"]["message"] = f"{number} {EVIL}"
        row["expected"] = f"{number} {EVIL}"
        row["sample_id"] = f"::id-{number} <b>@x ##[add-mask]y"
        row["slices"] = {"language": EVIL}
    project.write(SAMPLES, "".join(json.dumps(row) + "\n" for row in rows))
    project.write("bots.py", ECHO)
    project.write("promptops.yaml", CONFIG)
    project.edit("careful", "quick")
    return project


def test_a_report_shows_hostile_text_and_obeys_none(evil: Project) -> None:
    said = evil.run("test", "--markdown", "report.md")
    assert said.code == 3, said
    harmless(said)
    assert r"\u{1b}[2J" in said.out
    assert "⏎::set-output name=x::y" in said.out
    again = evil.run("report")
    assert again.out == said.out


def test_markdown_holds_no_markup_of_others(evil: Project) -> None:
    assert evil.run("test", "--markdown", "report.md").code == 3
    text = (evil.path / "report.md").read_text(encoding="utf-8")
    harmless(Said(0, text, ""))
    for words in ("<script", "@acme", "[x](", "`code`", "<b>", "@x"):
        assert words not in text
    assert "&#60;script&#62;" in text
    (rows,) = {line.count("|") for line in text.splitlines() if "id&#45;" in line and line.startswith("| ")}
    assert rows == 5, "a pipe in an answer makes no new cell"


def test_try_shows_hostile_text_and_obeys_none(evil: Project) -> None:
    said = evil.run("try", "-n", "2")
    assert said.code == 0
    harmless(said)
    harmless(evil.run("test"))
    said = evil.run("try", "--failed", "-n", "2")
    assert said.code == 0
    harmless(said)


def test_json_stays_json(evil: Project) -> None:
    assert evil.run("test", "--json").json["reports"][0]["verdict"] == "regression"
    assert (
        evil.run("try", "--json", "-n", "1")
        .json["samples"][0]["candidate"]["text"]
        .startswith("wrong \ud8000 ")
    )
    assert evil.run("render", ID, "--json").json["messages"][1]["content"] == f"0 {EVIL}"
    for arguments in (["test", "--json"], ["try", "--json"], ["render", ID, "--json"]):
        assert evil.run(*arguments).out.isascii()


def test_looking_at_hostile_text_is_safe(evil: Project) -> None:
    for arguments in (
        ["render", ID],
        ["diff", ID, "--rendered"],
        ["diff", ID],
        ["lint"],
        ["status"],
        ["test", "--where", "language=de"],
        ["test", "--where", "language=x\x1b[1m\n::error::"],
        ["try", "-i", "message=\x1b[2J"],
        ["log"],
    ):
        said = evil.run(*arguments)
        assert not OBEYED.search(said.out + said.err), arguments


def test_a_hostile_prompt_of_a_pull_request_is_safe_to_look_at(project: Project) -> None:
    text = (project.path / PATH).read_text()
    hostile = "Be \\x1b[2J \\u202e <script> @x\\n::set-output name=a::b\\n  ::stop-commands::x"
    project.write(PATH, text.replace("Be careful.", hostile))
    project.commit("\x1b[2J::error:: message")
    for arguments in (["diff", ID], ["render", ID], ["show", ID], ["log", ID], ["status"], ["lint"], ["try"]):
        said = project.run(*arguments)
        assert said.code in (0, 2)
        assert not OBEYED.search(said.out + said.err), (arguments, said)
    harmless(project.run("log", ID))
    harmless(project.run("try", "-n", "1"))


def test_a_hostile_reason_stays_one_line_and_readable(project: Project) -> None:
    project.reword("quick")
    project.commit()
    reason = "because\n\nForged: yes\n\x1b[2J::error::"
    said = project.run("promote", ID, "--force", "-m", reason)
    assert said.code in (0, 2)
    harmless(project.run("status"))
    harmless(project.run("log"))
    assert project.run("verify").code == 0


def test_a_hostile_error_of_a_provider_is_one_safe_line(project: Project) -> None:
    project.write(
        "bots.py",
        "from promptops.errors import Unreachable\n"
        "def answer(request):\n"
        "    raise Unreachable('down\\n::error::\\x1b[2J sk-proj-0123456789abcdefghij')\n",
    )
    project.reword("quick")
    said = project.run("test")
    assert said.code == 7
    harmless(said)


def test_a_lone_surrogate_in_a_prompt_or_sample_does_not_end_a_run(
    project: Project, program: Program
) -> None:
    rows = [sample(number) for number in range(60)]
    rows[0]["inputs"]["message"] = "message 0 about \ud83d billing"
    project.write(SAMPLES, "".join(json.dumps(row) + "\n" for row in rows))
    project.reword("quick")
    said = program(project.path, "test", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert said.code in (2, 3), said
    assert "Traceback" not in said.err


def test_a_reader_that_leaves_ends_it_quietly(project: Project) -> None:
    command = f"{sys.executable} -P -m promptops export | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=project.path, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "1")


def test_ctrl_c_ends_with_130_and_keeps_what_was_finished(
    project: Project, interruptible: Callable[[], None]
) -> None:
    waiting = project.path.parent / "waiting"
    project.write(
        "bots.py",
        "import pathlib, time\n"
        f"WAITING = pathlib.Path({str(waiting)!r})\n"
        "def answer(request):\n"
        "    if int(str(request.messages[-1].content).split()[1]) < 20:\n"
        "        return 'billing'\n"
        "    WAITING.touch()\n"
        "    time.sleep(60)\n",
    )
    project.reword("quick")
    started = subprocess.Popen(
        [sys.executable, "-P", "-m", "promptops", "test"],
        cwd=project.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )
    while not waiting.exists():
        assert started.poll() is None
        os.sched_yield()
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=30)
    assert started.returncode == 130, said
    assert "Traceback" not in said
    journals = [Path(path) for path in (project.path / ".promptops/runs").glob("*/pairs.jsonl")]
    assert sorted(len(path.read_text().splitlines()) for path in journals)[0] >= 16
