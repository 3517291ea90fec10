"""A release commit holds its own files, and leaves everything else of the user's as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from gitstore_help import hook, lock, write

from promptops.errors import LostRace, RepoError
from promptops.gitstore import staging
from promptops.gitstore.commits import commit_files
from promptops.gitstore.mending import Note, forget, mend, write_note
from promptops.gitstore.moving import Committed, move_branch
from promptops.gitstore.repo import Repo
from promptops.gitstore.staging import Change

POINTER = "prompts/releases/greet/production.yaml"
FROZEN = "prompts/releases/greet/v1.yaml"
FILES = {POINTER: b"sequence: 1\n", FROZEN: b"version: 1\n"}


def release(top: Path, files: dict[str, bytes] = FILES, **more: object) -> Committed:
    return commit_files(Repo.open(top), files, "Release greet v1 to production", **more)  # type: ignore[arg-type]


def test_one_commit_of_exactly_these_files(work, git):
    before = git("rev-parse", "HEAD", cwd=work)
    done = release(work)
    assert done == Committed(commit=git("rev-parse", "HEAD", cwd=work), parent=before, branch="main")
    assert git("show", "--format=%s|%an", "--name-status", "HEAD", cwd=work).split() == (
        f"Release greet v1 to production|Ada A {POINTER} A {FROZEN}".split()
    )
    assert (work / POINTER).read_bytes() == FILES[POINTER]
    assert git("status", "--porcelain", cwd=work) == ""


def test_staged_and_dirty_work_stays_as_it_was_and_the_next_plain_commit_keeps_the_release(work, git):
    (work / "app.py").write_text("print(2)\n")
    (work / "staged.py").write_text("x\n")
    git("add", "app.py", "staged.py", cwd=work)
    (work / "app.py").write_text("print(3)\n")
    (work / "new.txt").write_text("new\n")
    before = git("status", "--porcelain", cwd=work), git("ls-files", "-s", "app.py", "staged.py", cwd=work)
    release(work)
    assert before == (
        git("status", "--porcelain", cwd=work),
        git("ls-files", "-s", "app.py", "staged.py", cwd=work),
    )
    git("commit", "-q", "-m", "Mine", cwd=work)
    assert git("show", f"HEAD:{POINTER}", cwd=work) == "sequence: 1"
    assert git("show", "HEAD:app.py", cwd=work) == "print(2)"
    assert (work / "app.py").read_text() == "print(3)\n"


def test_a_second_release_replaces_the_pointer(work, git):
    release(work)
    release(work, {POINTER: b"sequence: 2\n"})
    assert (work / POINTER).read_bytes() == b"sequence: 2\n"
    assert git("status", "--porcelain", cwd=work) == ""


def test_another_branch_gets_the_release_and_this_work_tree_does_not(work, git):
    git("branch", "side", cwd=work)
    done = release(work, branch="side")
    assert git("rev-parse", "side", cwd=work) == done.commit
    assert not (work / POINTER).exists()
    assert git("status", "--porcelain", cwd=work) == ""


def test_a_bare_repository_takes_a_release(work, git, tmp_path):
    git("clone", "-q", "--bare", str(work), "bare.git", cwd=tmp_path)
    done = release(tmp_path / "bare.git")
    assert git("rev-parse", "main", cwd=tmp_path / "bare.git") == done.commit


def test_a_linked_work_tree_releases_its_own_branch(work, git, tmp_path):
    git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"), cwd=work)
    release(tmp_path / "linked")
    assert (tmp_path / "linked" / POINTER).exists()
    assert git("status", "--porcelain", cwd=tmp_path / "linked") == ""
    assert git("status", "--porcelain", cwd=work) == ""


def test_a_detached_head_needs_a_branch(work, git):
    git("checkout", "-q", "--detach", cwd=work)
    with pytest.raises(RepoError, match="--branch"):
        release(work)
    done = release(work, branch="main")
    assert git("rev-parse", "main", cwd=work) == done.commit


def dirty_pointer(top: Path) -> None:
    (top / POINTER).parent.mkdir(parents=True)
    (top / POINTER).write_text("mine\n")


def staged_pointer(top: Path) -> None:
    dirty_pointer(top)
    subprocess.run(["git", "add", "."], cwd=top, check=True)


def ignored_pointer(top: Path) -> None:
    write(top, ".git/info/exclude", "releases/\n")
    dirty_pointer(top)


def hidden_pointer(top: Path, word: str) -> None:
    release(top)
    subprocess.run(["git", "update-index", word, POINTER], cwd=top, check=True)
    (top / POINTER).write_text("mine\n")


def rebased(top: Path) -> None:
    (top / "app.py").write_text("print(2)\n")
    subprocess.run(["git", "commit", "-q", "-a", "-m", "Mine"], cwd=top, check=True)
    subprocess.run(["git", "rebase", "-q", "--exec", "false", "HEAD~1"], cwd=top, check=False)


def elsewhere(top: Path) -> None:
    subprocess.run(["git", "checkout", "-q", "-b", "side"], cwd=top, check=True)
    subprocess.run(["git", "worktree", "add", "-q", "../linked", "main"], cwd=top, check=True)


def linked_folder(top: Path) -> None:
    (top.parent / "outside").mkdir()
    (top / "prompts/releases").symlink_to(top.parent / "outside")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (dirty_pointer, "not as committed"),
        (staged_pointer, "not as committed"),
        (ignored_pointer, "not as committed"),
        (lambda top: hidden_pointer(top, "--assume-unchanged"), "not as committed"),
        (lambda top: hidden_pointer(top, "--skip-worktree"), "not as committed"),
        (rebased, "main is being rebased; finish that first"),
        (lock, "index is locked"),
        (elsewhere, "is checked out in"),
        (linked_folder, "symbolic link"),
    ],
)
def test_what_cannot_be_released_safely_is_refused_and_nothing_changes(work, git, spoil, words):
    spoil(work)
    before = git("rev-parse", "main", cwd=work), git("status", "--porcelain", "--ignored", cwd=work)
    with pytest.raises(RepoError, match=words) as caught:
        release(work, {POINTER: b"other\n"}, branch="main")
    assert caught.value.exit_code == 2
    assert before == (git("rev-parse", "main", cwd=work), git("status", "--porcelain", "--ignored", cwd=work))


def test_a_lock_that_something_left_on_the_branch_is_said_in_gits_words(work, git):
    """Typing the command again would not help."""
    (work / ".git/refs/heads/main.lock").touch()
    with pytest.raises(RepoError, match=r"main.lock': File exists.*remove the file manually") as caught:
        release(work)
    assert caught.value.exit_code == 2
    assert git("status", "--porcelain", cwd=work) == ""
    assert mend(Repo.open(work)) is None


def test_a_sparse_index_keeps_what_is_folded_up_in_it(work, git):
    """Git 2.39 crashes on an index in which a file stands inside of a folded folder."""
    release(work)
    git("sparse-checkout", "set", "--cone", "--sparse-index", "app", cwd=work)
    release(work, {POINTER: b"sequence: 2\n"})
    assert git("status", "--porcelain", cwd=work) == ""
    git("commit", "-q", "--allow-empty", "-m", "Mine", cwd=work)
    assert git("diff", "--stat", "HEAD~1", "HEAD", cwd=work) == ""
    assert git("show", f"HEAD:{POINTER}", cwd=work) == "sequence: 2"


@pytest.mark.parametrize("path", ["../x", "/x", ".git/config", "a/.GIT/x", "a/../b", "a\nb", ""])
def test_a_path_that_is_none_of_a_release_is_refused(work, path):
    with pytest.raises(RepoError):
        release(work, {path: b""})


@pytest.mark.parametrize("name", ["-d", "a..b", "HEAD~1", "@{-1}", "no-such"])
def test_a_branch_that_is_none_is_refused(work, name):
    with pytest.raises(RepoError):
        release(work, branch=name)


@pytest.mark.parametrize("name", ["pre-commit", "commit-msg"])
def test_a_failing_hook_leaves_nothing_and_says_why(work, git, name):
    hook(work, name, 'echo "not on a friday" >&2; exit 3')
    before = git("rev-parse", "HEAD", cwd=work)
    with pytest.raises(RepoError, match="not on a friday"):
        release(work)
    assert git("rev-parse", "HEAD", cwd=work) == before
    assert git("status", "--porcelain", cwd=work) == ""
    assert not (work / "prompts/releases").exists()


def test_hooks_see_the_release_in_the_index_and_may_write_the_message(work, git, tmp_path):
    hook(work, "pre-commit", f"git diff --cached --name-only > {tmp_path}/seen")
    hook(work, "commit-msg", 'printf "\\nSigned-off-by: hook\\n" >> "$1"')
    release(work)
    assert (tmp_path / "seen").read_text().split() == [POINTER, FROZEN]
    assert git("log", "-1", "--format=%b", cwd=work) == "Signed-off-by: hook"


def test_a_hook_that_changes_the_release_is_refused(work):
    hook(work, "pre-commit", "echo more > extra.txt; git add extra.txt")
    with pytest.raises(RepoError, match="hook changed"):
        release(work)


def test_an_empty_message_from_a_hook_is_refused(work):
    hook(work, "commit-msg", ': > "$1"')
    with pytest.raises(RepoError, match="no message"):
        release(work)


def test_commits_are_signed_as_configured(work, git, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    for name, value in {
        "gpg.format": "ssh",
        "user.signingkey": str(tmp_path / "key"),
        "commit.gpgsign": "true",
    }.items():
        git("config", name, value, cwd=work)
    release(work)
    assert "gpgsig -----BEGIN SSH SIGNATURE-----" in git("cat-file", "commit", "HEAD", cwd=work)


def test_a_signature_that_cannot_be_made_leaves_nothing(work, git):
    git("config", "gpg.format", "ssh", cwd=work)
    git("config", "user.signingkey", "/no/such/key", cwd=work)
    git("config", "commit.gpgsign", "true", cwd=work)
    with pytest.raises(RepoError, match="key"):
        release(work)
    assert git("status", "--porcelain", cwd=work) == ""


def test_no_identity_is_said_in_gits_words(work, git, monkeypatch):
    git("config", "--global", "--unset", "user.name", cwd=work)
    git("config", "--global", "--unset", "user.email", cwd=work)
    git("config", "user.useConfigOnly", "true", cwd=work)
    with pytest.raises(RepoError, match="auto-detection is disabled"):
        release(work)


def test_a_branch_that_has_moved_is_a_lost_race(work, git):
    seen = git("rev-parse", "HEAD", cwd=work)
    git("commit", "-q", "--allow-empty", "-m", "Somebody", cwd=work)
    with pytest.raises(LostRace) as caught:
        release(work, expected_parent=seen)
    assert caught.value.exit_code == 5


def test_a_race_lost_at_the_last_moment_leaves_index_and_work_tree_as_they_were(work, git):
    """The commit-msg hook is the last thing that runs before the branch moves: it plays the other one."""
    hook(
        work,
        "commit-msg",
        "unset GIT_INDEX_FILE; git update-ref HEAD $(git commit-tree -p HEAD -m other HEAD^{tree})",
    )
    with pytest.raises(LostRace):
        release(work)
    assert git("log", "-1", "--format=%s", cwd=work) == "other"
    assert git("status", "--porcelain", cwd=work) == ""
    assert not (work / "prompts/releases").exists()


@pytest.mark.parametrize("second", [False, True])
def test_a_ref_that_git_will_not_move_leaves_index_and_work_tree_as_they_were(work, git, second):
    if second:
        release(work, {POINTER: b"older\n"})
    hook(work, "reference-transaction", 'test "$1" != prepared || { echo "frozen" >&2; exit 1; }')
    before = git("rev-parse", "HEAD", cwd=work), sorted(str(path) for path in work.glob("prompts/**/*"))
    with pytest.raises(RepoError, match="frozen"):
        release(work)
    assert before == (
        git("rev-parse", "HEAD", cwd=work),
        sorted(str(path) for path in work.glob("prompts/**/*")),
    )
    assert git("status", "--porcelain", cwd=work) == ""
    assert mend(Repo.open(work)) is None


def test_a_git_folder_that_cannot_be_written_to_is_said(work):
    (work / ".git/promptops-release.lock").mkdir()
    with pytest.raises(RepoError, match="cannot be written to"):
        release(work)


def test_two_at_once_in_one_work_tree_do_not_mix(work, tmp_path):
    script = (
        "import sys, subprocess; from promptops.gitstore.commits import commit_files; "
        "from promptops.gitstore.repo import Repo; from promptops.errors import LostRace\n"
        f"try: commit_files(Repo.open({str(work)!r}), {FILES!r}, 'Second')\n"
        "except LostRace as error: print(error); sys.exit(5)"
    )
    (tmp_path / "second.py").write_text(script)
    hook(work, "pre-commit", f"env -u GIT_INDEX_FILE {sys.executable} {tmp_path}/second.py; test $? = 5")
    assert release(work).local


def changes_of(repo: Repo, done: Committed) -> tuple[Change, ...]:
    old, new = repo.tree(done.parent, "."), repo.tree(done.commit, ".")
    return tuple(
        Change(path=path, old=old[path].oid if path in old else None, new=new[path].oid) for path in FILES
    )


@pytest.mark.parametrize("steps", ["note", "index", "stage", "moved", "all but the index"])
@pytest.mark.parametrize("second", [False, True])
def test_a_kill_at_any_step_is_mended_by_the_next_call(work, git, steps, second):
    """Every state in which a kill can leave the repository, put together from the real steps."""
    if second:
        release(work, {POINTER: b"older\n", FROZEN: b"older\n"})
    git("branch", "elsewhere", cwd=work)
    repo = Repo.open(work)
    made = release(work, branch="elsewhere")  # the commit as it would be
    done = Committed(commit=made.commit, parent=made.parent, branch="main")
    changes = changes_of(repo, done)
    write_note(repo, Note(done=done, changes=changes))
    if steps == "index":
        staging.index_lines(repo, [change.new_line for change in changes])
    if steps in ("stage", "moved"):
        staging.stage(repo, changes)
    if steps in ("moved", "all but the index"):
        move_branch(repo, done)
    mended, done = mend(repo), steps in ("moved", "all but the index")
    assert mended is not None
    assert mended.said.endswith(": Release greet v1 to production")
    assert mended.files.keys() == (FILES.keys() if done else set())
    assert mended.said.startswith("finished" if done else "took back")
    assert git("status", "--porcelain", cwd=work) == ""
    assert mend(repo) == (mended if done else None), "what is done is said until somebody was told"
    forget(repo)
    assert mend(repo) is None
    if not done:
        assert release(work).local
    assert (work / POINTER).read_bytes() == FILES[POINTER]


@pytest.mark.parametrize("moved", [False, True])
def test_a_users_plain_commit_after_a_kill_keeps_the_release(work, git, moved):
    git("branch", "elsewhere", cwd=work)
    repo = Repo.open(work)
    made = release(work, branch="elsewhere")
    done = Committed(commit=made.commit, parent=made.parent, branch="main")
    write_note(repo, Note(done=done, changes=changes_of(repo, done)))
    staging.stage(repo, changes_of(repo, done))
    if moved:
        move_branch(repo, done)
    (work / "app.py").write_text("print(9)\n")
    git("commit", "-q", "-a", "-m", "Mine", cwd=work)
    mend(repo)
    assert git("show", f"HEAD:{POINTER}", cwd=work) == "sequence: 1"
    assert git("status", "--porcelain", cwd=work) == ""


@pytest.mark.parametrize("note", ['{"branch": "ma', "[]", "{}", '{"changes": [3]}', ""])
def test_a_note_that_was_cut_short_is_forgotten(work, note):
    (work / ".git/promptops-release").write_text(note)
    assert mend(Repo.open(work)) is None
    assert release(work).local


def test_an_outer_gits_variables_change_nothing(work, git, monkeypatch, tmp_path):
    """As when a hook of another repository calls us."""
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other-index"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    release(work)
    monkeypatch.delenv("GIT_INDEX_FILE")
    monkeypatch.delenv("GIT_DIR")
    assert git("status", "--porcelain", cwd=work) == ""
    assert not (tmp_path / "other-index").exists()


def test_a_crlf_checkout_has_crlf_in_the_work_tree_and_lf_in_git(work, git):
    git("config", "core.autocrlf", "true", cwd=work)
    release(work)
    assert (work / POINTER).read_bytes() == b"sequence: 1\r\n"
    assert git("status", "--porcelain", cwd=work) == ""
    assert Repo.open(work).read_many([f"HEAD:{POINTER}"]) == {f"HEAD:{POINTER}": FILES[POINTER]}


def test_a_sha256_repository_takes_a_release(tmp_path, git):
    git("init", "-q", "--object-format=sha256", "s", cwd=tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "Start", cwd=tmp_path / "s")
    assert len(release(tmp_path / "s").commit) == 64
    assert git("status", "--porcelain", cwd=tmp_path / "s") == ""


@pytest.mark.parametrize(
    ("name", "script", "left"),
    [
        ("pre-commit", "", "nothing"),
        ("commit-msg", "", "nothing"),
        ("reference-transaction", 'test "$1" = prepared || exit 0', "staged"),
        ("reference-transaction", 'test "$1" = committed || exit 0', "released"),
    ],
)
def test_a_real_kill_is_mended(work, git, tmp_path, name, script, left):
    """A hook kills the program from within, so that the moment is exact."""
    program = tmp_path / "release.py"
    program.write_text(
        "import os, pathlib\n"
        "from promptops.gitstore.commits import commit_files\n"
        "from promptops.gitstore.repo import Repo\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        f"commit_files(Repo.open({str(work)!r}), {FILES!r}, 'Release')\n"
    )
    hook(work, name, f"{script}\nkill -9 $(cat {tmp_path}/pid); exit 1")
    start = git("rev-parse", "HEAD", cwd=work)
    assert subprocess.run([sys.executable, program], check=False).returncode == -9
    (work / ".git/hooks" / name).unlink()
    for _ in range(100_000):  # git outlives its caller by a moment
        if not (work / ".git/refs/heads/main.lock").exists():
            break
    released = git("rev-parse", "HEAD", cwd=work) != start
    assert released == (left == "released")
    assert git("status", "--porcelain", cwd=work) == (
        f"A  {POINTER}\nA  {FROZEN}" if left == "staged" else ""
    )
    mend(Repo.open(work))
    assert git("status", "--porcelain", cwd=work) == ""
    if not released:
        assert release(work).local
    assert git("show", f"HEAD:{POINTER}", cwd=work) == "sequence: 1"
