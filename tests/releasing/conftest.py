"""A repository with six prompts, each live as v2, behind a remote of each kind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from remote_help import BACKEND, Remote, build, git, over_http
from typed import Run

PROMPTS = tuple(f"greet-{number}" for number in range(6))


@pytest.fixture
def run(run_in: Run) -> Run:
    """Type a command in a folder, in this process; a race needs processes (`remote_help.start`)."""
    return run_in


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {"folder": tmp_path_factory.mktemp("kept")}


@pytest.fixture
def bare(kept: dict[str, Path], tmp_path: Path) -> Path:
    """A bare repository of six released prompts, built once."""
    if "bare" not in kept:
        build(kept["folder"] / "built", PROMPTS)
        git(kept["folder"], "clone", "-q", "--bare", "built", "bare.git")
        kept["bare"] = kept["folder"] / "bare.git"
    shutil.copytree(kept["bare"], tmp_path / "origin.git")
    return tmp_path / "origin.git"


@pytest.fixture(params=["file", "http"])
def origin(request: pytest.FixtureRequest, bare: Path) -> Iterator[Remote]:
    """The same repository over file:// and over HTTP."""
    if request.param == "http" and not BACKEND.exists():
        pytest.skip("this git has no http-backend")
    over_file = nullcontext(Remote(bare=bare, url=f"file://{bare}"))
    with over_http(bare) if request.param == "http" else over_file as remote:
        yield remote


@pytest.fixture
def server(bare: Path) -> Iterator[Remote]:
    """The repository over HTTP, whose connections can break."""
    if not BACKEND.exists():
        pytest.skip("this git has no http-backend")
    with over_http(bare) as remote:
        yield remote
