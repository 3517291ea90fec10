"""Every test runs in a world of its own: no user's git configuration, no keys, no cache of this machine."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from typed import Run, Said, typed

KEPT = ("PATH", "LANG", "TMPDIR", "SYSTEMROOT", "COVERAGE_PROCESS_START", "VIRTUAL_ENV")

# No housekeeping after a commit, no samples of hooks in a new repository: processes and files that nobody looks at.
GITCONFIG = """\
[user]
	name = Ada
	email = ada@example.org
[init]
	defaultBranch = main
	templateDir =
[maintenance]
	auto = false
[receive]
	autogc = false
[protocol "file"]
	allow = always
"""


def hear_interrupts() -> None:
    """Run in a child before it starts: what a shell runs in the background, as CI may run us, ignores SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def interruptible() -> Callable[[], None]:
    return hear_interrupts


def pytest_collection_finish() -> None:
    """What is there now stays until the end: no search for garbage goes through it again."""
    gc.freeze()


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Make one folder after the other; `mktemp` would read the names of all that are there, thousands, each time."""
    folder, numbers = tmp_path_factory.mktemp("homes"), count()

    def make() -> Path:
        home = folder / str(next(numbers))
        home.mkdir()
        return home

    return make


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch, homes: Callable[[], Path]) -> Path:
    """An empty HOME, a fixed git identity and clock, and no variable that the test did not set."""
    home = homes()
    for name in list(os.environ):
        if name not in KEPT and not name.startswith(("PYTEST", "PYTHON")):
            monkeypatch.delenv(name)
    (home / ".gitconfig").write_text(GITCONFIG)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2026-01-05T10:00:00+00:00")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-05T10:00:00+00:00")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    monkeypatch.setenv("CI", "true")
    # else every program that a test starts compiles the whole package again: a third of its time
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    return home


@pytest.fixture
def run_in(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Type a command in a folder, in this process, the way the program is started."""

    def run(folder: Path, *arguments: str) -> Said:
        return typed(folder, *arguments, monkeypatch=monkeypatch, capfd=capfd)

    return run


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite what people read in tests/golden")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with tests/golden/NAME, or write it there with --update-golden."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8", newline="\n")
        assert text == path.read_text(encoding="utf-8")

    return compare


Git = Callable[..., str]


@pytest.fixture
def git() -> Git:
    """Run git and return what it printed; fails the test with git's own words."""

    def run(*arguments: str, cwd: Path) -> str:
        done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
