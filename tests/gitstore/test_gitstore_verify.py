"""Verify believes nothing: no byte, no step of the history, no word of git about the work tree."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from gitstore_help import by_hand, copy_of, frozen, release, seen_by_the_gate, write

from promptops.errors import RepoError
from promptops.gitstore.commits import commit_files
from promptops.gitstore.releases import read_releases, release_files
from promptops.gitstore.repo import Repo
from promptops.gitstore.verify import Finding, Severity, verify
from promptops.records import Release, canonical
from promptops.succession import following

FOLDER = "prompts/releases/greet"
POINTER = f"{FOLDER}/production.yaml"
Git = Callable[..., str]


@pytest.fixture
def released(work: Path, kept_repositories: dict[str, Path]) -> Path:
    """v1 to v3 were live, and the last was rolled back to v2."""

    def build(top: Path) -> None:
        shutil.copytree(work, top)
        for number in (1, 2, 3):
            release(top, frozen(number), reason="said: why")
        release(top, frozen(2), "rollback")

    return copy_of(kept_repositories, "verified", build, work)


def found(top: Path, severity: Severity = Severity.ERROR, **more: object) -> list[str]:
    return [str(one) for one in verify(Repo.open(top), **more) if one.severity is severity]


def said(top: Path, words: str, **more: object) -> list[Finding]:
    return [one for one in verify(Repo.open(top), **more) if words in one.message]


def commit(git: Git, top: Path, subject: str = "Change") -> str:
    git("add", "-A", cwd=top)
    git("commit", "-q", "--allow-empty", "-m", subject, cwd=top)
    return git("rev-parse", "HEAD", cwd=top)


# bytes


def mutate(draw: random.Random, content: bytes) -> bytes:
    """Change, add or take away one byte."""
    at, byte = draw.randrange(len(content)), bytes([draw.randrange(256)])
    changed = draw.choice(
        [
            content[:at] + byte + content[at + 1 :],
            content[:at] + byte + content[at:],
            content[:at] + content[at + 1 :],
        ]
    )
    return changed if changed != content else mutate(draw, content)


def mutants(top: Path, git: Git, files: list[dict[str, bytes]]) -> list[str]:
    """Make many commits with one `git fast-import`, each with some files otherwise than HEAD; return their refs."""
    tip, stream = git("rev-parse", "HEAD", cwd=top), b""
    for number, changed in enumerate(files):
        stream += f"commit refs/heads/m{number}\ncommitter Eve <e@example.org> 1767693600 +0000\n".encode()
        stream += f"data 6\nMutate\nfrom {tip}\n".encode()
        for path, content in changed.items():
            stream += f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n"
    words = ["git", "fast-import", "--quiet", "--force"]
    subprocess.run(words, cwd=top, input=stream, check=True, capture_output=True)
    return [f"refs/heads/m{number}" for number in range(len(files))]


def release_paths(top: Path) -> list[str]:
    return sorted(
        path.relative_to(top).as_posix() for path in (top / "prompts/releases").rglob("*") if path.is_file()
    )


ROUNDS = 32  # of eight files: 256 mutations that are committed, and as many in the work tree


def test_every_mutation_of_a_byte_is_noticed_once_it_is_committed(released: Path, git: Git) -> None:
    draw, repo = random.Random(500), Repo.open(released)
    contents = {path: (released / path).read_bytes() for path in release_paths(released)}
    assert len(contents) * ROUNDS >= 250
    others = [path for path in contents if path != POINTER]
    # The pointer by itself: what is wrong with the files that it names is said of it too.
    together = [
        {path: mutate(draw, contents[path]) for path in paths}
        for _ in range(ROUNDS)
        for paths in ([POINTER], others)
    ]
    for ref, changed in zip(mutants(released, git, together), together, strict=True):
        oid = git("rev-parse", ref, cwd=released)
        errors = [one for one in verify(repo, ref, since="HEAD") if one.severity is Severity.ERROR]
        assert {one.path for one in errors if one.commit == oid} >= set(changed), changed


def test_every_mutation_of_a_byte_is_noticed_in_the_work_tree(released: Path) -> None:
    draw, repo = random.Random(501), Repo.open(released)
    contents = {path: (released / path).read_bytes() for path in release_paths(released)}
    for _ in range(ROUNDS):
        for path, content in contents.items():
            (released / path).write_bytes(mutate(draw, content))
        errors = [one for one in verify(repo, since="HEAD") if one.severity is Severity.ERROR]
        assert {one.path for one in errors} == set(contents)
    for path, content in contents.items():
        (released / path).write_bytes(content)
    assert verify(repo) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"said: why", b"said: who"), (b"reason", b"# why\nreason"), (b"\n", b" \n"), (b"\n", b"\n\n")],
)
def test_a_reason_a_comment_and_white_space_count(released: Path, git: Git, old: bytes, new: bytes) -> None:
    release(released, frozen(4), reason="said: why")
    pointer = released / POINTER
    pointer.write_bytes(pointer.read_bytes().replace(old, new, 1))
    assert found(released)
    oid = commit(git, released)
    assert oid in {one.commit for one in verify(Repo.open(released))}


def test_a_past_record_that_was_mutated_when_it_was_written_is_noticed(released: Path, git: Git) -> None:
    """The next release follows it rightly, and the pointer of today is in order."""
    release(released, frozen(4))
    pointer = released / POINTER
    pointer.write_bytes(pointer.read_bytes() + b"# by hand\n")
    git("add", "-A", cwd=released)
    git("commit", "-q", "--amend", "--no-edit", cwd=released)
    release(released, frozen(5))
    assert said(released, "not written as promptops writes it")


# the work tree


@pytest.mark.parametrize("flag", ["--skip-worktree", "--assume-unchanged"])
def test_what_git_was_told_not_to_look_at_is_looked_at(released: Path, git: Git, flag: str) -> None:
    git("update-index", flag, POINTER, cwd=released)
    (released / POINTER).write_bytes((released / POINTER).read_bytes().replace(b"version: 2", b"version: 3"))
    assert git("status", "--porcelain", cwd=released) == ""
    assert any("told not to look" in line for line in found(released))


def test_an_edit_that_keeps_time_and_size_is_noticed(released: Path, git: Git) -> None:
    import os

    path = released / POINTER
    git("config", "core.trustctime", "false", cwd=released)
    git("config", "core.checkStat", "minimal", cwd=released)
    old = path.stat()
    os.utime(path, (old.st_atime, old.st_mtime - 100))
    git("update-index", "--refresh", cwd=released)
    old = path.stat()
    path.write_bytes(path.read_bytes().replace(b"version: 2", b"version: 3"))
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
    assert git("status", "--porcelain", cwd=released) == ""
    assert any(POINTER in line for line in found(released))


def test_a_release_file_that_git_ignores_is_noticed(released: Path) -> None:
    write(released, ".git/info/exclude", "staging.yaml\n")
    write(released, f"{FOLDER}/staging.yaml", (released / POINTER).read_bytes())
    assert any("ignored by git" in line for line in found(released))


def test_a_sparse_checkout_without_releases_is_in_order(released: Path, git: Git) -> None:
    git("sparse-checkout", "set", "--no-cone", "/*", "!/prompts/releases/", cwd=released)
    assert not (released / POINTER).exists()
    assert verify(Repo.open(released)) == ()


@pytest.mark.parametrize("attributes", ["", "*.yaml text eol=crlf\n*.json text eol=crlf\n", "* text=auto\n"])
@pytest.mark.parametrize("autocrlf", ["true", "false"])
def test_a_checkout_with_crlf_is_in_order(released: Path, git: Git, attributes: str, autocrlf: str) -> None:
    if attributes:
        write(released, ".gitattributes", attributes)
        commit(git, released)
    git("config", "core.autocrlf", autocrlf, cwd=released)
    shutil.rmtree(released / "prompts/releases")
    git("checkout", "-q", ".", cwd=released)
    crlf = autocrlf == "true" or "eol=crlf" in attributes
    for path in release_paths(released):
        assert (b"\r\n" in (released / path).read_bytes()) is crlf
    assert verify(Repo.open(released)) == ()
    draw = random.Random(3)
    for path in release_paths(released):
        content = (released / path).read_bytes()
        (released / path).write_bytes(mutate(draw, content))
        assert path in {one.path for one in verify(Repo.open(released))}
        (released / path).write_bytes(content)


# steps


def test_a_step_is_judged_by_its_evidence_wherever_in_the_history_it_is(released: Path) -> None:
    by_hand(released, frozen(4), evidence=seen_by_the_gate(frozen(4), "regression"))
    release(released, frozen(5))
    (one,) = said(released, "says REGRESSION, and nobody forced it")
    assert (one.path, one.commit is None) == (POINTER, False)


def test_a_release_without_evidence_is_found_behind_others(released: Path) -> None:
    by_hand(released, frozen(4))
    release(released, frozen(5))
    assert said(released, "without evidence, and says neither")


def test_a_rollback_goes_on_evidence_that_let_it_live_before_or_on_a_pass(released: Path) -> None:
    seen = seen_by_the_gate(frozen(9), "regression")
    by_hand(released, frozen(9), evidence=seen, kind="rollback")
    assert said(released, "says REGRESSION, and nobody forced it")


def test_a_rollback_to_what_was_accepted_is_in_order(released: Path) -> None:
    by_hand(released, frozen(4), evidence=seen_by_the_gate(frozen(4), "inconclusive"), accepted=True)
    release(released, frozen(5))
    by_hand(released, frozen(4), evidence=seen_by_the_gate(frozen(4), "inconclusive"), kind="rollback")
    assert found(released) == []


def test_what_was_forced_in_one_environment_may_be_carried_into_another(released: Path) -> None:
    seen = seen_by_the_gate(frozen(4), "regression")
    by_hand(released, frozen(4), evidence=seen, forced=True)
    by_hand(released, frozen(4), evidence=seen, kind="first", environment="staging")
    assert found(released) == []


@pytest.mark.parametrize("part", ["v4.yaml", "evidence"])
def test_a_version_or_evidence_that_no_release_brings_is_named(released: Path, part: str) -> None:
    seen = seen_by_the_gate(frozen(4))
    by_hand(released, frozen(4), evidence=seen, only=lambda path: part in path)
    assert said(released, "no release of that commit names it")


def test_a_release_that_leaves_its_version_for_later_is_named(released: Path) -> None:
    by_hand(released, frozen(4), evidence=seen_by_the_gate(frozen(4)), only=lambda path: "v4" not in path)
    (one,) = said(released, "names v4, and there is no")
    assert one.commit


def test_evidence_against_something_else_than_what_was_live_is_told(released: Path) -> None:
    old = read_releases(Repo.open(released), "HEAD").live("greet", "production")
    assert isinstance(old, Release)
    stale = old.model_copy(update={"version": 1, "digest": frozen(1).digest})
    by_hand(released, frozen(4), evidence=seen_by_the_gate(frozen(4), baseline=stale))
    by_hand(released, frozen(5), evidence=seen_by_the_gate(frozen(5)))
    assert found(released) == []
    assert [len(said(released, words)) for words in ("compares with v1", "compares with nothing")] == [1, 1]


def test_a_pointer_that_became_a_link_is_named_even_if_it_was_put_back(released: Path, git: Git) -> None:
    content = (released / POINTER).read_bytes()
    (released / POINTER).unlink()
    (released / POINTER).symlink_to("v2.yaml")
    oid = commit(git, released)
    (released / POINTER).unlink()
    write(released, POINTER, content)
    commit(git, released)
    assert oid in {one.commit for one in said(released, "symbolic link")}


@pytest.mark.parametrize("strategy", ["ours", "theirs"])
def test_a_merge_that_takes_a_release_back_is_named(released: Path, git: Git, strategy: str) -> None:
    git("branch", "side", cwd=released)
    release(released, frozen(4))
    git("checkout", "-q", "side", cwd=released)
    git("commit", "-q", "--allow-empty", "-m", "Side", cwd=released)
    first, second = ("side", "main") if strategy == "ours" else ("main", "side")
    git("checkout", "-q", first, cwd=released)
    git("merge", "-q", "--no-ff", "--no-commit", "-s", "ours", second, cwd=released)
    git("checkout", "-q", "side", "--", POINTER, cwd=released)
    write(released, f"{FOLDER}/v4.yaml", canonical(frozen(4)))
    git("checkout", "-q", "main", "--", f"{FOLDER}/evidence", cwd=released)
    commit(git, released, "Join")
    (one,) = said(released, "was taken back")
    assert "from sequence 5" in one.message


def test_a_revert_a_squash_a_deletion_and_a_reordering_name_file_commit_and_reason(
    released: Path, git: Git
) -> None:
    start = git("rev-parse", "HEAD", cwd=released)
    git("revert", "--no-edit", "HEAD", cwd=released)
    assert {one.path for one in said(released, "git revert")} == {POINTER}
    git("reset", "-q", "--hard", start, cwd=released)
    git("reset", "-q", "--soft", "HEAD~2", cwd=released)
    oid = commit(git, released, "Squash")
    assert {(one.path, one.commit) for one in said(released, "squashed")} == {(POINTER, oid)}
    git("reset", "-q", "--hard", start, cwd=released)
    (released / FOLDER / "v3.yaml").unlink()
    oid = commit(git, released, "Delete")
    assert {(one.path, one.commit) for one in said(released, "was deleted")} == {(f"{FOLDER}/v3.yaml", oid)}
    git("reset", "-q", "--hard", start, cwd=released)
    third = git("show", f"HEAD~1:{POINTER}", cwd=released) + "\n"
    write(released, POINTER, git("show", f"HEAD~2:{POINTER}", cwd=released) + "\n")
    commit(git, released, "Second again")
    write(released, POINTER, third)
    commit(git, released, "Third again")
    assert len(said(released, "git revert")) == 1


def test_a_history_without_one_of_its_releases_is_named(released: Path, git: Git) -> None:
    """As an interactive rebase leaves it that dropped the second release and kept its files."""
    keep = {path: (released / path).read_bytes() for path in release_paths(released)}
    git("reset", "-q", "--hard", "HEAD~3", cwd=released)
    for path, content in keep.items():
        write(released, path, content)
    commit(git, released, "Rewritten")
    assert said(released, "from sequence 1 to 4")


# since


def test_only_what_was_done_since_is_judged(released: Path, git: Git) -> None:
    by_hand(released, frozen(4))
    start = git("rev-parse", "HEAD", cwd=released)
    assert found(released)
    release(released, frozen(5))
    assert found(released, since=start) == []
    assert found(released)
    by_hand(released, frozen(6))
    (one,) = said(released, "without evidence", since=start)
    assert one.commit == git("rev-parse", "HEAD", cwd=released)


def test_nothing_done_since_is_in_order_and_looks_at_no_other_prompt(released: Path, git: Git) -> None:
    start = git("rev-parse", "HEAD", cwd=released)
    assert verify(Repo.open(released), since=start) == ()
    release(released, frozen(1, "other"))
    write(released, "prompts/releases/odd/notes.txt", "x\n")
    commit(git, released)
    start = git("rev-parse", "HEAD", cwd=released)
    release(released, frozen(2, "other"))
    assert verify(Repo.open(released), since=start) == ()
    assert said(released, "does not belong here")


def test_a_branch_is_judged_from_where_it_left_what_it_goes_to(released: Path, git: Git) -> None:
    git("checkout", "-q", "-b", "side", cwd=released)
    release(released, frozen(1, "other"))
    git("checkout", "-q", "main", cwd=released)
    release(released, frozen(4))
    git("checkout", "-q", "side", cwd=released)
    assert verify(Repo.open(released), since="main") == ()
    git("merge", "-q", "--no-ff", "-m", "Join", "main", cwd=released)
    release(released, frozen(2, "other"))
    assert verify(Repo.open(released), since="main") == ()
    by_hand(released, frozen(3, "other"))
    assert said(released, "without evidence", since="main")


def test_a_commit_that_is_not_there_or_not_related_is_an_error_of_the_caller(
    released: Path, git: Git
) -> None:
    with pytest.raises(RepoError, match="fetch-depth: 0"):
        verify(Repo.open(released), since="nowhere")
    with pytest.raises(RepoError, match="no commit"):
        verify(Repo.open(released), since="--all")
    git("checkout", "-q", "--orphan", "new", cwd=released)
    git("commit", "-q", "-m", "Rewritten", cwd=released)
    with pytest.raises(RepoError, match="no history in common"):
        verify(Repo.open(released), since="main")


@pytest.fixture
def merge_ref(released: Path, git: Git, tmp_path: Path) -> Callable[[], tuple[Path, str]]:
    """A checkout of depth 1 of the merge of `side` into main, with main's tip fetched beside it, as in CI."""

    def make() -> tuple[Path, str]:
        git("checkout", "-q", "main", cwd=released)
        git("checkout", "-q", "--detach", cwd=released)
        git("merge", "-q", "--no-ff", "-m", "Merge", "side", cwd=released)
        git("update-ref", "refs/pull/1/merge", "HEAD", cwd=released)
        ci = tmp_path / "ci"
        git("init", "-q", str(ci), cwd=tmp_path)
        git("remote", "add", "origin", f"file://{released}", cwd=ci)
        git("fetch", "-q", "--depth=1", "origin", "+refs/pull/1/merge:refs/remotes/pull/1/merge", cwd=ci)
        git("checkout", "-q", "--detach", "refs/remotes/pull/1/merge", cwd=ci)
        git("fetch", "-q", "--depth=1", "origin", "main", cwd=ci)
        return ci, git("rev-parse", "main", cwd=released)

    git("checkout", "-q", "-b", "side", cwd=released)
    return make


