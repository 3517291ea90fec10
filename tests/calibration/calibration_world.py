"""A stochastic model with a known truth, and a repository that is tested against it through everything there is.

A `Truth` is drawn anew for every run: what the live prompt and the new one would answer to every sample, which calls
get no answer, how long each takes. The model is a provider of `kind: python` like anybody's own; versions, samples,
replay, journal, cache, scores, ledger and gate are the real ones. Only the state folder begins empty each time.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptops.errors import Malformed, TimedOut
from promptops.evaluation.evaluate import Options, evaluate
from promptops.evaluation.plan import Plan, make_plan
from promptops.messages import Completion, Request
from promptops.reading import contender, live_contender
from promptops.releasing.promote import Wish, promote
from promptops.report import MetricLine, Report
from promptops.runs.ledger import begin
from promptops.samplesource import source_of
from promptops.workspace import Workspace, open_workspace

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ID = "triage"
PATH = f"prompts/{ID}.prompt.yaml"
SAMPLES = f"prompts/{ID}.samples.jsonl"
BEGUN = datetime(2026, 1, 5, tzinfo=UTC)
LIVE, NEW = "live", "new"

CONFIG = """\
promptops: 1
providers:
  world: {kind: python, target: "calibration_world:answer"}
limits: {concurrency: 16, attempts: 1, deadline: 60}
"""
# A score is the number at its place in the answer; a dash there is an answer that the scorer cannot read.
SCORES = "".join(
    f"def s{place}(answer, sample):\n    return float(answer.split()[{place}])\n\n\n"
    f'def b{place}(answer, sample) -> bool:\n    return answer.split()[{place}] == "1.0"\n\n\n'
    for place in range(6)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What one version would answer: `scores` of shape (metrics, n) or (metrics, repeats, n).

    `lost` says to which samples no answer comes, `hangs` which calls never end, `seconds` how long the others take.
    """

    scores: Floats
    lost: Bools | None = None
    hangs: Bools | None = None
    seconds: Floats | None = None

    def answer(self, sample: int, draw: int) -> Completion:
        """Answer, or raise what a provider raises when nothing comes."""
        if self.hangs is not None and self.hangs[sample]:
            raise TimedOut("the model gave no answer within 60 s")
        if self.lost is not None and self.lost[sample]:
            raise Malformed("the model answered with half a body")
        values = self.scores[:, draw, sample] if self.scores.ndim == 3 else self.scores[:, sample]
        text = " ".join(repr(float(value)) for value in values)
        seconds = 1.0 if self.seconds is None else float(self.seconds[sample])
        return Completion(text=text, finish_reason="stop", model="small", seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Both versions of one run."""

    live: Arm
    new: Arm


@dataclass(slots=True)
class Model:
    """The one that is asked: it holds the truth of the run that is going on, and counts what it is asked."""

    truth: Truth | None = None
    calls: int = 0
    drawn: dict[tuple[str, int], int] = field(default_factory=dict)

    def begin(self, truth: Truth) -> None:
        self.truth, self.calls = truth, 0
        self.drawn.clear()

    def answer(self, version: str, sample: int) -> Completion:
        assert self.truth is not None
        self.calls += 1
        draw = self.drawn.get((version, sample), 0)
        self.drawn[version, sample] = draw + 1
        return (self.truth.live if version == LIVE else self.truth.new).answer(sample, draw)


MODEL = Model()


async def answer(request: Request) -> Completion:
    """What `promptops.yaml` names as the provider; the version is told by its instructions."""
    version, sample = str(request.messages[0].content), str(request.messages[-1].content)
    return MODEL.answer(version, int(sample))


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What stands in the repository: scorers and limits as they are written, and the samples.

    `clusters` names the conversation of each sample, None: every sample is one of its own. `chances` says with
    which probability each was drawn, `languages` its slice. `options` are those of `promptops test`.
    """

    n: int
    scorers: Mapping[str, Any]
    limits: Mapping[str, Any] = field(default_factory=dict)
    gate: Mapping[str, Any] = field(default_factory=dict)
    clusters: Sequence[int] | None = None
    chances: Sequence[float] | None = None
    languages: Sequence[str] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def prompt(self, version: str) -> str:
        spec = {
            "model": "world/small",
            "template": "simple",
            "messages": [
                {"role": "system", "content": version},
                {"role": "user", "content": "{{number}}"},
            ],
            "scorers": {name: self._words(dict(words), version) for name, words in self.scorers.items()},
            "limits": dict(self.limits),
            "gate": dict(self.gate),
        }
        return json.dumps(spec, indent=1)

    @staticmethod
    def _words(words: dict[str, Any], version: str) -> dict[str, Any]:
        """What went live was adopted as it was: nobody had asked a model, so no floor could be tested."""
        return {word: value for word, value in words.items() if word != "min" or version == NEW}

    def samples(self, first: int = 0, n: int | None = None) -> str:
        """`n` samples, numbered from `first`."""
        return "".join(json.dumps(self._sample(first, place)) + "\n" for place in range(n or self.n))

    def _sample(self, first: int, place: int) -> dict[str, Any]:
        number = first + place
        found: dict[str, Any] = {"sample_id": f"smp_{number:016x}", "inputs": {"number": str(number)}}
        if self.clusters is not None:
            found["cluster"] = {"conversation_id": f"c{first}-{self.clusters[place]}"}
        if self.chances is not None:
            found["inclusion_prob"] = self.chances[place]
        if self.languages is not None:
            found["slices"] = {"language": self.languages[place]}
        return found


@dataclass(frozen=True, slots=True)
class Project:
    """A repository with a live v1 and a new version in the work tree."""

    path: Path
    setting: Setting
    environ: Mapping[str, str] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def workspace(self) -> Workspace:
        return open_workspace(self.path, self.environ)

    @property
    def settled(self) -> Plan:
        """The plan of the samples that stand there; the same test has the same plan, so it is made once."""
        if "plan" not in self.kept:
            self.kept["plan"] = self.plan()
        return self.kept["plan"]  # type: ignore[no-any-return]

    def plan(self) -> Plan:
        """A plan of the samples that stand there now; the versions stay as they are."""
        if "versions" not in self.kept:
            here = self.workspace
            self.kept["versions"] = here, live_contender(here, ID), contender(here, ID)
        here, baseline, candidate = self.kept["versions"]
        source = source_of(candidate.prompt, root=here.top)
        return make_plan(here, baseline=baseline, candidate=candidate, source=source, **self.setting.options)

    def put_samples(self, first: int, n: int | None = None) -> None:
        """Write fresh samples; what they ask is told by their numbers."""
        (self.path / SAMPLES).write_text(self.setting.samples(first, n), encoding="utf-8")

    def forget(self) -> None:
        """Another machine: nothing is known here."""
        shutil.rmtree(self.path / ".promptops", ignore_errors=True)

    def begin(self) -> None:
        """A repository in which nothing was tested yet, and that knows it."""
        self.forget()
        begin(self.path / ".promptops")

    def tidy_up(self) -> None:
        """Somebody deletes the runs, and the answers with them."""
        shutil.rmtree(self.path / ".promptops" / "runs", ignore_errors=True)
        for file in (self.path / ".promptops").glob("cache.db*"):
            file.unlink()

    def test(self, truth: Truth, plan: Plan | None = None) -> Report:
        """`promptops test`, with the model as `truth` has it."""
        MODEL.begin(truth)
        return asyncio.run(evaluate(plan or self.plan(), Options(say=_silent)))


def _silent(text: str) -> None:
    """Nobody reads what a run says."""


def build(folder: Path, setting: Setting, *, environ: Mapping[str, str] | None = None) -> Project:
    """Make the repository: v1 is live, the work tree holds the next version."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "prompts").mkdir(parents=True)
    files = {
        "promptops.yaml": CONFIG,
        "scores.py": SCORES,
        ".gitignore": ".promptops/\n__pycache__/\n",
        PATH: setting.prompt(LIVE),
        SAMPLES: setting.samples(),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    for words in (
        ["init", "-q", "-b", "main"],
        ["config", "user.name", "Ada"],
        ["config", "user.email", "ada@example.org"],
        ["add", "-A"],
        ["commit", "-q", "-m", "Add a prompt"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    project = Project(folder, setting, environ or {})
    wish = Wish(environment="production", reason="the first", first=True)
    adopted = asyncio.run(
        promote(
            project.workspace,
            ID,
            wish,
            options=Options(say=_silent),
            now=lambda: BEGUN,
            before_asking=lambda plan: None,
        )
    )
    assert adopted.exit_code == 0, adopted.said
    (folder / PATH).write_text(setting.prompt(NEW), encoding="utf-8")
    return project


def line(report: Report, metric: str) -> MetricLine:
    return next(one for one in report.metrics if one.name == metric)
