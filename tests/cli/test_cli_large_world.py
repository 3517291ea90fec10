"""The repository that benchmarks measure in is one that promptops could have written, and commands agree about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cli_help import Run, git

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
BUILD = """
import sys
from pathlib import Path
from releaseworld import build
build(Path(sys.argv[1]), prompts=8, releases=40, commits=160)
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("large") / "world"
    subprocess.run([sys.executable, "-c", BUILD, str(top)], cwd=BENCHMARKS, check=True, capture_output=True)
    return top


def test_its_releases_and_their_verdicts_are_in_order(world: Path, run_in: Run) -> None:
    assert git(world, "rev-list", "--count", "main") == "160"
    assert int(git(world, "rev-list", "--count", "--merges", "main")) > 0
    said = run_in(world, "verify", "--recompute")
    assert said.code == 0, said.out


def test_status_log_and_blame_agree_about_what_is_live(world: Path, run_in: Run) -> None:
    (world / ".promptops").mkdir(exist_ok=True)
    first = run_in(world, "status", "--json")
    assert first.code == 0
    assert run_in(world, "status", "--json").out == first.out
    prompts = first.json["prompts"]
    assert len(prompts) == 8
    for one in prompts[:3]:
        version = one["environments"][0]["version"]
        blamed = run_in(world, "blame", one["id"], "--json").json
        assert blamed["live"] == {"production": version}
        told = run_in(world, "log", one["id"], "-e", "production", "-n", "1", "--json").json["events"]
        assert told[0]["version"] == version
        lines = blamed["files"][0]["lines"]
        assert all(line["commit"] for line in lines)
        assert all(line["live"] for line in lines if line["version"] == 1)
