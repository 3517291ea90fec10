"""Keys are read by name and never shown."""

from __future__ import annotations

import pytest

from promptops.errors import ConfigError
from promptops.providers.keys import one_line, read_header, read_key


def test_a_key_is_read_without_the_spaces_around_it() -> None:
    assert read_key("MY_KEY", {"MY_KEY": " sk-123\n"}) == "sk-123"


@pytest.mark.parametrize("value", [None, "", "  \n", "two words", "sk-\x00123456", "schlüssel", "sk-1\nsk-2"])
def test_a_key_that_is_none_is_named_and_not_shown(value) -> None:
    with pytest.raises(ConfigError, match="MY_KEY") as caught:
        read_key("MY_KEY", {} if value is None else {"MY_KEY": value})
    for word in (value or "").split():
        assert word not in str(caught.value)


def test_foreign_text_becomes_one_harmless_line() -> None:
    text = "bad key sk-proj-abcdefghijklmnop\r\n\x1b[31m::error::x\x00\u202e y " + "z" * 400
    line = one_line(text, secrets=["", "y"])
    assert line.startswith("bad key [key] [31m::error::x y zz")
    assert len(line) == 300


def test_a_key_across_the_cut_leaves_no_half() -> None:
    assert one_line("aaaa topsecretkey", secrets=["topsecretkey"], limit=9) == "aaaa [ke…"


def test_lone_surrogates_can_be_printed() -> None:
    one_line("\ud800").encode("utf-8")


def test_a_headers_value_may_be_of_several_words() -> None:
    assert read_header("MY_HEADER", {"MY_HEADER": " Bearer abc\n"}) == "Bearer abc"


@pytest.mark.parametrize("environ", [{}, {"MY_HEADER": " "}])
def test_a_headers_variable_that_is_missing_or_empty_is_named(environ) -> None:
    with pytest.raises(ConfigError, match="MY_HEADER is"):
        read_header("MY_HEADER", environ)
