"""The base as a place to work in: what a pull request must not bring along comes from here and nowhere else.

Configuration, providers, routes, scorers and their code, rubrics, samples and releases are the base commit's files
in a folder of their own. Answers and runs are kept where those of the checkout are, unless the change itself
brings such files: its own answers are never read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from promptops.gitstore.borrowed import borrowed
from promptops.gitstore.commitrange import CommitRange
from promptops.gitstore.repo import TreeEntry
from promptops.gitstore.verify import is_like
from promptops.workspace import STATE, Workspace, open_workspace


@contextmanager
def base_world(
    here: Workspace, change: CommitRange, files: Mapping[str, TreeEntry], state: Path | None
) -> Iterator[Workspace]:
    """Open the base for a while; `here` is the checkout with its configuration.

    `files` are those of the base that somebody may look for, `state` is where answers are kept, None where none are.

    Raises:
        InvalidFile: the base's configuration has problems. RepoError: objects are missing.
    """
    places = tuple(f"{place}/" for place in (here.base, *here.roots) if place)
    inside = {path: one for path, one in files.items() if not here.base or path.startswith(places)}
    branch = here.config.release_branch or "main"
    with borrowed(here.repo, change.base, branch=branch, files=inside) as top:
        place = top / here.base
        for folder in (here.base, *here.roots):  # by which it is found, also with nothing in them
            with suppress(FileExistsError):  # a file: no prompts there
                (top / folder).mkdir(parents=True, exist_ok=True)
        if state is not None:
            state.mkdir(parents=True, exist_ok=True)
            (place / STATE).symlink_to(state, target_is_directory=True)
        yield open_workspace(place, here.environ)


def brings_answers(here: Workspace, paths: Iterable[str]) -> bool:
    """Whether one of these paths of a change, or of what it stands on, is where promptops keeps its answers."""
    kept = (PurePosixPath(here.base) / STATE).as_posix()
    return any(is_like(path, kept) for path in paths)


def without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the few variables that a program needs to start, so that nothing secret is among them."""
    return {
        name: environ[name] for name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR") if name in environ
    }
