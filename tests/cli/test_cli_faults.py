"""A run that is interrupted, starved, disturbed or run twice: what was finished is kept, and the way on is said."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_help import git
from state_help import (
    AT_ONCE,
    HEADER,
    ID,
    KEY,
    PATH,
    N,
    Program,
    Served,
    build,
    config,
    kill,
    report_of,
    reword,
    served,
    without_times,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork, signals and limits")


@pytest.fixture
def programs(tmp_path_factory: pytest.TempPathFactory) -> list[Program]:
    return [Program(tmp_path_factory.mktemp("program")) for _ in range(2)]


@pytest.fixture
def program(programs: list[Program]) -> Program:
    return programs[0]


@pytest.fixture
def server() -> Iterator[Served]:
    with served() as found:
        yield found


@pytest.fixture
def repo(tmp_path: Path, program: Program, server: Served) -> Path:
    """A repository whose changed prompt was never tested."""
    folder = tmp_path / "repo"
    build(folder, server.url)
    assert program.run(folder, "promote", ID, "--first", "-m", "adopted") == 0, program.said
    reword(folder)
    return folder


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(
    program: Program, server: Served, repo: Path
) -> None:
    server.process, server.ring_at = 1, 50
    pid = program.start(repo, "test", ID)
    assert server.rung.wait(30)
    kill(pid, signal.SIGINT)
    assert program.wait() == 130, program.said
    assert "Traceback" not in program.said
    said = program.said.splitlines()[-1]
    assert said.startswith("interrupted: ")
    assert said.endswith(f" of {N} samples are finished and kept; run the same command to go on from there")
    assert int(said.split()[1]) > 0
    server.process = 2
    assert program.run(repo, "test", ID) == 3, program.said
    assert len({question for _, question in server.asked}) == 2 * N
    assert server.asked_again()[1] <= AT_ONCE


def test_of_two_at_once_the_second_waits_and_nothing_is_asked_twice(
    programs: list[Program], server: Served, repo: Path
) -> None:
    server.ring_at = 10
    programs[0].start(repo, "test", ID)
    assert server.rung.wait(30)
    server.goes_on.clear()
    programs[1].start(repo, "test", ID)
    while "another promptops is running this test" not in programs[1].said:
        assert not programs[1].is_over(0.05), programs[1].said
    server.goes_on.set()
    assert [one.wait() for one in programs] == [3, 3], [one.said for one in programs]
    assert server.count() == 2 * N
    assert "REGRESSION" in programs[0].said
    assert "REGRESSION" in programs[1].said


def test_different_tests_at_once_share_a_cache_that_stays_whole(
    programs: list[Program], server: Served, repo: Path
) -> None:
    programs[0].start(repo, "test", ID)
    programs[1].start(repo, "test", ID, "--sequential")
    # Whose look is the second one is judged more strictly, and may not be sure.
    assert {one.wait() for one in programs} <= {3, 4}, [one.said for one in programs]
    connection = sqlite3.connect(repo / ".promptops/cache.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM answers").fetchone() == (2 * N,)
    connection.close()


def test_a_reached_budget_ends_the_run_with_the_sum_and_keeps_everything(
    program: Program, server: Served, repo: Path
) -> None:
    whole = (repo / "promptops.yaml").read_text()
    # An answer costs about 16 millionths of a dollar.
    (repo / "promptops.yaml").write_text(config(server.url, more=", budget_usd: 0.0008"))
    assert program.run(repo, "test", ID) == 7, program.said
    assert "budget" in program.said
    assert "$0.000" in program.said
    asked = server.count()
    assert 0 < asked <= 0.0008 / 12e-6
    (repo / "promptops.yaml").write_text(whole)
    assert program.run(repo, "test", ID) == 3, program.said
    assert server.count() == 2 * N


JUMPING = """
import itertools, time
jumps = itertools.cycle([0.0, 4e9, 1.0, 1e9])
time.time = lambda: next(jumps)
"""


def test_a_clock_that_jumps_spoils_no_time_and_no_verdict(
    program: Program, server: Served, repo: Path, tmp_path: Path
) -> None:
    shutil.copytree(repo, tmp_path / "steady")
    assert program.run(tmp_path / "steady", "test", ID) == 3, program.said
    assert program.run(repo, "test", ID, before=JUMPING) == 3, program.said
    assert without_times(report_of(repo)) == without_times(report_of(tmp_path / "steady"))
    journal = next((repo / ".promptops/runs").glob("*/pairs.jsonl")).read_text()
    seconds = [float(part.split(",")[0].split("}")[0]) for part in journal.split('"seconds":')[1:]]
    assert len(seconds) >= 2 * N
    assert all(0 <= one < 20 for one in seconds)


LITTLE = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (16000, 16000))
"""


