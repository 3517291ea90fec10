"""What is written is read back quickly, and whatever else is read, its bytes are compared: nothing passes for ours."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.errors import InvalidFile, PromptopsError
from promptops.records import Release, Version, body_digest, canonical, parse_release, parse_version
from promptops.writtenyaml import read_written
from promptops.yamltext import write_yaml

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
LINES = st.lists(st.sampled_from(["", "a", "  b", "- c", "d: e", '"f"', "? g", "|", "#"]), max_size=5).map(
    "\n".join
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | LINES
    | st.sampled_from(["yes", "null", "~", "1", "1e3", "0x1", "a:b", "a b", "-", "- a", "? a", "x" * 1100])
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | LINES, inner, max_size=4)
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: True is not 1, and 1.0 is not 1."""
    return json.dumps(one) == json.dumps(other)


@given(st.dictionaries(TEXT | LINES, VALUES, max_size=5))
def test_what_was_written_is_read_back(values: dict[str, Any]) -> None:
    found = read_written(write_yaml(values))
    assert same(found, json.loads(json.dumps(values)))


@pytest.mark.parametrize(
    "text",
    ["", "a", "a\n", "a: 1\nb\n", "- a\n b\n", '"a\n', '"a" b: 1\n', "a: [1]\n", "? a\n", "\n", " a: 1\n"],
)
def test_what_was_not_written_by_us_is_nothing_or_harmless(text: str) -> None:
    found = read_written(text)
    assert found is None or write_yaml({"a": found}) != text


BODY = {
    "messages": [{"role": "user", "content": "Hello\n  {{ name }}\n"}],
    "parameters": {"stop": ["\n", "- "]},
}
VERSION = Version(
    id="greet",
    version=1,
    digest=body_digest(BODY),
    path="p",
    source="a\n\nb\n",
    partials={"x.md": "é\n"},
    body=BODY,
)
RELEASE = Release(
    id="greet",
    environment="production",
    sequence=1,
    version=1,
    digest=VERSION.digest,
    kind="first",
    reason="said: why",
    by="Ada <ada@example.org>",
    at="2026-01-05T10:00:00Z",
)


def test_records_are_the_same_whichever_way_they_are_read() -> None:
    # A comment makes it another hand's text: then the reader of all YAML reads it.
    slow = parse_version(b"# read slowly\n" + canonical(VERSION), path="v1.yaml")
    assert slow == parse_version(canonical(VERSION), path="v1.yaml") == VERSION
    slow_release = parse_release(b"# read slowly\n" + canonical(RELEASE), path="production.yaml")
    assert slow_release == parse_release(canonical(RELEASE), path="production.yaml") == RELEASE


def test_no_change_of_a_byte_is_read_as_if_it_were_not_there() -> None:
    draw, original = random.Random(5), canonical(RELEASE)
    for _ in range(300):
        content = bytearray(original)
        content[draw.randrange(len(content))] ^= draw.randrange(1, 256)
        try:
            found = parse_release(bytes(content), path="production.yaml")
        except PromptopsError:
            continue
        assert canonical(found) != original or bytes(content) != canonical(found)


def test_what_cannot_be_read_still_says_where() -> None:
    with pytest.raises(InvalidFile, match=r"production\.yaml:4:11: sequence"):
        parse_release(canonical(RELEASE).replace(b"sequence: 1", b"sequence: x"), path="production.yaml")
