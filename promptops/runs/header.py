"""`run.json`: of what a run is, and what only the run could tell. Its digests decide whether it may be resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptops.errors import IntegrityError, RunStopped
from promptops.runs.whole import writing

SCHEMA = "promptops.run/1"


def read_header(path: Path) -> dict[str, Any]:
    """Return what a run has written down of itself.

    Raises:
        IntegrityError: that is no header of a run.
    """
    try:
        found = json.loads(path.read_bytes())
        dict(found["digests"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise IntegrityError(f"{path} is no header of a run; delete the folder to begin anew") from error
    return dict(found)


def check_header(path: Path, header: Mapping[str, Any]) -> None:
    """Refuse to resume a run of something else.

    Raises:
        IntegrityError: other digests, by name.
    """
    before, now = read_header(path)["digests"], dict(header.get("digests", {}))
    unlike = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if unlike:
        raise IntegrityError(
            f"{path} is of another run: {', '.join(unlike)} changed; delete the folder to begin anew"
        )


def write_header(path: Path, header: Mapping[str, Any]) -> None:
    """Write it down.

    Raises:
        RunStopped: the disk is full or gone.
    """
    put(path, json.dumps({"schema": SCHEMA, **header}, indent=2, sort_keys=True, allow_nan=False) + "\n")


def put(path: Path, text: str) -> None:
    """Write a file of a run, instead of an earlier one.

    Raises:
        RunStopped: the disk is full or gone; the earlier one is still there.
    """
    try:
        with writing(path) as file:
            file.write(text.encode("utf-8"))
    except OSError as error:
        raise RunStopped(
            f"cannot write {path}: {error.strerror}; what was finished is kept; run again to resume"
        ) from error
