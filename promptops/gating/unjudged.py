"""Releases of a change that the test of what it makes live does not cover: those on the way, and those elsewhere.

A version that was released on the way to another is one that a rollback may go back to without asking a model, and
programs may read another environment than the one that candidates are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator

from promptops.errors import PromptopsError
from promptops.gating.affected import Affected
from promptops.gating.standing import doubts
from promptops.gitstore.releases import Releases
from promptops.records import Fallback, Release


def unjudged(one: Affected, live: str, base: Releases, head: Releases, *, believed: bool) -> tuple[str, ...]:
    """Return what nobody has tested of a change's releases, in sentences; `live` is the environment that is judged.

    `base` and `head` are the release files of both commits; `believed` says whether committed evidence counts.
    """
    found = []
    for environment in sorted(one.moved):
        try:
            before, after = base.live(one.id, environment), head.live(one.id, environment)
        except PromptopsError as error:
            found.append(str(error))
            continue
        if after is None:
            found += [f"the change deletes what is live in {environment}"] if before is not None else []
        elif after != before:
            found += _on_the_way(before, after, head, believed=believed)
            found += _elsewhere(one, before, after, base) if environment != live else ()
    return tuple(found)


def _on_the_way(before: Release | None, after: Release, head: Releases, *, believed: bool) -> Iterator[str]:
    """Yield the versions that were live for a while within the change, and that a rollback would take.

    Where nothing was live before, a first release is adopted as it is, and so is what it went on from.
    """
    if before is None and believed:
        return
    known = [] if before is None else [(before.version, before.digest), *map(_name, before.fallbacks)]
    for old in after.fallbacks:
        if _name(old) in known or (believed and _passed(head, after.id, old)):
            continue
        yield (
            f"releases v{old.version} on the way to v{after.version}, and a rollback could go back to it; "
            f"nothing here says that it passed: release v{after.version} alone"
        )


def _name(old: Fallback) -> tuple[int, str]:
    return old.version, old.digest


def _passed(head: Releases, prompt: str, old: Fallback) -> bool:
    try:
        evidence = head.evidence(prompt, old.evidence) if old.evidence is not None else None
    except PromptopsError:
        return False
    if evidence is None or evidence.verdict != "pass" or evidence.candidate != old.digest:
        return False
    return not doubts(evidence)


def _elsewhere(one: Affected, before: Release | None, after: Release, base: Releases) -> Iterator[str]:
    """Yield what another environment gets that is neither tested here nor known to the base."""
    known = {one.after.digest} if one.after is not None else set()
    if before is not None and after.kind == "rollback":
        known |= {old.digest for old in before.fallbacks if old.evidence is not None}
    for environment in base.environments(one.id):
        if (there := base.live(one.id, environment)) is not None:
            known.add(there.digest)
    if after.digest not in known:
        yield (
            f"releases v{after.version} in {after.environment}, which is neither what its file says "
            "nor live anywhere: nobody tested it here"
        )
