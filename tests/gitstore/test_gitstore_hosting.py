"""From the URL of a remote to the page of a pull request, for every way in which such a URL is written."""

from __future__ import annotations

import shlex

import pytest

from promptops.gitstore.hosting import PullRequest, pull_request, web_place

BRANCH = "promptops/rollback-production-greet-v1-5"


def asked(url: str, *, into: str = "main", title: str = "Roll back", said: str = "") -> PullRequest:
    return pull_request(url, BRANCH, into, title=title, body="why", said=said)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("git@github.com:acme/app.git", ("github.com", "acme/app")),
        ("github.com:acme/app", ("github.com", "acme/app")),
        ("git@github.com-work:acme/app.git", ("github.com", "acme/app")),
        ("ssh://git@github.com:22/acme/app.git/", ("github.com", "acme/app")),
        ("ssh://git@ssh.github.com:443/acme/app.git", ("github.com", "acme/app")),
        ("https://github.com/acme/app.git", ("github.com", "acme/app")),
        ("https://ada:secret@github.com/acme/app.git", ("github.com", "acme/app")),
        ("https://git.acme.org:8443/team/sub/app", ("git.acme.org:8443", "team/sub/app")),
        ("https://github.com/", None),
        ("https://[broken/acme/app", None),
        ("https://github.com:port/acme/app", None),
        ("file:///srv/app.git", None),
        ("/srv/app.git", None),
        ("../app.git", None),
        ("C:/work/app.git", None),
        ("", None),
    ],
)
def test_the_pages_of_a_remote_are_found_from_its_url(url: str, place: tuple[str, str] | None) -> None:
    assert web_place(url) == place


@pytest.mark.parametrize(
    ("url", "page"),
    [
        (
            "git@github.com:acme/app.git",
            f"https://github.com/acme/app/compare/main...{BRANCH}?expand=1",
        ),
        (
            "https://github.acme.org/acme/app",
            f"https://github.acme.org/acme/app/compare/main...{BRANCH}?expand=1",
        ),
        (
            "git@gitlab.com:acme/sub/app.git",
            "https://gitlab.com/acme/sub/app/-/merge_requests/new?merge_request%5Bsource_branch%5D="
            f"{BRANCH.replace('/', '%2F')}&merge_request%5Btarget_branch%5D=main",
        ),
        (
            "git@bitbucket.org:acme/app.git",
            f"https://bitbucket.org/acme/app/pull-requests/new?source={BRANCH.replace('/', '%2F')}&dest=main",
        ),
        ("/srv/app.git", None),
        ("https://git.acme.org/app", None),
    ],
)
def test_every_host_has_its_own_page(url: str, page: str | None) -> None:
    assert asked(url).url == page


def test_github_and_gitlab_have_a_line_to_type_that_a_shell_reads_as_it_is_meant() -> None:
    title = "Roll 'greet' back; $(rm -rf /) `x`"
    command = asked("git@github.com:acme/app.git", into="release/eu $HOME", title=title).command or ""
    assert shlex.split(command) == (
        [
            "gh",
            "pr",
            "create",
            "--base",
            "release/eu $HOME",
            "--head",
            BRANCH,
            "--title",
            title,
            "--body",
            "why",
        ]
    )
    assert (asked("git@gitlab.com:acme/app.git").command or "").startswith("glab mr create --source-branch")
    assert asked("git@bitbucket.org:acme/app.git").command is None


def test_an_unknown_host_may_say_itself_where_it_is_opened() -> None:
    said = "remote: \nremote: Create a pull request:    \nremote:   https://git.acme.org/app/compare/main...x    \n"
    assert asked("https://git.acme.org/app", said=said).url == "https://git.acme.org/app/compare/main...x"


def test_no_page_and_no_line_holds_a_password() -> None:
    for host in ("github.com", "gitlab.com", "bitbucket.org", "git.acme.org"):
        assert "secret" not in repr(asked(f"https://ada:secret@{host}/acme/app.git"))
