"""Rows of a GitHub prompt file as samples."""

from __future__ import annotations

import pytest

from promptops.errors import InvalidFile
from promptops.importers.testdata import read_rows


def test_every_key_is_an_input_and_expected_too() -> None:
    first, second = read_rows([{"input": "hi", "expected": "hello"}, {"input": "ho", 3: None}])
    assert (first.inputs, first.expected) == ({"input": "hi", "expected": "hello"}, "hello")
    assert (second.inputs, second.expected) == ({"input": "ho", "3": None}, None)


def test_identical_rows_have_ids_of_their_own() -> None:
    assert len({sample.sample_id for sample in read_rows([{"a": 1}, {"a": 1}])}) == 2


def test_a_row_that_is_no_object_is_named() -> None:
    with pytest.raises(InvalidFile, match=r"a\.prompt\.yml testData:2:1: expected an object, got a text"):
        list(read_rows([{"a": 1}, "b"], name="a.prompt.yml testData"))
