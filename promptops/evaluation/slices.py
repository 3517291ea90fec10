"""Slices in a test: what the prompt file names and the samples have, and the lines that a report shows of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Literal

from promptops.documents import Document, compose
from promptops.errors import InvalidFile, Problem, did_you_mean
from promptops.exploring import SliceStatus, SliceVerdict
from promptops.gate import MetricVerdict, Verdict
from promptops.prompts.model import GateSpec, Prompt, SliceSpec
from promptops.report import SliceLine
from promptops.rules import Policy, Rule
from promptops.sampling import SampleSet
from promptops.slicing import MOST, NONE, OTHER, Partition, is_compared, normal_name, with_slices
from promptops.stats.results import MetricResult, Status

Word = Literal["regression", "flagged", "inconclusive", "ok", "pass", "too_small"]

SHOWN_NAMES = 10
_RANK = {"regression": 0, "flagged": 1, "too_small": 3}
_CRITICAL: dict[Status, Word] = {Status.REGRESSION: "regression", Status.PASS: "pass"}
_EXPLORED: dict[SliceStatus, Word] = {
    SliceStatus.REGRESSION: "regression",
    SliceStatus.FLAGGED: "flagged",
    SliceStatus.OK: "ok",
    SliceStatus.TOO_SMALL: "too_small",
}
_IDLE = "no metric that says what is right is compared with what is live, so slices are not judged"
_HINTS = (
    "this test stops when it is decided; slices that are not critical are looked at where it stopped, a moment that "
    "the data chose, so take them for hints"
)


def wanted_slices(gate: GateSpec) -> SliceSpec:
    """What a prompt says of slices, its critical ones by their plain names."""
    written = gate.slices or SliceSpec()
    return written.model_copy(update={"critical": [normal_name(name) for name in written.critical]})


def check_slices(prompt: Prompt, wanted: SliceSpec, samples: SampleSet) -> None:
    """Refuse slices that no sample has: what is misspelt would guard nothing.

    A test of some samples only (`--where`) may well be without a slice; a critical one then keeps a PASS away.

    Raises:
        InvalidFile: every such entry, where it is written.
    """
    if samples.source.ids or samples.source.where:
        return
    document = compose(prompt.source, path=prompt.path)
    if problems := [*_unknown_keys(document, wanted, samples), *_unknown_slices(document, wanted, samples)]:
        raise InvalidFile(problems)


def _unknown_keys(document: Document, wanted: SliceSpec, samples: SampleSet) -> Iterator[Problem]:
    empty = [one.key for one in samples.slices if one.values == (NONE,)]
    missing = [(index, key) for index, key in enumerate(wanted.by) if key in empty]
    if not missing:
        return
    known = sorted({key for sample in samples.source for key in islice(sample.slices, SHOWN_NAMES)})
    there = f"; there are {_some(known)}" if known else "; the samples have no slices"
    for index, key in missing:
        said = f"no sample has a slice {key[:60]}{did_you_mean(key, known) or there}"
        yield document.problem(("gate", "slices", "by", index), said)


def _unknown_slices(document: Document, wanted: SliceSpec, samples: SampleSet) -> Iterator[Problem]:
    for index, name in enumerate(wanted.critical):
        key = name.partition("=")[0]
        names = [found for one in samples.slices if one.key == key for found in one.names]
        if name not in names:
            there = f"; there are {_some(names)}"
            said = f"no sample has {name[:120]}{did_you_mean(name, names)}{there}"
            yield document.problem(("gate", "slices", "critical", index), said)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return f"{', '.join(names[:SHOWN_NAMES])}{more}"


def sliced(policy: Policy, wanted: SliceSpec, samples: SampleSet) -> Policy:
    """Add to a policy what its prompt and the samples say of slices."""
    blocks = wanted.policy == "block"
    return with_slices(policy, samples.slices, by=wanted.by, critical=wanted.critical, blocks=blocks)


def about_slices(policy: Policy, samples: SampleSet, *, stops: bool) -> list[str]:
    """What a reader should know before reading about slices; `policy` is that of the whole.

    `stops`: the test may end as soon as it is decided.
    """
    idle = not any(map(is_compared, policy.rules))
    said = [_IDLE] if samples.slices and idle else [_HINTS] if samples.slices and stops else []
    return said + [text for one in samples.slices for text in _about(one, samples.n)]


def _about(one: Partition, n: int) -> Iterator[str]:
    if one.counts.get(NONE):
        yield f"{one.counts[NONE]} of {n} samples have no {one.key}; they are the slice {one.key}={NONE}"
    if one.folded:
        count = len(one.values) - (OTHER in one.values) + one.folded
        yield (
            f"{one.key} has {count} values: the {MOST} most frequent are looked at, the others together as "
            f"{one.key}={OTHER}"
        )


def flagged_slices(verdict: Verdict, policy: Policy) -> list[str]:
    """Say which slice looks worst where slices are only watched, and how it would count."""
    flagged = [line for line in slice_lines(verdict) if line.status == "flagged"]
    if policy.slices_block or not flagged:
        return []
    others = f" and {len(flagged) - 1} more" if len(flagged) > 1 else ""
    return [
        f"{flagged[0].metric} looks worse in {flagged[0].slice}{others}; slices are only watched here: to count, they "
        "are named under critical, or policy is block"
    ]


def slice_lines(verdict: Verdict) -> list[SliceLine]:
    """Return a line for every metric in every slice, the worst first, those too small to judge last."""
    lines = [_critical(one) for one in verdict.metrics if one.rule.slice is not None]
    lines += [_explored(one) for one in verdict.slices]
    widths = {rule.metric: _width(rule) for rule in _rules(verdict)}
    return sorted(lines, key=lambda line: _badness(line, widths[line.metric]))


def _rules(verdict: Verdict) -> Iterator[Rule]:
    yield from (one.rule for one in verdict.metrics)
    yield from (one.rule for one in verdict.slices)


def _width(rule: Rule) -> float:
    return rule.value_range[1] - rule.value_range[0] if rule.value_range else 1.0


def _badness(line: SliceLine, width: float) -> tuple[int, float, int, str, str]:
    """Differences of several metrics are compared as shares of their ranges; counts where there are none."""
    fall = line.difference / width if line.difference is not None else 0.0
    lost = (line.fixed or 0) - (line.broken or 0)
    return _RANK.get(line.status, 2), fall, lost, line.slice, line.metric


def _critical(one: MetricVerdict) -> SliceLine:
    status = _CRITICAL.get(one.status, "inconclusive")
    line = _line(one.rule, one.result, status)
    return line.model_copy(update={"critical": True, "p_harm_adjusted": one.p_harm_adjusted})


def _explored(one: SliceVerdict) -> SliceLine:
    line = _line(one.rule, one.result, _EXPLORED[one.status])
    return line.model_copy(update={"p_adjusted": one.p_adjusted, "p_harm_adjusted": one.p_harm_adjusted})


def _line(rule: Rule, result: MetricResult, status: Word) -> SliceLine:
    return SliceLine(
        slice=rule.slice or "",
        metric=rule.metric,
        kind=rule.kind,
        unit="share" if rule.kind == "binary" else "score",
        n=result.n,
        baseline_mean=result.baseline_mean,
        candidate_mean=result.candidate_mean,
        difference=result.difference,
        lower=result.lower,
        upper=result.upper,
        confidence=result.confidence,
        margin=rule.margin,
        p_harm=result.p_harm,
        status=status,
        # The mean of several answers is better or worse, no longer right or wrong.
        fixed=result.wins if result.fixed is None else result.fixed,
        broken=result.losses if result.broken is None else result.broken,
    )
