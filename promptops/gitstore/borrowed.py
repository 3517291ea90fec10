"""A repository for a while that borrows another's objects and stands on one commit, with files of that commit.

What works in it works as on the day of that commit: its files, its configuration, its releases. No hook, no filter
and no setting of the other repository comes along; links among its files lead nowhere outside of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from promptops.gitstore.repo import Repo, TreeEntry


@contextmanager
def borrowed(repo: Repo, commit: str, *, branch: str, files: Mapping[str, TreeEntry]) -> Iterator[Path]:
    """Give the folder of a repository whose `branch` is at `commit`, with these files of it and no symbolic links.

    Raises:
        RepoError: git cannot; an object is missing.
    """
    with TemporaryDirectory(prefix="promptops-base-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve() / "base"
        form = ["--object-format=sha256"] if len(commit) == 64 else []
        # Not `write`: inside a hook it would name the other repository, and begin that one anew.
        repo.read("init", "--quiet", "--template=", *form, f"--initial-branch={branch}", str(folder))
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
        rows = (f"{one.mode} {one.oid}\t{path}\0" for path, one in files.items() if one.is_file)
        new.read("update-index", "-z", "--index-info", stdin=os.fsencode("".join(rows)))
        new.read("checkout-index", "--quiet", "--all")
        yield folder