def test_files_that_cannot_grow_end_the_run_and_what_is_there_is_whole(
    program: Program, server: Served, repo: Path
) -> None:
    server.process = 1
    code = program.run(repo, "test", ID, before=LITTLE)
    assert code in (2, 7), program.said
    assert "Traceback" not in program.said
    assert "error: " in program.said
    server.process = 2
    assert program.run(repo, "test", ID) == 3, program.said
    assert len({question for _, question in server.asked}) == 2 * N


# In a world of its own, which ends with the shell: a file system of 300 kB, full but for 60.
FULL = """
set -e
mkdir .promptops
mount -t tmpfs -o size=300k none .promptops
dd if=/dev/zero of=.promptops/filler bs=1k count=240 2>/dev/null
set +e
"$@" >first.txt 2>&1; echo $? >first.code
rm .promptops/filler
mount -o remount,size=50m .promptops
"$@" >second.txt 2>&1; echo $? >second.code
"""
READ_ONLY = """
set -e
mkdir .promptops
mount -t tmpfs -o ro none .promptops
set +e
"$@" >first.txt 2>&1; echo $? >first.code
"""


@pytest.fixture
def in_a_mount(repo: Path) -> Callable[[str], None]:
    """Run the program in a shell that may mount; skip where that is not allowed."""

    def run(script: str) -> None:
        alone = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        mounts = "mkdir -p m && mount -t tmpfs none m"
        tried = shutil.which("unshare") and subprocess.run(
            [*alone, "sh", "-c", mounts], cwd=repo.parent, capture_output=True, check=False
        )
        if not tried or tried.returncode:
            pytest.skip("no file system can be mounted here")
        program = [sys.executable, "-P", "-m", "promptops", "test", ID]
        environment = {**os.environ, "SERVED_KEY": KEY}
        subprocess.run([*alone, "sh", "-c", script, "sh", *program], cwd=repo, env=environment, check=True)

    return run


@pytest.mark.slow
def test_a_full_disk_ends_the_run_in_one_line_and_finished_pairs_are_not_asked_again(
    server: Served, repo: Path, in_a_mount: Callable[[str], None]
) -> None:
    in_a_mount(FULL)
    said = (repo / "first.txt").read_text()
    assert (repo / "first.code").read_text() in ("2\n", "7\n"), said
    assert "Traceback" not in said
    assert "full" in said or "No space left" in said
    assert (repo / "second.code").read_text() == "3\n", (repo / "second.txt").read_text()
    assert len({question for _, question in server.asked}) == 2 * N
    # An answer that could not be written anywhere is lost with the calls that were under way beside it.
    assert server.count() - 2 * N <= 2 * AT_ONCE


def test_a_state_folder_that_is_read_only_is_a_clear_error_before_anything_is_asked(
    server: Served, repo: Path, in_a_mount: Callable[[str], None]
) -> None:
    in_a_mount(READ_ONLY)
    said = (repo / "first.txt").read_text()
    assert (repo / "first.code").read_text() == "2\n", said
    assert "Traceback" not in said
    assert "error: cannot " in said
    assert server.count() == 0