def test_one_release_of_a_pull_request_is_judged_in_a_clone_of_depth_1(
    released: Path, merge_ref: Callable[[], tuple[Path, str]]
) -> None:
    release(released, frozen(4))
    ci, base = merge_ref()
    assert verify(Repo.open(ci), since=base) == ()


def test_a_pull_request_that_spoils_a_release_is_seen_in_a_clone_of_depth_1(
    released: Path, git: Git, merge_ref: Callable[[], tuple[Path, str]]
) -> None:
    (released / FOLDER / "v1.yaml").unlink()
    by_hand(released, frozen(4), evidence=seen_by_the_gate(frozen(4), "regression"))
    commit(git, released, "Delete")
    ci, base = merge_ref()
    errors = " ".join(found(ci, since=base))
    assert "v1.yaml" in errors
    assert "was deleted" in errors
    assert "nobody forced it" in errors


def test_a_pull_request_that_takes_all_releases_away_is_seen_in_a_clone_of_depth_1(
    released: Path, git: Git, merge_ref: Callable[[], tuple[Path, str]]
) -> None:
    git("rm", "-rq", "prompts/releases", cwd=released)
    commit(git, released, "Delete")
    ci, base = merge_ref()
    (one,) = verify(Repo.open(ci), since=base)
    assert (one.severity, "fetch-depth: 0" in one.message) == (Severity.UNCHECKED, True)
    git("fetch", "-q", "--unshallow", "origin", "refs/pull/1/merge", cwd=ci)
    assert said(ci, "was deleted", since=base)


