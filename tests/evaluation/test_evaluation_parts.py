"""The parts between a prompt file and a verdict: policy, columns, prices, and what is described."""

from __future__ import annotations

import math
from array import array
from pathlib import Path

import pytest

from promptops.config import Config, Defaults, parse_config
from promptops.errors import ConfigError, NotFound
from promptops.evaluation.arms import provider_spec
from promptops.evaluation.changes import answer_text, describe
from promptops.evaluation.columns import NOT_ANSWERED, Columns
from promptops.evaluation.policy import policy_of
from promptops.evaluation.pricing import price_list, pricer
from promptops.gate import Policy, Rule
from promptops.messages import Completion, Failure, ToolCall, Usage
from promptops.ports import Scorer
from promptops.prompts.model import GateSpec, GateWords, MessageSpec, PromptSpec, ScorerSpec
from promptops.samples import Sample, Score
from promptops.samplesource import SampleSource
from promptops.sampling import SampleSet

FAILED = Failure(kind="timeout", message="too late", attempts=4)


class Flat:
    """A scorer of a range, for what a policy asks of it."""

    def __init__(self, low: float = 0.0, high: float = 1.0, *, binary: bool = True) -> None:
        self.value_range, self.binary = (low, high), binary

    def score(self, sample: Sample, completion: Completion) -> Score:
        return Score(value=self.value_range[1])


def completion(text: str | None = "yes", **more: object) -> Completion:
    return Completion(text=text, finish_reason="stop", model="m", **more)


def policy(words: ScorerSpec, scorer: Scorer | None = None, **spec: object) -> Policy:
    prompt = PromptSpec(model="a/b", messages=[MessageSpec(role="user", content="x")], **spec)
    return policy_of(prompt, {"right": (words, scorer or Flat())}, Defaults())


def rule(found: Policy, name: str = "right") -> Rule:
    return next(one for one in found.rules if one.metric == name)


@pytest.mark.parametrize(
    ("words", "role", "margin"),
    [
        ({}, "guardrail", 0.05),
        ({"max_drop": "2%"}, "guardrail", 0.02),
        ({"must": "improve"}, "target", 0.05),
        ({"must": "improve", "max_drop": 0.1}, "both", 0.1),
        ({"never": True}, "observe", 0.05),
        ({"observe": True}, "observe", 0.05),
        ({"min": 0.9}, "guardrail", 0.05),
    ],
)
def test_every_word_has_its_role(words: dict[str, object], role: str, margin: float) -> None:
    found = rule(policy(ScorerSpec(equals="x", **words)))
    assert (found.role, found.margin) == (role, margin)
    assert found.margin_is_default == ("max_drop" not in words)
    assert found.gates == ("observe" not in words)


def test_a_default_margin_is_a_share_of_the_range() -> None:
    found = rule(policy(ScorerSpec(equals="x"), Flat(1, 5, binary=False)))
    assert (found.margin, found.kind, found.value_range) == (0.2, "bounded", (1, 5))


def test_answering_always_gates_and_what_is_measured_only_with_a_limit() -> None:
    found = policy(
        ScorerSpec(equals="x"),
        limits={"latency": GateWords(max_rise=0.2), "answered": GateWords(max_drop=0.01)},
    )
    assert rule(found, "answered").margin == 0.01
    assert rule(found, "answered").role == "guardrail"
    assert (rule(found, "latency").role, rule(found, "latency").margin) == ("guardrail", 0.2)
    assert rule(found, "cost").role == "observe"
    assert rule(found, "answered").says_what_is_right is False


def test_a_prompts_own_alpha_stands_over_the_configured_one() -> None:
    assert policy(ScorerSpec(equals="x")).alpha == 0.05
    assert policy(ScorerSpec(equals="x"), gate=GateSpec(alpha=0.01, inconclusive="block")).alpha == 0.01
    assert policy(ScorerSpec(equals="x"), gate=GateSpec(inconclusive="block")).inconclusive == "block"


