"""What a test will do, settled before anything is asked or paid: versions, samples, scorers, policy, digests.

Everything a person can have wrong (no samples, no scorer that a gate word needs, an input that a sample lacks) is
found here. Two plans with equal digests are the same test; its run continues where the last one stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import rfc8785

from promptops.evaluation.anchor import anchored, committed
from promptops.evaluation.arms import check_provider
from promptops.evaluation.digests import digests_of, named
from promptops.evaluation.policy import check_sequential, policy_of
from promptops.evaluation.repeating import check_repeats
from promptops.evaluation.scoring import Placed
from promptops.evaluation.slices import about_slices, check_slices, sliced, wanted_slices
from promptops.gate import Policy
from promptops.ports import Scorer
from promptops.prompts.model import Prompt, ScorerSpec
from promptops.prompts.render import render_sample
from promptops.reading import Contender
from promptops.records import AnchorTest, Evidence
from promptops.samples import Sample
from promptops.samplesource import SampleSource
from promptops.sampling import SampleSet, survey
from promptops.scorers.build import Recipe
from promptops.scorers.defaults import default_scorers
from promptops.scorers.workers import described
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One test, complete. `baseline` is None at a first release.

    `evidence` is what is committed about this prompt's versions, `anchors` the tests here that passed against what
    its metrics are measured from in the long run. A `sequential` test stops as soon as it is decided, at the latest
    after `max_samples`; the samples are not part of what names its run, so that more can be added. `repeats` is how
    often each version answers each sample.
    """

    workspace: Workspace
    baseline: Contender | None
    candidate: Contender
    samples: SampleSet
    scorers: Mapping[str, Scorer]
    policy: Policy
    digests: Mapping[str, str]
    warnings: tuple[str, ...] = field(default=())
    evidence: tuple[Evidence, ...] = ()
    anchors: tuple[AnchorTest, ...] = ()
    sequential: bool = False
    max_samples: int | None = None
    repeats: int = 1

    @property
    def id(self) -> str:
        return self.candidate.prompt.id

    @property
    def models(self) -> dict[str, str]:
        """The model each arm asks for."""
        arms = {"candidate": self.candidate, "baseline": self.baseline}
        return {arm: one.prompt.spec.model for arm, one in arms.items() if one is not None}

    @property
    def run(self) -> str:
        """The id of the run, made of what is tested: the same test has the same run."""
        whole = hashlib.sha256(rfc8785.dumps(dict(self.digests))).hexdigest()
        return f"{self.id}-{whole[:12]}"

    @property
    def pairs(self) -> int:
        """How many pairs of answers there are at most: samples times repeats."""
        return min(self.samples.n, self.max_samples or self.samples.n) * self.repeats

    @property
    def calls(self) -> int:
        return self.pairs * (2 if self.baseline else 1)


