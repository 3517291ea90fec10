# ruff: noqa: E501  (one case a line)
"""Gate words that contradict one another or could never decide are refused where they are written."""

from __future__ import annotations

import pytest
from prompt_texts import complaints

HEAD = "model: openai/x\nmessages:\n  - {role: user, content: hi}\n"
WIDE = "allows everything: the values go from"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("scorers: {a: {equals: x, max_drop: 1}}", f"4:36: scorers.a.max_drop: {WIDE} 0 to 1, so write less than 1, got 1"),
        ("scorers: {a: {equals: x, max_drop: 150%}}", f"4:36: scorers.a.max_drop: {WIDE} 0 to 1, so write less than 1, got '150%'"),
        ('scorers: {a: {equals: x, max_drop: "2"}}', f"4:36: scorers.a.max_drop: {WIDE} 0 to 1, so write less than 1, got '2'"),
        ("scorers: {a: {python: 'm:f', max_drop: 1.5}}", f"4:40: scorers.a.max_drop: {WIDE} 0 to 1, so write less than 1, got 1.5"),
        ("scorers: {a: {python: 'm:f', range: [1, 5], max_drop: 4}}", f"4:55: scorers.a.max_drop: {WIDE} 1 to 5, so write less than 4, got 4"),
        ("scorers: {a: {judge: r.md, scale: [1, 5], max_drop: 4}}", f"4:53: scorers.a.max_drop: {WIDE} 1 to 5, so write less than 4, got 4"),
        ("limits: {answered: {max_drop: 100%}}", f"4:31: limits.answered.max_drop: {WIDE} 0 to 1, so write less than 1, got '100%'"),
    ],
)  # fmt: skip
def test_a_margin_as_wide_as_the_range_is_refused(line: str, expected: str):
    assert complaints(f"{HEAD}{line}\n") == [expected]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("scorers: {a: {equals: x, max_drop: inf%}}", "4:36: scorers.a.max_drop: expected a number, got 'inf%'"),
        ('scorers: {a: {equals: x, max_drop: "inf"}}', "4:36: scorers.a.max_drop: expected a number, got 'inf'"),
        ("scorers: {a: {equals: x, max_drop: .nan}}", "4:36: scorers.a.max_drop: not a finite number; put it in quotes if it is text"),
        ("limits: {latency: {max_rise: .inf}}", "4:30: limits.latency.max_rise: not a finite number; put it in quotes if it is text"),
        ('limits: {latency: {max_rise: "1e999"}}', "4:30: limits.latency.max_rise: expected a number, got '1e999'"),
        ("limits: {latency: {max_rise: 0}}", "4:30: limits.latency.max_rise: expected a number above 0, got 0"),
        ("limits: {latency: {max_rise: -20%}}", "4:30: limits.latency.max_rise: expected a number above 0, got '-20%'"),
        ("gate: {alpha: 0}", "4:15: gate.alpha: expected a number above 0, got 0"),
        ("gate: {alpha: 0.5}", "4:15: gate.alpha: expected a number below 0.5, got 0.5"),
        ("scorers: {a: {python: 'm:f', range: [0, .inf]}}", "4:41: scorers.a.range[1]: not a finite number; put it in quotes if it is text"),
    ],
)  # fmt: skip
def test_what_is_no_margin_no_level_and_no_range_is_refused(line: str, expected: str):
    assert expected in complaints(f"{HEAD}{line}\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("scorers: {a: {equals: x, min: 1.2}}", "4:31: scorers.a.min: expected a number above 0 and below 1, got 1.2; to allow no failure at all write never: true"),
        ("scorers: {a: {equals: x, min: 100%}}", "4:31: scorers.a.min: expected a number above 0 and below 1, got '100%'; to allow no failure at all write never: true"),
        ("scorers: {a: {equals: x, min: 0}}", "4:31: scorers.a.min: expected a number above 0 and below 1, got 0"),
        ("scorers: {a: {python: 'm:f', range: [1, 5], min: 1}}", "4:50: scorers.a.min: expected a number above 1 and below 5, got 1"),
        ("limits: {answered: {min: 1}}", "4:26: limits.answered.min: expected a number above 0 and below 1, got 1"),
    ],
)  # fmt: skip
def test_a_floor_outside_of_the_range_is_refused(line: str, expected: str):
    assert complaints(f"{HEAD}{line}\n") == [expected]


