"""`log -e` and `log --at`: what was live when, by the release branch and the times at which it got there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from remote_help import Remote, files_of, frozen, git
from typed import Run

from promptops.errors import InvalidInput
from promptops.gitstore.releases import read_releases
from promptops.gitstore.repo import Repo
from promptops.releasing.story import moment

ONE, TWO = "greet-0", "greet-1"


@pytest.fixture
def day(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One day in March: v3 is made at 08:00 and merged at 13:50; at 14:30 it is rolled back."""
    top = Remote(bare=bare, url=f"file://{bare}").clone("work")

    def clock(time: str) -> None:
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"2026-03-01T{time}:00+00:00")
        monkeypatch.setenv("GIT_AUTHOR_DATE", f"2026-03-01T{time}:00+00:00")

    clock("08:00")
    git(top, "checkout", "-q", "-b", "kinder")
    for number in (3, 4):  # v3 is never live: v4 replaces it before the merge
        release(top, ONE, number)
    clock("09:00")
    git(top, "checkout", "-q", "main")
    git(top, "commit", "-q", "--allow-empty", "-m", "Something else")
    clock("13:50")
    git(top, "merge", "-q", "--no-ff", "-m", "Merge kinder", "kinder")
    clock("14:30")
    release(top, ONE, 5)
    git(top, "push", "-q", "origin", "main")
    git(top, "checkout", "-q", "-b", "later")
    clock("15:00")
    release(top, ONE, 6)
    return top


def release(top: Path, prompt: str, number: int) -> None:
    before = read_releases(Repo.open(top), "HEAD", prompt=prompt).live(prompt, "production")
    files, _ = files_of(frozen(prompt, number), before)
    for path, content in files.items():
        (top / path).write_bytes(content)
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", f"Promote {prompt} v{number}")


@pytest.mark.parametrize(
    ("time", "version", "until"),
    [
        ("13:49:59", 2, "2026-03-01T13:50:00Z"),
        ("13:50", 4, "2026-03-01T14:30:00Z"),
        ("14:05", 4, "2026-03-01T14:30:00Z"),
        ("14:30", 5, None),
        ("15:30", 5, None),
    ],
)
def test_a_release_is_live_from_when_it_reached_the_branch(
    day: Path, run: Run, time: str, version: int, until: str | None
) -> None:
    said = run(day, "log", ONE, "-e", "production", "--at", f"2026-03-01T{time}", "--json")
    assert said.code == 0, said
    assert said.json["schema"] == "promptops.live/1"
    (one,) = said.json["prompts"]
    assert (one["id"], one["version"], one["until"]) == (ONE, version, until)


def test_the_answer_names_every_prompt_the_commit_and_what_is_not_known(day: Path, run: Run) -> None:
    said = run(day, "log", "--at", "2026-03-01 16:05+02:00")
    lines = said.out.split("\n")
    assert lines[0] == "production at 2026-03-01 14:05:00 UTC, by origin/main"
    assert lines[1].startswith(
        "greet-0   v4   since 2026-03-01 13:50:00   until 2026-03-01 14:30:00 (then v5)"
    )
    assert git(day, "rev-parse", "origin/main~1")[:8] in lines[1]
    assert lines[2].startswith("greet-1   v2   since 2026-01-05 10:00:00   still live")
    assert "note: origin/main as of the last git fetch here" in lines
    assert any("programs take it when they reload" in line for line in lines)


