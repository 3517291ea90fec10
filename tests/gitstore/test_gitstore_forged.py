"""Histories of somebody who may commit, knows the formats, and wants something live that nobody allowed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from gitstore_help import by_hand, frozen, release, seen_by_the_gate, write

from promptops.gitstore.releases import read_releases
from promptops.gitstore.repo import Repo
from promptops.gitstore.verify import Finding, Severity, verify
from promptops.records import Evidence, Fallback, Release, Version, body_digest, canonical, sha256
from promptops.succession import following

FOLDER = "prompts/releases/greet"
POINTER = f"{FOLDER}/production.yaml"
Git = Callable[..., str]


@pytest.fixture
def released(work: Path) -> Path:
    """v1 and v2 were live in this order."""
    release(work, frozen(1))
    release(work, frozen(2))
    return work


def errors(top: Path, words: str, ref: str = "HEAD", *, since: str | None = None) -> list[Finding]:
    found = verify(Repo.open(top), ref, since=since)
    return [one for one in found if one.severity is Severity.ERROR and words in one.message]


def first(version: Version, **more: object) -> Release:
    values = {"id": version.id, "version": version.version, "digest": version.digest}
    fixed = {"environment": "production", "sequence": 1, "kind": "first", "by": "Eve <eve@example.org>"}
    return Release.model_validate({**values, **fixed, "at": "2026-01-06T10:00:00Z", **more})


def put(top: Path, git: Git, record: Release, version: Version, evidence: Evidence | None = None) -> str:
    """Commit these records, legal or not."""
    folder = f"prompts/releases/{record.id}"
    write(top, f"{folder}/{record.environment}.yaml", canonical(record))
    write(top, f"{folder}/v{version.version}.yaml", canonical(version))
    if evidence is not None:
        write(top, f"{folder}/evidence/{sha256(canonical(evidence))[7:23]}.json", canonical(evidence))
    return commit(top, git)


def commit(top: Path, git: Git) -> str:
    git("add", "-A", cwd=top)
    git("commit", "-q", "-m", "By hand", cwd=top)
    return git("rev-parse", "HEAD", cwd=top)


# steps


def test_a_first_release_has_nothing_to_go_back_to(released: Path, git: Git) -> None:
    """Else what was forced into staging could be rolled back to where it never was."""
    bad = seen_by_the_gate(frozen(9, "other"), "regression")
    digest = sha256(canonical(bad))
    put(
        released,
        git,
        first(frozen(9, "other"), environment="staging", evidence=digest, forced=True),
        frozen(9, "other"),
        bad,
    )
    back = Fallback(version=9, digest=frozen(9, "other").digest, evidence=digest)
    oid = put(released, git, first(frozen(1, "other"), fallbacks=[back]), frozen(1, "other"))
    (one,) = errors(released, "is the first, and lists versions to go back to;")
    assert one.commit == oid


def test_a_way_back_brings_no_new_version(released: Path) -> None:
    by_hand(released, frozen(7), evidence=seen_by_the_gate(frozen(7)), kind="rollback")
    (one,) = errors(released, "no release of that commit names it")
    assert one.path == f"{FOLDER}/v7.yaml"


def test_properties_in_another_order_than_the_digest_covers_are_named(released: Path, git: Git) -> None:
    """A model answers in this order, and the digest alone does not see it."""
    told = {"reasoning": {"type": "string"}, "answer": {"type": "string"}}
    quick = {name: told[name] for name in sorted(told)}
    bodies = [
        {**frozen(6).body, "tools": [{"name": "f", "parameters": {"type": "object", "properties": names}}]}
        for names in (quick, told)
    ]
    assert body_digest(bodies[0]) == body_digest(bodies[1])
    for body, count in zip(bodies, (0, 1), strict=True):
        version = frozen(6).model_copy(update={"body": body, "digest": body_digest(body)})
        now = read_releases(Repo.open(released), "HEAD").live("greet", "production")
        evidence = seen_by_the_gate(version, baseline=now)
        record = following(
            now,
            version=version,
            environment="production",
            kind="promote",
            evidence=sha256(canonical(evidence)),
            reason="",
            by="Eve <eve@example.org>",
            at="2026-01-06T10:00:00Z",
        )
        put(released, git, record, version, evidence)
        assert len(errors(released, "stand in another order than the digest covers")) == count
        git("reset", "-q", "--hard", "HEAD~1", cwd=released)


def test_what_follows_a_record_that_cannot_be_read_is_not_taken_for_checked(released: Path, git: Git) -> None:
    write(released, POINTER, "nonsense\n")
    start = commit(released, git)
    bad = seen_by_the_gate(frozen(7), "regression")
    previous = {"sequence": 49, "sha256": "0" * 64}
    more = {"sequence": 50, "kind": "promote", "evidence": sha256(canonical(bad)), "previous": previous}
    put(released, git, first(frozen(7), **more), frozen(7), bad)
    assert errors(released, "nobody forced it", since=start)
    (one,) = [one for one in verify(Repo.open(released), since=start) if one.severity is Severity.UNCHECKED]
    assert "nobody can say that it may" in one.message


def test_what_was_overruled_elsewhere_is_not_overruled_where_candidates_are_compared_with(
    released: Path,
) -> None:
    seen = seen_by_the_gate(frozen(7), "regression")
    by_hand(released, frozen(7), evidence=seen, kind="first", environment="staging", forced=True)
    by_hand(released, frozen(7), evidence=seen)
    repo = Repo.open(released)
    for start in (None, "HEAD~1"):
        found = verify(repo, since=start, final="production")
        assert ["says REGRESSION, and nobody forced it" in one.message for one in found].count(True) == 1
    assert verify(repo, since="HEAD~2", final="staging") == ()


# merges


@pytest.mark.parametrize("orphan", [True, False])
def test_a_branch_that_begins_anew_cannot_replace_what_was_live(
    released: Path, git: Git, orphan: bool
) -> None:
    """A first release needs no evidence; it is none where there was one."""
    start = git("rev-parse", "HEAD", cwd=released)
    if orphan:
        git("checkout", "-q", "--orphan", "eve", cwd=released)
        git("rm", "-rqf", ".", cwd=released)
    else:
        git("checkout", "-q", "-b", "eve", "HEAD~2", cwd=released)
    put(released, git, first(frozen(8)), frozen(8))
    git("checkout", "-q", "main", cwd=released)
    git("merge", "-q", "--allow-unrelated-histories", "-s", "ours", "--no-commit", "eve", cwd=released)
    git("checkout", "-q", "eve", "--", FOLDER, cwd=released)
    oid = commit(released, git)
    assert {one.commit for one in errors(released, "was dropped by a merge")} == {oid}
    assert {one.commit for one in errors(released, "was dropped by a merge", since=start)} == {oid}


def test_a_released_version_cannot_be_exchanged_by_a_merge(released: Path, git: Git) -> None:
    """Also one that is not live: it can be gone back to."""
    start = git("rev-parse", "HEAD", cwd=released)
    git("checkout", "-q", "-b", "eve", "HEAD~2", cwd=released)
    put(released, git, first(other := frozen(8).model_copy(update={"version": 1})), other)
    git("checkout", "-q", "main", cwd=released)
    git("merge", "-q", "-s", "ours", "--no-commit", "eve", cwd=released)
    git("checkout", "-q", "eve", "--", f"{FOLDER}/v1.yaml", cwd=released)
    commit(released, git)
    for since in (None, start):
        (one,) = errors(released, "was dropped by a merge", since=since)
        assert one.path == f"{FOLDER}/v1.yaml"


def test_a_release_of_ones_own_branch_may_give_way_to_what_is_live(released: Path, git: Git) -> None:
    git("checkout", "-q", "-b", "side", cwd=released)
    release(released, frozen(3))
    git("checkout", "-q", "main", cwd=released)
    release(released, frozen(4).model_copy(update={"version": 3}))
    git("checkout", "-q", "side", cwd=released)
    git("merge", "-q", "-s", "ours", "--no-commit", "main", cwd=released)
    git("checkout", "-q", "main", "--", FOLDER, cwd=released)
    commit(released, git)
    assert errors(released, "", since="main") == []
    for place, words in (("side", ["--ff-only", "side"]), ("main", ["--no-ff", "-m", "Join", "side"])):
        git("checkout", "-q", place, cwd=released)
        git("merge", "-q", *words, cwd=released)
        found = verify(Repo.open(released))
        assert {one.severity for one in found} == {Severity.WARNING}
        assert all("promote it again" in one.message for one in found)


# git itself


def test_what_this_clone_puts_in_the_place_of_a_commit_is_not_looked_at(released: Path, git: Git) -> None:
    good = git("rev-parse", "HEAD", cwd=released)
    write(released, POINTER, (released / POINTER).read_bytes().replace(b'reason: ""', b"reason: x"))
    bad = commit(released, git)
    git("replace", bad, good, cwd=released)
    assert errors(released, "goes from sequence 2 to 2")
    git("replace", "-d", bad, cwd=released)
    write(released, ".git/info/grafts", f"{bad} {good}~1\n")
    assert errors(released, "goes from sequence 2 to 2")


@pytest.mark.parametrize(
    "when", ["99999999999999 +0000", "253402300800 +0000", "18446744073709551615 +0000", "x"]
)
def test_a_commit_of_an_impossible_time_is_read_all_the_same(released: Path, git: Git, when: str) -> None:
    lines = git("cat-file", "commit", "HEAD", cwd=released).split("\n")
    raw = "\n".join(
        f"{line.partition('>')[0]}> {when}" if line.startswith(("author", "committer")) else line
        for line in lines
    )
    words = ["git", "hash-object", "-t", "commit", "-w", "--literally", "--stdin"]
    made = subprocess.run(words, cwd=released, input=f"{raw}\n".encode(), capture_output=True, check=True)
    git("reset", "-q", "--hard", made.stdout.decode().strip(), cwd=released)
    assert verify(Repo.open(released)) == ()


def plant(top: Path, git: Git, path: bytes, mode: str) -> None:
    """Commit an entry beside or in the place of HEAD's, under a name that no work tree need be able to hold."""
    what = {"160000": "HEAD", "040000": "HEAD^{tree}"}.get(mode, f"HEAD:{FOLDER}/v1.yaml")
    head, oid = git("rev-parse", "HEAD", cwd=top), git("rev-parse", what, cwd=top)
    stream = (
        f"commit refs/heads/planted\ncommitter Eve <e@example.org> 1767693600 +0000\ndata 0\nfrom {head}\n"
    )
    entry = f"M {mode} {oid} ".encode() + path + b"\n"
    subprocess.run(["git", "fast-import", "--quiet"], cwd=top, input=stream.encode() + entry, check=True)


