"""The journal: nothing finished is lost, nothing damaged is guessed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.errors import IntegrityError, PromptopsError
from promptops.messages import Answer, Completion, Failure, Lost, ToolCall, Usage
from promptops.runs.encoding import (
    Half,
    Unanswered,
    answer_from_dict,
    answer_to_dict,
    from_line,
    pair_from_dict,
    pair_to_dict,
    to_line,
)
from promptops.runs.journal import Journal
from promptops.runs.recorded import NO_BASELINE
from promptops.samples import Pair

HEADER = {"digests": {"baseline": "sha256:a", "candidate": "sha256:b"}, "seed": 1}


LOST = Failure(kind="timeout", message="slow", attempts=4)


def said(text: str = "x") -> Completion:
    return Completion(text=text, finish_reason="stop", model="m")


def pair(index: int, candidate: Answer | None = None, *, text: str = "x") -> Pair:
    return Pair(index=index, sample_id=f"smp_{index}", baseline=said(text), candidate=candidate or said(text))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "r1"


def lines(folder: Path) -> list[bytes]:
    return (folder / "pairs.jsonl").read_bytes().splitlines(keepends=True)


def test_a_run_is_resumed_where_it_was(folder) -> None:
    failed = pair(5, Failure(kind="timeout", message="slow", attempts=4))
    with Journal.open(folder, HEADER) as journal:
        for one in (pair(2), pair(0), failed):
            journal.append(one)
    with Journal.open(folder, HEADER) as journal:
        assert [journal.complete(index) for index in range(7)] == [
            True,
            False,
            True,
            False,
            False,
            False,
            False,
        ]
        assert [index in journal for index in range(7)] == [True, False, True, False, False, True, False]
        assert journal.read(2) == pair(2)
        assert journal.read(5) == failed
        journal.append(pair(1))
        assert journal.read(1) == pair(1)
    assert len(lines(folder)) == 4


def test_a_later_line_wins(folder) -> None:
    with Journal.open(folder, HEADER) as journal:
        journal.append(pair(0, Failure(kind="timeout", message="slow")))
        assert not journal.complete(0)
        journal.append(pair(0, text="again"))
        assert journal.complete(0)
    with Journal.open(folder, HEADER) as journal:
        assert journal.read(0) == pair(0, text="again")


def test_an_answer_nobody_was_asked_for_is_not_asked_again(folder) -> None:
    first = Pair(index=0, sample_id="smp_0", baseline=NO_BASELINE, candidate=said())
    with Journal.open(folder, HEADER) as journal:
        journal.append(first)
        assert journal.complete(0)
        assert journal.read(0) == first


def test_what_is_not_there_is_a_key_error(folder) -> None:
    with Journal.open(folder, HEADER) as journal, pytest.raises(KeyError):
        journal.read(3)


def test_a_torn_last_line_is_asked_again_wherever_it_tears(folder) -> None:
    with Journal.open(folder, HEADER) as journal:
        journal.append(pair(0))
        journal.append(pair(1))
    whole = (folder / "pairs.jsonl").read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole)):
        (folder / "pairs.jsonl").write_bytes(whole[:cut])
        with Journal.open(folder, HEADER) as journal:
            assert (journal.complete(0), journal.complete(1)) == (True, False)
            journal.append(pair(1))
        assert (folder / "pairs.jsonl").read_bytes() == whole


@pytest.mark.parametrize(
    "damage",
    [
        b"garbage\n",
        b"\n",
        b"{}\n",
        b"[" * 100_000 + b"\n",
        b'{"index": NaN}\n',
        b"\xff\xfe\n",
        to_line(pair_to_dict(pair(1))).replace(b'"index":1', b'"index":-1'),
        to_line(pair_to_dict(pair(1))).replace(b'"index":1', b'"index":1.0'),
        to_line(pair_to_dict(pair(1))).replace(b'"index":1', b'"index":true'),
        to_line(pair_to_dict(pair(1))).replace(b'"index":1', b'"index":1' + b"0" * 12),
        to_line(pair_to_dict(pair(1))).replace(b'"text":"x"', b'"text":5'),
        to_line(pair_to_dict(pair(1))).replace(b'"cached":false', b'"cached":0'),
        to_line(pair_to_dict(pair(1))).replace(b'"usage":{', b'"usage":{"more":1,'),
    ],
)
def test_a_bad_line_in_the_middle_is_named(folder, damage) -> None:
    with Journal.open(folder, HEADER) as journal:
        journal.append(pair(0))
        journal.append(pair(2))
    first, last = lines(folder)
    (folder / "pairs.jsonl").write_bytes(first + damage + last)
    with pytest.raises(IntegrityError, match=r"pairs\.jsonl:2: "):
        Journal.open(folder, HEADER)
    assert lines(folder) == [first, damage, last]


def test_another_runs_digests_are_refused_by_name(folder) -> None:
    Journal.open(folder, HEADER).close()
    other = {"digests": {"baseline": "sha256:a", "candidate": "sha256:c", "policy": "sha256:d"}}
    with pytest.raises(IntegrityError, match="candidate, policy changed"):
        Journal.open(folder, other)


def test_what_is_no_digest_may_differ(folder) -> None:
    with Journal.open(folder, HEADER) as journal:
        journal.append(pair(0))
    Journal.open(folder, {**HEADER, "machine": "another"}).close()
    header = json.loads((folder / "run.json").read_text())
    assert header == {"schema": "promptops.run/1", **HEADER}


def test_a_run_without_a_single_pair_begins_anew(folder) -> None:
    with Journal.open(folder, {**HEADER, "begun": "first"}) as journal:
        journal.append(pair(0))
    with Journal.open(folder, {**HEADER, "begun": "second"}) as journal:
        assert journal.recall("begun") == "first"
    (folder / "pairs.jsonl").unlink()
    with Journal.open(folder, {**HEADER, "begun": "third"}) as journal:
        assert journal.recall("begun") == "third"


def test_what_the_run_found_out_is_added_to_its_header(folder) -> None:
    with Journal.open(folder, HEADER) as journal:
        journal.amend(models=["m-2026"])
    assert json.loads((folder / "run.json").read_text())["models"] == ["m-2026"]
    Journal.open(folder, HEADER).close()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"digests": 5}'])
def test_a_damaged_header_is_an_integrity_error(folder, text) -> None:
    Journal.open(folder, HEADER).close()
    (folder / "run.json").write_text(text)
    with pytest.raises(IntegrityError, match=r"run\.json"):
        Journal.open(folder, HEADER)


def test_pairs_without_a_header_are_an_integrity_error(folder) -> None:
    with Journal.open(folder, HEADER) as journal:
        journal.append(pair(0))
    (folder / "run.json").unlink()
    with pytest.raises(IntegrityError, match="missing"):
        Journal.open(folder, HEADER)


def test_who_comes_second_waits_and_goes_on_from_there(folder) -> None:
    pytest.importorskip("fcntl")
    said: list[str] = []
    first = Journal.open(folder, HEADER)
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            first.append(pair(0))
            first.close()

    second = asyncio.run(Journal.open_when_free(folder, HEADER, say=said.append, sleep=sleep))
    with second:
        assert second.complete(0)
    assert len(waited) == 3
    assert said == ["another promptops is running this test (r1): waiting for it, to go on from there"]


def test_who_waits_for_a_run_that_is_deleted_begins_anew(folder) -> None:
    pytest.importorskip("fcntl")
    first = Journal.open(folder, HEADER)

    async def sleep(_seconds: float) -> None:
        first.append(pair(0))
        shutil.rmtree(folder)
        first.close()

    with asyncio.run(Journal.open_when_free(folder, HEADER, say=lambda _: None, sleep=sleep)) as second:
        assert not second.complete(0)
        second.append(pair(1))
    assert len(lines(folder)) == 1


def test_a_single_answer_is_found_until_its_pair_is_final(folder) -> None:
    half = Half(index=3, sample_id="smp_3", role="candidate", asked_at=5.5, answer=said("c"))
    with Journal.open(folder, HEADER) as journal:
        journal.append(half)
        journal.append(Pair(index=3, sample_id="smp_3", baseline=LOST, candidate=said("c")))
        assert journal.halves(3) == (half,)
    with Journal.open(folder, HEADER) as journal:
        assert (3 in journal, journal.complete(3), journal.halves(3)) == (True, False, (half,))
        assert journal.halves(4) == ()
        journal.append(pair(3))
        assert (journal.complete(3), journal.halves(3)) == (True, ())
    with Journal.open(folder, HEADER) as journal:
        assert journal.halves(3) == ()


def test_what_was_asked_in_vain_is_told_and_stands_for_no_answer(folder) -> None:
    vain = Unanswered(index=3, sample_id="smp_3", role="candidate", failure=LOST)
    told: list[Any] = []
    with Journal.open(folder, HEADER) as journal:
        journal.append(vain)
    with Journal.open(folder, HEADER, told=told.append) as journal:
        assert (3 in journal, journal.complete(3), journal.halves(3)) == (False, False, ())
    assert told == [vain]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"role":"candidate"', b'"role":"referee"'),
        (b'"role":"candidate"', b'"role":5'),
        (b'"index":3', b'"index":-3'),
        (b'"asked_at":5.5', b'"asked_at":"now"'),
        (b'"asked_at":5.5,', b""),
        (b'"text":"c"', b'"words":"c"'),
        (b'"input_tokens":null', b'"input_tokens":1' + b"0" * 400),
        (b'"failure":', b'"answer":'),
        (b'"kind":', b'"king":'),
    ],
)
def test_a_single_answer_that_is_none_is_named(folder, before, after) -> None:
    half = Half(index=3, sample_id="smp_3", role="candidate", asked_at=5.5, answer=said("c"))
    vain = Unanswered(index=3, sample_id="smp_3", role="candidate", failure=LOST)
    with Journal.open(folder, HEADER) as journal:
        journal.append(vain if b"failure" in before or b"kind" in before else half)
    whole = (folder / "pairs.jsonl").read_bytes()
    assert before in whole
    (folder / "pairs.jsonl").write_bytes(whole.replace(before, after))
    with pytest.raises(IntegrityError, match=r"pairs\.jsonl:1: "):
        Journal.open(folder, HEADER)


def test_two_of_the_same_run_at_once_are_refused(folder) -> None:
    pytest.importorskip("fcntl")
    with (
        Journal.open(folder, HEADER),
        pytest.raises(PromptopsError, match="another promptops test of this run"),
    ):
        Journal.open(folder, HEADER)
    Journal.open(folder, HEADER).close()


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PromptopsError, match="cannot write the run in"):
        Journal.open(tmp_path / "file" / "r1", HEADER)


def test_a_line_changed_while_running_is_noticed(folder) -> None:
    with Journal.open(folder, HEADER) as journal:
        journal.append(pair(0))
        (folder / "pairs.jsonl").write_bytes(b"x" * 400)
        with pytest.raises(IntegrityError, match="changed while running"):
            journal.read(0)


FULL = """
import resource, signal, sys
from pathlib import Path
from promptops.errors import RunStopped
from promptops.messages import Completion
from promptops.runs.journal import Journal
from promptops.samples import Pair

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
answer = Completion(text="x" * 100, finish_reason="stop", model="m")
with Journal.open(Path(sys.argv[1]), {"digests": {}}) as journal:
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    try:
        for index in range(100):
            journal.append(Pair(index=index, sample_id="s", baseline=answer, candidate=answer))
    except RunStopped as error:
        print(error)
    assert journal.complete(index - 1) and not journal.complete(index)
    print(index)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_full_disk_stops_the_run_and_leaves_whole_lines(folder) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    message, count = done.stdout.splitlines()
    assert "cannot write" in message
    assert "what was finished is kept" in message
    assert len(lines(folder)) == int(count)
    assert all(line.endswith(b"\n") for line in lines(folder))


