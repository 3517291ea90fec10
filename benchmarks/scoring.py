"""What a heavy scorer costs a test: answers a second with the scorer in the loop's process, and in worker processes.

    python benchmarks/scoring.py [--samples 500] [--at-once 32] [--latency 0.1] [--milliseconds 5] [--rounds 3]

The same questions, answers and scorer each time, a function that keeps a processor busy for so long; once it runs where
the calls are made, as if it were cheap, once where promptops runs it. The ways take turns; the median counts, and the
ratio is to the same round. Without a scorer is what the calls alone would take. The scores of both ways are compared.
`--milliseconds 0` shows what sending answers away costs.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from promptops.evaluation.measuring import Measuring, measuring
from promptops.evaluation.scoring import Placed
from promptops.messages import Answer, Completion, Request
from promptops.ports import Scorer
from promptops.prompts.model import ScorerSpec
from promptops.prompts.parse import parse_prompt
from promptops.runs.replay import Arm, Arms, replay
from promptops.samples import Pair, Sample
from promptops.scorers.build import Recipe

CODE = """
import hashlib, time

def busy(output, sample):
    until = time.thread_time() + {seconds}
    digest = output.encode()
    while time.thread_time() < until:
        hashlib.sha256(digest).digest()
    return hashlib.sha256(digest).digest()[0] / 255
"""
PROMPT = """\
model: bench/small
messages: [{role: user, content: "{{ message }}"}]
"""
WAYS = ("no scorer", "in the loop", "in workers")


class Late:
    """Answers after a while."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def answer(self, request: Request) -> Answer:
        await asyncio.sleep(self._seconds)
        text = hashlib.sha256(str(request.messages).encode()).hexdigest() * 10
        return Completion(text=text, finish_reason="stop", model="m")


class Here:
    """The same scorer without its recipe, so that it stays in this process."""

    def __init__(self, scorer: Scorer) -> None:
        self.value_range, self.binary, self.score = scorer.value_range, scorer.binary, scorer.score


def scorers(folder: Path, way: str) -> Mapping[str, Scorer]:
    if way == "no scorer":
        return {}
    spec = ScorerSpec.model_validate({"python": "po_busy:busy"})
    recipe = Recipe(name="busy", spec=spec, response_format=None, root=folder, template="jinja2")
    prompt = parse_prompt(PROMPT, path="prompts/x.prompt.yaml", read_partial=lambda _: None, root="prompts")
    made = Placed(scorer=recipe.build(), recipe=recipe, prompt=prompt)
    return {"busy": made if way == "in workers" else Here(made)}


def digest_of(scores: Mapping[int, object]) -> str:
    return hashlib.sha256(json.dumps(sorted(scores.items())).encode()).hexdigest()


async def run(folder: Path, way: str, options: argparse.Namespace) -> tuple[float, float, str]:
    """Return seconds, seconds of this process's processor time, and a digest of all scores."""
    found: dict[int, object] = {}
    wall, cpu = time.perf_counter(), time.process_time()
    with measuring(scorers(folder, way), limit=60, most=options.at_once) as scoring:
        await ask(scoring, found, options)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return wall, cpu, digest_of(found)


async def ask(scoring: Measuring, found: dict[int, object], options: argparse.Namespace) -> None:
    def keep(sample: Sample, pair: Pair) -> None:
        found[pair.index] = [[one.value for one in scores.values()] for scores in scoring.scores(pair)]

    arm = Arm(
        render=lambda sample: Request(model="m", messages=(), parameters={"id": sample.sample_id}),
        asks=scoring.held(Late(options.latency)),
        kind="python",
    )
    inputs = {"message": "I was charged twice. " * 10}
    await replay(
        ((index, Sample(sample_id=f"s{index}", inputs=inputs)) for index in range(options.samples)),
        ask=Arms(baseline=arm, candidate=arm),
        finished=lambda sample, pair: scoring.take(sample, pair, keep),
        at_once=options.at_once,
    )
    await scoring.settle()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds")
    parser.add_argument("--milliseconds", type=float, default=5.0, help="of processor time, for an answer")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "po_busy.py").write_text(CODE.format(seconds=options.milliseconds / 1000))
        rounds = [
            {way: asyncio.run(run(Path(folder), way, options)) for way in WAYS} for _ in range(options.rounds)
        ]
    assert len({one[way][2] for one in rounds for way in WAYS[1:]}) == 1, "the scores differ"
    calls = 2 * options.samples
    print(
        f"{calls} calls, {options.at_once} pairs at once, answers after {1000 * options.latency:g} ms,"
        f" a scorer of {options.milliseconds:g} ms, {os.cpu_count()} processors"
    )
    print(f"{'':14}{'calls/s':>9}{'ratio':>7}{'CPU ms/call here':>18}")
    for way in WAYS:
        wall, cpu = (median(float(one[way][place]) for one in rounds) for place in range(2))
        ratio = median(one["in the loop"][0] / one[way][0] for one in rounds)
        print(f"{way:14}{calls / wall:9.0f}{ratio:7.2f}{1000 * cpu / calls:18.3f}")


if __name__ == "__main__":
    main()
