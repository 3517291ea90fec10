"""What a test says: one verdict with everything that it rests on (`promptops.report/1`).

A value, not a text: `reports/` turns it into a terminal's table, Markdown or JSON. Numbers are plain floats
or None, never NaN; texts of samples and answers are cut, and stay hostile until they are escaped where shown.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from promptops.nextsteps import NextStep
from promptops.records import AnchorTest

SCHEMA = "promptops.report/1"
TEXT_LIMIT = 400


def cut(text: str, limit: int = TEXT_LIMIT) -> str:
    """Shorten a text for a report; what is cut is visible as an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


class Part(BaseModel):
    """What reports are made of: frozen, and without a word that nobody knows."""

    # Built when first used: a tenth of a second that those need not wait who write no report.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Side(Part):
    """One version of the prompt as it took part: how it was named, its number and its digest."""

    ref: str
    version: int | None = None
    digest: str | None = None

    @property
    def short(self) -> str:
        return f"v{self.version}" if self.version else self.ref


class PromptSides(Part):
    id: str
    baseline: Side | None
    candidate: Side


class SampleSet(Part):
    digest: str
    n: int
    clusters: int
    unit_kinds: dict[str, int] = {}
    weighted: bool = False
    repeats: int = 1


class MetricLine(Part):
    """One metric as measured and judged; `unit` tells how to print it, not how it was computed."""

    name: str
    role: str
    kind: str
    unit: Literal["share", "score", "seconds", "dollars", "tokens"]
    method: str
    n: int
    baseline_mean: float | None
    candidate_mean: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    confidence: float | None
    margin: float | None
    margin_is_default: bool = False
    floor: float | None = None
    status: str
    p_noninferior: float | None = None
    p_harm: float | None = None
    p_harm_adjusted: float | None = None
    p_superior: float | None = None
    fixed: int | None = None
    broken: int | None = None
    n_required: int | None = None
    n_clusters: int | None = None
    repeats: int = 1
    se: float | None = None
    df: float | None = None
    deff: float | None = None
    icc: float | None = None
    within_baseline: float | None = None
    within_candidate: float | None = None
    between: float | None = None
    best_repeats: int | None = None
    reason: str = ""
    warnings: list[str] = []
    notes: list[str] = []


class SliceLine(Part):
    """One metric in one slice of the samples, as measured and judged; too small a slice has only its counts.

    `critical` slices are guardrails of their own and `status` is theirs; of the others `p_adjusted` is Benjamini and
    Hochberg's p-value over all of them.
    """

    slice: str
    metric: str
    kind: str
    unit: Literal["share", "score", "seconds", "dollars", "tokens"]
    n: int
    baseline_mean: float | None
    candidate_mean: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    confidence: float | None
    margin: float | None
    p_harm: float | None = None
    p_adjusted: float | None = None
    p_harm_adjusted: float | None = None
    status: Literal["regression", "flagged", "inconclusive", "ok", "pass", "too_small"]
    critical: bool = False
    fixed: int | None = None
    broken: int | None = None


class Arm(Part):
    """One arm of one changed sample: what was answered, its score, and why."""

    text: str
    value: float | None
    reason: str = ""


class Change(Part):
    """A sample whose score the candidate changed; only the first of them are listed, and fewer with texts."""

    sample_id: str
    metric: str
    change: Literal["broken", "fixed"]
    input: str = ""
    expected: str = ""
    baseline: Arm | None = None
    candidate: Arm | None = None


class Changed(Part):
    """How many scores of samples the candidate changed, listed or not."""

    broken: int = 0
    fixed: int = 0


class Unscored(Part):
    """Answers that never came or could not be scored, by arm and by kind."""

    baseline: int = 0
    candidate: int = 0
    by_kind: dict[str, int] = {}


