"""What earlier tests of a prompt tell about the next one: how much its metrics vary, and what a call costs.

Read from the reports kept beside this repository and from the evidence that is committed. Plans only: no verdict is
ever taken from here, so what cannot be read is left out without a word.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from promptops.records import Evidence
from promptops.report import MetricLine, Report
from promptops.stats.results import Kind
from promptops.workspace import Workspace

MOST = 20  # reports; the newest ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One test of the past; `digests` are those of baseline and candidate, `usd` is None where nobody knows."""

    run: str
    digests: tuple[str | None, str | None]
    models: frozenset[str] = frozenset()
    lines: tuple[MetricLine, ...] = ()
    calls: int = 0
    usd: float | None = None

    def line(self, metric: str) -> MetricLine | None:
        return next((line for line in self.lines if line.name == metric), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How much one pair's difference varies: its standard deviation (of log ratios), over so many pairs and runs.

    `icc` is how alike the differences of one cluster are, None where no run had clusters.
    """

    sd: float
    pairs: int
    runs: int
    icc: float | None = None


def earlier_tests(workspace: Workspace, prompt: str, evidence: Iterable[Evidence]) -> tuple[Past, ...]:
    """Return what is known of tests of this prompt, each run once: the newest reports, then what is committed."""
    found: dict[str, Past] = {}
    for past in (*_reported(workspace, prompt), *map(_of_evidence, evidence)):
        found.setdefault(past.run, past)
    return tuple(found.values())


def _reported(workspace: Workspace, prompt: str) -> Iterable[Past]:
    paths = (workspace.state / "runs").glob(f"{prompt}-*/report.json")
    newest = sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path), reverse=True)
    for path in newest[:MOST]:
        try:
            report = Report.model_validate(json.loads(path.read_bytes()))
        except (ValueError, OSError):
            continue
        if report.prompt.id == prompt:
            yield _of_report(report)


def _of_report(report: Report) -> Past:
    baseline = report.prompt.baseline
    return Past(
        run=report.run,
        digests=(baseline.digest if baseline else None, report.prompt.candidate.digest),
        models=frozenset(report.models.values()),
        lines=tuple(report.metrics),
        calls=report.cost.calls,
        usd=None if report.cost.unpriced else report.cost.usd,
    )


def _of_evidence(evidence: Evidence) -> Past:
    return Past(
        run=evidence.run,
        digests=(evidence.baseline.digest if evidence.baseline else None, evidence.candidate),
        lines=tuple(_lines(evidence)),
    )


def _lines(evidence: Evidence) -> Iterable[MetricLine]:
    for row in evidence.metrics:
        try:
            yield MetricLine.model_validate(row)
        except ValidationError:
            continue  # written by another version of this tool


def spread(tests: Sequence[Past], metric: str, kind: Kind, *, repeats: int = 1) -> Spread | None:
    """Pool what earlier runs showed of a metric's differences; None where none of them compared it.

    The differences are those of means of `repeats` answers, as far as runs with repeats tell.
    """
    lines = [
        line for past in tests if (line := past.line(metric)) is not None and line.kind == kind and line.n > 0
    ]
    seen = [
        (line.n, variance)
        for line in lines
        if (variance := _variance(line, repeats)) is not None and 0 <= variance < math.inf
    ]
    if not seen:
        return None
    from promptops.stats.planning import cautious_sd

    pairs = sum(n for n, _ in seen)
    total = sum(n * variance for n, variance in seen)
    # Half a pair more: that none differed so far does not mean that none ever will.
    sd = math.sqrt((total + 0.5) / (pairs + 1) if kind == "binary" else total / pairs)
    careful = sd if kind == "binary" else cautious_sd(sd, pairs)
    return Spread(sd=careful, pairs=pairs, runs=len(seen), icc=_icc(lines))


def _variance(line: MetricLine, repeats: int) -> float | None:
    """The variance of one pair's difference if it stood alone: of a pass rate, how many pairs differed."""
    if line.repeats > 1 and line.between is not None:
        return line.between + ((line.within_baseline or 0.0) + (line.within_candidate or 0.0)) / repeats
    single = line.kind == "binary" and line.repeats == 1
    if single and line.fixed is not None and line.broken is not None:
        return (line.fixed + line.broken) / line.n
    return None if line.se is None else line.n * line.se**2 / (line.deff or 1.0)


def _icc(lines: Sequence[MetricLine]) -> float | None:
    known = [
        (line.n_clusters or 0, line.icc) for line in lines if line.icc is not None and -1 <= line.icc <= 1
    ]
    clusters = sum(count for count, _ in known)
    return sum(count * icc for count, icc in known) / clusters if clusters > 0 else None


def level(tests: Sequence[Past], metric: str, digest: str | None) -> float | None:
    """Return the mean of a metric that the version with this digest had in the newest test that it took part in."""
    for past in tests:
        line = past.line(metric)
        if line is None or digest is None:
            continue
        baseline, candidate = past.digests
        mean = {candidate: line.candidate_mean, baseline: line.baseline_mean}.get(digest)
        if mean is not None and math.isfinite(mean):
            return mean
    return None


def usd_a_call(tests: Sequence[Past], models: frozenset[str]) -> float | None:
    """Return what a call of exactly these models cost on average; None where no test of them knew its price."""
    paid = [(past.calls, past.usd) for past in tests if past.models == models and past.calls > 0]
    known = [(calls, usd) for calls, usd in paid if usd is not None and 0 <= usd < math.inf]
    return sum(usd for _, usd in known) / sum(calls for calls, _ in known) if known else None


def tokens_a_call(tests: Sequence[Past]) -> tuple[float, float] | None:
    """Return the tokens that went in and came out of a call, about: the newest means of the versions compared."""
    for past in tests:
        means = [_mean(past.line(name)) for name in ("input_tokens", "output_tokens")]
        if means[0] is not None and means[1] is not None:
            return means[0], means[1]
    return None


def _mean(line: MetricLine | None) -> float | None:
    if line is None:
        return None
    both = (line.baseline_mean, line.candidate_mean)
    means = [mean for mean in both if mean is not None and 0 <= mean < math.inf]
    return sum(means) / len(means) if means else None
