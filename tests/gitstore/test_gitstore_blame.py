"""Where each line of a file comes from, and what the history of a prompt's releases holds: in real repositories."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from gitstore_help import freeze, release, write

from promptops.gitstore.blame import Origin, origins
from promptops.gitstore.past import past
from promptops.gitstore.repo import Repo

Git = Callable[..., str]
PATH = "prompts/greet.prompt.yaml"


def save(top: Path, git: Git, lines: str, message: str) -> str:
    write(top, PATH, "".join(f"{line}\n" for line in lines))
    git("add", ".", cwd=top)
    git("commit", "-q", "-m", message, cwd=top)
    return git("rev-parse", "HEAD", cwd=top)


def commits(found: list[Origin | None]) -> list[str | None]:
    return [one.commit if one else None for one in found]


def test_every_line_has_the_commit_that_wrote_it(work: Path, git: Git) -> None:
    first, second = save(work, git, "abc", "One"), save(work, git, "axc", "Two: “x”")
    found = origins(Repo.open(work), PATH, list("axc"), commit=None)
    assert commits(found) == [first, second, first]
    assert found[1] is not None
    assert (found[1].author, found[1].email, found[1].subject) == ("Ada", "ada@example.org", "Two: “x”")
    assert f"{found[1].committed:%Y-%m-%d %H:%M %Z}" == "2026-01-05 10:00 UTC"
    assert not found[1].is_cut


def test_what_only_the_work_tree_has_is_in_no_commit(work: Path, git: Git) -> None:
    first = save(work, git, "abc", "One")
    write(work, PATH, "a\nnew\nc\n")
    assert commits(origins(Repo.open(work), PATH, ["a", "new", "c"], commit=None)) == [first, None, first]
    assert commits(origins(Repo.open(work), PATH, list("abc"), commit=first)) == [first] * 3


def test_a_file_that_is_not_committed_has_no_origins(work: Path, tmp_path: Path, git: Git) -> None:
    write(work, "prompts/new.prompt.yaml", "a\n")
    git("add", ".", cwd=work)
    assert origins(Repo.open(work), "prompts/new.prompt.yaml", ["a"], commit=None) == [None]
    git("init", "-q", str(tmp_path / "empty"), cwd=tmp_path)
    assert origins(Repo.open(tmp_path / "empty"), PATH, ["a"], commit=None) == [None]


@pytest.mark.parametrize(
    ("seconds", "year"), [("253402300800", 9999), ("99999999999999", 9999), ("-5", 1970)]
)
def test_a_commit_may_state_any_time(seconds: str, year: int, work: Path, git: Git) -> None:
    save(work, git, "abc", "One")
    tree = git("rev-parse", "HEAD^{tree}", cwd=work)
    text = f"tree {tree}\nauthor A <a> 1 +0000\ncommitter C <c> {seconds} +0000\n\nx\n"
    made = ("git", "hash-object", "-t", "commit", "-w", "--literally", "--stdin")
    oid = subprocess.run(
        made, cwd=work, input=text, capture_output=True, text=True, check=True
    ).stdout.strip()
    found = origins(Repo.open(work), PATH, list("abc"), commit=oid)
    assert {(one.commit, one.committed.year) for one in found if one} == {(oid, year)}


def test_a_renamed_file_is_followed(work: Path, git: Git) -> None:
    first = save(work, git, "abcdefgh", "One")
    git("mv", PATH, "prompts/hello.prompt.yaml", cwd=work)
    git("commit", "-q", "-m", "Rename", cwd=work)
    found = origins(Repo.open(work), "prompts/hello.prompt.yaml", list("abcdefgh"), commit=None)
    assert {(one.commit, one.path) for one in found if one} == {(first, PATH)}


def test_the_first_commit_of_all_is_no_end_of_sight_but_that_of_a_shallow_clone_is(
    work: Path, tmp_path: Path, git: Git
) -> None:
    save(work, git, "abc", "One")
    last = save(work, git, "axc", "Two")
    git("clone", "-q", "--depth=1", f"file://{work}", str(tmp_path / "shallow"), cwd=tmp_path)
    found = origins(Repo.open(tmp_path / "shallow"), PATH, list("axc"), commit=None)
    assert commits(found) == [last] * 3
    assert all(one is not None and one.is_cut for one in found)


@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
def test_line_ends_marks_and_accents_are_read_as_prompts_are(work: Path, git: Git, ending: bytes) -> None:
    write(work, PATH, b"\xef\xbb\xbfa" + ending + "e\u0301".encode() + ending)
    git("-c", "core.autocrlf=false", "commit", "-q", "-a", "-m", "Accents", cwd=work)
    last = git("rev-parse", "HEAD", cwd=work)
    assert commits(origins(Repo.open(work), PATH, ["a", "\u00e9"], commit=None)) == [last, last]


def test_filters_and_settings_of_the_repository_are_not_obeyed(work: Path, git: Git, tmp_path: Path) -> None:
    first = save(work, git, "abc", "One")
    write(work, ".gitattributes", "*.yaml diff=evil\n")
    git("add", ".", cwd=work)
    git("commit", "-q", "-m", "Attributes", cwd=work)
    git("config", "diff.evil.textconv", f"touch {tmp_path}/ran; cat", cwd=work)
    git("config", "blame.coloring", "highlightRecent", cwd=work)
    git("config", "blame.showEmail", "true", cwd=work)
    git("config", "color.ui", "always", cwd=work)
    assert commits(origins(Repo.open(work), PATH, list("abc"), commit=None)) == [first] * 3
    assert not (tmp_path / "ran").exists()


def test_hostile_names_come_as_they_are(work: Path, git: Git) -> None:
    write(work, PATH, "\tfilename evil\nauthor Nobody\n")
    words = ["-c", "user.name=A ::error:: \x1b[31m z", "commit", "-q", "-a", "-m", "\tsummary\x1b[0m"]
    git(*words, cwd=work)
    found = origins(Repo.open(work), PATH, ["\tfilename evil", "author Nobody"], commit=None)
    assert [one.author for one in found if one] == ["A ::error:: \x1b[31m z"] * 2
    assert found[0] is not None
    assert found[0].path == PATH


def test_a_sha256_repository_is_read_the_same_way(tmp_path: Path, git: Git) -> None:
    done = subprocess.run(
        ["git", "init", "-q", "--object-format=sha256", str(tmp_path / "long")],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("this git knows no sha256 repositories")
    first = save(tmp_path / "long", git, "abc", "One")
    write(tmp_path / "long", PATH, "a\nb\nnew\n")
    found = origins(Repo.open(tmp_path / "long"), PATH, ["a", "b", "new"], commit=None)
    assert (len(first), commits(found)) == (64, [first, first, None])


def released(top: Path, git: Git, number: int, text: str) -> None:
    write(top, PATH, f"model: openai/gpt-4o-mini\nmessages:\n  - {{role: user, content: {text}}}\n")
    git("add", ".", cwd=top)
    git("commit", "-q", "-m", text, cwd=top)
    release(top, freeze(top, number))


def test_the_past_knows_where_a_version_was_frozen_and_every_pointer(work: Path, git: Git) -> None:
    for number, text in enumerate(("one", "two"), start=1):
        released(work, git, number, text)
    found = past(Repo.open(work), "greet", "HEAD")
    assert [(one.environment, one.version) for one in found.written] == [("production", 1), ("production", 2)]
    assert found.frozen[2].oid == git("rev-parse", "HEAD", cwd=work)
    assert found.written[0].release().sequence == 1


def test_a_release_on_a_branch_counts_from_there_and_not_from_the_merge(work: Path, git: Git) -> None:
    git("switch", "-q", "-c", "side", cwd=work)
    released(work, git, 1, "one")
    frozen = git("rev-parse", "HEAD", cwd=work)
    git("switch", "-q", "main", cwd=work)
    git("merge", "-q", "--no-ff", "-m", "Merge", "side", cwd=work)
    found = past(Repo.open(work), "greet", "HEAD")
    assert found.frozen[1].oid == frozen
    assert [one.commit.oid for one in found.written] == [frozen]


def test_what_two_branches_have_released_is_known_from_both(work: Path, git: Git) -> None:
    released(work, git, 1, "one")
    git("switch", "-q", "-c", "side", cwd=work)
    released(work, git, 2, "two")
    git("switch", "-q", "main", cwd=work)
    write(work, "app.py", "print(2)\n")
    git("commit", "-q", "-a", "-m", "Code", cwd=work)
    repo = Repo.open(work)
    assert set(past(repo, "greet", "main").frozen) == {1}
    assert set(past(repo, "greet", "main", "side", None).frozen) == {1, 2}
    assert past(repo, "greet").frozen == {}