@pytest.mark.parametrize(
    ("dated", "since"),
    [
        ("2026-03-01T14:31", "2026-03-01T14:31:00Z"),
        ("2099-01-01T00:00", "2026-03-01T15:00:00Z"),
        ("1980-01-01T00:00", "2026-03-01T14:30:00Z"),
    ],
)
def test_a_clock_that_is_wrong_is_not_believed_and_said(
    day: Path, run: Run, monkeypatch: pytest.MonkeyPatch, dated: str, since: str
) -> None:
    git(day, "checkout", "-q", "main")
    for time, number in ((f"{dated}:00+00:00", 6), ("2026-03-01T15:00:00+00:00", 7)):
        monkeypatch.setenv("GIT_COMMITTER_DATE", time)
        release(day, ONE, number)
    git(day, "push", "-q", "origin", "main")
    said = run(day, "log", ONE, "--at", "2026-03-01T14:40", "--json").json
    wrong = dated[:4] != "2026"
    assert any("which cannot be" in note for note in said["notes"]) == wrong
    assert said["prompts"][0]["version"] == (5 if dated.startswith("2099") else 6)
    then = run(day, "log", ONE, "--at", "2026-03-01T15:00", "--json").json["prompts"]
    assert (then[0]["version"], then[0]["since"]) == (7, "2026-03-01T15:00:00Z")
    lives = run(day, "log", ONE, "-e", "production", "--since", since[:-1], "--json").json["events"]
    assert [one["version"] for one in lives if one["version"] in (6, 7)] == [7, 6]


def test_before_the_first_release_nothing_was_live(day: Path, run: Run) -> None:
    said = run(day, "log", "--at", "2025-12-24")
    assert (said.code, said.out.split("\n")[1]) == (0, "nothing was live")


def test_a_shallow_clone_says_that_it_does_not_reach_back(day: Path, bare: Path, run: Run) -> None:
    git(bare.parent, "clone", "-q", "--depth", "1", f"file://{bare}", "shallow")
    shallow = bare.parent / "shallow"
    assert "v5" in run(shallow, "log", ONE, "--at", "2026-03-01T14:31").out
    said = run(shallow, "log", ONE, "--at", "2026-03-01T14:05")
    assert said.code == 2
    assert "this clone's history begins at 2026-03-01T14:30:00Z" in said.err
    assert "git fetch --unshallow" in said.err


def test_the_story_of_an_environment_is_that_of_the_release_branch(day: Path, run: Run) -> None:
    rows = run(day, "log", ONE, "-e", "production", "--json").json["events"]
    assert [(row["version"], row["date"]) for row in rows[:2]] == [
        (5, "2026-03-01T14:30:00Z"),
        (4, "2026-03-01T13:50:00Z"),
    ]
    assert [row["version"] for row in rows[2:]] == [2, 1]
    since = run(day, "log", ONE, "-e", "production", "--since", "2026-03-01T13:00", "--json").json["events"]
    assert [row["version"] for row in since] == [5, 4], "made at 8, live since 13:50"


def test_a_pointer_that_nobody_can_read_is_told_as_that(day: Path, run: Run) -> None:
    git(day, "checkout", "-q", "main")
    (day / f"prompts/releases/{TWO}/production.yaml").write_text("nonsense: [\n")
    git(day, "commit", "-q", "-a", "-m", "Oh")
    git(day, "push", "-q")
    said = run(day, "log", TWO, "--at", "2026-03-02")
    assert said.code == 0
    assert "unreadable" in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--at", "2999-01-01"), "is yet to come"),
        (("--at", "25:00"), "is no time"),
        (("--at", "14:05", "--since", "12h"), "--at is one moment"),
        (("greet-9", "--at", "2026-03-01"), "did you mean greet-"),
    ],
)
def test_what_no_moment_is_or_no_prompt_is_said(
    day: Path, run: Run, arguments: tuple[str, ...], words: str
) -> None:
    said = run(day, "log", *arguments)
    assert said.code == 2
    assert words in said.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [("14:05", "2026-01-04T14:05:00"), ("9:59:59", "2026-01-05T09:59:59"), ("10:00", "2026-01-05T10:00:00")],
)
def test_a_time_of_day_is_the_last_time_that_it_was_that(text: str, expected: str) -> None:
    now = datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert moment(text, now=now) == datetime.fromisoformat(f"{expected}+00:00")


@pytest.mark.parametrize("text", ["24:00", "1:5", "14:60", "14:05:61"])
def test_no_other_is_a_time_of_day(text: str) -> None:
    with pytest.raises(InvalidInput):
        moment(text, now=datetime(2026, 1, 5, tzinfo=UTC))
