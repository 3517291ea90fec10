from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from promptops.errors import PromptopsError
from promptops.runs.ledger import NAME, Entry, Ledger, begin, read, record

LOOK = Entry(
    prompt="triage",
    baseline="sha256:b",
    candidate="sha256:c",
    samples="sha256:s",
    run="triage-1",
    begun="ab",
    look=1,
    known=True,
)


def write(state: Path, *entries: Entry) -> None:
    record(state, lambda: (), lambda ledger: (None, entries))


def lines(state: Path) -> list[bytes]:
    return (state / NAME).read_bytes().splitlines(keepends=True)


def test_a_look_that_was_written_is_read_back_in_its_order(tmp_path: Path) -> None:
    second = replace(LOOK, run="triage-2", look=2)
    write(tmp_path, LOOK)
    write(tmp_path, second)
    assert read(tmp_path) == Ledger(entries=(LOOK, second))


def test_a_ledger_that_is_not_there_says_so_and_reading_does_not_make_one(tmp_path: Path) -> None:
    assert not read(tmp_path).existed
    assert list(tmp_path.iterdir()) == []


def test_the_first_look_is_told_that_the_ledger_begins_with_it(tmp_path: Path) -> None:
    seen: list[bool] = []

    def decide(ledger: Ledger) -> tuple[None, tuple[Entry, ...]]:
        seen.append(ledger.existed)
        return None, (LOOK,)

    record(tmp_path, lambda: ["sha256:c"], decide)
    record(tmp_path, lambda: ["sha256:other"], decide)
    assert seen == [False, True]
    assert read(tmp_path).present == {"sha256:c"}


def test_beginning_twice_changes_nothing(tmp_path: Path) -> None:
    begin(tmp_path / "state", ["sha256:a"])
    before = lines(tmp_path / "state")
    begin(tmp_path / "state")
    assert lines(tmp_path / "state") == before
    assert read(tmp_path / "state") == Ledger(present=frozenset({"sha256:a"}))


@pytest.mark.parametrize("cut", [1, 40, 150])
def test_a_torn_last_line_is_no_look_and_the_next_one_stands_on_a_line_of_its_own(
    tmp_path: Path, cut: int
) -> None:
    write(tmp_path, LOOK)
    write(tmp_path, replace(LOOK, look=2))
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-cut])
    expected = (LOOK, replace(LOOK, look=2)) if cut == 1 else (LOOK,)
    assert read(tmp_path).entries == expected
    assert not read(tmp_path).unreadable
    write(tmp_path, replace(LOOK, look=3))
    assert read(tmp_path).entries == (*expected, replace(LOOK, look=3))


def test_a_torn_first_line_is_no_ledger(tmp_path: Path) -> None:
    begin(tmp_path)
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:9])
    assert not read(tmp_path).existed
    begin(tmp_path, ["sha256:a"])
    assert read(tmp_path) == Ledger(present=frozenset({"sha256:a"}))


GARBLED = {
    "not JSON": b"{oops",
    "not UTF-8": b"\xff\xfe",
    "another thing": b"[1, 2]",
    "a key too few": b'{"prompt": "triage"}',
    "bottomless": b"[" * 5000,
    "too many digits": b'{"look": ' + b"9" * 5000 + b"}",
    "longer than any": b'"' + b"x" * 1_100_000 + b'"',
}


@pytest.mark.parametrize("line", GARBLED.values(), ids=GARBLED.keys())
def test_a_line_that_cannot_be_read_is_reported_by_its_number_and_kept(tmp_path: Path, line: bytes) -> None:
    write(tmp_path, LOOK)
    with (tmp_path / NAME).open("ab") as file:
        file.write(line + b"\n")
    write(tmp_path, replace(LOOK, look=2))
    found = read(tmp_path)
    assert found.entries == (LOOK, replace(LOOK, look=2))
    assert found.unreadable == (3,)


@pytest.mark.parametrize(
    "values", [{"look": 0}, {"look": True}, {"look": 10**10}, {"look": 1.0}, {"known": 1}]
)
def test_a_look_is_a_number_from_one(tmp_path: Path, values: dict[str, object]) -> None:
    write(tmp_path, LOOK)
    good = json.loads(lines(tmp_path)[1])
    with (tmp_path / NAME).open("a") as file:
        file.write(json.dumps({**good, **values}) + "\n")
    assert read(tmp_path).unreadable == (3,)


def test_a_first_line_that_was_taken_away_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, LOOK, replace(LOOK, look=2))
    (tmp_path / NAME).write_bytes(b"".join(lines(tmp_path)[1:]))
    assert read(tmp_path).unreadable == (1,)


def test_empty_lines_hide_nothing(tmp_path: Path) -> None:
    write(tmp_path, LOOK)
    with (tmp_path / NAME).open("ab") as file:
        file.write(b"\n  \n")
    assert read(tmp_path) == Ledger(entries=(LOOK,))


def test_what_a_later_version_adds_to_a_look_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, LOOK)
    content = (tmp_path / NAME).read_text().replace('"look": 1', '"look": 1, "mood": "good"')
    (tmp_path / NAME).write_text(content)
    assert read(tmp_path) == Ledger(entries=(LOOK,))


def test_a_ledger_that_cannot_be_written_is_an_error_and_no_verdict(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(PromptopsError, match=r"looks\.jsonl: .*; a verdict is only shown after"):
        write(tmp_path, LOOK)
    with pytest.raises(PromptopsError, match="cannot read"):
        read(tmp_path)


COUNTING = """
import sys
from dataclasses import replace
from pathlib import Path
from promptops.runs.ledger import Entry, record

look = Entry(prompt="p", baseline="", candidate="c", samples="s", run="r", begun="", look=1, known=True)
for _ in range(20):
    record(Path(sys.argv[1]), lambda: (), lambda found: (None, (replace(look, look=len(found.entries) + 1),)))
"""


def test_looks_taken_at_the_same_time_get_different_numbers(tmp_path: Path) -> None:
    at_once = [subprocess.Popen([sys.executable, "-c", COUNTING, str(tmp_path)]) for _ in range(3)]
    assert [process.wait() for process in at_once] == [0, 0, 0]
    assert [entry.look for entry in read(tmp_path).entries] == list(range(1, 61))
