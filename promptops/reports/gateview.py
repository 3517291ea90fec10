"""What a gate says as plain texts: what to say of each prompt and in which order, without any markup.

Comment, summary, terminal and JUnit say the same. Nothing here is escaped; every text is cut to a bounded length.
"""

from __future__ import annotations

from collections.abc import Sequence

from promptops.gated import GatedPrompt, GateReport, Note, Status
from promptops.report import Arm, Change, MetricLine, Report, cut
from promptops.reports.view import Row, view

WORDS: dict[Status, str] = {
    "broken": "Broken",
    "regression": "Regression",
    "stopped": "Not finished",
    "inconclusive": "Inconclusive",
    "released": "Released",
    "new": "New",
    "pass": "Pass",
    "removed": "Removed",
    "unchanged": "Unchanged",
}
# The gravest first.
ORDER = tuple(WORDS)
_IN_THE_WAY: dict[Status, tuple[str, str]] = {
    "broken": ("is broken", "are broken"),
    "regression": ("got worse", "got worse"),
    "stopped": ("could not be tested", "could not be tested"),
    "inconclusive": ("is undecided", "are undecided"),
    "released": ("was released without a passing test", "were released without a passing test"),
}
_FINE: dict[Status, tuple[str, str]] = {
    "pass": ("passes", "pass"),
    "new": ("is new", "are new"),
    "removed": ("is removed", "are removed"),
    "unchanged": ("is unchanged", "are unchanged"),
}
_SAYINGS: dict[Status, str] = {
    "broken": "it cannot be read",
    "stopped": "the test could not finish",
    "released": "it went live without a test that anybody can check",
    "new": "nothing is live",
    "removed": "the prompt file is gone",
    "unchanged": "nothing that a model sees differs from what is live",
}
SHORT, LONG = 160, 400
SHOWN_FIGURES = 2
SHOWN_EXAMPLES = 2
SHOWN_REASONS = 5
_DECIDING = {
    "regression": ("REGRESSION", "WORSE"),
    "inconclusive": ("INCONCLUSIVE", "NOT_SHOWN"),
    "pass": ("BETTER", "PASS"),
}
# Measured without a scorer: of what passes, these say the least.
_IMPLIED = ("answered", "latency", "time_to_first_token", "cost", "input_tokens", "output_tokens")


def ordered(prompts: Sequence[GatedPrompt]) -> list[GatedPrompt]:
    """The gravest first, then by id."""
    return sorted(prompts, key=lambda prompt: (ORDER.index(prompt.status), prompt.id))


def headline(report: GateReport) -> str:
    """One line: the gravest first, and of how many prompts."""
    if report.failed:
        return "this change could not be judged"
    wrong = ["release files are wrong"] if to_mend(report)[0] else []
    return "; ".join([*wrong, *_counted(report.prompts)]) or "no prompt is affected"


def _counted(prompts: Sequence[GatedPrompt]) -> list[str]:
    """What stands in the way, and of how many prompts; or else what does not."""
    bad = [(status, words) for status, words in _IN_THE_WAY.items() if _count(prompts, status)]
    shown = bad or [(status, words) for status, words in _FINE.items() if _count(prompts, status)]
    parts = []
    for number, (status, (one, many)) in enumerate(shown):
        count, total = _count(prompts, status), len(prompts)
        what = "" if number else f" prompt{'s' if count > 1 else ''}"
        if bad and not number and count < total:
            what = f" of {total} prompts"
        parts.append(f"{count}{what} {one if count == 1 else many}")
    return [", ".join(parts)] if parts else []


def _count(prompts: Sequence[GatedPrompt], status: Status) -> int:
    return sum(prompt.status == status for prompt in prompts)


def sides(prompt: GatedPrompt, candidate: str) -> str:
    """Baseline and candidate, as `v12 → PR`; a candidate that is released has its number."""
    before = [] if prompt.baseline is None else [cut(prompt.baseline.short, 40)]
    numbered = prompt.candidate is not None and prompt.candidate.version is not None
    after = [cut(prompt.candidate.short, 40)] if prompt.candidate is not None and numbered else [candidate]
    return " → ".join(before if prompt.status == "removed" else [*before, *after])


def figures(prompt: GatedPrompt) -> str:
    """What decided, in one cell: numbers where there are any, else a sentence."""
    parts = _numbers(prompt.report) if prompt.report is not None else []
    parts = parts or [cut(_saying(prompt), SHORT)]
    if prompt.status == "pass" and prompt.report is not None and prompt.report.verdict == "inconclusive":
        parts.append("undecided, and its gate lets that pass")
    if prompt.evidence is not None and not prompt.said:
        parts.append("by committed evidence")
    if prompt.overruled is not None:
        over = prompt.overruled
        parts.append(f"{over.how} by {cut(over.by, 80)}: {cut(over.reason, SHORT)}")
    return " · ".join(part for part in parts if part)


def _saying(prompt: GatedPrompt) -> str:
    if prompt.said:
        return prompt.said[0]
    if prompt.report is not None and prompt.report.reasons:
        return prompt.report.reasons[0]
    return _SAYINGS.get(prompt.status, "")


def needs_words(prompt: GatedPrompt) -> bool:
    """Whether a person has something to do or to think about; what simply passes has its row."""
    stands_out = prompt.exit_code != 0 or prompt.status == "released"
    return bool(to_merge(prompt)[0]) or (stands_out and bool(sentences(prompt, 1) or prompt.diff))


def sentences(prompt: GatedPrompt, most: int) -> list[str]:
    """What is said about it and does not stand in its cell, or not as a whole."""
    in_the_cell = prompt.report is None or not _numbers(prompt.report)
    whole = in_the_cell and bool(prompt.said) and len(prompt.said[0]) <= SHORT
    return [cut(text, LONG) for text in prompt.said[1 if whole else 0 :][:most]]


