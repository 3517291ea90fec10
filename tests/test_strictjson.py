"""JSON that others wrote: read exactly or refused with a place."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.strictjson import NotJson, parse


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expecting value at 1:1"),
        ('{"a": 1,\n "b": }', "Expecting value at 2:7"),
        ('{"a": 1, "a": 2}', "key 'a' is there twice"),
        ('{"x": {"a": 1, "b": 2, "a": 3}}', "key 'a' is there twice"),
        ("NaN", "NaN is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ("1e999", "1e999 is too large a number"),
        ("[" * 101 + "]" * 101, "nested deeper than 100"),
        ("[" * 100_000, "nested deeper than 100"),
        ("9" * 10_000, "a number with too many digits"),
        ("{} {}", "Extra data at 1:4"),
        ('"a\nb"', "Invalid control character at 1:3"),
    ],
)
def test_what_is_not_json_says_why_and_where(text: str, said: str) -> None:
    with pytest.raises(NotJson) as caught:
        parse(text)
    assert str(caught.value) == said


def test_the_deepest_that_is_allowed_is_read() -> None:
    assert parse("[" * 100 + "]" * 100)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_every_json_value_comes_back(value: object) -> None:
    assert parse(json.dumps(value)) == value


@given(st.text())
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    with suppress(NotJson):
        parse(text)
