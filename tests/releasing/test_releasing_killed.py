"""`kill -9` of the real program at every step of a release: a rerun completes it, and a plain commit never loses it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from remote_help import Remote, ended, git, hook, live, start
from typed import Run

ONE = "greet-0"
# A hook is the exact moment: it kills the program from within, once.
KILL = """test -s "{pid}.done" && exit 0
until test -s "{pid}"; do :; done
echo done > "{pid}.done"
kill -{signal} $(cat "{pid}")
exit 1
"""
OURS = 'case "$GIT_INDEX_FILE" in *promptops-*) exit 0;; esac'
MAIN = "grep -q refs/heads/main || exit 0"
MOMENTS = {
    "before anything": ("work", "pre-commit", ""),
    "the commit is made": ("work", "pre-push", ""),
    "the remote has it": ("origin", "post-receive", ""),
    "in the index, not in the work tree": ("work", "post-index-change", OURS),
    "before the branch moves": ("work", "reference-transaction", f'test "$1" = prepared || exit 0\n{MAIN}'),
    "after the branch moved": ("work", "reference-transaction", f'test "$1" = committed || exit 0\n{MAIN}'),
}
PUSHED = ("the commit is made", "the remote has it")


def kill(top: Path, bare: Path, moment: str, *command: str, signal: str = "9", code: int = -9) -> None:
    """Run a command and end it at that moment; what git has begun it finishes on its own."""
    where, name, filtered = MOMENTS[moment]
    pid = bare.parent / "pid"
    hook(top if where == "work" else bare, name, f"{filtered}\n{KILL.format(pid=pid, signal=signal)}")
    process = start(top, *command)
    pid.write_text(str(process.pid))
    assert ended(process).code == code
    # Git outlives its caller by a moment; its hook is the last to go.
    for lock in (top / ".git/refs/heads/main.lock", top / ".git/index.lock", bare / "refs/heads/main.lock"):
        for _ in range(100_000):
            if not lock.exists():
                break


@pytest.mark.parametrize("plain", ["nothing", "commit", "commit -a"])
@pytest.mark.parametrize("moment", [one for one in MOMENTS if one not in PUSHED])
def test_a_killed_rollback_is_completed_by_a_rerun(bare: Path, run: Run, moment: str, plain: str) -> None:
    top = Remote(bare=bare, url=f"file://{bare}").clone("work")
    (top / "app.py").write_text("print(1)\n")
    git(top, "add", "app.py")
    git(top, "commit", "-q", "-m", "Mine")
    kill(top, bare, moment, "rollback", ONE, "-m", "in a bad hour")
    moved = live(top, ONE, "HEAD") == "v1 rollback 3"
    assert moved == (moment == "after the branch moved")
    if plain != "nothing":
        (top / "app.py").write_text("print(2)\n")
        git(top, "add", "app.py")
        git(top, *plain.split(), "-q", "-m", "A plain commit")
        assert live(top, ONE, "HEAD") == "v1 rollback 3" or not moved, "no plain commit loses a release"
    again = run(top, "rollback", ONE)
    assert again.code == 0, again
    assert live(top, ONE, "HEAD") == "v1 rollback 3", "once, and not twice"
    assert git(top, "status", "--porcelain") == ""
    assert not (top / ".git/promptops-release").exists()
    assert run(top, "verify").code == 0
    if moved:
        assert again.out.startswith(f"finished a release that had been interrupted: Roll {ONE} back to v1")
        assert "is already released in production as v1 here" in again.out
    git(top, "push", "-q")
    assert live(bare, ONE) == "v1 rollback 3"


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("moment", list(MOMENTS))
def test_a_killed_direct_push_is_completed_by_a_rerun(bare: Path, run: Run, moment: str, plain: bool) -> None:
    top = Remote(bare=bare, url=f"file://{bare}").clone("work")
    kill(top, bare, moment, "rollback", ONE, "--push", "-m", "in a bad hour")
    if plain:
        (top / "app.py").write_text("print(2)\n")
        git(top, "add", "app.py")
        git(top, "commit", "-q", "-m", "A plain commit")
    again = run(top, "rollback", ONE, "--push")
    assert again.code == 0, again
    assert live(bare, ONE) == "v1 rollback 3", "once, and not twice"
    assert git(top, "status", "--porcelain") == ""
    assert not (top / ".git/promptops-release").exists()
    git(top, "-c", "pull.rebase=false", "pull", "-q", "--no-edit")
    git(top, "push", "-q")
    assert live(bare, ONE) == live(top, ONE, "HEAD") == "v1 rollback 3"
    assert run(top, "verify").code == 0


def test_what_a_kill_left_is_said_by_the_next_command_whatever_becomes_of_that(bare: Path, run: Run) -> None:
    top = Remote(bare=bare, url=f"file://{bare}").clone("work")
    kill(top, bare, "after the branch moved", "rollback", ONE)
    failed = run(top, "rollback", "greet-1@v9")
    assert (failed.code, failed.out) == (2, "")
    refused = run(top, "promote", ONE)
    assert refused.code == 4, refused
    assert f"finished a release that had been interrupted: Roll {ONE} back to v1 in production" in refused.out
    assert "interrupted" not in run(top, "promote", ONE).out, "once"


@pytest.mark.parametrize("push", [False, True])
def test_a_rollback_that_is_done_and_was_never_said_is_not_done_again(
    bare: Path, run: Run, *, push: bool
) -> None:
    """The program is killed while it says so: nobody reads what it writes into a pipe that is full."""
    top = Remote(bare=bare, url=f"file://{bare}").clone("work")
    words = ("rollback", ONE, *(["--push"] if push else []))
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    process = subprocess.Popen([sys.executable, "-P", "-m", "promptops", *words], cwd=top, stdout=writer)
    while live(top, ONE, "HEAD") != "v1 rollback 3" and process.poll() is None:
        pass
    process.kill()
    assert process.wait() == -9
    os.close(reader)
    os.close(writer)
    again = run(top, *words)
    assert (again.code, live(top, ONE, "HEAD")) == (0, "v1 rollback 3"), "once, and not twice"
    assert f"Roll {ONE} back to v1 in production" in again.out
    assert git(top, "status", "--porcelain") == ""
    once_more = run(top, *words)
    assert f"nothing was live before {ONE} v1" in once_more.err, "what was said is another wish"


def test_ctrl_c_in_the_middle_of_a_push_is_completed_by_a_rerun(bare: Path, run: Run) -> None:
    top = Remote(bare=bare, url=f"file://{bare}").clone("work")
    kill(top, bare, "the remote has it", "rollback", ONE, "--push", signal="INT", code=130)
    again = run(top, "rollback", ONE, "--push")
    assert (again.code, live(bare, ONE)) == (0, "v1 rollback 3"), again
    assert git(top, "rev-parse", "HEAD") == git(bare, "rev-parse", "main")
    assert git(top, "status", "--porcelain") == ""


def test_a_killed_promotion_is_completed_by_a_rerun(bare: Path, run: Run) -> None:
    top = Remote(bare=bare, url=f"file://{bare}").clone("work")
    (top / "prompts/new.prompt.yaml").write_text(
        'model: bot/small\nmessages:\n  - {role: user, content: "new"}\n'
    )
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "A prompt")
    git(top, "push", "-q")
    kill(top, bare, "the remote has it", "promote", "new", "--first", "--push")
    again = run(top, "promote", "new", "--first", "--push")
    assert again.out == (
        "a release that had been interrupted had reached origin: Promote new v1 to production; it is here too now\n"
        "new is already live in production as v1\n"
    )
    assert git(top, "rev-parse", "HEAD") == git(bare, "rev-parse", "main")
    assert git(top, "status", "--porcelain") == ""
