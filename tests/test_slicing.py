"""Which samples belong to which slice, and which rules slices bring along."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.gate import Policy, Rule
from promptops.slicing import (
    MOST,
    NONE,
    OTHER,
    Masks,
    Partition,
    Tally,
    normal_name,
    samples_in,
    tallies,
    value_text,
    with_slices,
)


def partition(values: Sequence[Any], keep: Sequence[str] = (), key: str = "language") -> Partition:
    tally = Tally(key)
    for value in values:
        tally.add({} if value is ... else {key: value})
    return tally.partition(keep)


def read_back(found: Partition) -> list[str]:
    return [found.values[code] for code in found.codes]


def test_a_sample_without_the_key_is_in_a_slice_of_its_own_and_counted():
    found = partition(["de", ..., "en", None, "de", "", "  "])
    assert read_back(found) == ["de", NONE, "en", NONE, "de", NONE, NONE]
    assert found.counts == {NONE: 4, "de": 2, "en": 1}
    assert found.names == ("language=(none)", "language=de", "language=en")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("de", "de"),
        (3, "3"),
        (True, "true"),
        (1.5, "1.5"),
        (["a", "ü"], '["a", "ü"]'),
        (None, NONE),
        ("", NONE),
    ],
)
def test_a_value_is_named_as_people_write_it(value: Any, text: str):
    assert value_text(value) == text


def test_long_values_are_cut_and_stay_apart():
    one, other = value_text("x" * 500 + "a"), value_text("x" * 500 + "b")
    assert one != other
    assert len(one) == len(other) == 89


@given(st.lists(st.sampled_from(["de", "en", "fr", None, 7]), min_size=1), st.randoms(use_true_random=False))
def test_every_sample_is_in_exactly_one_slice_and_order_changes_nothing(
    values: list[Any], chance: random.Random
) -> None:
    found = partition(values)
    assert sum(found.mask(value).astype(int) for value in found.values).tolist() == [1] * len(values)
    shuffled = chance.sample(values, len(values))
    again = partition(shuffled)
    assert (again.values, again.counts) == (found.values, found.counts)
    assert read_back(again) == [value_text(value) for value in shuffled]


def test_beyond_the_most_frequent_values_are_one_slice_but_critical_ones_stay():
    values = [f"u{number}" for number in range(MOST + 50) for _ in range(1 if number >= MOST else 2)]
    found = partition(values, keep=[f"language=u{MOST + 7}"])
    assert len(found.values) == MOST + 2
    assert found.folded == 49
    assert found.counts[OTHER] == 49
    assert found.counts[f"u{MOST + 7}"] == 1
    assert read_back(found)[0] == "u0"


def test_a_key_is_tallied_once_however_often_it_is_named():
    assert [one.key for one in tallies(["a", "b"], ["b=1", "c=2", "c=3"])] == ["a", "b", "c"]
    assert normal_name(" language =  de ") == "language=de"


def test_masks_are_found_by_name_and_follow_a_choice_of_samples():
    languages = partition(["de", "en", "de", ...])
    masks = Masks((languages, partition(["x", "y", "y", "y"], key="intent")))
    assert masks["language=de"].tolist() == [True, False, True, False]
    assert masks["intent=y"].tolist() == [False, True, True, True]
    assert set(masks) == {"language=de", "language=en", "language=(none)", "intent=x", "intent=y"}
    assert len(masks) == 5
    assert masks.get("language=fr") is None
    assert [samples_in((languages,), name) for name in ("language=de", "language=fr", "k=de")] == [2, 0, 0]
    assert masks.get("country=de") is None
    chosen = Masks((languages,), np.array([2, 3]))
    assert chosen["language=de"].tolist() == [True, False]


RULES = (
    Rule(metric="queue", kind="binary", margin=0.05, target=True, floor=0.8),
    Rule(metric="tone", kind="bounded", value_range=(1.0, 5.0), margin=0.2, guardrail=False, target=True),
    Rule(metric="safe", kind="binary", margin=0.05, never=True),
    Rule(metric="words", kind="bounded", value_range=(0.0, 9.0), margin=1.0, observe=True),
    Rule(metric="answered", kind="binary", margin=0.05),
    Rule(metric="latency", kind="ratio", margin=0.2),
)


def test_critical_slices_are_guardrails_of_their_own_and_the_others_are_only_looked_at():
    policy = with_slices(
        Policy(rules=RULES),
        [
            partition(["de", "en", ...]),
            partition(["x"] * 3, key="intent"),
            partition(["a", "b", "c"], key="k"),
        ],
        by=["language", "intent"],
        critical=["language=de", "k=a"],
        blocks=True,
    )
    assert [rule.name for rule in policy.rules] == [
        "queue",
        "queue [language=de]",
        "queue [k=a]",
        "tone",
        "tone [language=de]",
        "tone [k=a]",
        "safe",
        "words",
        "answered",
        "latency",
    ]
    critical = [rule for rule in policy.rules if rule.slice]
    assert tuple(rule for rule in policy.rules if not rule.slice) == RULES
    assert {rule.role for rule in critical} == {"guardrail"}
    assert {rule.floor for rule in critical} == {None}
    assert [rule.margin for rule in critical] == [0.05, 0.05, 0.2, 0.2]
    # A key with one value says nothing of its own, and `k` is only named in a critical slice.
    assert [rule.name for rule in policy.explored] == [
        "queue [language=(none)]",
        "queue [language=en]",
        "tone [language=(none)]",
        "tone [language=en]",
    ]
    assert policy.slices_block
