"""Tables: columns to fields, and every kind of bad row."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.errors import InvalidFile, Problem
from promptops.importers import jsonl
from promptops.importers.table import read


def test_columns_that_nobody_knows_are_inputs(write: Any) -> None:
    content = "message,tone,expected\ncharged twice,,billing\n"
    (sample,) = read(write(content, "a.csv"))
    assert sample.inputs == {"message": "charged twice", "tone": ""}
    assert sample.expected == "billing"


def test_a_table_and_json_lines_give_the_same_samples(write: Any) -> None:
    table = "message,expected.queue,slices.language,tags\nhallo,billing,de,vip|new\n"
    line = (
        '{"inputs": {"message": "hallo"}, "expected": {"queue": "billing"}, '
        '"slices": {"language": "de"}, "tags": ["vip", "new"]}'
    )
    assert list(read(write(table, "a.csv"))) == list(jsonl.read(write(line)))


def test_every_column_goes_to_its_place(write: Any) -> None:
    columns = {
        "sample_id": "s1", "inputs.expected": "e", "prompt": "p", "model": "m", "conversation_id": "c",
        "user_id_hash": "u", "turn_index": "3", "trial": "1", "trace_id": "t", "span_id": "s",
        "latency_ms": "12.5", "ttft_ms": "1", "cost_usd": "0.002", "inclusion_prob": "0.5", "risk": "high",
        "status": "ok", "kind": "single", "recorded_at": "2026-01-01", "output": "5", "tags": '"[""a""]"',
        "messages": '"[{""role"": ""user"", ""content"": ""x""}]"',
    }  # fmt: skip
    (sample,) = read(write(f"{','.join(columns)}\n{','.join(columns.values())}\n", "a.csv"))
    assert sample.sample_id == "s1"
    assert sample.inputs == {"expected": "e", "prompt": "p", "model": "m"}
    assert (sample.cluster.conversation_id, sample.cluster.turn_index, sample.cluster.trial) == ("c", 3, 1)
    assert (sample.source.trace_id, sample.source.span_id) == ("t", "s")
    assert (sample.latency_ms, sample.ttft_ms, sample.cost_usd, sample.inclusion_prob) == (
        12.5,
        1,
        0.002,
        0.5,
    )
    assert sample.output
    assert sample.output.content == "5"
    assert sample.tags == ["a"]
    assert sample.messages == [{"role": "user", "content": "x"}]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1.10", "1.10"),
        ("no", "no"),
        ("", None),
        ('"{""n"": 1.5}"', {"n": 1.5}),
        ('"[1, 2]"', [1, 2]),
        ("[EMAIL_1]", "[EMAIL_1]"),
        ("{x", "{x"),
        ("[]", []),
    ],
)
def test_expected_is_text_unless_it_is_an_object_or_a_list(write: Any, cell: str, expected: Any) -> None:
    (sample,) = read(write(f"a,expected\nx,{cell}\n", "a.csv"))
    assert sample.expected == expected


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfmessage,expected\nhallo,x\n",
        b"message;expected\r\nhallo;x\r\n",
        b"message\texpected\nhallo\tx",
        b'"message" , expected\nhallo,x\n\n'.replace(b" ,", b","),
    ],
    ids=["byte order mark", "semicolons and CRLF", "tabs", "quotes and blanks"],
)
def test_how_the_table_was_saved_changes_nothing(write: Any, content: bytes) -> None:
    (sample,) = read(write(content, "a.csv"))
    assert (sample.inputs, sample.expected) == ({"message": "hallo"}, "x")


def test_a_quoted_cell_may_hold_everything(write: Any) -> None:
    (sample,) = read(write('a,"b;c"\n"x, ""y""\nz",2\n', "a.csv"))
    assert sample.inputs == {"a": 'x, "y"\nz', "b;c": "2"}


@pytest.mark.parametrize(
    ("content", "place", "said"),
    [
        ("a,b\n1,2\n3\n", "3:1", "1 cells under 2 columns (separator ',', from the header)"),
        ('a;b\n"1\n2";2\n3;4;5\n', "4:1", "3 cells under 2 columns (separator ';', from the header)"),
        ('a,b\n1,2\n"x"y,2\n', "3:1", "not CSV: ',' expected after '\"'"),
        ('a,b\n1,2\n"x\n\n', "3:1", "not CSV: unexpected end of data"),
        (b"a,b\n1,2\n\xe9,2\n", "3:1", "not UTF-8"),
        (b"a,\xe9\n1,2\n", "1:1", "not UTF-8"),
        ("a,a\n1,2\n", "1:1", "column 'a' is there twice"),
        ("a,\n1,2\n", "1:1", "column 2 has no name"),
        ("a,expected,expected.q\n1,2,3\n", "1:1", "exclude each other"),
        ('a,"b\n', "1:1", "not CSV: unexpected end of data"),
        ("expected\nx\n", "2:1", "a sample needs inputs or messages"),
        ("a,latency_ms\nx,soon\n", "2:1", "latency_ms: input should be a valid number"),
        ("a,latency_ms\nx,nan\n", "2:1", "latency_ms: expected a finite number"),
        ("a,risk\nx,big\n", "2:1", "risk: input should be 'low', 'medium' or 'high'"),
        ("a,sample_id\nx,s\ny,s\n", "3:1", "sample_id 's' is already at"),
        ("a\n" + "x" * 140_000 + "\n", "2:1", "not CSV: field larger than field limit"),
    ],
)
def test_a_bad_row_is_named_with_the_line_it_begins_on(
    write: Any, content: str | bytes, place: str, said: str
) -> None:
    path = write(content, "a.csv")
    with pytest.raises(InvalidFile) as caught:
        list(read(path))
    assert str(caught.value).startswith(f"{path}:{place}: ")
    assert said in str(caught.value)


def test_bad_rows_are_skipped_when_asked_and_the_rest_is_read(write: Any) -> None:
    skipped: list[Problem] = []
    path = write(b'a,b\n1\n"x"y,2\n\xff,1\n3,4\n', "a.csv")
    found = list(read(path, skip_bad=True, on_bad=skipped.append))
    assert [sample.inputs for sample in found] == [{"a": "3", "b": "4"}]
    assert [problem.line for problem in skipped] == [2, 3, 4]


@pytest.mark.parametrize("content", ["", "a,b\n", "a,b"])
def test_a_table_without_rows_has_no_samples(write: Any, content: str) -> None:
    assert list(read(write(content, "a.csv"))) == []


@settings(max_examples=150)
@given(st.binary(max_size=60) | st.text(alphabet='a,;"\n\r\t1é\x00', max_size=60).map(str.encode))
def test_no_bytes_do_anything_but_be_read_or_refused(content: bytes) -> None:
    with suppress(InvalidFile):
        assert all(sample.sample_id for sample in read(io.BytesIO(content)))


def test_a_line_of_20_mb_is_a_bad_row_and_so_is_the_row_that_it_belongs_to(write: Any) -> None:
    long = b"x" * (20 * 1024 * 1024)
    path = write(b"message\nhello\n" + long + b'\n"two\n' + long + b'\nlines"\nbye\n', name="a.csv")
    with pytest.raises(InvalidFile, match=r"a\.csv:3:1: a line of more than 16 MiB"):
        list(read(path))
    skipped: list[Problem] = []
    found = list(read(path, skip_bad=True, on_bad=skipped.append))
    assert [sample.inputs for sample in found] == [{"message": "hello"}, {"message": "bye"}]
    assert [problem.line for problem in skipped] == [3, 5]
