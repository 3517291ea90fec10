"""From a remote's URL to the page on which a pull request is opened; credentials in the URL go nowhere.

Nothing is asked of anybody. Where the host is none of those that are known, what the server said to the push
(`remote: … visit https://…`) is taken, and where it said nothing there is no page.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from promptops.gitstore.repo import Repo

_SCP = re.compile(r"(?:[^@/:]+@)?([^@/:]+):(?!//)(.+)")
_SAID = re.compile(r"^remote:\s+(https?://\S+)\s*$", re.MULTILINE)
_DOORS = ("ssh.", "altssh.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """Where it is opened: a page, and a line to type; None where nobody knows."""

    url: str | None = None
    command: str | None = None


def remote_url(repo: Repo, remote: str) -> str:
    """Return what the configuration says a remote's URL is, before `insteadOf` rewrites it; else what git uses."""
    return repo.config(f"remote.{remote}.url") or repo.line("remote", "get-url", remote) or ""


def web_place(url: str) -> tuple[str, str] | None:
    """Return host and path of a remote's pages; None for a folder or another remote without any."""
    if "://" not in url:
        match = _SCP.fullmatch(url)
        return _place(match[1], match[2]) if match and len(match[1]) > 1 else None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https", "ssh", "git", "git+ssh") or not host:
        return None
    shown = f"{host}:{port}" if port and parts.scheme in ("http", "https") else host
    return _place(shown, parts.path)


def _place(host: str, path: str) -> tuple[str, str] | None:
    name = path.strip("/").removesuffix(".git").strip("/")
    for door in _DOORS:
        host = host.removeprefix(door)
    for known in ("github.com", "gitlab.com", "bitbucket.org"):
        if host == known or host.startswith(f"{known}-"):  # a second account's alias in ~/.ssh/config
            host = known
    return (host.lower(), name) if name else None


def pull_request(url: str, branch: str, into: str, *, title: str, body: str, said: str = "") -> PullRequest:
    """Return where a pull request from a pushed branch into another is opened.

    `url` is the remote's, `said` what the server answered to the push of the branch. The line to type is one line.
    """
    body = "; ".join(line for line in body.split("\n") if line.strip())
    place = web_place(url)
    visit = _SAID.search(said)
    other = PullRequest(url=visit[1] if visit else None)
    if place is None:
        return other
    host, name = place
    start, source, target = f"https://{host}/{quote(name)}", quote(branch), quote(into)
    if "github" in host:
        command = ("gh", "pr", "create", "--base", into, "--head", branch, "--title", title, "--body", body)
        return PullRequest(url=f"{start}/compare/{target}...{source}?expand=1", command=shlex.join(command))
    if "gitlab" in host:
        asked = (
            f"merge_request[source_branch]={quote(branch, '')}&merge_request[target_branch]={quote(into, '')}"
        )
        options = (
            "--source-branch",
            branch,
            "--target-branch",
            into,
            "--title",
            title,
            "--description",
            body,
        )
        return PullRequest(
            url=f"{start}/-/merge_requests/new?{quote(asked, '=&%')}",
            command=shlex.join(("glab", "mr", "create", *options)),
        )
    if host == "bitbucket.org":
        asked = f"source={quote(branch, '')}&dest={quote(into, '')}"
        return PullRequest(url=f"{start}/pull-requests/new?{asked}")
    return other
