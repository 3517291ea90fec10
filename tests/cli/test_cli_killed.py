"""`kill -9` at any point: the same report in the end, and only calls in flight are asked again."""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path

import pytest
from state_help import AT_ONCE, ID, N, Program, Served, build, kill, report_of, reword, served, without_times

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and kill -9")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def killed_somewhere(
    program: Program, folder: Path, server: Served, dice: random.Random, options: tuple[str, ...]
) -> bool:
    """Start a test and kill it at a random point; return whether it was killed before it ended."""
    server.rung.clear()
    left = max(1, 2 * N - len({question for _, question in server.asked}))
    # Half of the points are by the clock, from the first import to the last file that is written.
    by_clock = dice.random() < 0.5
    server.ring_at = None if by_clock else server.count() + dice.randint(1, max(1, left // 4))
    pid = program.start(folder, "test", ID, *options)
    if by_clock:
        program.is_over(dice.uniform(0.0, 0.5))
    else:
        while not server.rung.wait(0.02) and not program.is_over(0):
            pass
        program.is_over(dice.uniform(0.0, 0.02))
    kill(pid)
    return program.wait() == -9


def prepared(folder: Path, program: Program, server: Served) -> None:
    build(folder, server.url)
    assert program.run(folder, "promote", ID, "--first", "-m", "adopted") == 0, program.said
    reword(folder)


@pytest.mark.parametrize(
    "points", [5, pytest.param(100, marks=pytest.mark.slow)], ids=["a few points", "a hundred points"]
)
def test_a_run_killed_at_random_points_ends_with_the_same_report_and_asks_again_only_what_was_in_flight(
    tmp_path: Path, program: Program, points: int
) -> None:
    dice = random.Random(points)
    with served() as server:
        prepared(tmp_path / "whole", program, server)
        shutil.copytree(tmp_path / "whole", tmp_path / "repo")
        assert program.run(tmp_path / "whole", "test", ID) == 3, program.said
        expected = without_times(report_of(tmp_path / "whole"))

        killed = 0
        while killed < points:
            shutil.rmtree(tmp_path / "repo/.promptops", ignore_errors=True)
            server.asked.clear()
            alive = True
            while alive and killed < points:
                server.process += 1
                alive = killed_somewhere(program, tmp_path / "repo", server, dice, ())
                killed += alive
            server.process += 1
            assert program.run(tmp_path / "repo", "test", ID) == 3, program.said
            assert without_times(report_of(tmp_path / "repo")) == expected
            assert len({question for _, question in server.asked}) == 2 * N
            assert max(server.asked_again().values(), default=0) <= AT_ONCE


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--repeats", "2"), ("--sequential",)], ids=["repeats", "sequential"])
def test_repeats_and_early_stops_survive_a_kill_too(
    tmp_path: Path, program: Program, options: tuple[str, ...]
) -> None:
    dice = random.Random(7)
    with served() as server:
        prepared(tmp_path / "whole", program, server)
        shutil.copytree(tmp_path / "whole", tmp_path / "repo")
        assert program.run(tmp_path / "whole", "test", ID, *options) == 3, program.said
        expected = without_times(report_of(tmp_path / "whole"), spent=options != ("--sequential",))
        for _ in range(5):
            shutil.rmtree(tmp_path / "repo/.promptops", ignore_errors=True)
            for _ in range(3):
                killed_somewhere(program, tmp_path / "repo", server, dice, options)
            assert program.run(tmp_path / "repo", "test", ID, *options) == 3, program.said
            found = without_times(report_of(tmp_path / "repo"), spent=options != ("--sequential",))
            assert found == expected