def make_plan(
    workspace: Workspace,
    *,
    baseline: Contender | None,
    candidate: Contender,
    source: SampleSource,
    sequential: bool = False,
    repeats: int = 1,
) -> Plan:
    """Settle a test; `sequential` asks for a test that stops early also where the prompt file does not.

    `repeats` is how often each sample is answered by each version.

    Raises:
        NothingToDo: there is no sample.
        InvalidInput: a version cannot be rendered with a sample.
        InvalidFile: a slice is named that no sample has, or a model that nobody answers for.
        ConfigError: a scorer cannot be made, or a test that stops early is to repeat.
        NotFound: `gate.anchor` names no version.
    """
    prompt = candidate.prompt
    arms = [contender.prompt for contender in (baseline, candidate) if contender is not None]
    for one in arms:
        check_provider(workspace.config, one)
    gate = prompt.spec.gate
    most = gate.sequential.max_samples if gate.sequential is not None else None
    sequential = sequential or most is not None
    check_repeats(repeats, sequential=sequential)
    specs, scorers, chosen = scorers_of(prompt, workspace, source)
    policy = policy_of(
        prompt.spec, {name: (specs[name], scorers[name]) for name in specs}, workspace.config.defaults
    )
    slices = wanted_slices(gate)
    samples = survey(
        source, lambda sample: check_renders(arms, [sample]), by=slices.by, critical=slices.critical
    )
    check_slices(prompt, slices, samples)
    digests = digests_of(
        workspace,
        baseline=baseline.prompt if baseline else None,
        candidate=prompt,
        samples=samples.digest,
        specs=specs,
    )
    if sequential:
        check_sequential(policy.rules, most=most, blocks=slices.policy == "block")
    known = committed(workspace, prompt)
    held = anchored(workspace, policy, known, baseline=baseline, candidate=prompt, digests=digests)
    said = (
        chosen,
        _about_policy(baseline, prompt),
        _about_weights(samples),
        _about_clusters(samples),
        *about_slices(policy, samples, stops=sequential),
        *(text for one in (baseline, candidate) if one is not None for text in one.warnings),
    )
    return Plan(
        workspace=workspace,
        baseline=baseline,
        candidate=candidate,
        samples=samples,
        scorers=scorers,
        policy=sliced(held.policy, slices, samples) if baseline else held.policy,
        digests=named(digests, sequential=sequential, repeats=repeats),
        warnings=(*(text for text in said if text), *held.warnings),
        evidence=tuple(found for _, found in known.evidence),
        anchors=held.tests,
        sequential=sequential,
        max_samples=most,
        repeats=repeats,
    )


def scorers_of(
    prompt: Prompt, workspace: Workspace, samples: Iterable[Sample]
) -> tuple[Mapping[str, ScorerSpec], Mapping[str, Scorer], str]:
    """Return what is written for each scorer, the scorers, and what was chosen by default, in words.

    Raises:
        ConfigError: a scorer cannot be made.
    """
    specs, chosen = prompt.spec.scorers, ""
    if specs is None:
        defaults = default_scorers(samples, prompt.spec.response_format)
        specs, chosen = dict(defaults.scorers), defaults.said
    recipes = {name: _recipe(name, spec, prompt, workspace) for name, spec in specs.items()}
    made: dict[str, Scorer] = {name: one.build() for name, one in recipes.items() if not one.is_code}
    made |= described({name: one for name, one in recipes.items() if one.is_code})
    placed = {name: Placed(scorer=made[name], recipe=one, prompt=prompt) for name, one in recipes.items()}
    return specs, placed, chosen


def _recipe(name: str, spec: ScorerSpec, prompt: Prompt, workspace: Workspace) -> Recipe:
    return Recipe(
        name=name,
        spec=spec,
        response_format=prompt.spec.response_format,
        root=workspace.folder,
        template=prompt.spec.template,
    )


def check_renders(prompts: list[Prompt], samples: Iterable[Sample]) -> None:
    """Render every sample by every version.

    Raises:
        InvalidInput: one cannot be rendered.
    """
    for sample in samples:
        for prompt in prompts:
            render_sample(prompt, sample)


def _about_policy(baseline: Contender | None, prompt: Prompt) -> str:
    """Both arms are judged by the candidate's own rules; say so where they are not those of what is live."""
    if baseline is None:
        return ""
    old, new = baseline.prompt.spec, prompt.spec
    if (old.scorers, old.limits, old.gate) == (new.scorers, new.limits, new.gate):
        return ""
    return f"this change brings its own scorers, limits or gate along: promptops diff {prompt.id} shows them"


def _about_clusters(samples: SampleSet) -> str:
    if samples.forgotten is None:
        return ""
    place, values = samples.forgotten
    return (
        f"{place} has {values} values in {samples.n} samples, which are judged as independent: if these are "
        "conversations, say so in every sample (cluster: {conversation_id: …}), or the interval is too narrow"
    )


def _about_weights(samples: SampleSet) -> str:
    if not samples.unweighted:
        return ""
    return (
        f"{samples.unweighted} of {samples.n} samples do not say how likely they were drawn (inclusion_prob) and count "
        "as drawn for certain"
    )
