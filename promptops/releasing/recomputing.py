"""`verify --recompute`: every verdict from its evidence alone, and every frozen body from its source.

After a commit, a verdict that cannot be reached again is out of sight, as what a shallow checkout hides is.
A room of its own because it needs the gate and its statistics, which a look at files does without.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from promptops.errors import PromptopsError
from promptops.evaluation.again import reach_again
from promptops.gitstore.commitrange import named
from promptops.gitstore.findings import Finding, Severity, error, unchecked, warning
from promptops.gitstore.references import thaw
from promptops.gitstore.releasefiles import place_of
from promptops.gitstore.releases import Releases, folder, read_releases
from promptops.records import parse_evidence, parse_version
from promptops.releasing.checking import Checked
from promptops.workspace import Workspace


def recompute(workspace: Workspace, checked: Checked) -> Checked:
    """Return what was checked with what came of HEAD's verdicts; after a commit, of those that came since."""
    found, count = list(checked.findings), 0
    for root in checked.roots:
        now = _new_since(workspace, root, checked.since)
        again = list(_verdicts(now))
        found += [*(one for rows in again for one in rows), *_sources(now)]
        count += len(again)
    hidden = checked.since is not None and any(one.severity == Severity.UNCHECKED for one in found)
    return replace(checked, findings=tuple(found), again=count, hidden=hidden)


def _new_since(workspace: Workspace, root: str, since: str | None) -> Releases:
    """Return HEAD's release files; with `since` those that this commit has not."""
    repo = workspace.repo
    now = read_releases(repo, repo.head(), root=root)
    if since is None:
        return now
    known = repo.tree(named(repo, since) or since, folder(root))
    return Releases(root=root, files={path: data for path, data in now.files.items() if path not in known})


def _verdicts(releases: Releases) -> Iterator[list[Finding]]:
    """Yield what came of every verdict that was reached again."""
    for path, content in sorted(releases.files.items()):
        place = place_of(path, releases.root)
        if place is None or place.hex is None:
            continue
        try:
            again = reach_again(parse_evidence(content, path=path))
        except PromptopsError:  # it cannot be read: that was said already
            continue
        rows = [error(path, message) for message in again.wrong]
        rows += [warning(path, message) for message in again.odd]
        yield [*rows, *([unchecked(path, again.unknown)] if again.unknown else [])]


def _sources(releases: Releases) -> Iterator[Finding]:
    """Yield the versions whose source, as people read it, does not lead to the body that is sent."""
    for path, content in sorted(releases.files.items()):
        place = place_of(path, releases.root)
        if place is None or place.number is None:
            continue
        try:
            _, warnings = thaw(parse_version(content, path=path), root=releases.root)
        except PromptopsError as problem:
            warnings = (str(problem),)
        if warnings:
            message = (
                "its source does not lead to its body: frozen by another promptops, or not what it seems"
            )
            yield warning(path, message)
