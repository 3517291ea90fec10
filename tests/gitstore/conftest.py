"""Real repositories to release in; identity, HOME and clock come from the world fixture above."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from gitstore_help import copy_of, write

PROMPT = 'model: openai/gpt-4o-mini\nmessages:\n  - {role: user, content: "Hello {{ name }}"}\n'
Git = Callable[..., str]


@pytest.fixture(scope="session")
def kept_repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Repositories that are built once and copied for each test."""
    return {"folder": tmp_path_factory.mktemp("kept")}


@pytest.fixture
def work(tmp_path: Path, git: Git, kept_repositories: dict[str, Path]) -> Path:
    """A repository with one prompt and one other file, committed on main."""

    def build(top: Path) -> None:
        git("init", "-q", str(top), cwd=tmp_path)
        write(top, "prompts/greet.prompt.yaml", PROMPT)
        write(top, "app.py", "print(1)\n")
        git("add", ".", cwd=top)
        git("commit", "-q", "-m", "Start", cwd=top)

    return copy_of(kept_repositories, "work", build, tmp_path / "work")


@pytest.fixture
def origin(work: Path, tmp_path: Path, git: Git) -> Path:
    """A bare remote that `work` was pushed to."""
    bare = tmp_path / "origin.git"
    git("init", "-q", "--bare", str(bare), cwd=tmp_path)
    git("remote", "add", "origin", f"file://{bare}", cwd=work)
    git("push", "-q", "-u", "origin", "main", cwd=work)
    git("remote", "set-head", "origin", "main", cwd=work)
    return bare
