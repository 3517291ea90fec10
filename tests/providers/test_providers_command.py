"""A command as a provider: real processes that answer, die, hang and talk nonsense."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import Malformed, ProviderError, Refused, Unreachable
from promptops.messages import Message, Request, ToolCall, ToolSpec, Usage
from promptops.providers.command import Command, open_command

# Every bot writes its process id to a file, so that a test can see who is left.
HEAD = """
import json, os, sys, time
open(f"pids/{os.getpid()}", "w").close()
def say(value): print(json.dumps(value), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    word = request["messages"][-1]["content"]
"""


@pytest.fixture
def bot(tmp_path: Path) -> Any:
    (tmp_path / "pids").mkdir()

    def write(body: str, *, processes: int = 1) -> Any:
        lines = [f"    {line}\n" for line in body.strip().splitlines()]
        (tmp_path / "bot.py").write_text(HEAD + "".join(lines))
        argv = [sys.executable, "bot.py"]
        return open_command(argv, cwd=tmp_path, environ=dict(os.environ), processes=processes)

    yield write
    assert [pid for pid in started(tmp_path) if alive(pid)] == []


def started(folder: Path) -> list[int]:
    return [int(path.name) for path in (folder / "pids").iterdir()]


def alive(pid: int) -> bool:
    """Whether a process runs; a killed orphan that waits for init to bury it does not."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(true: Callable[[], bool]) -> None:
    """Wait for another process to have done something."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  # what happens in another process sets no event here
            await asyncio.sleep(0.005)


def request(word: str, **more: Any) -> Request:
    return Request(model="bot", messages=(Message(role="user", content=word),), **more)


def talk(opened: Any, *words: str) -> list[Any]:
    """Ask one word after the other; an error is an answer here."""

    async def run() -> list[Any]:
        async with opened as provider:
            return [await outcome(provider, word) for word in words]

    return asyncio.run(run())


async def outcome(provider: Command, word: str) -> Any:
    try:
        return await provider.complete(request(word))
    except ProviderError as error:
        return error


def test_one_process_answers_line_by_line(bot, tmp_path) -> None:
    answers = talk(bot('say({"text": word.upper()})'), "a", "b\u2028\ud800", "c")
    assert [answer.text for answer in answers] == ["A", "B\u2028\ud800", "C"]
    assert (answers[0].finish_reason, answers[0].model) == ("stop", "bot")
    assert len(started(tmp_path)) == 1


def test_the_line_holds_the_whole_request(bot) -> None:
    async def run() -> Any:
        async with bot('say({"text": line})') as provider:
            asked = request(
                "hi",
                parameters={"temperature": 0},
                tools=(ToolSpec(name="look"),),
                response_format={"type": "text"},
            )
            return await provider.complete(asked)

    assert json.loads(asyncio.run(run()).text) == {
        "id": 1,
        "model": "bot",
        "messages": [{"role": "user", "content": "hi"}],
        "parameters": {"temperature": 0},
        "tools": [{"type": "function", "function": {"name": "look"}}],
        "response_format": {"type": "text"},
    }


def test_it_may_answer_in_the_openai_shape(bot) -> None:
    [answer] = talk(
        bot(
            'call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}\n'
            'say({"content": None, "tool_calls": [call], "model": "m", "usage": {"input_tokens": 3}})'
        ),
        "x",
    )
    assert answer.tool_calls == (ToolCall(id="1", name="look", arguments="{}"),)
    assert (answer.finish_reason, answer.model, answer.usage) == ("tool_calls", "m", Usage(input_tokens=3))


def test_processes_run_side_by_side(bot, tmp_path) -> None:
    async def run() -> list[Any]:
        # Each answers only once the other has been asked, too.
        body = """
open(word + ".asked", "w").close()
while not os.path.exists({"a": "b", "b": "a"}[word] + ".asked"): time.sleep(0.005)
say({"text": word})
"""
        async with bot(body, processes=2) as provider, asyncio.timeout(20):
            return await asyncio.gather(*(provider.complete(request(word)) for word in "ab"))

    assert [answer.text for answer in asyncio.run(run())] == ["a", "b"]
    assert len(started(tmp_path)) == 2


def test_a_reported_error_is_an_error_and_the_process_stays(bot, tmp_path) -> None:
    first, second = talk(bot('say({"error": "no such word"} if word == "x" else {"text": word})'), "x", "y")
    assert type(first) is ProviderError
    assert "no such word" in str(first)
    assert second.text == "y"
    assert len(started(tmp_path)) == 1


def test_a_process_that_dies_says_its_last_words_and_is_replaced(bot, tmp_path) -> None:
    first, second = talk(bot('if word == "x": sys.exit("out of\\nmemory")\nsay({"text": word})'), "x", "y")
    assert type(first) is Unreachable
    assert str(first).endswith("(exit 1): out of memory")
    assert second.text == "y"
    assert len(started(tmp_path)) == 2


def test_a_line_without_its_end_is_no_answer(bot) -> None:
    [answer] = talk(bot('sys.stdout.write("{\\"text\\": \\"ha"); sys.exit(0)'), "x")
    assert type(answer) is Unreachable
    assert "in the middle of a line" in str(answer)


@pytest.mark.parametrize("line", ["hello", "", "{", "\\xff", "[" * 50_000])
def test_garbage_is_malformed_and_the_process_is_replaced(bot, tmp_path, line) -> None:
    first, second = talk(
        bot(f'if word == "x": print("{line}", flush=True)\nelse: say({{"text": word}})'), "x", "y"
    )
    assert type(first) is Malformed
    assert second.text == "y"
    assert len(started(tmp_path)) == 2


@pytest.mark.parametrize("value", ["5", "None", "[]", "{}", '{"usage": {"input_tokens": "x"}, "text": ""}'])
def test_json_that_is_no_answer_is_malformed(bot, value) -> None:
    assert type(talk(bot(f"say({value})"), "x")[0]) is Malformed


def test_a_line_nobody_asked_for_never_answers_the_next_request(bot, tmp_path) -> None:
    async def run() -> list[str]:
        async with bot('say({"text": word}); say({"text": "debug"})') as provider:
            first = await provider.complete(request("a"))
            await until(lambda: not provider._idle[0].is_fit)
            return [first.text, (await provider.complete(request("b"))).text]

    assert asyncio.run(run()) == ["a", "b"]
    assert len(started(tmp_path)) == 2


def test_an_answer_to_another_request_is_malformed(bot) -> None:
    assert type(talk(bot('say({"id": 7, "text": word})'), "x")[0]) is Malformed


def test_a_hanging_process_is_killed_with_its_children_at_the_deadline(bot, tmp_path) -> None:
    body = """
if word == "x":
    if os.fork() == 0: open(f"pids/{os.getpid()}", "w").close()
    while True: time.sleep(60)
say({"text": word})
"""

    async def run() -> Any:
        async with bot(body) as provider:
            call = asyncio.create_task(provider.complete(request("x")))
            await until(lambda: len(started(tmp_path)) == 2)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            # A killed grandchild is the system's to bury; left alone, it would sleep far longer than is waited.
            killed = started(tmp_path)
            await until(lambda: not any(alive(pid) for pid in killed))
            return (await provider.complete(request("y"))).text

    assert asyncio.run(run()) == "y"


def test_stderr_without_end_does_not_stop_it(bot) -> None:
    [answer] = talk(bot('sys.stderr.write("x" * 1_000_000); sys.stderr.flush()\nsay({"text": word})'), "x")
    assert answer.text == "x"


def test_a_command_that_does_not_exist_is_refused(tmp_path) -> None:
    [answer] = talk(open_command(["no-such-bot"], cwd=tmp_path, environ={}, processes=1), "x")
    assert type(answer) is Refused
    assert "no-such-bot" in str(answer)