@pytest.mark.parametrize(
    "line",
    [
        "scorers: {a: {equals: x, max_drop: 99%, min: 0.5}}",
        "scorers: {a: {python: 'm:f', range: [1, 5], max_drop: 3.9, min: 4.9}}",
        "scorers: {a: {python: 'm:f', range: [-1, 0], min: -0.5}}",
        "scorers: {a: {judge: r.md, max_drop: 2, min: 4}}",
        "scorers: {a: {equals: x, never: true}, b: {equals: x, observe: true, never: false}}",
        "limits: {latency: {max_rise: 500%}, answered: {max_drop: 2%, min: 90%}}",
        "gate: {slices: {by: [language], critical: ['language = de', 'language=en'], policy: block}}",
        "gate: {slices: {critical: ['language=de'], policy: warn}, alpha: 0.49}",
    ],
)
def test_what_can_decide_is_accepted(line: str):
    assert complaints(f"{HEAD}{line}\n") == []


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("scorers: {a: {python: 'm:f', range: [1], max_drop: 9}}", "scorers.a.range[1]"),
        ("scorers: {a: {python: 'm:f', range: [x, 2], max_drop: 9}}", "scorers.a.range[0]"),
        ("gate: {slices: {by: [[x], language]}}", "gate.slices.by[0]"),
        ("gate: {slices: {critical: [{language: de}]}}", "gate.slices.critical[0]"),
        ("gate: {slices: {critical: language=de}}", "gate.slices.critical"),
    ],
)
def test_what_has_the_wrong_type_is_left_to_the_model(line: str, where: str):
    (said,) = complaints(f"{HEAD}{line}\n")
    assert said.split(": ")[1] == where


def test_every_word_that_contradicts_another_is_named():
    line = "scorers: {a: {equals: x, observe: true, must: improve, never: true, max_drop: 0.1, min: 0.5}}"
    assert complaints(f"{HEAD}{line}\n") == [
        "4:26: scorers.a.observe: what is only observed has no must and no never and no min and no max_drop",
        "4:56: scorers.a.never: what must never happen cannot also improve",
        "4:69: scorers.a.max_drop: what must never happen has no margin",
    ]


def test_words_are_checked_beside_a_scorer_of_no_known_kind_too():
    line = "scorers: {a: {eqals: x, observe: true, must: improve, max_rise: 1}}"
    assert [text.split(": ")[1] for text in complaints(f"{HEAD}{line}\n")] == [
        "scorers.a",
        "scorers.a.eqals",
        "scorers.a.observe",
        "scorers.a.max_rise",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{bye: [x]}", ["4:17: gate.slices.bye: unknown key; did you mean by?"]),
        ("{by: [a, a, '', 'b=c']}", ["4:25: gate.slices.by[1]: a is written twice", "4:28: gate.slices.by[2]: expected the name of a slice, like language", "4:32: gate.slices.by[3]: expected the name of a slice, like language"]),
        ("{by: [], critical: ['a=b']}", ["4:36: gate.slices.critical[0]: a is not among the slices in by"]),
        ("{critical: ['a=b', 'a = b', 'a=', '=b', '=', 3]}", ["4:35: gate.slices.critical[1]: a=b is written twice", *(f"4:{column}: gate.slices.critical[{index}]: expected name=value, like language=de" for index, column in ((2, 44), (3, 50), (4, 56), (5, 61)))]),
        ("{policy: blok}", ["4:25: gate.slices.policy: expected warn or block, got 'blok'; did you mean block?"]),
        ("{policy: block}", ["4:25: gate.slices.policy: block does nothing without by: name the slices that may block"]),
        ("{by: [a], policy: block}, sequential: {max_samples: 9}", ["4:34: gate.slices.policy: block needs all samples at once, sequential stops before; name those slices critical instead"]),
        ("true", ["4:16: gate.slices: expected a mapping, got true"]),
    ],
)  # fmt: skip
def test_slices_that_are_not_slices_are_refused(line: str, expected: list[str]):
    assert complaints(f"{HEAD}gate: {{slices: {line}}}\n") == expected
