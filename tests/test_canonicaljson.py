"""The fast way and the slow way to a canonical form say the same, to the byte."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from promptops.canonicaljson import canonical_json


class Colour(StrEnum):
    RED = "red"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_it_is_what_the_reference_says(value: Any) -> None:
    try:
        expected = rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        with pytest.raises(rfc8785.CanonicalizationError):
            canonical_json(value)
    else:
        assert canonical_json(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"\ufb33": 1, "\U0001f600": 2, "a": 3},
        [1.0, 0.7, 1e-7, 1e21, 5e-324, -0.0, 0.0001, 0.00001, 1e15, 123456789.125],
        'all of them: "\\/\b\f\n\r\t\x00\x1f\x7f\u2028é\U0001f600',
        {"b": (1, 2), "a": True, "colour": Colour.RED},
        {},
        [[], {}],
    ],
)
def test_what_is_easily_got_wrong_is_not(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [2**53, float("nan"), float("inf"), "half \ud800", {1: 2}])
def test_what_has_no_form_is_refused_in_the_same_words(value: Any) -> None:
    with pytest.raises(rfc8785.CanonicalizationError) as theirs:
        rfc8785.dumps(value)
    with pytest.raises(rfc8785.CanonicalizationError) as ours:
        canonical_json(value)
    assert str(ours.value) == str(theirs.value)