@pytest.mark.parametrize(
    ("path", "mode", "words"),
    [
        (b"prompts/Releases/greet/production.yaml", "100644", "is the same folder as prompts/releases"),
        (b"PROMPTS/releases/greet/v1.yaml", "100644", "is the same folder as prompts/releases"),
        ("prompts/\uff52eleases".encode(), "040000", "is the same folder as prompts/releases"),
        (b"prompts/releases", "120000", "is a symbolic link"),
        (b"prompts/releases", "160000", "is a submodule"),
        (b"prompts", "120000", "is a symbolic link"),
        (b"prompts", "160000", "is a submodule"),
        (b"prompts/releases/greet", "120000", "is a symbolic link"),
        (b"prompts/releases/greet/V1.yaml", "100644", "does not belong here"),
        (b"prompts/releases/greet/\xff.yaml", "100644", "does not belong here"),
        (b"prompts/releases/greet/v%s.yaml" % (b"9" * 5000), "100644", "Field required"),
    ],
)
def test_a_folder_of_releases_that_is_none_or_two_is_named(
    work: Path, git: Git, path: bytes, mode: str, words: str
) -> None:
    release(work, frozen(1))
    plant(work, git, path, mode)
    assert errors(work, words, "planted")
    assert errors(work, words, "planted", since="HEAD")


def test_a_link_in_the_place_of_a_folder_is_named_where_nothing_was_ever_released(
    work: Path, git: Git
) -> None:
    (work / "elsewhere").mkdir()
    (work / "prompts/releases").symlink_to("../elsewhere")
    commit(work, git)
    assert errors(work, "is a symbolic link")
    assert errors(work, "is a symbolic link", since="HEAD~1")


def test_a_link_that_git_ignores_is_noticed_for_it_would_be_followed(released: Path, tmp_path: Path) -> None:
    write(tmp_path, "other/production.yaml", (released / POINTER).read_bytes())
    write(released, ".git/info/exclude", "eve\n")
    (released / "prompts/releases/eve").symlink_to(tmp_path / "other")
    (one,) = errors(released, "is ignored by git, and would be loaded")
    assert one.path == "prompts/releases/eve"