text = st.text(st.characters(), max_size=20)  # surrogates and NULs among them
number = st.none() | st.floats(min_value=0, allow_nan=False, allow_infinity=False)
count = st.none() | st.integers(0, 10**9)
completions = st.builds(
    Completion,
    text=st.none() | text,
    finish_reason=text,
    model=text,
    tool_calls=st.lists(st.builds(ToolCall, id=text, name=text, arguments=text), max_size=2).map(tuple),
    usage=st.builds(
        Usage, input_tokens=count, output_tokens=count, cached_tokens=count, reasoning_tokens=count
    ),
    seconds=number,
    first_token_seconds=number,
    cost=number,
    attempts=st.integers(0, 9),
    cached=st.booleans(),
    imported=st.booleans(),
)
answers = completions | st.builds(Failure, kind=text, message=text, attempts=st.integers(0, 9))
pairs = st.builds(Pair, index=st.integers(0, 10**6), sample_id=text, baseline=answers, candidate=answers)


@given(pairs)
def test_what_is_written_is_what_is_read(one: Any) -> None:
    line = to_line(pair_to_dict(one))
    assert pair_from_dict(from_line(line)) == one
    assert line.count(b"\n") == 1
    assert line.isascii()


def test_what_attempts_cost_for_nothing_is_kept_and_lines_of_before_have_none() -> None:
    lost = Failure(kind="malformed", message="no JSON", attempts=2, lost=Lost(usd=0.25, unknown=1))
    assert answer_from_dict(answer_to_dict(lost)) == lost
    assert "lost" not in answer_to_dict(replace(lost, lost=Lost()))
    for damage in ({"usd": "much", "unknown": 0}, {"usd": 1.0}, [1]):
        with pytest.raises(ValueError, match="lost"):
            answer_from_dict({**answer_to_dict(lost), "lost": damage})
    with pytest.raises(ValueError, match="imported"):
        answer_from_dict({**answer_to_dict(lost), "imported": True})
