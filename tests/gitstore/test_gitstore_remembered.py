"""`status` reads only what has changed since the last time, and says the same as if it had read everything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gitstore_help import freeze, release, write

from promptops.errors import IntegrityError, RepoError
from promptops.gitstore.pointers import Pointers, Standings
from promptops.gitstore.releases import Releases, read_releases
from promptops.gitstore.remembered import Memory, Sight, Sights, committed_sights, sights
from promptops.gitstore.repo import Repo
from promptops.gitstore.trees import prompts
from promptops.records import Release

Git = Callable[..., str]
TONE = """\
model: openai/gpt-4o-mini
messages:
  - {role: system, content: "{% include 'partials/tone.md' %}"}
  - {role: user, content: "Hello {{ name }}"}
"""


@pytest.fixture
def top(work: Path) -> Path:
    write(work, "prompts/team/tone.prompt.yaml", TONE)
    write(work, "prompts/partials/tone.md", "Be kind.\n")
    (work / ".promptops").mkdir()
    return work


def look(top: Path) -> Sights:
    kept = Memory.recall(memory(top))
    found = sights(Repo.open(top), roots=["prompts"], memory=kept)["prompts"]
    kept.keep()
    return found


def memory(top: Path) -> Path:
    return top / ".promptops/remembered.json"


def afresh(top: Path) -> Sights:
    found = prompts(Repo.open(top), None)
    seen = tuple(Sight.of(prompt) for prompt in found.prompts)
    return Sights(prompts=seen, problems=found.problems, known=found.known)


def edit(top: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change what is remembered, so that one sees whether it is used."""
    values = json.loads(memory(top).read_text())
    change(values)
    memory(top).write_text(json.dumps(values))


def mark(values: dict[str, Any]) -> None:
    for one in values["files"].values():
        one["digest"] = "sha256:remembered"


def digests(found: Sights) -> dict[str, bool]:
    """Which digests were remembered rather than read."""
    return {one.id: one.digest == "sha256:remembered" for one in found.prompts}


def test_what_has_not_changed_is_not_read_again(top: Path) -> None:
    assert look(top) == afresh(top)
    edit(top, mark)
    assert digests(look(top)) == {"greet": True, "tone": True}


@pytest.mark.parametrize(
    ("path", "text", "again"),
    [
        ("prompts/team/tone.prompt.yaml", f"# another\n{TONE}", {"greet": True, "tone": False}),
        ("prompts/partials/tone.md", "Be brief.\n", {"greet": True, "tone": False}),
        ("prompts/team/partials/tone.md", "Nearer.\n", {"greet": True, "tone": False}),
        ("prompts/other.md", "Nothing.\n", {"greet": True, "tone": True}),
    ],
)
def test_what_has_changed_is_read_again_and_nothing_else(
    top: Path, path: str, text: str, again: dict[str, bool]
) -> None:
    look(top)
    edit(top, mark)
    write(top, path, text)
    assert digests(look(top)) == again
    memory(top).unlink()
    assert look(top) == afresh(top)


def test_a_file_that_is_gone_is_forgotten_and_one_with_problems_is_never_remembered(top: Path) -> None:
    look(top)
    (top / "prompts/partials/tone.md").unlink()
    found = look(top)
    assert found == afresh(top)
    assert "not found" in str(found.problems)
    assert set(json.loads(memory(top).read_text())["files"]) == {"prompts/greet.prompt.yaml"}
    (top / "prompts/team/tone.prompt.yaml").unlink()
    assert [one.id for one in look(top).prompts] == ["greet"]


def test_a_partial_that_now_leads_out_of_the_repository_is_a_problem(top: Path, tmp_path: Path) -> None:
    look(top)
    (tmp_path / "secret").write_text("secret\n")
    (top / "prompts/partials/tone.md").unlink()
    (top / "prompts/partials/tone.md").symlink_to(tmp_path / "secret")
    found = look(top)
    assert "leaves the repository" in str(found.problems)
    assert found == afresh(top)


