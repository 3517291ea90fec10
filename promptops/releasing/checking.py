"""`promptops verify`: are the committed releases what promptops wrote, and what could not be checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from promptops.gitstore.verify import Finding, Severity, verify
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        return 6 if any(one.severity == Severity.ERROR for one in self.findings) else 0

    def lines(self) -> list[str]:
        found = [f"{one.severity.value}: {one}" for one in self.findings]
        errors = sum(one.severity == Severity.ERROR for one in self.findings)
        if errors:
            return [
                *found,
                f"{errors} error{'s' if errors > 1 else ''}: a release is not what promptops wrote",
            ]
        open_ones = sum(one.severity == Severity.UNCHECKED for one in self.findings)
        left = f"; {open_ones} could not be checked" if open_ones else ""
        return [*found, f"every release file and its history is as it was written{left}"]

    def as_json(self) -> dict[str, Any]:
        rows = [
            {"severity": one.severity.value, "path": one.path, "commit": one.commit, "message": one.message}
            for one in self.findings
        ]
        return {"schema": "promptops.verify/1", "findings": rows, "exit_code": self.exit_code}


def check(workspace: Workspace) -> Checked:
    """Check the releases of HEAD and the history behind it."""
    findings = [one for root in workspace.roots for one in verify(workspace.repo, "HEAD", root=root)]
    return Checked(findings=tuple(findings))
