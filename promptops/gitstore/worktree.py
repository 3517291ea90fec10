"""The release files of the work tree against those of the commit: what a program would load, byte by byte.

Git's own word is not enough: it looks at a file's time and size first, and not at all at paths that were marked to be
left alone. Lines may end in CRLF as a checkout writes them, all of them in a file or none.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from promptops.gitstore.findings import Finding, error
from promptops.gitstore.releasefiles import place_of
from promptops.gitstore.releases import folder
from promptops.gitstore.repo import Repo, TreeEntry

# No symbolic link is followed, and nothing is waited for.
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_RESTORE = "restore it with git restore --staged --worktree, or delete it"
_WHAT = {"?": "is not committed", "!": "is ignored by git, and would be loaded", "D": "was deleted by hand"}


def work_tree_findings(repo: Repo, commit: str, root: str) -> Iterator[Finding]:
    """Yield what the work tree has otherwise than the commit, if that is HEAD's."""
    if repo.work_tree is None or commit != repo.head():
        return
    changed = repo.changed(folder(root))
    for path, letters in sorted(changed.items()):
        what = _WHAT.get(letters.strip()[:1], "was edited by hand")
        yield error(path, f"{what}; {_RESTORE}")
    entries, top = repo.tree(commit, folder(root)), str(repo.work_tree)
    for path, entry in entries.items():
        if path not in changed and not _is_same(f"{top}/{path}", entry):
            yield error(path, f"was edited by hand, and git was told not to look; {_RESTORE}")
    for path in _found(top, root):
        if path not in entries and path not in changed:
            yield error(path, f"{_WHAT['!']}; {_RESTORE}")


def _is_same(path: str, entry: TreeEntry) -> bool:
    """Whether a file has the bytes of an object; one that is not there at all is left to git (a sparse checkout)."""
    if not entry.is_file:
        return True
    try:
        with os.fdopen(os.open(path, _READ), "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    if _name(content, entry.oid) == entry.oid:
        return True
    ends = content.count(b"\r\n")
    return ends == content.count(b"\n") > 0 and _name(content.replace(b"\r\n", b"\n"), entry.oid) == entry.oid


def _name(content: bytes, like: str) -> str:
    """Return the name that git gives to these bytes, by the same hash as a name that it gave."""
    data = b"blob %d\0%b" % (len(content), content)
    return (
        hashlib.sha256(data) if len(like) == 64 else hashlib.sha1(data, usedforsecurity=False)
    ).hexdigest()


def _found(top: str, root: str) -> Iterator[str]:
    """Yield what a program could take for a release file: by its name, or in a folder that is a link."""
    for place, folders, names in os.walk(f"{top}/{folder(root)}"):
        inside = place.removeprefix(f"{top}/")
        yield from (path for name in names if place_of(path := f"{inside}/{name}", root) is not None)
        yield from (f"{inside}/{name}" for name in folders if Path(place, name).is_symlink())