def test_two_files_with_one_id_are_a_problem_also_from_memory(top: Path) -> None:
    write(top, "prompts/team/greet.prompt.yaml", (top / "prompts/greet.prompt.yaml").read_bytes())
    assert look(top) == look(top) == afresh(top)
    assert "is also that of" in str(look(top).problems)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"schema": 1}',
        b"\xff",
        b'{"schema": "promptops.remembered/2", "readers": null, "files": {}}',
    ],
)
def test_a_memory_that_cannot_be_read_is_no_memory(top: Path, damage: bytes) -> None:
    memory(top).write_bytes(damage)
    assert look(top) == afresh(top)
    assert json.loads(memory(top).read_text())["schema"] == "promptops.remembered/2"


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.update(readers=[]),
        lambda values: values.update(schema="promptops.remembered/0"),
        lambda values: values.update(files=[]),
        lambda values: values["files"].update(dict.fromkeys(values["files"], 1)),
        lambda values: [one.update(digest=5) for one in values["files"].values()],
        lambda values: [one.pop("looked") for one in values["files"].values()],
    ],
)
def test_what_another_promptops_remembered_is_read_again(
    top: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    look(top)
    edit(top, mark)
    edit(top, change)
    assert look(top) == afresh(top)


def test_whoever_only_looks_makes_no_folder(work: Path) -> None:
    assert look(work) == afresh(work)
    assert not (work / ".promptops").exists()


def test_where_nothing_can_be_written_it_is_only_slower(top: Path) -> None:
    memory(top).mkdir()
    (memory(top) / "x").write_text("")
    assert look(top) == afresh(top)
    assert [file.name for file in (top / ".promptops").iterdir()] == ["remembered.json"]


def test_a_commit_is_read_afresh(top: Path, git: Git) -> None:
    git("add", "prompts", cwd=top)
    git("commit", "-q", "-m", "Tone", cwd=top)
    assert committed_sights(Repo.open(top), "HEAD", root="prompts") == afresh(top)


def standing(top: Path, ref: str | None = "HEAD", **more: Any) -> Standings:
    known = {
        "environments": ["production"],
        "about": lambda _, release: (release.kind,),
        "before": {},
        "now": {},
    }
    return Pointers(**{"repo": Repo.open(top), "root": "prompts", **known, **more}).standings(ref)


def released(top: Path, git: Git, number: int) -> None:
    text = f"model: a/b\nmessages: [{{role: user, content: Hi {number}}}]\n"
    write(top, "prompts/greet.prompt.yaml", text)
    git("commit", "-q", "-a", "-m", f"Change {number}", cwd=top)
    release(top, freeze(top, number))


def test_pointers_tell_what_is_live_as_all_release_files_do(work: Path, git: Git) -> None:
    assert standing(work) == standing(work, None) == {}
    for number in (1, 2):
        released(work, git, number)
    for ref in ("HEAD~2", "HEAD"):
        record = read_releases(Repo.open(work), ref).live("greet", "production")
        one = standing(work, ref)["greet", "production"]
        assert record is not None
        assert (one.sequence, one.version, one.digest) == (record.sequence, record.version, record.digest)
        assert (one.at, one.by, one.marks) == (record.at, record.by, (record.kind,))
    assert standing(work, environments=["staging"]) == {}


def test_what_a_folder_of_releases_says_is_remembered_and_not_read_again(work: Path, git: Git) -> None:
    released(work, git, 1)
    now: dict[str, Any] = {}
    found = standing(work, now=now)
    before = json.loads(json.dumps(now))
    again: dict[str, Any] = {}
    assert standing(work, before=before, now=again) == found
    assert again == now
    for one in before.values():
        one["live"]["production"]["version"] = 77
    assert standing(work, before=before)["greet", "production"].version == 77
    released(work, git, 2)
    assert standing(work, before=before)["greet", "production"].version == 2


@pytest.mark.parametrize(
    "damage",
    [
        None,
        5,
        [],
        {},
        {"id": "greet", "environments": ["production"]},
        {"id": "greet", "environments": ["production"], "live": {"production": {"marks": []}}},
        {"id": "greet", "environments": ["production"], "live": {"production": None}},
        {"id": "other", "environments": ["production"], "live": {}},
        {"id": "greet", "environments": ["staging"], "live": {}},
    ],
)
def test_what_is_remembered_of_something_else_is_read(work: Path, git: Git, damage: Any) -> None:
    released(work, git, 1)
    now: dict[str, Any] = {}
    found = standing(work, now=now)
    assert standing(work, before=dict.fromkeys(now, damage)) == found


def test_a_rollback_is_looked_at_with_its_evidence_and_again_when_that_changes(work: Path, git: Git) -> None:
    for number in (1, 2):
        released(work, git, number)
    release(work, read_releases(Repo.open(work), "HEAD").version("greet", 1), "rollback")
    now: dict[str, Any] = {}

    def about(releases: Releases, record: Release) -> tuple[str, ...]:
        evidence = releases.evidence("greet", record.evidence) if record.evidence else None
        return (evidence.verdict,) if evidence else ()

    assert standing(work, about=about, now=now)["greet", "production"].marks == ("pass",)
    assert standing(work, about=about, before=now)["greet", "production"].marks == ("pass",)
    git("rm", "-q", "-r", "prompts/releases/greet/evidence", cwd=work)
    git("commit", "-q", "-m", "Take evidence away", cwd=work)
    assert standing(work, about=about, before=now)["greet", "production"].marks == ()


def test_many_folders_are_read_as_few_are(work: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    released(work, git, 1)
    found = standing(work)
    monkeypatch.setattr("promptops.gitstore.pointers._FEW", 0)
    assert standing(work) == found != {}


def test_pointers_that_are_not_here_are_an_error(work: Path, git: Git) -> None:
    released(work, git, 1)
    oid = git("rev-parse", "HEAD:prompts/releases/greet/production.yaml", cwd=work)
    (work / ".git/objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(RepoError, match="objects are missing"):
        standing(work)


def test_a_damaged_pointer_is_an_error_also_when_others_are_remembered(work: Path, git: Git) -> None:
    released(work, git, 1)
    now: dict[str, Any] = {}
    standing(work, now=now)
    file = work / "prompts/releases/greet/production.yaml"
    file.write_text(file.read_text().replace("id: greet", "id: other"))
    git("commit", "-q", "-a", "-m", "Tamper", cwd=work)
    with pytest.raises(IntegrityError, match="is the pointer of other"):
        standing(work, before=now)
