"""Reports of earlier runs, for people to look at again; no verdict is ever taken from them."""

from __future__ import annotations

import json

from promptops.errors import NothingToDo
from promptops.report import Report
from promptops.workspace import Workspace


def last_report(workspace: Workspace, prompt: str | None) -> Report:
    """Return the newest report of a prompt, or of any.

    Raises:
        NothingToDo: there is none.
    """
    folders = (workspace.state / "runs").glob("*/report.json")
    newest = sorted(folders, key=lambda path: (path.stat().st_mtime_ns, path), reverse=True)
    for path in newest:
        try:
            # Not pydantic's own JSON: it refuses the half characters that a model may answer with.
            found = Report.model_validate(json.loads(path.read_bytes()))
        except (ValueError, OSError):
            continue  # written by another version of this tool, or just being written
        if prompt is None or found.prompt.id == prompt:
            return found
    raise NothingToDo(
        f"no report of {prompt or 'any prompt'} here yet: promptops test {prompt or ''}".rstrip()
    )
