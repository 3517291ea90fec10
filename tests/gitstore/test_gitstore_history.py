"""The story of a prompt by its id, with as many git processes for a hundred commits as for one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from gitstore_help import freeze, release, write

from promptops.errors import RepoError
from promptops.gitstore.history import history
from promptops.gitstore.repo import Repo


def text(words: str, head: str = "") -> str:
    return f'{head}model: openai/gpt-4o-mini\nmessages:\n  - {{role: user, content: "{words}"}}\n'


def story(top, prompt="greet", **more):
    rows = history(Repo.open(top), prompt, **more).events
    return [(str(event.kind), event.commit.subject, event.version) for event in rows]


@pytest.fixture
def commit(work, git):
    def make(subject: str, **files: str) -> None:
        for name, content in files.items():
            write(work, f"prompts/{name}.prompt.yaml", content)
        git("add", "-A", cwd=work)
        git("commit", "-q", "--allow-empty", "-m", subject, cwd=work)

    return make


def test_a_story_has_edits_moves_and_releases_newest_first(work, git, commit):
    commit("One", greet=text("One"))
    release(work, freeze(work, 1))
    commit("A comment", greet=text("One", "# why\n"))
    commit("Elsewhere", other=text("Other"))
    (work / "prompts/sub").mkdir()
    git("mv", "prompts/greet.prompt.yaml", "prompts/sub/hello.prompt.yaml", cwd=work)
    commit("Move", **{"sub/hello": text("One", "id: greet\n")})
    commit("Two", **{"sub/hello": text("Two", "id: greet\n")})
    git("rm", "-q", "prompts/sub/hello.prompt.yaml", cwd=work)
    commit("Drop")
    assert story(work) == [
        ("removed", "Drop", None),
        ("changed", "Two", None),
        ("moved", "Move", 1),
        ("touched", "A comment", 1),
        ("released", "promote greet v1", 1),
        ("changed", "One", 1),
        ("created", "Start", None),
    ]
    everything = history(Repo.open(work)).events
    assert [event.id for event in everything].count("other") == 1
    assert everything[2].note == "from prompts/greet.prompt.yaml"


def test_a_file_that_takes_another_id_ends_one_story_and_begins_another(work, commit):
    commit("Rename", greet=text("Hello {{ name }}", "id: hello\n"))
    assert story(work)[0] == ("removed", "Rename", None)
    assert story(work, "hello") == [("created", "Rename", None)]


def test_a_changed_partial_changes_the_prompt_inside_and_outside_of_the_root(work, git, commit):
    write(work, "prompts/tone.md", "a\n")
    write(work, "shared/more.md", "a\n")
    commit("Use", greet=text("{% include 'tone.md' %}{% include '../shared/more.md' %}"))
    write(work, "prompts/tone.md", "b\n")
    commit("Tone")
    write(work, "shared/more.md", "b\n")
    commit("More")
    write(work, "shared/unused.md", "b\n")
    commit("Unused")
    assert [row[1] for row in story(work)] == ["More", "Tone", "Use", "Start"]


def test_a_merge_that_only_joins_is_no_event_and_one_that_resolves_is(work, git, commit):
    git("checkout", "-q", "-b", "side", cwd=work)
    commit("Side", greet=text("Side"))
    git("checkout", "-q", "main", cwd=work)
    commit("Unrelated", other=text("Other"))
    git("merge", "-q", "--no-ff", "-m", "Join", "side", cwd=work)
    assert [row[1] for row in story(work)] == ["Side", "Start"]
    git("checkout", "-q", "-b", "again", cwd=work)
    commit("Again", greet=text("Again"))
    git("checkout", "-q", "main", cwd=work)
    commit("Main", greet=text("Main"))
    git("merge", "-q", "-s", "ours", "--no-commit", "again", cwd=work)
    commit("Resolve", greet=text("Both"))
    assert [row[1] for row in story(work)][:1] == ["Resolve"]
    assert sorted(row[1] for row in story(work)) == ["Again", "Main", "Resolve", "Side", "Start"]


def test_what_was_unreadable_once_is_told_and_hides_nothing(work, commit):
    commit("Break", greet="model: [\n")
    commit("Mend", greet=text("Mended"))
    rows = history(Repo.open(work), "greet").events
    assert [str(event.kind) for event in rows] == ["changed", "unreadable", "created"]
    assert "greet.prompt.yaml" in rows[1].note


def test_releases_of_a_time(work, git, commit, monkeypatch):
    version = freeze(work, 1)
    release(work, version, environment="staging")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-03-01T10:00:00+00:00")
    release(work, version)
    moment = datetime(2026, 2, 1, tzinfo=UTC)
    assert [row[0] for row in story(work, since=moment)] == ["released"]
    assert [row[0] for row in story(work, until="2026-02-01 00:00:00 +0000")] == ["released", "created"]
    event = history(Repo.open(work)).events[0]
    assert (event.release.sequence, event.commit.author, event.commit.email) == (1, "Ada", "ada@example.org")


def test_a_shallow_clone_says_that_its_story_is_cut(work, git, commit, tmp_path):
    commit("Two", greet=text("Two"))
    git("clone", "-q", "--depth", "1", f"file://{work}", "shallow", cwd=tmp_path)
    found = history(Repo.open(tmp_path / "shallow"), "greet")
    assert found.is_cut
    assert [str(event.kind) for event in found.events] == ["created"]
    assert "or earlier" in found.events[0].note


def test_no_commit_no_story_and_an_unknown_ref_is_said(tmp_path, work, git):
    git("init", "-q", "empty", cwd=tmp_path)
    assert history(Repo.open(tmp_path / "empty")).events == ()
    with pytest.raises(RepoError, match="no commit called"):
        history(Repo.open(work), ref="nowhere")
    with pytest.raises(RepoError, match="no commit called"):
        history(Repo.open(work), ref="--all")


def test_odd_subjects_names_and_paths_come_through(work, git, commit):
    git("config", "user.name", "Ö \x1f:\x01", cwd=work)
    commit(":100644 odd \x01\x1f", **{"ä ö/ü": text("Odd", "id: odd\n")})
    event = history(Repo.open(work), "odd").events[0]
    assert (event.path, event.commit.subject) == ("prompts/ä ö/ü.prompt.yaml", ":100644 odd \x01\x1f")
    assert event.commit.author.startswith("Ö")


def test_the_number_of_git_processes_does_not_grow_with_history(work, git, commit, tmp_path, monkeypatch):
    real = git("--exec-path", cwd=work)
    (tmp_path / "bin").mkdir()
    counting = tmp_path / "bin/git"
    counting.write_text(f'#!/bin/sh\necho x >> {tmp_path}/count\nexec {real}/git "$@"\n')
    counting.chmod(0o755)

    def count() -> int:
        (tmp_path / "count").write_text("")
        with monkeypatch.context() as patch:
            patch.setenv("PATH", f"{tmp_path}/bin", prepend=":")
            history(Repo.open(work), "greet")
        return len((tmp_path / "count").read_text())

    release(work, freeze(work, 1))
    few = count()
    for number in range(1, 6):
        commit(f"Commit {number}", greet=text(f"Number {number}"))
        release(work, freeze(work, number + 1))
    assert count() == few <= 2 * 7
