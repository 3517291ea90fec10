"""What is live, read from one commit of any kind of repository; and verify, which believes nothing."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from gitstore_help import copy_of, frozen, release, seen_by_the_gate

from promptops.errors import IntegrityError, InvalidFile, InvalidInput, NotFound, RepoError
from promptops.gitstore.commits import commit_files
from promptops.gitstore.releases import next_version, read_releases, release_files, release_ref
from promptops.gitstore.repo import Repo
from promptops.gitstore.verify import Severity, verify
from promptops.records import Release, canonical, parse_release, sha256
from promptops.succession import following

FOLDER = "prompts/releases/greet"
POINTER = f"{FOLDER}/production.yaml"


@pytest.fixture
def released(work, kept_repositories):
    """v1 to v3 were live, and the last was rolled back to v2."""

    def build(top: Path) -> None:
        shutil.copytree(work, top)
        for number in (1, 2, 3):
            release(top, frozen(number))
        release(top, frozen(2), "rollback")

    return copy_of(kept_repositories, "released", build, work)


def live(repo: Repo, prompt: str, environment: str, ref: str | None) -> Release | None:
    return read_releases(repo, ref, prompt=prompt).live(prompt, environment)


def errors(top: Path, ref: str = "HEAD", *, since: str | None = None) -> list[str]:
    return [
        str(found) for found in verify(Repo.open(top), ref, since=since) if found.severity is Severity.ERROR
    ]


def test_the_pointer_says_what_is_live_and_what_a_rollback_goes_back_to(released):
    now = live(Repo.open(released), "greet", "production", "HEAD")
    assert (now.sequence, now.version, now.kind) == (4, 2, "rollback")
    assert [old.version for old in now.fallbacks] == [1]
    assert live(Repo.open(released), "greet", "staging", "HEAD") is None
    assert live(Repo.open(released), "other", "production", "HEAD") is None


def test_promoting_again_after_a_rollback_adds_what_was_live(released):
    release(released, frozen(3))
    now = live(Repo.open(released), "greet", "production", "HEAD")
    assert [old.version for old in now.fallbacks] == [2, 1]


def test_a_depth_1_clone_offline_has_all_that_a_rollback_needs(released, git, tmp_path):
    git("clone", "-q", "--depth", "1", f"file://{released}", "shallow", cwd=tmp_path)
    git("remote", "remove", "origin", cwd=tmp_path / "shallow")
    now = read_releases(Repo.open(tmp_path / "shallow"), "HEAD")
    pointer = now.live("greet", "production")
    back = pointer.fallbacks[0]
    assert now.version("greet", back.version) == frozen(1)
    assert now.evidence("greet", back.evidence).candidate == frozen(1).digest
    release(tmp_path / "shallow", frozen(1), "rollback")
    assert live(Repo.open(tmp_path / "shallow"), "greet", "production", "HEAD").sequence == 5
    assert errors(tmp_path / "shallow") == []


def test_versions_are_found_by_number_and_by_digest(released):
    now = read_releases(Repo.open(released), "HEAD")
    assert now.ids() == ("greet",)
    assert now.environments("greet") == ("production",)
    assert now.numbers("greet") == (1, 2, 3)
    assert now.number_of("greet", frozen(2).digest) == 2
    assert now.number_of("greet", frozen(9).digest) is None
    assert next_version("greet", now) == 4
    assert now.live_version(now.live("greet", "production")) == frozen(2)
    with pytest.raises(NotFound, match="there is v1, v2, v3"):
        now.version("greet", 33)


def test_evidence_is_found_by_what_it_is_about(released, git):
    now = read_releases(Repo.open(released), "HEAD")
    (digest, evidence), *more = now.evidence_of("greet", frozen(1).digest)
    assert more == []
    assert (evidence.candidate, now.evidence("greet", digest)) == (frozen(1).digest, evidence)
    assert now.evidence_of("greet", frozen(9).digest) == []
    assert now.evidence("greet", frozen(9).digest) is None


def test_a_version_file_of_another_number_or_a_pointer_of_another_digest_is_not_believed(released, git):
    swap(f"{FOLDER}/v1.yaml", f"{FOLDER}/v2.yaml")(released)
    edit(POINTER, b"version: 2", b"version: 3")(released)
    git("commit", "-q", "-a", "-m", "Spoil", cwd=released)
    now = read_releases(Repo.open(released), "HEAD")
    with pytest.raises(IntegrityError, match="is v2 of greet"):
        now.version("greet", 1)
    with pytest.raises(IntegrityError, match="is not that of v3"):
        now.live_version(now.live("greet", "production"))


def test_a_repository_without_a_commit_has_no_releases(tmp_path, git):
    git("init", "-q", "empty", cwd=tmp_path)
    repo = Repo.open(tmp_path / "empty")
    ref = release_ref(repo)
    assert (ref.ref, ref.commit) == ("refs/heads/main", None)
    assert live(repo, "greet", "production", ref.commit) is None


@pytest.mark.parametrize("configured", [None, "main"])
def test_the_remotes_branch_decides_what_is_live(work, origin, git, configured):
    git("commit", "-q", "--allow-empty", "-m", "Not pushed", cwd=work)
    ref = release_ref(Repo.open(work), configured)
    assert (ref.ref, ref.commit, ref.note) == (
        "refs/remotes/origin/main",
        git("rev-parse", "HEAD~1", cwd=work),
        None,
    )


def test_without_a_remote_the_local_main_decides(work, git):
    git("checkout", "-q", "-b", "side", cwd=work)
    assert release_ref(Repo.open(work)).ref == "refs/heads/main"
    git("branch", "-m", "main", "trunk", cwd=work)
    assert release_ref(Repo.open(work)).ref == "refs/heads/side"
    assert release_ref(Repo.open(work), "trunk").ref == "refs/heads/trunk"
    with pytest.raises(RepoError, match="did you mean trunk"):
        release_ref(Repo.open(work), "trunc")


def test_a_clone_without_the_remotes_main_branch_takes_no_other_for_it(work, origin, git, tmp_path):
    git("push", "-q", "origin", "main:feature", cwd=work)
    git("clone", "-q", "--single-branch", "-b", "feature", f"file://{origin}", "one", cwd=tmp_path)
    ref = release_ref(Repo.open(tmp_path / "one"))
    assert (ref.ref, ref.branch) == ("HEAD", None)
    assert ref.note.startswith("the release branch is not in this clone")


def test_a_detached_checkout_of_one_commit_decides_for_itself_and_says_so(work, git, tmp_path):
    git("init", "-q", "ci", cwd=tmp_path)
    git("remote", "add", "origin", f"file://{work}", cwd=tmp_path / "ci")
    git(
        "fetch", "-q", "--depth", "1", f"file://{work}", "main:refs/remotes/pull/1/merge", cwd=tmp_path / "ci"
    )
    git("checkout", "-q", "--detach", "refs/remotes/pull/1/merge", cwd=tmp_path / "ci")
    for configured in (None, "release"):
        ref = release_ref(Repo.open(tmp_path / "ci"), configured)
        assert (ref.ref, ref.commit) == ("HEAD", git("rev-parse", "HEAD", cwd=work))
        assert "what is checked out decides" in ref.note


def test_parts_that_do_not_belong_together_make_no_release(work):
    record = following(
        None,
        version=frozen(1),
        environment="production",
        kind="first",
        evidence=None,
        reason="",
        by="A",
        at="2026-01-05T10:00:00Z",
    )
    with pytest.raises(InvalidInput, match="not what this release points at"):
        release_files("prompts", record, version=frozen(2))
    with pytest.raises(InvalidInput, match="live already"):
        following(
            record,
            version=frozen(1),
            environment="production",
            kind="promote",
            evidence=None,
            reason="",
            by="A",
            at="2026-01-05T10:00:00Z",
        )


def test_a_pointer_in_another_prompts_folder_is_not_believed(released, git):
    (released / "prompts/releases/other").mkdir()
    (released / "prompts/releases/other/production.yaml").write_bytes((released / POINTER).read_bytes())
    git("add", ".", cwd=released)
    git("commit", "-q", "-m", "Copy", cwd=released)
    with pytest.raises(IntegrityError, match="pointer of greet"):
        live(Repo.open(released), "other", "production", "HEAD")
    assert any("holds the pointer of greet" in line for line in errors(released))


# verify


def test_what_promptops_wrote_is_in_order(released):
    assert verify(Repo.open(released)) == ()


def test_verify_finds_nothing_where_there_is_nothing(work, tmp_path, git):
    assert verify(Repo.open(work)) == ()
    git("init", "-q", "empty", cwd=tmp_path)
    assert [found.severity for found in verify(Repo.open(tmp_path / "empty"))] == [Severity.UNCHECKED]


def edit(path: str, old: bytes, new: bytes):
    def change(top: Path) -> None:
        content = (top / path).read_bytes()
        assert old in content
        (top / path).write_bytes(content.replace(old, new, 1))

    return change


def remove(path: str):
    return lambda top: (top / path).unlink()


def swap(one: str, other: str):
    def change(top: Path) -> None:
        first = (top / one).read_bytes()
        (top / one).write_bytes((top / other).read_bytes())
        (top / other).write_bytes(first)

    return change


def any_evidence(change):
    def find(top: Path) -> None:
        name = sorted((top / FOLDER / "evidence").iterdir())[0].name
        change(f"{FOLDER}/evidence/{name}")(top)

    return find


SPOILED = [
    (edit(POINTER, b"version: 2", b"version: 1"), "says that v1 is"),
    (edit(POINTER, b"sequence: 4", b"sequence: 5"), "cannot follow"),
    (edit(POINTER, b"Ada", b"Eve"), "from sequence 4 to 4"),
    (edit(POINTER, b'reason: ""', b'reason: "\\0"'), "not written as promptops writes it"),
    (edit(POINTER, b"kind: rollback", b"kind:  rollback"), "not written as promptops writes it"),
    (edit(f"{FOLDER}/v1.yaml", b"Hello 1", b"Hello 2"), "written once"),
    (edit(f"{FOLDER}/v3.yaml", b"      content: Hello 3", b"      content: Hello 4"), "written once"),
    (remove(POINTER), "what was live is no longer"),
    (remove(f"{FOLDER}/v1.yaml"), "names v1, and there is no"),
    (remove(f"{FOLDER}/v3.yaml"), "was deleted"),
    (swap(f"{FOLDER}/v1.yaml", f"{FOLDER}/v2.yaml"), "holds v2 of greet"),
    (any_evidence(lambda path: edit(path, b"300", b"900")), "its name is not the hash"),
    (any_evidence(remove), "was deleted"),
    (lambda top: (top / FOLDER / "notes.txt").write_text("x"), "does not belong here"),
    (lambda top: (top / FOLDER / "v4.yaml").symlink_to("v3.yaml"), "symbolic link"),
]


@pytest.mark.parametrize(("spoil", "reason"), SPOILED)
def test_verify_names_what_was_spoiled_in_the_work_tree_and_once_committed(released, git, spoil, reason):
    spoil(released)
    assert any("by hand" in line or "not committed" in line for line in errors(released))
    git("add", "-A", cwd=released)
    git("commit", "-q", "-m", "Spoil", cwd=released)
    found = errors(released)
    assert any(reason in line for line in found), found


def test_verify_notices_every_mutation_of_a_byte(released, git):
    random.seed(7)
    files = sorted(path for path in (released / FOLDER).rglob("*") if path.is_file())
    start = git("rev-parse", "HEAD", cwd=released)
    for _ in range(30):
        path = random.choice(files)
        content = bytearray(path.read_bytes())
        content[random.randrange(len(content))] ^= random.randrange(1, 256)
        path.write_bytes(content)
        git("commit", "-q", "-a", "-m", "Mutate", cwd=released)
        assert errors(released), (path, bytes(content))
        git("reset", "-q", "--hard", start, cwd=released)
    for path in files:
        content = bytearray(path.read_bytes())
        content[random.randrange(len(content))] ^= 1
        path.write_bytes(content)
        assert errors(released), path
        git("checkout", "-q", ".", cwd=released)
    assert errors(released) == []


def test_a_revert_of_a_release_is_named_as_one(released, git):
    git("revert", "--no-edit", "HEAD", cwd=released)
    assert any("git revert" in line for line in errors(released))


def test_a_history_that_was_cut_off_is_noticed(released, git):
    git("checkout", "-q", "--orphan", "new", cwd=released)
    git("commit", "-q", "-m", "Rewritten", cwd=released)
    assert any("squashed or rewritten" in line for line in errors(released))


def test_two_releases_squashed_into_one_commit_are_noticed(released, git):
    git("reset", "-q", "--soft", "HEAD~3", cwd=released)
    git("commit", "-q", "-m", "Squash", cwd=released)
    assert any("squashed into one commit" in line for line in errors(released))


def test_what_a_shallow_clone_cannot_show_is_listed_as_unchecked(released, git, tmp_path):
    git("clone", "-q", "--depth", "2", f"file://{released}", "shallow", cwd=tmp_path)
    found = verify(Repo.open(tmp_path / "shallow"))
    assert [one.severity for one in found] == [Severity.UNCHECKED]
    assert "before this shallow clone begins" in found[0].message


def test_an_ordinary_merge_of_a_release_is_in_order(released, git):
    git("checkout", "-q", "-b", "side", cwd=released)
    release(released, frozen(4))
    git("checkout", "-q", "main", cwd=released)
    git("commit", "-q", "--allow-empty", "-m", "Meanwhile", cwd=released)
    git("merge", "-q", "--no-ff", "-m", "Merge", "side", cwd=released)
    assert verify(Repo.open(released)) == ()


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_two_branches_that_both_released_are_explained(released, git, side):
    git("checkout", "-q", "-b", "side", cwd=released)
    other = frozen(5).model_copy(update={"version": 4})
    release(released, other)
    git("checkout", "-q", "main", cwd=released)
    release(released, frozen(4))
    git("merge", "-q", "-s", "recursive", "-X", side, "-m", "Both", "side", cwd=released)
    content = canonical(frozen(4) if side == "ours" else other)
    for path in (POINTER, f"{FOLDER}/v4.yaml"):
        git("checkout", "-q", "main^2" if side == "theirs" else "main^1", "--", path, cwd=released)
    git("commit", "-q", "--amend", "--allow-empty", "-m", "Both", cwd=released)
    assert (released / FOLDER / "v4.yaml").read_bytes() == content
    found = verify(Repo.open(released))
    assert {one.severity for one in found} == {Severity.WARNING}
    assert {one.path for one in found} == {POINTER, f"{FOLDER}/v4.yaml"}
    assert "promote it again" in found[0].message
    assert len(errors(released, since="HEAD^1")) == (0 if side == "ours" else 2)  # what was live there counts
    release(released, frozen(6))
    assert errors(released) == []


def test_a_merge_that_writes_its_own_pointer_is_named(released, git):
    git("checkout", "-q", "-b", "side", cwd=released)
    release(released, frozen(4))
    git("checkout", "-q", "main", cwd=released)
    git("merge", "-q", "--no-ff", "--no-commit", "side", cwd=released)
    edit(POINTER, b"Ada", b"Eve")(released)
    git("commit", "-q", "-a", "-m", "Evil", cwd=released)
    assert any("changed within a merge" in line for line in errors(released))


def test_crlf_in_the_work_tree_is_no_change(released, git):
    git("config", "core.autocrlf", "true", cwd=released)
    for path in (released / FOLDER).rglob("*.yaml"):
        path.unlink()
    git("checkout", "-q", ".", cwd=released)
    assert b"\r\n" in (released / POINTER).read_bytes()
    assert verify(Repo.open(released)) == ()
    assert parse_release((released / POINTER).read_bytes(), path="x").version == 2


def test_a_release_file_of_garbage_is_a_finding_and_an_error_when_it_is_needed(released, git):
    (released / POINTER).write_bytes(b"[" * 200_000)
    git("commit", "-q", "-a", "-m", "Garbage", cwd=released)
    with pytest.raises(InvalidFile):
        live(Repo.open(released), "greet", "production", "HEAD")
    assert any("levels deep" in line for line in errors(released))


def test_verify_works_in_a_bare_repository(released, git, tmp_path):
    git("clone", "-q", "--bare", str(released), "bare.git", cwd=tmp_path)
    assert verify(Repo.open(tmp_path / "bare.git")) == ()


def overruled(verdict: str, **more: object):
    """Commit a promotion of v4 by hand, with evidence of this verdict."""

    def change(top: Path) -> None:
        repo = Repo.open(top)
        seen = seen_by_the_gate(more.pop("about", frozen(4)), verdict) if verdict != "none" else None
        digest = sha256(canonical(seen)) if seen else None
        record = following(
            live(repo, "greet", "production", "HEAD"),
            version=frozen(4),
            environment="production",
            kind="promote",
            evidence=digest,
            reason="why",
            by="Ada <ada@example.org>",
            at="2026-01-05T10:00:00Z",
            **more,
        )
        files = release_files("prompts", record, version=frozen(4), evidence=seen)
        commit_files(repo, files, "By hand")

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (overruled("pass"), None),
        (overruled("inconclusive"), "says INCONCLUSIVE, and nobody accepted it"),
        (overruled("inconclusive", accepted=True), None),
        (overruled("regression"), "says REGRESSION, and nobody forced it"),
        (overruled("regression", accepted=True), "says REGRESSION, and nobody forced it"),
        (overruled("regression", forced=True), None),
        (overruled("none"), "without evidence"),
        (overruled("none", forced=True), None),
        (overruled("pass", about=frozen(5)), "not about v4"),
    ],
)
def test_a_release_must_be_carried_by_its_evidence_or_by_a_person(released, change, reason):
    change(released)
    found = errors(released)
    assert (found == []) if reason is None else any(reason in line for line in found), found


def test_a_damaged_repository_is_a_finding(released, git):
    blob = git("rev-parse", f"HEAD:{POINTER}", cwd=released)
    (released / ".git/objects" / blob[:2] / blob[2:]).unlink()
    found = errors(released)
    assert any("content is not in this repository" in line for line in found), found
    with pytest.raises(RepoError, match="objects are missing"):
        live(Repo.open(released), "greet", "production", "HEAD")


@pytest.mark.parametrize(("real", "words"), [(True, "dropped by a merge"), (False, "was deleted by Ada")])
def test_a_merge_that_drops_a_release_file_is_named(released, git, real, words):
    git("checkout", "-q", "-b", "side", cwd=released)
    release(released, frozen(4)) if real else git("commit", "-q", "--allow-empty", "-m", "Side", cwd=released)
    git("checkout", "-q", "main", cwd=released)
    git("merge", "-q", "--no-ff", "--no-commit", "side", cwd=released)
    git("rm", "-q", f"{FOLDER}/v3.yaml", cwd=released)
    git("commit", "-q", "--allow-empty", "-m", "Drop", cwd=released)
    assert any(words in line for line in errors(released))