def test_a_failed_answer_is_missing_everywhere_and_counted_by_kind() -> None:
    columns = Columns(2)
    columns.put_answers(0, completion(seconds=1.0), FAILED)
    columns.put_scores(0, {"right": Score(value=1.0)}, {"right": Score(value=None, reason=NOT_ANSWERED)})
    columns.put_answers(1, completion(seconds=1.0), completion(seconds=2.0))
    columns.put_scores(1, {"right": Score(value=1.0)}, {"right": Score(value=None, reason="no number")})
    assert list(columns.by_name["answered"].candidate) == [0.0, 1.0]
    assert math.isnan(columns.by_name["right"].candidate[0])
    assert math.isnan(columns.by_name["latency"].candidate[0])
    assert dict(columns.unscored["candidate"]) == {"timeout": 1, "scorer:right": 1}
    assert not columns.unscored["baseline"]


SAMPLES = SampleSet(
    source=SampleSource(root=Path()), n=3, units=2, digest="", repeats={}, clusters=array("i", [0, 0, 1])
)


def test_what_was_not_measured_is_left_out_and_not_missing() -> None:
    columns = Columns(3)
    columns.put_answers(0, completion(seconds=1.0, cached=True), completion(seconds=2.0))
    columns.put_answers(1, completion(seconds=1.0), completion(seconds=2.0, cost=0.1))
    columns.put_answers(2, completion(seconds=3.0), completion(seconds=4.0))
    found = columns.by_name["latency"].measured(SAMPLES, worst=60.0)
    assert (list(found.baseline), list(found.candidate), found.worst) == ([1.0, 3.0], [2.0, 4.0], 60.0)
    assert list(found.clusters) == [0, 1], "what is left out leaves its cluster, too"
    assert "cost" not in columns.by_name, "a price that only one side has compares nothing"


def test_a_first_release_has_only_one_side() -> None:
    columns = Columns(1)
    columns.put_answers(0, None, completion(seconds=1.0))
    columns.put_scores(0, None, {"right": Score(value=1.0)})
    assert list(columns.by_name["right"].candidate) == [1.0]
    assert list(columns.by_name["latency"].candidate) == [1.0]


def test_the_order_of_finishing_leaves_no_trace() -> None:
    one, two = Columns(2), Columns(2)
    for columns, order in ((one, (0, 1)), (two, (1, 0))):
        for index in order:
            columns.put("right", index, float(index), 1.0)
    assert one.by_name["right"] == two.by_name["right"]


CONFIG = """\
providers:
  paid: {kind: openai, base_url: "https://example.org/v1", prices: {big: {input: 2, output: 8, cached: 1}}}
limits: {models: ["paid/*"]}
"""


def test_a_price_is_of_a_million_tokens_and_unknown_stays_unknown() -> None:
    price = pricer(price_list(parse_config(CONFIG, path="promptops.yaml").providers["paid"], {}))
    assert price("big", Usage(input_tokens=1000, output_tokens=500)) == pytest.approx(0.006)
    assert price("big", Usage(input_tokens=1000, output_tokens=500, cached_tokens=400)) == pytest.approx(
        0.0056
    )
    assert price("big", Usage(input_tokens=1000)) is None
    assert price("other", Usage(input_tokens=1, output_tokens=1)) is None


def test_a_model_names_a_provider_that_is_known_and_allowed() -> None:
    config = parse_config(CONFIG, path="promptops.yaml")
    assert provider_spec(config, "paid/big")[0] == "paid"
    with pytest.raises(ConfigError, match=r"'openai/x' is not allowed: limits.models has paid/\*"):
        provider_spec(config, "openai/x")
    assert provider_spec(Config(), "openai/x")[1].kind == "openai"
    with pytest.raises(NotFound, match="no provider called 'opnai'; did you mean openai"):
        provider_spec(Config(), "opnai/x")
    assert provider_spec(Config(), "gemini/x")[1].kind == "gemini"


def test_an_answer_and_a_sample_are_told_in_a_line() -> None:
    call = ToolCall(id="1", name="refund", arguments='{"order": 7}')
    assert answer_text(completion("hello")) == "hello"
    assert answer_text(completion(None, tool_calls=(call,))) == 'refund({"order": 7})'
    assert describe(Sample(inputs={"message": "hello"})) == "hello"
    assert describe(Sample(inputs={"b": 1, "a": "é"})) == '{"a": "é", "b": 1}'
    spoken = [{"role": "user", "content": "first"}, {"role": "user", "content": "last"}]
    assert describe(Sample(messages=spoken)) == "last"
    assert describe(Sample(messages=[{"role": "system", "content": "x"}])) == ""
