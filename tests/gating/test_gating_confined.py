"""The process that reads what nobody trusts sees no other one, and what it says is believed in form only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from promptops.gating.confined import WRITTEN
from promptops.gating.remarks import Remark, Tried, line_of, read_line

# As nobody where the tests run as root, who may look everywhere; readable again, as an ordinary program is.
PEEK = """
import ctypes, os, sys
from promptops.gating.confined import keep_apart
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)

def sees(confined):
    if os.fork():
        return os.waitstatus_to_exitcode(os.wait()[1]) == 0
    if confined:
        keep_apart()
    try:
        open(f"/proc/{os.getppid()}/environ", "rb").read()
    except OSError:
        os._exit(1)
    os._exit(0)

print(sees(False), sees(True))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is Linux's")
def test_a_confined_process_does_not_see_the_variables_of_the_one_that_started_it() -> None:
    done = subprocess.run([sys.executable, "-c", PEEK], capture_output=True, text=True, check=True)
    open_before, open_after = done.stdout.split()
    if open_before != "True":
        pytest.skip("this system shows no process to another")
    assert open_after == "False"


FILL = """
import sys
from promptops.gating.confined import WRITTEN, confine
confine(20)
for _ in range(WRITTEN // 2**20 + 1):
    sys.stdout.write("x" * 2**20)
sys.stdout.flush()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_a_confined_process_fills_no_disk_and_nobodys_memory(tmp_path: Path) -> None:
    with (tmp_path / "answer").open("wb") as answer:
        done = subprocess.run(
            [sys.executable, "-c", FILL], stdout=answer, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode != 0
    assert b"File too large" in done.stderr
    assert (tmp_path / "answer").stat().st_size <= WRITTEN


def test_what_the_child_writes_is_read_back() -> None:
    tried = Tried(
        path="a.prompt.yaml", problems=(Remark("error", "a.prompt.yaml", 3, 1, "no such variable"),)
    )
    assert read_line(line_of(tried).encode()) == tried


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff",
        b"{}",
        b"[1, [], []]",
        b'["a", [], 3]',
        b'["a", [["error", "a", 1, 1]], []]',
        b'["a", [["fine", "a", 1, 1, "no"]], []]',
        b'["a", [["error", "a", -1, 1, "no"]], []]',
        b'["a", [["error", "a", 1, true, "no"]], []]',
        b'["a", [["error", 3, 1, 1, "no"]], []]',
        b"[" * 100_000,
    ],
)
def test_anything_else_that_a_child_writes_is_no_answer(line: bytes) -> None:
    assert read_line(line) is None
