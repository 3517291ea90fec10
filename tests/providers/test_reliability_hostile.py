"""Answers that would do something to a terminal, a page or a build: they arrive as they are and are shown as text."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from reliability_help import CHAT, CHAT_STREAMED, WAYS, ask, promptops, write_project

from promptops.messages import Completion
from promptops.reports.escape import many_lines, markdown, one_line
from promptops.runs.encoding import pair_to_dict, to_line
from promptops.samples import Pair
from promptops.testing.faults import answer
from promptops.testing.faulty_server import serve
from promptops.testing.hostile import HOSTILE, MEGABYTE, long_text

# A terminal obeys C0, C1 and bidirectional controls; GitHub obeys :: at the start of a line, Azure ## before [.
OBEYED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]"
)
COMMAND = re.compile(r"^\s*::|##(vso)?\[", re.MULTILINE)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("escaped", [True, False], ids=["escaped", "raw"])
def test_hostile_answers_arrive_as_they_are(tmp_path, way, escaped) -> None:
    script = [answer(text, escaped=escaped) for text in HOSTILE.values()]
    asked = ask(tmp_path, serve(*script), way, times=len(script), limits="concurrency: 1")
    assert [one.text for one in asked.answers] == list(HOSTILE.values())
    for one in asked.answers:
        line = to_line(pair_to_dict(Pair(index=0, sample_id="s", baseline=one, candidate=one)))
        assert line.count(b"\n") == 1, "one line of the journal"
        assert json.loads(line)["candidate"]["text"] == one.text


@pytest.mark.parametrize("way", [CHAT, CHAT_STREAMED], ids=str)
def test_ten_megabytes_arrive_whole(tmp_path, way) -> None:
    text = long_text(10 * MEGABYTE)
    (one,) = ask(tmp_path, serve(answer(text)), way).answers
    assert isinstance(one, Completion)
    assert one.text == text


def test_more_than_anybody_answers_is_malformed_and_not_kept(tmp_path) -> None:
    (one,) = ask(tmp_path, serve(answer(long_text(34 * MEGABYTE))), limits="attempts: 1").answers
    assert one.kind == "malformed"
    assert "longer than" in one.message


@pytest.mark.parametrize("name", HOSTILE)
def test_no_place_obeys_a_hostile_answer(name) -> None:
    text = HOSTILE[name]
    for shown in (one_line(text), many_lines(text), markdown(text)):
        assert not OBEYED.search(shown)
        assert not COMMAND.search(shown)
    assert "\n" not in one_line(text)
    assert not re.search(r"[<>@`|]", markdown(text))


def test_a_key_in_an_answer_is_not_kept(tmp_path) -> None:
    key = "a-key-that-nobody-may-see"
    more = ", api_key: {env: MY_KEY}"
    asked = ask(tmp_path, serve(answer(f"your key is {key}")), more=more, environ={"MY_KEY": key})
    assert asked.server.requests[0].headers["authorization"] == f"Bearer {key}"
    assert asked.answers[0].text == "your key is [key]"


def test_the_program_shows_hostile_answers_as_text(tmp_path: Path) -> None:
    texts = [HOSTILE[name] for name in HOSTILE]
    with serve(*(answer(text) for text in texts)) as server:
        write_project(tmp_path, CHAT_STREAMED.entry(server.url), samples=len(texts))
        tried = promptops(tmp_path, "try", "support", "-n", str(len(texts)))
        tested = promptops(tmp_path, "test", "support", "--markdown", "report.md")
    assert tried.returncode == 0, tried.stderr
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    for shown in (tried.stdout, tried.stderr, tested.stdout, tested.stderr, page):
        assert not OBEYED.search(shown), OBEYED.search(shown)
        assert not COMMAND.search(shown), shown
    assert r"\u{1b}[2J" in tried.stdout
    assert "<script>" not in page
    assert server.count == len(texts), "what was tried is in the cache"
