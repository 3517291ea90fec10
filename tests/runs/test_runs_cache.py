"""The cache: the same question finds its answer, another never does, and several runs use it at once."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from promptops.errors import InvalidFile, PromptopsError, RunStopped
from promptops.messages import Completion, Lost, Message, Request, ToolCall, ToolSpec, Usage
from promptops.risks import Risk
from promptops.runs.cache import Cache
from promptops.runs.cachekey import cache_key

ANSWER = Completion(
    text="\ud800\x00ü", finish_reason="stop", model="m", usage=Usage(input_tokens=3), seconds=0.1, cost=1e-6
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".promptops" / "cache.db"


def test_an_answer_is_found_again_before_and_after_it_is_written(path) -> None:
    with Cache.open(path) as cache:
        assert cache.get("k") is None
        cache.put("k", ANSWER, 12.5)
        kept = cache.get("k")
    with Cache.open(path) as cache:
        assert cache.get("k") == kept
    assert kept is not None
    assert (kept.completion, kept.asked_at, kept.imported) == (ANSWER, 12.5, False)


def test_a_newer_answer_takes_the_place(path) -> None:
    with Cache.open(path) as cache:
        for when, text in ((1.0, "old"), (2.0, "new")):
            cache.put("k", replace(ANSWER, text=text), when)
            cache.flush()
        assert cache.get("k").completion.text == "new"
        assert cache.stats().answers == 1


def test_work_is_on_disk_after_a_second_and_after_many_answers(path) -> None:
    now = [0.0]
    with Cache.open(path, clock=lambda: now[0]) as cache, Cache.open(path) as other:
        cache.put("a", ANSWER, 1.0)
        assert other.get("a") is None
        now[0] = 1.0
        cache.put("b", ANSWER, 1.0)
        assert other.get("a") is not None
        for index in range(500):
            cache.put(f"many-{index}", ANSWER, 1.0)
        assert other.stats().answers == 502


REQUEST = Request(
    model="m",
    messages=(
        Message(role="user", content="hi"),
        Message(role="assistant", content=None, tool_calls=(ToolCall(id="1", name="f", arguments="{}"),)),
    ),
    parameters={"temperature": 0},
    tools=(ToolSpec(name="f", description="d", parameters={"type": "object"}),),
    response_format={"type": "text"},
)


def key(request: Request = REQUEST, **more: Any) -> str:
    return cache_key(request, **{"kind": "openai", "base_url": "https://a/v1", "draw": 0, **more})


def test_the_key_is_the_same_for_the_same_question_only() -> None:
    others = [
        key(kind="local"),
        key(base_url="https://b/v1"),
        key(draw=1),
        key(replace(REQUEST, model="n")),
        key(replace(REQUEST, messages=REQUEST.messages[:1])),
        key(replace(REQUEST, messages=(replace(REQUEST.messages[0], content="ho"), REQUEST.messages[1]))),
        key(replace(REQUEST, messages=(replace(REQUEST.messages[0], name="anna"), REQUEST.messages[1]))),
        key(replace(REQUEST, parameters={"temperature": 1})),
        key(replace(REQUEST, parameters={})),
        key(replace(REQUEST, tools=())),
        key(replace(REQUEST, tools=(replace(REQUEST.tools[0], description="e"),))),
        key(replace(REQUEST, response_format=None)),
        key(replace(REQUEST, parameters={"seed": 2**60})),
        key(replace(REQUEST, parameters={"seed": 2**60 + 1})),
        key(replace(REQUEST, parameters={"stop": "\ud800"})),
        key(replace(REQUEST, parameters={"stop": "\ud801"})),
    ]
    assert len({key(), *others}) == 17
    assert key() == key(replace(REQUEST, parameters=MappingProxyType({"temperature": 0.0})))
    assert key() == key(replace(REQUEST, tools=(replace(REQUEST.tools[0], risk=Risk.READ),)))
    # Written down: another key for the same question would throw away what was paid for.
    assert key() == "65c3bf87b27a16b6374d5ec8f14833f5f1cf96b2e52ded5cd642d14d6f91200c"


def test_an_export_is_the_same_bytes_and_comes_back_whole(path, tmp_path) -> None:
    with Cache.open(path) as cache, Cache.open(tmp_path / "other.db") as other:
        for name in "cab":
            cache.put(name, ANSWER, 7.25)
        assert cache.export(tmp_path / "1.jsonl") == 3
        other.put("a", replace(ANSWER, text="mine"), 1.0)
        assert other.import_(tmp_path / "1.jsonl") == 2
        assert other.get("a").completion.text == "mine"
        assert (other.get("b").completion, other.get("b").imported) == (ANSWER, True)
        assert (other.get("a").imported, other.stats().imported) == (False, 2)
        assert cache.import_(tmp_path / "1.jsonl") == 0
        cache.export(tmp_path / "2.jsonl")
    text = (tmp_path / "1.jsonl").read_bytes()
    assert (tmp_path / "2.jsonl").read_bytes() == text
    assert text.startswith(b'{"schema":"promptops.cache/1"}\n')
    assert [line[-10:-3] for line in text.splitlines()[1:]] == [b'"key":"'] * 3


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda lines: [b'{"schema":"other/1"}\n', *lines[1:]], 1),
        (lambda lines: [*lines[:2], b"garbage\n"], 3),
        (lambda lines: [*lines[:1], b'{"key":"k","asked_at":1,"answer":{}}\n'], 2),
        (lambda lines: [*lines[:1], b'{"key":5,"asked_at":1,"answer":{}}\n'], 2),
        (lambda lines: [*lines[:1], lines[1].replace(b'"key"', b'"api_key"')], 2),
        (lambda lines: [lines[0], lines[1][:-20]], 2),
    ],
)
def test_a_damaged_export_adds_nothing_and_names_the_line(path, tmp_path, damage, line) -> None:
    with Cache.open(path) as cache:
        cache.put("a", ANSWER, 1.0)
        cache.put("b", ANSWER, 1.0)
        cache.export(tmp_path / "e.jsonl")
        cache.clear()
        lines = (tmp_path / "e.jsonl").read_bytes().splitlines(keepends=True)
        (tmp_path / "e.jsonl").write_bytes(b"".join(damage(lines)))
        with pytest.raises(InvalidFile, match=rf"e\.jsonl:{line}:1: "):
            cache.import_(tmp_path / "e.jsonl")
        assert cache.stats().answers == 0


def test_stats_and_clear(path) -> None:
    with Cache.open(path) as cache:
        assert (cache.stats().answers, cache.stats().models) == (0, ())
        cache.put("a", ANSWER, 1.0)
        cache.put("b", ANSWER, 3.0)
        cache.put("c", replace(ANSWER, model="other"), 200_000.0)
        other, one = sorted(cache.stats(before=2.0).models, key=lambda found: found.answers)
        assert (one.model, one.answers, one.imported, one.oldest, one.newest, one.old) == (
            "m",
            2,
            0,
            1.0,
            3.0,
            1,
        )
        assert (other.model, other.answers, other.old, other.days) == ("other", 1, 0, "on 1970-01-03")
        assert one.bytes > other.bytes > 0
        assert (cache.count(before=3.0), cache.clear(before=3.0)) == (1, 1)
        assert cache.get("a") is None
        assert cache.get("b") is not None
        assert cache.clear() == 2
        assert cache.get("b") is None


def test_an_export_that_fails_leaves_the_earlier_one(path, tmp_path) -> None:
    with Cache.open(path) as cache:
        cache.put("a", ANSWER, 1.0)
        cache.export(tmp_path / "e.jsonl")
        whole = (tmp_path / "e.jsonl").read_bytes()
        cache.flush()
        cache._connection.execute("UPDATE answers SET answer = 'no answer'")
        with pytest.raises(ValueError, match="Expecting"):
            cache.export(tmp_path / "e.jsonl")
    assert (tmp_path / "e.jsonl").read_bytes() == whole
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("e.")] == ["e.jsonl"]


def test_what_is_no_cache_is_a_clear_error(path, tmp_path) -> None:
    path.parent.mkdir()
    path.write_text("this is a text, and a long one, longer than a header of SQLite is" * 20)
    with pytest.raises(PromptopsError, match=r"cannot open the cache .*cache\.db"):
        Cache.open(path)
    (tmp_path / "file").write_text("")
    with pytest.raises(PromptopsError, match="cannot open the cache"):
        Cache.open(tmp_path / "file" / "cache.db")


def test_a_cache_of_another_format_is_left_alone(path) -> None:
    Cache.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(PromptopsError, match="of format 9"):
        Cache.open(path)


def test_a_full_disk_is_a_clear_error_and_what_was_written_stays(path) -> None:
    cache = Cache.open(path)
    cache.put("a", ANSWER, 1.0)
    cache.flush()
    cache._connection.execute("PRAGMA max_page_count = 4")
    cache.put("b", replace(ANSWER, text="x" * 100_000), 1.0)
    with pytest.raises(RunStopped, match=r"cache\.db cannot be used: .*full"):
        cache.close()
    with Cache.open(path) as again:
        assert again.get("a").completion == ANSWER
        assert again.get("b") is None


def test_a_read_only_cache_is_a_clear_error(path) -> None:
    Cache.open(path).close()
    cache = Cache.open(path)
    cache._connection.execute("PRAGMA query_only = 1")
    cache.put("a", ANSWER, 1.0)
    with pytest.raises(RunStopped, match="readonly"):
        cache.close()


WRITER = """
import sys
from pathlib import Path
from promptops.messages import Completion
from promptops.runs.cache import Cache

path, name = Path(sys.argv[1]), sys.argv[2]
sys.stdin.readline()
with Cache.open(path) as cache:
    for index in range(300):
        cache.put(f"{name}-{index}", Completion(text=name, finish_reason="stop", model="m"), float(index))
        cache.put("shared", Completion(text=name, finish_reason="stop", model="m"), float(index))
        cache.flush()
        assert cache.get(f"{name}-{index}").completion.text == name
"""


def test_several_processes_write_at_once_and_all_finish(path) -> None:
    names = ["one", "two", "three"]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ),
        )
        for name in names
    ]
    for writer in writers:
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    said = [writer.communicate(timeout=60)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], said
    with Cache.open(path) as cache:
        assert cache.stats().answers == 3 * 300 + 1
        assert cache.get("shared").completion.text in names
        assert cache._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_the_attempts_before_an_answer_cost_is_not_kept_with_it(path) -> None:
    with Cache.open(path) as cache:
        cache.put("k", replace(ANSWER, lost=Lost(usd=0.5, unknown=1)), 12.5)
        kept = cache.get("k")
    assert kept is not None
    assert kept.completion == ANSWER
