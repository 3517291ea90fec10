"""The repository of `cli_help`, built once for all tests of a session and copied for each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_help import ID, PATH, Project, Run, Said, build, copy, project_at


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@pytest.fixture
def fresh(templates: Path, tmp_path: Path, run_in: Run) -> Project:
    """A committed prompt that was never released."""
    if not (templates / "fresh").exists():
        build(templates / "fresh")
    copy(templates / "fresh", tmp_path / "repo")
    return project_at(tmp_path / "repo", run_in)


@pytest.fixture
def project(templates: Path, tmp_path: Path, run_in: Run) -> Project:
    """The prompt is live as v1, by its floor; its answers are in the cache."""
    if not (templates / "live").exists():
        if not (templates / "fresh").exists():
            build(templates / "fresh")
        copy(templates / "fresh", templates / "building")
        released = run_in(templates / "building", "promote", ID, "-m", "first version")
        assert released.code == 0, released
        (templates / "building").rename(templates / "live")
        (templates / "calls").unlink()
    copy(templates / "live", tmp_path / "repo")
    return project_at(tmp_path / "repo", run_in)


@pytest.fixture
def pull(project: Project) -> Project:
    """A branch that leaves main, where the prompt is live as v1."""
    project.git("branch", "-M", "main")
    project.git("checkout", "-q", "-b", "change")
    return project


@pytest.fixture
def newcomer(fresh: Project) -> Project:
    """A branch with a committed prompt that main has not got."""
    fresh.git("branch", "-M", "main")
    (fresh.path / PATH).rename(fresh.path / "later")
    fresh.commit()
    fresh.git("checkout", "-q", "-b", "change")
    (fresh.path / "later").rename(fresh.path / PATH)
    fresh.commit()
    return fresh


@pytest.fixture
def program() -> Callable[..., Said]:
    """Start the real program as a process of its own."""

    def run(folder: Path, *arguments: str, **environment: str) -> Said:
        command = [sys.executable, "-P", "-m", "promptops", *arguments]
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **environment}, capture_output=True, check=False
        )
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