def test_two_releases_in_a_clone_of_depth_1_are_said_to_be_out_of_sight(
    released: Path, git: Git, merge_ref: Callable[[], tuple[Path, str]]
) -> None:
    release(released, frozen(4))
    release(released, frozen(5))
    ci, base = merge_ref()
    (one,) = verify(Repo.open(ci), since=base)
    assert one.severity is Severity.UNCHECKED
    assert "the commits of 2 releases" in one.message
    assert "fetch-depth: 0" in one.message
    git("fetch", "-q", "--unshallow", "origin", "refs/pull/1/merge", cwd=ci)
    assert verify(Repo.open(ci), since=base) == ()


def test_a_head_of_depth_1_that_is_not_built_on_the_base_is_out_of_sight(
    released: Path, git: Git, tmp_path: Path
) -> None:
    git("checkout", "-q", "-b", "side", cwd=released)
    release(released, frozen(4))
    git("checkout", "-q", "main", cwd=released)
    release(released, frozen(1, "other"))
    git("clone", "-q", "--depth=1", "--branch", "side", f"file://{released}", "ci", cwd=tmp_path)
    git("fetch", "-q", "--depth=1", "origin", "main", cwd=tmp_path / "ci")
    (one,) = verify(Repo.open(tmp_path / "ci"), since="FETCH_HEAD")
    assert (one.severity, "fetch-depth: 0" in one.message) == (Severity.UNCHECKED, True)


