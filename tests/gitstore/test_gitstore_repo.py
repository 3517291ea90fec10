"""Opening repositories of every kind, and reading what git says without being fooled."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from gitstore_help import write

from promptops.errors import RepoError
from promptops.gitstore.repo import Repo, own_words


def test_a_repository_is_found_from_any_of_its_folders(work, git, tmp_path):
    repo = Repo.open(work / "prompts")
    assert (repo.work_tree, repo.git_dir, repo.common_dir) == (work, work / ".git", work / ".git")
    assert (repo.is_bare, repo.is_shallow, repo.branch()) == (False, False, "main")
    git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"), cwd=work)
    linked = Repo.open(tmp_path / "linked/prompts")
    assert (linked.work_tree, linked.common_dir) == (tmp_path / "linked", work / ".git")
    assert linked.git_dir == work / ".git/worktrees/linked"
    assert repo.worktrees() == {"refs/heads/main": work, "refs/heads/side": tmp_path / "linked"}


def test_a_bare_and_a_shallow_repository_say_so(work, git, tmp_path):
    git("clone", "-q", "--bare", str(work), "bare.git", cwd=tmp_path)
    bare = Repo.open(tmp_path / "bare.git")
    assert (bare.is_bare, bare.home) == (True, tmp_path / "bare.git")
    git("commit", "-q", "--allow-empty", "-m", "Two", cwd=work)
    git("clone", "-q", "--depth", "1", f"file://{work}", "shallow", cwd=tmp_path)
    shallow = Repo.open(tmp_path / "shallow")
    assert shallow.is_shallow
    assert shallow.cut() == {shallow.head()}


def test_a_repository_among_the_files_of_another_one_is_not_entered(work, git, tmp_path):
    """Files of a repository can be committed; git would take the folder for one, and run what its config names."""
    planted = work / "planted"
    git("clone", "-q", "--bare", str(work), str(planted), cwd=tmp_path)
    (planted / "prompts").mkdir()
    assert Repo.open(planted).is_bare  # somebody's own: no commit holds it
    git("add", "-A", cwd=work)
    for start in (planted, planted / "prompts"):
        with pytest.raises(
            RepoError, match="planted: looks like a repository among the files of another one"
        ):
            Repo.open(start)
    git("config", "core.bare", "false", cwd=planted)
    git("config", "core.worktree", str(planted), cwd=planted)
    with pytest.raises(RepoError, match="among the files of another one"):
        Repo.open(planted)


def test_what_is_no_repository_is_said_with_what_to_do(tmp_path, work):
    with pytest.raises(RepoError, match=r"not a git repository.*git init"):
        Repo.open(tmp_path)
    with pytest.raises(RepoError, match="no such folder"):
        Repo.open(tmp_path / "nowhere")
    with pytest.raises(RepoError, match=r"inside the \.git folder"):
        Repo.open(work / ".git")


def test_git_that_is_not_installed_is_said(work, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RepoError, match="git is not installed"):
        Repo.open(work)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_somebody_else_is_refused_in_gits_own_words(work):
    subprocess.run(["chown", "-R", "12345", str(work)], check=True)
    with pytest.raises(RepoError, match="dubious ownership"):
        Repo.open(work)


def test_no_identity_is_an_error_and_an_identity_is_a_name_and_an_address(work, git):
    assert Repo.open(work).identity() == "Ada <ada@example.org>"
    git("config", "user.useConfigOnly", "true", cwd=work)
    git("config", "--global", "--unset", "user.email", cwd=work)
    with pytest.raises(RepoError, match="email"):
        Repo.open(work).identity()


@pytest.mark.parametrize(
    "name", ["", "-h", "--all", "--exec=x", "a b", "HEAD\nHEAD", "a\0b", "HEAD:app.py", "nope"]
)
def test_a_name_of_peoples_making_is_a_commit_or_nothing(work, name):
    assert Repo.open(work).rev_parse(name) is None


def test_a_batch_reads_what_exists_and_leaves_out_what_does_not(work):
    names = ["HEAD:app.py", "HEAD:nope", "-x", "HEAD:a b", "HEAD:app.py"]
    assert Repo.open(work).read_many(names) == {"HEAD:app.py": b"print(1)\n"}
    assert Repo.open(work).read_many([]) == {}


def test_a_batch_of_thousands_neither_stalls_nor_mixes_up(work, git):
    for number in range(30):
        write(work, f"many/{number}", str(number) * 20_000)
    git("add", ".", cwd=work)
    git("commit", "-q", "-m", "Many", cwd=work)
    entries = Repo.open(work).tree("HEAD", "many")
    with Repo.open(work).objects() as objects:
        names = [f"HEAD:{path}" for path in entries] + [f"HEAD:nothing/{'x' * 200}{n}" for n in range(2000)]
        found = objects.read_many(names)
    assert found == {f"HEAD:many/{number}": (str(number) * 20_000).encode() for number in range(30)}


def test_a_damaged_repository_is_an_error_and_no_hang(work):
    for path in (work / ".git/objects").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(RepoError):
        Repo.open(work).tree("HEAD", ".")


def test_paths_of_every_spelling_come_through(work, git):
    for name in ("ü ä.txt", "-dash", "tab\there", "new\nline", "*glob", ":(top)x"):
        write(work, f"odd/{name}", "x")
    git("add", ".", cwd=work)
    git("commit", "-q", "-m", "Odd", cwd=work)
    repo = Repo.open(work)
    assert len(repo.tree("HEAD", "odd")) == 6
    write(work, "odd/*glob", "y")
    write(work, "odd/-dash", "y")
    assert repo.changed("odd/*glob") == {"odd/*glob": " M"}
    assert set(repo.changed("odd")) == {"odd/*glob", "odd/-dash"}


def test_the_remote_that_counts_is_origin_or_the_only_one(work, git):
    repo = Repo.open(work)
    assert repo.remote() is None
    git("remote", "add", "upstream", "x", cwd=work)
    assert repo.remote() == "upstream"
    git("remote", "add", "fork", "x", cwd=work)
    assert repo.remote() is None
    git("remote", "add", "origin", "x", cwd=work)
    assert repo.remote() == "origin"


def test_a_commit_knows_what_comes_before_it(work, git):
    start = git("rev-parse", "HEAD", cwd=work)
    git("checkout", "-q", "-b", "side", cwd=work)
    git("commit", "-q", "--allow-empty", "-m", "Side", cwd=work)
    git("checkout", "-q", "main", cwd=work)
    git("commit", "-q", "--allow-empty", "-m", "Main", cwd=work)
    repo = Repo.open(work)
    assert not repo.is_ancestor("main", "nope")
    assert repo.is_ancestor(start, "side")
    assert not repo.is_ancestor("side", "main")


def test_reading_imports_no_gitpython():
    code = (
        "import sys; import promptops.gitstore.history, promptops.gitstore.references\n"
        "import promptops.gitstore.verify, promptops.gitstore.commits\n"
        "assert not {'git', 'scipy', 'numpy', 'httpx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_words_of_git_lose_their_prefixes_and_hints():
    assert own_words("error: a\nhint: b\r\nfatal: c\n") == "a; c"
    assert own_words("\n") == "failed without a word"


def test_a_partial_clone_offline_reads_what_it_has_and_says_what_it_lacks(work, git, tmp_path):
    git("config", "uploadpack.allowFilter", "true", cwd=work)
    write(work, "app.py", "print(2)\n")
    git("commit", "-q", "-a", "-m", "Two", cwd=work)
    git("clone", "-q", "--filter=blob:none", f"file://{work}", "partial", cwd=tmp_path)
    work.rename(tmp_path / "gone")
    repo = Repo.open(tmp_path / "partial")
    assert repo.read_many(["HEAD:app.py"]) == {"HEAD:app.py": b"print(2)\n"}
    with pytest.raises(RepoError, match=r"git cat-file ended before it had answered: .+"):
        repo.read_many(["HEAD~1:app.py"])
