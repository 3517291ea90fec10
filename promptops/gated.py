"""What the gate says of a change: every prompt that it affects, and one exit code (`promptops.gate/1`).

A value like a report, and as hostile: it holds words of the pull request, of samples and of models, which are
escaped where they are shown. What takes no effect here, because the base decides, is said first.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from promptops.report import Part, Report, Side

SCHEMA = "promptops.gate/1"

Status = Literal[
    "broken", "regression", "stopped", "inconclusive", "new", "unchanged", "removed", "released", "pass"
]
# The gravest first: what cannot be read, harm, what could not finish, what is open; the rest passes.
_CODES: dict[Status, int] = {"broken": 2, "regression": 3, "stopped": 7, "inconclusive": 4}
_GRAVITY = (6, 2, 3, 7, 4)


class Note(Part):
    """One remark on a line of the change; `line` and `column` count from 1, 0 is the whole file."""

    level: Literal["error", "warning", "notice"]
    path: str
    line: int = 0
    column: int = 0
    message: str


class Overruled(Part):
    """A release that a person let through although its test did not."""

    how: Literal["forced", "accepted", "adopted"]
    by: str
    reason: str


class GatedPrompt(Part):
    """One affected prompt.

    `reasons` says what of it changed: `the prompt`, a path, `policy`. `said` are sentences about it, the first one
    the most important. `report` is of the test that ran here, or None; `evidence` names the committed evidence that
    stood for a test. `commands` are what a maintainer types to go on. `diff` is the change in the words of the
    prompt, one line a row. A `released` prompt went live by the change without a test that anybody can check. `line`
    is the first one of its file that the change wrote, 0 where that is not known.
    """

    id: str
    path: str
    line: int = 0
    status: Status
    reasons: list[str] = []
    baseline: Side | None = None
    candidate: Side | None = None
    said: list[str] = []
    report: Report | None = None
    evidence: str | None = None
    overruled: Overruled | None = None
    diff: list[str] = []
    commands: list[str] = []

    @property
    def exit_code(self) -> int:
        return _CODES.get(self.status, 0)


class GateReport(Part):
    """All of it. `first` is what people must see before any verdict: a loosened policy, easier samples.

    `integrity` holds what is wrong with release files in the change, `notes` the remarks on its lines, `said` what
    concerns no prompt alone. `base` and `head` are commits. `failed` is the exit code of what kept it from judging
    anything, and `said` tells what that was. `command` is what a maintainer types to have the change judged again.
    """

    schema_: str = Field(default=SCHEMA, alias="schema")
    base: str
    head: str
    first: list[str] = []
    prompts: list[GatedPrompt] = []
    integrity: list[Note] = []
    notes: list[Note] = []
    said: list[str] = []
    untrusted: bool = False
    failed: int = 0
    command: str = ""
    tool_version: str = ""

    @property
    def affects(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.prompts or self.first or self.integrity or self.failed)

    def exit_code(self) -> int:
        if self.failed:
            return self.failed
        codes = {prompt.exit_code for prompt in self.prompts}
        if any(note.level == "error" for note in self.integrity):
            codes.add(6)
        return next((code for code in _GRAVITY if code in codes), 0)
