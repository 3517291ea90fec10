"""Reports of earlier runs, for people to look at again; no verdict is ever taken from them."""

from __future__ import annotations

from pydantic import ValidationError

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
            found = Report.model_validate_json(path.read_bytes())
        except (ValidationError, OSError):
            continue  # written by another version of this tool, or just being written
        if prompt is None or found.prompt.id == prompt:
            return found
    raise NothingToDo(
        f"no report of {prompt or 'any prompt'} here yet: promptops test {prompt or ''}".rstrip()
    )