def untold(prompt: GatedPrompt, most: int) -> list[str]:
    """The same without what the report says itself, for where it is shown whole."""
    told = prompt.report.reasons if prompt.report is not None else []
    return [text for text in sentences(prompt, most) if text not in told]


def changed(prompt: GatedPrompt) -> str:
    """What of it changed, the first few."""
    more = len(prompt.reasons) - SHOWN_REASONS
    named = ", ".join(cut(reason, SHORT) for reason in prompt.reasons[:SHOWN_REASONS])
    return f"{named} and {more} more" if more > 0 else named


def _numbers(report: Report) -> list[str]:
    pairs = list(zip(report.metrics, view(report).rows, strict=True))
    chosen = [pair for status in _DECIDING[report.verdict] for pair in pairs if pair[0].status == status]
    if report.verdict == "pass":
        chosen = sorted(chosen, key=lambda pair: pair[0].name in _IMPLIED)[:1]
    shown = chosen[:SHOWN_FIGURES]
    parts = [_figure(line, row, report.verdict) for line, row in shown]
    if len(chosen) > len(shown):
        parts.append(f"{len(chosen) - len(shown)} more")
    cost = next((row for line, row in pairs if line.name == "cost" and line.difference is not None), None)
    if cost is not None and "cost" not in {line.name for line, _ in shown}:
        parts.append(f"cost {cost.change}")
    return parts


def _figure(line: MetricLine, row: Row, verdict: str) -> str:
    first = line.baseline_mean is None
    values = row.candidate if first else f"{row.baseline} → {row.candidate}"
    text = f"{cut(line.name, 60)} {values}"
    if row.allowed and (first or verdict != "pass"):
        text += f" (allowed {row.allowed.replace(' (default)', '')})"
    counts = _moved(line) if verdict != "pass" else ""
    return f"{text} · {counts}" if counts else text


def _moved(line: MetricLine) -> str:
    if not (line.broken or line.fixed):
        return ""
    words = ("broken", "fixed") if line.kind == "binary" else ("worse", "better")
    return f"{line.broken or 0} {words[0]}, {line.fixed or 0} {words[1]}"


def broke_most(report: Report) -> str:
    """The slice in which most broke, if it holds more of the broken than of the samples; else nothing."""
    whole = {line.name: (line.broken or 0, line.n) for line in report.metrics if line.broken}
    found = []
    for line in report.slices:
        broken, n = whole.get(line.metric, (0, 0))
        if (line.broken or 0) >= 2 and (line.broken or 0) * n > broken * line.n:
            found.append(line)
    if not found:
        return ""
    most = max(found, key=lambda line: ((line.broken or 0), -line.n))
    broken, n = whole[most.metric]
    return f"{cut(most.slice, 80)}, {most.broken} of {broken} (it holds {most.n} of {n} samples)"


def examples(report: Report) -> list[Change]:
    """The first of what broke, of a metric that got worse if there is one."""
    worse = {line.name for line in report.metrics if line.status in ("REGRESSION", "WORSE")}
    broken = sorted(report.broken, key=lambda change: change.metric not in worse)
    return [_shortened(change) for change in broken[:SHOWN_EXAMPLES]]


def _shortened(change: Change) -> Change:
    short = {
        "sample_id": cut(change.sample_id, 40),
        "input": cut(change.input, SHORT),
        "baseline": _short_arm(change.baseline),
        "candidate": _short_arm(change.candidate),
    }
    return change.model_copy(update=short)


def _short_arm(arm: Arm | None) -> Arm | None:
    if arm is None:
        return None
    return arm.model_copy(update={"text": cut(arm.text, SHORT), "reason": cut(arm.reason, SHORT)})


def to_merge(prompt: GatedPrompt) -> tuple[str, list[str]]:
    """What must happen, and the commands of which one does it; nothing where nothing stands in the way."""
    commands = [cut(command, LONG) for command in prompt.commands[:SHOWN_REASONS]]
    match prompt.status:
        case "regression":
            return ("To merge: fix it, or an owner runs" if commands else "To merge: fix it"), commands
        case "inconclusive" if prompt.report is None and not commands:
            return "To merge: a maintainer decides", commands
        case "inconclusive":
            return ("To merge: show more, or an owner runs" if commands else "To merge: show more"), commands
        case _:
            return ("Next:" if commands else ""), commands


def to_go_on(report: GateReport) -> tuple[str, list[str]]:
    """What must happen where something could not finish: one command for all prompts."""
    if not any(prompt.status == "stopped" for prompt in report.prompts):
        return "", []
    if not report.command:
        return "To go on: run the gate again", []
    return "To go on, a maintainer runs", [cut(report.command, LONG)]


def to_mend(report: GateReport) -> tuple[str, list[str]]:
    """What must happen where release files are wrong: a later commit does not make up for a step."""
    if not any(note.level == "error" for note in report.integrity):
        return "", []
    return "To merge: undo it in the commit that did it, as named by", [
        f"promptops verify --since {report.base[:12]}"
    ]


def remarks(report: GateReport) -> list[Note]:
    """The remarks on the change that no prompt's words repeat."""
    told = {text for prompt in report.prompts for text in prompt.said}
    return [note for note in report.notes if remark(note) not in told]


def place(note: Note) -> str:
    """Where a remark belongs, as `path:line`."""
    path = cut(note.path, SHORT)
    return f"{path}:{note.line}" if note.line else path


def remark(note: Note) -> str:
    where = place(note)
    return f"{where}: {cut(note.message, LONG)}" if where else cut(note.message, LONG)
