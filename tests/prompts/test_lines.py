"""Which lines of a text are those of an earlier one."""

from __future__ import annotations

import pytest

from promptops.prompts.lines import lines_of, same_lines


@pytest.mark.parametrize(
    ("text", "lines"), [("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\n\n", ["a", ""]), ("\n", [""])]
)
def test_the_line_feed_at_the_end_begins_no_line(text: str, lines: list[str]) -> None:
    assert lines_of(text) == lines


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("abc", "abc", [0, 1, 2]),
        ("abc", "axbc", [0, None, 1, 2]),
        ("abc", "ac", [0, 2]),
        ("", "ab", [None, None]),
        ("ab", "", []),
        ("aaa", "aa", [0, 1]),
        ("abcd", "xbcy", [None, 1, 2, None]),
        ("abcdef", "defabc", [None, None, None, 0, 1, 2]),
    ],
)
def test_each_line_is_found_where_it_stood(old: str, new: str, same: list[int | None]) -> None:
    assert same_lines(list(old), list(new)) == same


def test_the_same_lines_again_and_again_take_no_time_worth_mentioning() -> None:
    old, new = ["x", *["same"] * 30_000], ["y", *["same"] * 30_001, "z"]
    assert same_lines(old, new)[0] is None