def test_keys_and_headers_are_in_no_file_and_in_no_export(program: Program, repo: Path) -> None:
    assert program.run(repo, "test", ID) == 3, program.said
    assert program.run(repo, "cache", "export", "answers.jsonl") == 0
    files = [path for path in repo.rglob("*") if path.is_file() and path.name != "promptops.yaml"]
    assert {"answers.jsonl", "pairs.jsonl", "report.json", "cache.db"} <= {path.name for path in files}
    for path in files:
        data = path.read_bytes()
        assert KEY.encode() not in data, path
        assert HEADER.encode() not in data or path.is_relative_to(repo / ".git"), path
    header = (repo / "answers.jsonl").read_text().splitlines()[0]
    assert header == '{"schema":"promptops.cache/1"}'


BOT = """\
import json, os, sys, time

for line in sys.stdin:
    request = json.loads(line)
    message = request["messages"][-1]["content"]
    number = int(message.split()[1])
    if number == 30 and {fault!r} == "dies":
        sys.exit("out of luck")
    if number == 30 and {fault!r} == "garbage":
        print("<html>", flush=True)
        continue
    if number == 30 and {fault!r} == "hangs":
        time.sleep(600)
    answer = {{"role": "assistant", "content": message.split()[-1]}}
    print(json.dumps({{"id": request["id"], **answer}}), flush=True)
"""
FUNCTION = """\
import time


def answer(request):
    message = request.messages[-1].content
    number = int(message.split()[1])
    if number == 30 and {fault!r} == "raises":
        raise LookupError("no such thing")
    if number == 30 and {fault!r} == "blocks":
        time.sleep(600)
    return message.split()[-1]
"""


@pytest.mark.parametrize(
    ("provider", "fault", "kind", "words"),
    [
        ("kind: command, command: [python3, bot.py]", "dies", "unreachable.lost", "out of luck"),
        ("kind: command, command: [python3, bot.py]", "garbage", "malformed", "no JSON: <html>"),
        ("kind: command, command: [python3, bot.py]", "hangs", "timeout.total", ""),
        ('kind: python, target: "mine:answer"', "raises", "error", "LookupError: no such thing"),
        ('kind: python, target: "mine:answer"', "blocks", "timeout.total", ""),
    ],
)
def test_a_provider_of_ones_own_that_fails_costs_its_own_answers_only(
    program: Program, tmp_path: Path, provider: str, fault: str, kind: str, words: str
) -> None:
    repo = tmp_path / "repo"
    build(repo, "http://127.0.0.1:1/v1")
    limits = "limits: {concurrency: 4, attempts: 1, deadline: 2, outage: 0.3}"
    (repo / "promptops.yaml").write_text(f"promptops: 1\nproviders:\n  own: {{{provider}}}\n{limits}\n")
    (repo / "bot.py").write_text(BOT.format(fault=fault))
    (repo / "mine.py").write_text(FUNCTION.format(fault=fault))
    prompt = repo / PATH
    prompt.write_text(prompt.read_text().replace("served/m", "own/m"))
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "Ask a provider of our own")
    assert program.run(repo, "promote", ID, "--first", "-m", "adopted") == 0, program.said
    reword(repo)
    code = program.run(repo, "test", ID)
    assert code in (4, 7), program.said
    assert "Traceback" not in program.said
    (journal,) = (repo / ".promptops/runs").glob("*/pairs.jsonl")
    pairs = [line for line in journal.read_text().splitlines() if '"baseline":' in line]
    assert len(pairs) == N
    failed = [line for line in pairs if '"kind":' in line]
    assert len(failed) == 1, program.said
    assert failed[0].count(f'"kind":"{kind}"') == 2
    assert words in failed[0]
    assert program.said.count(f"({kind}): ") == 1, "said once, not for both versions"
    assert words in program.said.partition(f"({kind}): ")[2]
