"""JSON lines: what is read, what is refused with which line, and in how much memory."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.errors import InvalidFile, Problem
from promptops.importers.jsonl import read
from promptops.importers.lines import MAX_LINE
from promptops.samples import Sample, sample_id

GOOD = '{"inputs": {"message": "charged twice"}, "expected": "billing"}'
EXAMPLES = Path(__file__).parents[3] / "shared/data/sample_schema/examples.jsonl"


def test_the_smallest_line_is_a_whole_sample(write: Any) -> None:
    (sample,) = read(write(GOOD))
    assert sample.inputs == {"message": "charged twice"}
    assert sample.expected == "billing"
    assert sample.sample_id == sample_id(json.loads(GOOD))


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD.encode() + b"\n",
        GOOD.encode() + b"\r\n\r\n",
        b"\n  \n\t\n" + GOOD.encode(),
        GOOD.encode(),
    ],
    ids=["byte order mark", "CRLF", "blank lines", "no end"],
)
def test_how_the_file_was_saved_changes_nothing(write: Any, content: bytes) -> None:
    (sample,) = read(write(content))
    assert sample.sample_id == sample_id(json.loads(GOOD))


def test_an_open_file_is_read_too() -> None:
    assert [sample.expected for sample in read(io.BytesIO(GOOD.encode()))] == ["billing"]


def test_an_empty_file_has_no_samples(write: Any) -> None:
    assert list(read(write(""))) == []


@pytest.mark.parametrize(
    ("line", "place", "said"),
    [
        ('{"inputs": {"a": 1}', "2:20", "not JSON: Expecting ',' delimiter"),
        ('{"inputs": {"a": NaN}}', "2:1", "not JSON: NaN is not JSON"),
        ('{"inputs": {"a": Infinity}}', "2:1", "not JSON: Infinity is not JSON"),
        ('{"inputs": {"a": 1e999}}', "2:1", "not JSON: 1e999 is too large a number"),
        ('{"inputs": {"a": 1, "a": 2}}', "2:1", "not JSON: key 'a' is there twice"),
        ('{"inputs": {"a": "\\ud800"}}', "2:1", "half a surrogate pair"),
        ("[1]", "2:1", "expected an object, got a list"),
        ("null", "2:1", "expected an object, got null"),
        ("[" * 200, "2:", "not JSON"),
        ('{"expected": 1}', "2:1", "a sample needs inputs or messages"),
        ('{"message": "x"}', "2:1", 'a sample needs inputs or messages; write {"inputs": {"message": …}}'),
        ('{"inputs": 3}', "2:1", "inputs: input should be a valid dictionary"),
        (
            '{"inputs": {}, "tags": "a", "risk": "big"}',
            "2:1",
            "risk: input should be 'low', 'medium' or 'high'",
        ),
        ('{"inputs": {}, "latency_ms": "nan"}', "2:1", "latency_ms: expected a finite number"),
        ('{"inputs": {}, "sample_id": 7}', "2:1", "sample_id: expected a printable text"),
        ('{"inputs": {}, "sample_id": "a\\u001b[31m"}', "2:1", "sample_id: expected a printable text"),
        (
            '{"inputs": {}, "schema": "promptops.sample/v1"}',
            "2:1",
            "is an older spelling; write 'promptops.sample/1'",
        ),
        (
            '{"inputs": {}, "schema": "promptops.sample/2"}',
            "2:1",
            "schema: expected 'promptops.sample/1', got",
        ),
        (b'{"inputs": {"a": "\xff"}}', "2:19", "not UTF-8: byte 0xff"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_the_reason(
    write: Any, line: str | bytes, place: str, said: str
) -> None:
    raw = line if isinstance(line, bytes) else line.encode()
    path = write(GOOD.encode() + b"\n" + raw + b"\n" + GOOD.encode())
    with pytest.raises(InvalidFile) as caught:
        list(read(path))
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"{path}:{place}")
    assert said in problem.message


def test_a_torn_last_line_is_called_that(write: Any) -> None:
    with pytest.raises(InvalidFile, match="2:21: the last line is cut off: not JSON: Unterminated string"):
        list(read(write(GOOD + '\n{"inputs": {"mess": "cha')))


def test_utf_16_is_called_that(write: Any) -> None:
    with pytest.raises(InvalidFile, match="this is UTF-16; save it as UTF-8"):
        list(read(write(GOOD.encode("utf-16"))))


def test_all_bad_lines_are_shown_at_once_and_nothing_after_the_first_is_yielded(write: Any) -> None:
    path = write(f"{GOOD}\nx\n{GOOD}\ny\n")
    found = []
    with pytest.raises(InvalidFile) as caught:
        found.extend(read(path, name="logs/a.jsonl"))
    assert str(caught.value).splitlines() == [
        "logs/a.jsonl:2:1: not JSON: Expecting value",
        "logs/a.jsonl:4:1: not JSON: Expecting value",
    ]


def test_a_file_of_nothing_but_rubbish_is_not_read_to_its_end() -> None:
    file = io.BytesIO(b"rubbish\n" * 1_000)
    with pytest.raises(InvalidFile) as caught:
        list(read(file))
    assert len(caught.value.problems) == 20
    assert file.tell() == 20 * len("rubbish\n")


def test_bad_lines_are_skipped_when_asked_and_handed_over(write: Any) -> None:
    skipped: list[Problem] = []
    found = list(read(write(f"x\n{GOOD}\n[]\n"), skip_bad=True, on_bad=skipped.append))
    assert len(found) == 1
    assert [problem.line for problem in skipped] == [1, 3]


def test_nothing_is_skipped_in_silence(write: Any) -> None:
    with pytest.raises(TypeError):
        list(read(write(GOOD), skip_bad=True))


def test_identical_rows_are_numbered_and_stay_the_same_next_time(write: Any) -> None:
    path = write(f"{GOOD}\n{GOOD}\n{GOOD}\n")
    first = [sample.sample_id for sample in read(path)]
    assert len(set(first)) == 3
    assert first == [sample_id(json.loads(GOOD), occurrence) for occurrence in range(3)]
    assert first == [sample.sample_id for sample in read(path)]


def test_where_a_record_came_from_is_not_what_it_is(write: Any) -> None:
    source = '{"inputs": {"a": 1}, "source": {"uri": "%s", "imported_at": "%s"}}'
    (one,) = read(write(source % ("a", "2026-01-01")))
    (two,) = read(write(source % ("b", "2026-01-02")))
    assert one.sample_id == two.sample_id


def test_an_id_that_was_written_twice_names_both_lines(write: Any) -> None:
    path = write('{"sample_id":"a","inputs":{}}\n\n{"sample_id":"a","inputs":{"x":1}}\n')
    with pytest.raises(InvalidFile) as caught:
        list(read(path))
    assert str(caught.value) == f"{path}:3:1: sample_id 'a' is already at {path}:1"


def test_a_computed_id_gives_way_to_one_that_was_written(write: Any) -> None:
    identity = sample_id(json.loads(GOOD))
    raw = json.loads(GOOD)
    path = write(json.dumps({**raw, "sample_id": identity}) + "\n" + GOOD)
    assert [sample.sample_id for sample in read(path)] == [identity, sample_id(raw, 1)]


def test_numbers_that_json_cannot_carry_exactly_have_ids_too(write: Any) -> None:
    found = list(
        read(write('{"inputs":{"id":[12345678901234567890]}}\n{"inputs":{"id":[12345678901234567891]}}\n'))
    )
    assert found[0].inputs == {"id": [12345678901234567890]}
    assert found[0].sample_id != found[1].sample_id


def test_unknown_keys_are_kept(write: Any) -> None:
    (sample,) = read(write('{"inputs": {}, "reviewer": "ann", "extra": {"a": 1}}'))
    assert sample.extra == {"a": 1, "reviewer": "ann"}


def big_lines(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield json.dumps({"inputs": {"message": f"{number} " + "x" * 2_000}}).encode() + b"\n"


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_large_file_is_streamed(write: Any) -> None:
    path = write(b"".join(big_lines(4_000)))
    peak = peak_of(lambda: sum(1 for _ in read(path)))
    assert peak < path.stat().st_size / 4


def test_the_first_sample_comes_before_the_rest_is_read() -> None:
    file = io.BytesIO(b"".join(big_lines(100)))
    next(iter(read(file)))
    assert file.tell() < 3_000


def test_a_line_of_50_mb_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(GOOD.encode() + b'\n{"inputs": {"a": "')
        for _ in range(50):
            file.write(b"x" * 1024 * 1024)
        file.write(b'"}}\n' + GOOD.encode())
    skipped: list[Problem] = []
    found: list[Sample] = []
    peak = peak_of(lambda: found.extend(read(path, skip_bad=True, on_bad=skipped.append)))
    assert [str(problem) for problem in skipped] == [
        f"{path}:2:1: a line of more than 16 MiB; one line is one sample"
    ]
    assert len(found) == 2
    assert peak < 3 * MAX_LINE


@settings(max_examples=150)
@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8")))
def test_no_bytes_do_anything_but_be_read_or_refused(content: bytes) -> None:
    with suppress(InvalidFile):
        assert all(sample.sample_id for sample in read(io.BytesIO(content)))


@settings(max_examples=100)
@given(
    st.dictionaries(
        st.sampled_from([*Sample.model_fields, "schema", "x"]), st.none() | st.integers() | st.text()
    )
)
def test_no_record_does_anything_but_be_read_or_refused(record: dict[str, Any]) -> None:
    with suppress(InvalidFile):
        list(read(io.BytesIO(json.dumps(record).encode())))


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not here")
def test_recorded_examples_are_read_once_their_schema_is_spelt_as_now(write: Any) -> None:
    text = EXAMPLES.read_text(encoding="utf-8")
    with pytest.raises(InvalidFile, match="older spelling"):
        list(read(write(text)))
    found = list(read(write(text.replace("promptops.sample/v1", "promptops.sample/1"))))
    assert [sample.kind for sample in found] == ["single", "agent", "single"]
    assert found[2].unit == "sess-981"
    assert found[2].extra == {"weight": 4.0}
