"""What a gate says as plain texts: what to say of each prompt and in which order, without any markup.

Comment, summary, terminal and JUnit say the same. Nothing here is escaped; every text is cut to a bounded length.
"""

from __future__ import annotations

from collections.abc import Sequence

from promptops.gated import GatedPrompt, GateReport, Status
from promptops.report import Arm, Change, MetricLine, Report, cut
from promptops.reports.view import Row, view

# The gravest first.
ORDER: tuple[Status, ...] = (
    "broken",
    "regression",
    "stopped",
    "inconclusive",
    "released",
    "new",
    "pass",
    "removed",
    "unchanged",
)
WORDS: dict[Status, str] = {
    "broken": "Broken",
    "regression": "Regression",
    "stopped": "Not finished",
    "inconclusive": "Inconclusive",
    "released": "Released untested",
    "new": "New",
    "pass": "Pass",
    "removed": "Removed",
    "unchanged": "Unchanged",
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
_DECIDING = {
    "regression": ("REGRESSION", "WORSE"),
    "inconclusive": ("INCONCLUSIVE", "NOT_SHOWN"),
    "pass": ("BETTER", "PASS"),
}
# Measured without a scorer: they decide rarely, and are named where they do.
_IMPLIED = ("answered", "latency", "time_to_first_token", "cost", "input_tokens", "output_tokens")


def ordered(prompts: Sequence[GatedPrompt]) -> list[GatedPrompt]:
    """The gravest first, then by id."""
    return sorted(prompts, key=lambda prompt: (ORDER.index(prompt.status), prompt.id))


def is_empty(report: GateReport) -> bool:
    """Whether nothing is affected and there is nothing to say."""
    return not (report.prompts or report.first or report.integrity or report.notes or report.said)


def headline(report: GateReport) -> str:
    """One line: the gravest first, and of how many prompts."""
    if is_empty(report):
        return "no prompt is affected"
    wrong = ["release files are wrong"] if any(one.level == "error" for one in report.integrity) else []
    return "; ".join([*wrong, *_counts(report.prompts)]) or "no prompt is affected"


def _counts(prompts: Sequence[GatedPrompt]) -> list[str]:
    """How many of the prompts are what; only the first count says of how many."""
    if not prompts:
        return []
    total = len(prompts)
    verbs: dict[Status, tuple[str, str]] = {
        "broken": ("is broken", "are broken"),
        "regression": ("got worse", "got worse"),
        "stopped": ("could not be tested", "could not be tested"),
        "inconclusive": ("is undecided", "are undecided"),
        "released": ("was released untested", "were released untested"),
    }
    said: list[str] = []
    for status, (one, many) in verbs.items():
        count = sum(prompt.status == status for prompt in prompts)
        if count:
            of = f" of {total} prompts" if not said else ""
            said.append(f"{count}{of} {one if count == 1 else many}")
    if said:
        return [", ".join(said)]
    return ["the prompt passes" if total == 1 else f"all {total} prompts pass"]


def sides(prompt: GatedPrompt, candidate: str) -> str:
    """Baseline and candidate, as `v12 → PR`."""
    if prompt.baseline is None:
        return candidate
    return f"{cut(prompt.baseline.short, 40)} → {candidate}"


def figures(prompt: GatedPrompt) -> str:
    """What decided, in one cell: numbers where there are any, else a sentence."""
    parts = _numbers(prompt.report) if prompt.report is not None else []
    if not parts:
        parts = [cut(_saying(prompt), SHORT)]
    if prompt.evidence is not None:
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


def _numbers(report: Report) -> list[str]:
    pairs = list(zip(report.metrics, view(report).rows, strict=True))
    chosen = [pair for status in _DECIDING[report.verdict] for pair in pairs if pair[0].status == status]
    if report.verdict == "pass":
        chosen = sorted(chosen, key=lambda pair: pair[0].name in _IMPLIED)[:1]
    parts = [_figure(line, row, report.verdict) for line, row in chosen[:SHOWN_FIGURES]]
    if len(chosen) > SHOWN_FIGURES:
        parts.append(f"{len(chosen) - SHOWN_FIGURES} metrics more")
    named = {line.name for line, _ in chosen[:SHOWN_FIGURES]}
    cost = next((row for line, row in pairs if line.name == "cost" and line.difference is not None), None)
    return parts + ([f"cost {cost.change}"] if cost is not None and "cost" not in named else [])


def _figure(line: MetricLine, row: Row, verdict: str) -> str:
    text = f"{cut(line.name, 60)} {row.baseline} → {row.candidate}"
    if line.baseline_mean is None:
        text = f"{cut(line.name, 60)} {row.candidate}"
    if row.allowed and (verdict != "pass" or line.baseline_mean is None):
        text += f" (allowed {row.allowed.removesuffix(' (default)')})"
    counts = _broken(line) if verdict != "pass" else ""
    return f"{text} · {counts}" if counts else text


def _broken(line: MetricLine) -> str:
    if not (line.broken or line.fixed):
        return ""
    words = ("broken", "fixed") if line.kind == "binary" else ("worse", "better")
    return f"{line.broken or 0} {words[0]}, {line.fixed or 0} {words[1]}"


def broke_most(report: Report) -> str:
    """The slice in which most broke, if it holds more of the broken than of the samples; else nothing."""
    whole = {line.name: line for line in report.metrics if line.broken}
    found = [
        line
        for line in report.slices
        if (line.broken or 0) >= 2
        and line.metric in whole
        and (line.broken or 0) * whole[line.metric].n > (whole[line.metric].broken or 0) * line.n
    ]
    if not found:
        return ""
    most = max(found, key=lambda line: ((line.broken or 0), -line.n))
    metric = whole[most.metric]
    return f"{cut(most.slice, 80)}: {most.broken} of {metric.broken}, in {most.n} of {metric.n} samples"


def examples(report: Report) -> list[Change]:
    """The first of what broke, of a metric that got worse if there is one."""
    worse = {line.name for line in report.metrics if line.status in ("REGRESSION", "WORSE")}
    broken = sorted(report.broken[:1000], key=lambda change: change.metric not in worse)
    return [_shortened(change) for change in broken[:SHOWN_EXAMPLES]]


def _shortened(change: Change) -> Change:
    return change.model_copy(
        update={
            "sample_id": cut(change.sample_id, 40),
            "input": cut(change.input, SHORT),
            "baseline": _short_arm(change.baseline),
            "candidate": _short_arm(change.candidate),
        }
    )


def _short_arm(arm: Arm | None) -> Arm | None:
    if arm is None:
        return None
    return arm.model_copy(update={"text": cut(arm.text, SHORT), "reason": cut(arm.reason, SHORT)})


def to_merge(prompt: GatedPrompt) -> tuple[str, list[str]]:
    """What must happen, and the commands for it; nothing where nothing stands in the way."""
    commands = [cut(command, LONG) for command in prompt.commands[:5]]
    match prompt.status:
        case "broken":
            return "To merge: mend it", commands
        case "regression":
            return "To merge: fix it, or an owner runs", commands or [_promote(prompt.id, "--force")]
        case "inconclusive":
            blocked = prompt.report is not None and prompt.report.inconclusive == "block"
            flag = "--force" if blocked else "--accept"
            return "To merge: show more, or an owner runs", commands or [_promote(prompt.id, flag)]
        case "stopped":
            return ("To go on, a maintainer runs" if commands else "To go on: run the gate again"), commands
        case _:
            return ("Next" if commands else ""), commands


def _promote(name: str, flag: str) -> str:
    return f'promptops promote {name} {flag} -m "why"'