# kinds of repositories


def test_a_sha256_repository_is_read_by_its_own_hash(tmp_path: Path, git: Git) -> None:
    top = tmp_path / "sha256"
    git("init", "-q", "--object-format=sha256", str(top), cwd=tmp_path)
    write(top, "app.py", "print(1)\n")
    commit(git, top)
    release(top, frozen(1))
    start = git("rev-parse", "HEAD", cwd=top)
    release(top, frozen(2))
    assert verify(Repo.open(top)) == verify(Repo.open(top), since=start) == ()
    (top / POINTER).write_bytes((top / POINTER).read_bytes().replace(b"Ada", b"Eve"))
    assert found(top)


def test_prompts_at_the_top_of_the_repository_have_their_releases_there(tmp_path: Path, git: Git) -> None:
    top = tmp_path / "top"
    git("init", "-q", str(top), cwd=tmp_path)
    write(top, "app.py", "print(1)\n")
    commit(git, top)
    record = following(
        None,
        version=frozen(1),
        environment="production",
        kind="first",
        evidence=None,
        reason="",
        by="Ada <ada@example.org>",
        at="2026-01-05T10:00:00Z",
    )
    commit_files(Repo.open(top), release_files(".", record, version=frozen(1)), "First")
    assert verify(Repo.open(top), root=".") == ()
    (top / "releases/greet/v1.yaml").unlink()
    oid = commit(git, top)
    assert oid in {one.commit for one in verify(Repo.open(top), root=".", since="HEAD~1")}


def test_a_linked_work_tree_is_checked_by_its_own_files(released: Path, git: Git, tmp_path: Path) -> None:
    git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"), cwd=released)
    (tmp_path / "linked" / POINTER).write_bytes(b"")
    assert verify(Repo.open(released)) == ()
    assert found(tmp_path / "linked")


def test_a_file_that_would_never_end_is_not_waited_for(released: Path, git: Git) -> None:
    import os

    git("update-index", "--skip-worktree", POINTER, cwd=released)
    (released / POINTER).unlink()
    os.mkfifo(released / POINTER)
    assert any(POINTER in line for line in found(released))
