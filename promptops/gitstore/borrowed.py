"""A repository for a while that borrows another's objects and stands on one commit, with that commit's files.

What works in it works as on the day of that commit: its files, its configuration, its releases. No hook, no filter
and no setting of the other repository comes along; links among its files lead nowhere outside of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from promptops.gitstore.repo import Repo


@contextmanager
def borrowed(repo: Repo, commit: str, *, branch: str, wanted: Callable[[str], bool]) -> Iterator[Path]:
    """Give the folder of a repository whose `branch` is at `commit`, with those files that are `wanted` by their path.

    Raises:
        RepoError: git cannot; an object is missing.
    """
    with TemporaryDirectory(prefix="promptops-base-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve() / "base"
        # Not `write`: inside a hook it would name the other repository, and begin that one anew.
        repo.read("init", "--quiet", "--template=", *_format(repo), f"--initial-branch={branch}", str(folder))
        own = folder / ".git"
        # Hostile text has no place in this file: git reads lines of paths, and this one is ours.
        (own / "objects" / "info" / "alternates").write_bytes(
            os.fsencode(repo.common_dir / "objects") + b"\n"
        )
        if repo.is_shallow:
            (own / "shallow").write_bytes((repo.common_dir / "shallow").read_bytes())
        new = Repo.open(folder)
        # GitPython, which `write` goes through, takes 0.1 s to import, and this repository has no hooks.
        new.read("update-ref", f"refs/heads/{branch}", commit)
        new.read("read-tree", commit)
        entries = new.tree(commit, ".")
        paths = [path for path, entry in entries.items() if entry.is_file and wanted(path)]
        listed = b"".join(os.fsencode(path) + b"\0" for path in paths)
        new.read("checkout-index", "--quiet", "-z", "--stdin", stdin=listed)
        yield folder


def _format(repo: Repo) -> list[str]:
    found = repo.line("rev-parse", "--show-object-format")
    return [f"--object-format={found}"] if found and found != "sha1" else []