class Look(Part):
    """How often this question was asked, this time included, and the level that is left for it.

    `number` is the least that it can be where `known` is False, and `why` says what is not known. `alpha` is the
    one-sided level of this look, `whole` that of all looks together.
    """

    number: int
    known: bool
    alpha: float
    whole: float
    why: str = ""


class Stopping(Part):
    """Where a sequential test stopped: after so many samples `of` those that there are, decided or at their end.

    With an `open_end` it goes on when samples are added.

    `planned` is how many a test of fixed size needs for the same question, given how the answers differ, and at most
    `of`; `calls_saved` compares with it. `largest_unit` is the bound that the bets rest on, `counted` the digest of
    the samples that count, in their order.
    """

    stopped_at: int
    of: int
    decided: bool
    open_end: bool = True
    planned: int
    calls_saved: int
    largest_unit: float
    counted: str


class SpendLine(Part):
    """What one arm asked of one model; `model` is None for calls that nobody answered.

    `calls` are attempts, `answers` the answers asked for here. Tokens are theirs as the provider counted them, None
    where it did not. `usd` is of the answers whose price is known, all but `unpriced`, and of attempts that no answer
    came to, all but `unknown_attempts`.
    """

    arm: Literal["baseline", "candidate"]
    model: str | None
    calls: int
    answers: int
    cached: int
    failures: int
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    usd: float | None
    unpriced: int
    unknown_attempts: int = 0
    list_usd: float | None


class Spend(Part):
    """Calls of this run, in all the times that it was resumed; `imported` are those of the cached answers that came
    in a file.

    `usd` is what was billed for the answers whose price is known, all but `unpriced`; None where none is, never 0.
    With them are attempts that no answer came to, as far as their provider counted them; what `unknown_attempts` cost
    nobody knows, and one that was turned away (429, a refused connection) costs nothing. `list_usd` is what all of it
    costs without a cache, None where the price of an answer is unknown.
    """

    calls: int = 0
    cached: int = 0
    imported: int = 0
    failures: int = 0
    usd: float | None = None
    unpriced: int = 0
    unknown_attempts: int = 0
    list_usd: float | None = None
    lines: list[SpendLine] = []


class Report(Part):
    """The whole answer of `promptops test`."""

    schema_: str = Field(default=SCHEMA, alias="schema")
    verdict: Literal["pass", "regression", "inconclusive"]
    reasons: list[str]
    prompt: PromptSides
    samples: SampleSet
    metrics: list[MetricLine]
    slices: list[SliceLine] = []
    changes: list[Change] = []
    changed: Changed = Changed()
    unscored: Unscored = Unscored()
    cost: Spend = Spend()
    tokens: dict[str, float | None] = {}
    latency: dict[str, float | None] = {}
    looks: int | None = None
    candidates_tried: int | None = None
    look: Look | None = None
    sequential: Stopping | None = None
    anchors: list[AnchorTest] = []
    digests: dict[str, str] = {}
    models: dict[str, str] = {}
    alpha: float
    basis: dict[str, Any] = {}
    explored: dict[str, Any] = {}
    inconclusive: Literal["review", "block", "allow"] = "review"
    next_steps: list[NextStep] = []
    warnings: list[str] = []
    run: str
    tool_version: str

    @property
    def broken(self) -> list[Change]:
        """Those of the broken that are listed: the first thousand."""
        return [change for change in self.changes if change.change == "broken"]

    def exit_code(self) -> int:
        """0 pass, 3 regression, 4 inconclusive; 7 when nothing but failed calls stood in the way."""
        if self.verdict == "regression":
            return 3
        if self.verdict == "pass":
            return 0
        if self.unfinished:
            return 7
        return 0 if self.inconclusive == "allow" else 4

    @property
    def unfinished(self) -> bool:
        """Whether answers that never came are what keeps the verdict open (statistics.md section 7)."""
        kinds = set(self.unscored.by_kind)
        only_calls = bool(kinds) and not any(kind.startswith("scorer:") for kind in kinds)
        return only_calls and any(line.reason == "missing" for line in self.metrics)
