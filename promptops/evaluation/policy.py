"""From what a prompt file says about its gate to the policy that decides."""

from __future__ import annotations

from collections.abc import Mapping

from promptops.config import Defaults
from promptops.errors import ConfigError
from promptops.gate import Policy, Rule
from promptops.ports import Scorer
from promptops.prompts.model import GateWords, PromptSpec, ScorerSpec

TIMES = ("latency", "time_to_first_token")
RATIOS = (*TIMES, "cost", "input_tokens", "output_tokens")


def policy_of(
    spec: PromptSpec, scorers: Mapping[str, tuple[ScorerSpec, Scorer]], defaults: Defaults
) -> Policy:
    """Return the rules of one prompt: its scorers, `answered`, and what is measured without a scorer."""
    scored = [_scorer_rule(name, words, scorer, defaults) for name, (words, scorer) in scorers.items()]
    answered = _answered_rule(spec.limits.get("answered", GateWords()), defaults)
    measured = [_ratio_rule(name, spec.limits.get(name, GateWords())) for name in RATIOS]
    return Policy(
        rules=(*scored, answered, *measured),
        alpha=spec.gate.alpha or defaults.alpha,
        targets=spec.gate.targets,
        inconclusive=spec.gate.inconclusive,
    )


def _scorer_rule(name: str, words: GateWords, scorer: Scorer, defaults: Defaults) -> Rule:
    low, high = scorer.value_range
    margin = words.max_drop if words.max_drop is not None else defaults.max_drop * (high - low)
    replaced = words.never or words.observe or (words.must == "improve" and words.max_drop is None)
    return Rule(
        metric=name,
        kind="binary" if scorer.binary else "bounded",
        value_range=(low, high),
        guardrail=not replaced,
        margin=margin,
        margin_is_default=words.max_drop is None,
        target=words.must == "improve",
        floor=words.min,
        never=words.never,
        observe=words.observe,
    )


def _answered_rule(words: GateWords, defaults: Defaults) -> Rule:
    """Whether calls are answered always gates: a candidate that breaks calls must not pass."""
    return Rule(
        metric="answered",
        kind="binary",
        value_range=(0.0, 1.0),
        guardrail=True,
        margin=words.max_drop if words.max_drop is not None else defaults.max_drop,
        margin_is_default=words.max_drop is None,
        target=False,
        floor=words.min,
        never=False,
        observe=False,
    )


def _ratio_rule(name: str, words: GateWords) -> Rule:
    return Rule(
        metric=name,
        kind="ratio",
        value_range=None,
        guardrail=words.max_rise is not None,
        margin=words.max_rise,
        margin_is_default=False,
        target=words.must == "improve",
        floor=None,
        never=False,
        observe=words.max_rise is None and words.must is None,
    )


def nothing_to_judge(prompt: str) -> str:
    """Say why a prompt that was never released and has no floor cannot be tested; asking would only cost."""
    return f"{prompt} was never released, so there is nothing to compare it with, and no min or never judges it alone"


def check_sequential(rules: tuple[Rule, ...], *, most: int | None, blocks: bool) -> None:
    """Refuse what a test cannot promise that may stop at any moment.

    Raises:
        ConfigError: slices that may block, or a limit without an end at which it is tested.
    """
    if blocks:
        raise ConfigError(
            "gate.slices: policy: block looks at every slice once, at the end; with a sequential test name those that "
            "count in critical"
        )
    limits = [rule.metric for rule in rules if rule.kind == "ratio" and rule.gates]
    if limits and most is None:
        raise ConfigError(
            f"{', '.join(limits)}: tested once, at the end, so a sequential test has to declare it: "
            "gate.sequential: {max_samples: 1000}"
        )
