"""`promptops try` on a terminal: the prompt's diff, then each sample with both answers and the scorers' ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from promptops.prompts.diff import PromptDiff
from promptops.prompts.words import compare_words
from promptops.reports.difference import difference_json, print_difference, words
from promptops.reports.escape import one_line
from promptops.reports.numbers import mean

SHORT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What one scorer says of one answer; `value` None is no score."""

    name: str
    value: float | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    text: str
    ticks: tuple[Tick, ...]
    seconds: float | None = None
    cost: float | None = None
    cached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    sample_id: str
    input: str
    expected: str
    baseline: Answered | None
    candidate: Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What `try` shows; `title` names both versions."""

    prompt: str
    title: str
    difference: PromptDiff | None
    tried: Sequence[Tried]
    cost: float | None


def print_trial(trial: Trial, console: Console) -> None:
    """Print the whole of it; no verdict is in it, and none may be read into so few samples."""
    console.print(
        Text.assemble((one_line(trial.prompt), "bold"), "   ", one_line(trial.title)), soft_wrap=True
    )
    if trial.difference is not None:
        print_difference(trial.difference, console)
    for one in trial.tried:
        _print_one(one, console)
    count = f"{len(trial.tried)} sample{'s' if len(trial.tried) != 1 else ''}"
    cost = f" · {mean(trial.cost, 'dollars')}" if trial.cost is not None else ""
    said = f"\n{count}{cost}: a look, not a test; promptops test {trial.prompt} decides"
    console.print(Text(said, "dim"), soft_wrap=True)


def _print_one(one: Tried, console: Console) -> None:
    expected = f"   expected {one_line(one.expected)}" if one.expected else ""
    console.print(
        Text.assemble("\n", (one_line(one.sample_id), "cyan"), f'  "{one_line(one.input)}"{expected}'),
        soft_wrap=True,
    )
    if one.baseline is not None:
        console.print(_answer("live", one.baseline, Text(one_line(one.baseline.text))), soft_wrap=True)
    console.print(_answer("new", one.candidate, _against(one, console)), soft_wrap=True)


def _against(one: Tried, console: Console) -> Text:
    """Short answers as they are; long ones word by word against the live one."""
    before, after = one.baseline, one.candidate
    if before is None or before.text == after.text or max(len(before.text), len(after.text)) <= SHORT:
        return Text(one_line(after.text))
    return words(compare_words(before.text, after.text), colour=console.is_terminal and not console.no_color)


def _answer(name: str, answer: Answered, text: Text) -> Text:
    ticks = Text.assemble(*(part for tick in answer.ticks for part in (" ", _tick(tick))))
    facts = [mean(answer.seconds, "seconds")] if answer.seconds is not None else []
    facts += [mean(answer.cost, "dollars")] if answer.cost is not None else []
    facts += ["cached"] if answer.cached else []
    return Text.assemble((f"  {name:<5}", "bold"), text, "  ", ticks, (f"   {' · '.join(facts)}", "dim"))


def _tick(tick: Tick) -> Text:
    name = one_line(tick.name)
    if tick.value is None:
        return Text(f"? {name}: {one_line(tick.reason)}", style="yellow")
    if tick.value >= 1:
        return Text(f"✓ {name}", style="green")
    if tick.value <= 0:
        return Text(f"✗ {name}: {one_line(tick.reason)}", style="red")
    return Text(f"{tick.value:.3g} {name}")


def trial_json(trial: Trial) -> dict[str, Any]:
    """Return `promptops.try/1`."""
    return {
        "schema": "promptops.try/1",
        "prompt": trial.prompt,
        "title": trial.title,
        "difference": difference_json(trial.difference) if trial.difference else None,
        "samples": [
            {
                "sample_id": one.sample_id,
                "input": one.input,
                "expected": one.expected,
                "baseline": _json(one.baseline) if one.baseline else None,
                "candidate": _json(one.candidate),
            }
            for one in trial.tried
        ],
        "cost_usd": trial.cost,
    }


def _json(answer: Answered) -> dict[str, Any]:
    scores = {tick.name: {"value": tick.value, "reason": tick.reason} for tick in answer.ticks}
    return {
        "text": answer.text,
        "scores": scores,
        "seconds": answer.seconds,
        "cost_usd": answer.cost,
        "cached": answer.cached,
    }
