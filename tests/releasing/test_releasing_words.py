"""What a release says about when it takes effect, and which times `log` understands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from promptops.errors import InvalidInput, RepoError
from promptops.gitstore.moving import Committed
from promptops.gitstore.releases import ReleaseRef, Releases
from promptops.records import Version, body_digest
from promptops.releasing.base import Ground, push_branch
from promptops.releasing.outcome import moment_text, takes_effect
from promptops.releasing.story import moment
from promptops.succession import following

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
BODY = {"model": "openai/x", "messages": [{"role": "user", "content": "Hello"}]}


def ground(ref: str) -> Ground:
    none = Releases(root="prompts", files={})
    return Ground(
        prompt="greet",
        root="prompts",
        parent="0" * 40,
        here=none,
        live=none,
        ref=ReleaseRef(ref=ref, commit="0" * 40, remote="origin"),
    )


def said(ref: str, branch: str, *, remote: str | None = None, local: bool = True) -> tuple[str, ...]:
    version = Version(
        id="greet",
        version=2,
        digest=body_digest(BODY),
        path="prompts/greet.prompt.yaml",
        source="",
        partials={},
        body=BODY,
    )
    release = following(
        None,
        version=version,
        environment="production",
        kind="first",
        evidence=None,
        reason="",
        by="Ada",
        at=moment_text(NOW),
    )
    committed = Committed(commit="1" * 40, parent="0" * 40, branch=branch, remote=remote, local=local)
    return takes_effect(ground(ref), release, committed)


@pytest.mark.parametrize(
    ("ref", "branch", "words"),
    [
        ("refs/heads/main", "main", "is live in production on main; programs take it when they reload"),
        ("refs/remotes/origin/main", "main", "here; it takes effect with git push"),
        ("refs/remotes/origin/main", "kinder", "it takes effect when kinder is merged into main"),
        ("refs/heads/main", "kinder", "it takes effect when kinder is merged into main"),
        ("refs/remotes/origin/release/eu", "release/eu", "it takes effect with git push"),
        ("refs/remotes/origin/release/eu", "eu", "it takes effect when eu is merged into release/eu"),
        ("HEAD", "main", "it takes effect on the release branch"),
    ],
)
def test_a_release_says_when_it_takes_effect(ref: str, branch: str, words: str) -> None:
    (line,) = said(ref, branch)
    assert line.startswith("greet v2 is ")
    assert words in line


def test_a_push_is_live_at_once_and_tells_of_work_that_is_only_here() -> None:
    assert said("refs/remotes/origin/main", "main", remote="origin") == (
        "greet v2 is live in production on main at origin; programs take it when they reload",
    )


def test_a_push_needs_a_branch() -> None:
    assert push_branch(ground("refs/remotes/origin/release/eu")) == "release/eu"
    assert push_branch(ground("refs/heads/main")) == "main"
    with pytest.raises(RepoError, match="set release_branch"):
        push_branch(ground("HEAD"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12h", NOW - timedelta(hours=12)),
        (" 7d ", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(weeks=2)),
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T12:00:00+02:00", datetime(2026, 1, 1, 10, tzinfo=UTC)),
    ],
)
def test_times_are_spans_before_now_or_dates(text: str, expected: datetime) -> None:
    assert moment(text, now=NOW) == expected


@pytest.mark.parametrize("text", ["", "soon", "12", "h", "-1d", "999999w", "2026-13-01", "12hours"])
def test_anything_else_is_no_time(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no time; write 12h, 7d, 14:05 or 2026-03-01"):
        moment(text, now=NOW)
