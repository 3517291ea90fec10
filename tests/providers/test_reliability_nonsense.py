"""Bodies and streams that are no answer: counted by their kind, asked again, and never scored."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from itertools import count

import pytest
from reliability_help import CHAT, CHAT_STREAMED, STREAMED, WAYS, WHOLE, Way, ask, in_turn

from promptops.messages import Completion, Failure
from promptops.testing import faults
from promptops.testing.faults import answer, reply
from promptops.testing.faulty_server import Behaviour, Seen, serve
from promptops.testing.wire import chunk, head

NONSENSE: dict[str, Behaviour] = {
    "half of its JSON": faults.cut_json(),
    "HTML with 200": faults.html(),
    "an error with 200": faults.error_inside("something broke"),
    "choices: []": faults.nothing_inside(),
    "another status than 200": reply({}, 202),
    "an empty body": reply(b""),
    "bytes that are no text": reply(b"\xff\xfe\xfd"),
    "a list": reply(b"[1]"),
    "no HTTP": faults.garbage(),
}
TWO = "attempts: 2"
CHUNKED = head(headers={"transfer-encoding": "chunked"})


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("fault", ["half of its JSON", "HTML with 200", "an error with 200", "choices: []"])
def test_what_is_no_answer_is_malformed(tmp_path, way, fault) -> None:
    asked = ask(tmp_path, serve(NONSENSE[fault]), way, limits=TWO)
    (one,) = asked.answers
    assert isinstance(one, Failure)
    assert (one.kind, one.attempts, asked.server.count) == ("malformed", 2, 2)
    assert one.message


@pytest.mark.parametrize("fault", [*NONSENSE][4:])
@pytest.mark.parametrize("way", [CHAT, CHAT_STREAMED], ids=str)
def test_what_is_not_even_json_is_malformed(tmp_path, way, fault) -> None:
    assert ask(tmp_path, serve(NONSENSE[fault]), way, limits=TWO).kinds == {"malformed"}


@pytest.mark.parametrize("way", WHOLE, ids=str)
def test_a_body_that_is_cut_is_malformed(tmp_path, way) -> None:
    asked = ask(tmp_path, serve(faults.cut()), way, limits=TWO)
    assert (asked.kinds, asked.server.count) == ({"malformed"}, 2)


@pytest.mark.parametrize("way", STREAMED, ids=str)
def test_a_stream_that_is_cut_is_truncated(tmp_path, way) -> None:
    asked = ask(tmp_path, serve(faults.cut()), way, limits=TWO)
    assert (asked.kinds, asked.server.count) == ({"truncated"}, 2)


@pytest.mark.parametrize("way", STREAMED, ids=str)
@pytest.mark.parametrize("lacks", ["end", "finish", "everything"])
@pytest.mark.parametrize("close", ["clean", "cut"])
def test_a_stream_without_its_end_is_truncated_and_no_end_is_invented(tmp_path, way, lacks, close) -> None:
    asked = ask(tmp_path, serve(faults.unfinished(lacks=lacks, close=close)), way, limits=TWO)
    assert (asked.kinds, asked.attempts, asked.server.count) == ({"truncated"}, 2, 2)


@pytest.mark.parametrize("way", WHOLE, ids=str)
def test_an_answer_without_a_finish_reason_is_truncated(tmp_path, way) -> None:
    assert ask(tmp_path, serve(faults.unfinished()), way, limits=TWO).kinds == {"truncated"}


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_nonsense_that_passes_costs_no_answer(tmp_path, way) -> None:
    script = [faults.html(), faults.cut(), faults.unfinished(), answer("at last")]
    (one,) = ask(tmp_path, serve(*script), way).answers
    assert isinstance(one, Completion)
    assert (one.text, one.finish_reason, one.attempts) == ("at last", "stop", 4)


@pytest.mark.parametrize("way", [CHAT, *STREAMED], ids=str)
def test_an_answer_without_an_end_is_left_when_it_is_too_long(tmp_path, way) -> None:
    (one,) = ask(tmp_path, serve(faults.flood()), way, limits="attempts: 1").answers
    assert (one.kind, "longer than 33554432 bytes" in one.message) == ("malformed", True)


@pytest.mark.slow
def test_a_body_that_unpacks_to_a_gigabyte_is_left_before(tmp_path) -> None:
    (one,) = ask(tmp_path, serve(faults.bomb(10**9)), limits="attempts: 1").answers
    assert (one.kind, "longer than 33554432 bytes" in one.message) == ("malformed", True)


async def endless_head(seen: Seen) -> AsyncGenerator[bytes, None]:
    yield b"HTTP/1.1 200 OK\r\n"
    for number in count():
        yield b"".join(b"x-%d-%d: y\r\n" % (number, line) for line in range(1000))


async def endless_line(seen: Seen) -> AsyncGenerator[bytes, None]:
    yield b"HTTP/1.1 200 OK\r\nx-long: "
    while True:
        yield b"y" * 2**16


@pytest.mark.parametrize(
    "fault",
    [
        faults.packed(b"nonsense"),
        endless_head,
        endless_line,
        faults.raw(CHUNKED + b"zz\r\n{}"),
        faults.raw(head(length=5) + b'{"choices": []}'),
    ],
    ids=[
        "packed nonsense",
        "a head without an end",
        "a line without an end",
        "a bad chunk",
        "a wrong length",
    ],
)
@pytest.mark.parametrize("way", [CHAT, CHAT_STREAMED], ids=str)
def test_http_that_is_none_is_malformed(tmp_path, way, fault) -> None:
    assert ask(tmp_path, serve(fault), way, limits=TWO).kinds == {"malformed"}


@pytest.mark.parametrize("way", [CHAT, CHAT_STREAMED], ids=str)
def test_a_bad_chunk_later_on_is_no_answer_and_ends_at_the_deadline(tmp_path, way) -> None:
    # aiohttp tells nobody who already reads the body, so it may be the deadline that ends it.
    fault = faults.raw(CHUNKED, chunk(b'{"choices":'), b"zz\r\n{}")
    asked = ask(tmp_path, serve(fault), way, limits="attempts: 1, deadline: 0.3", real_time=True)
    assert asked.kinds <= {"malformed", "timeout.total"}


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_an_empty_text_that_stopped_is_an_answer(tmp_path, way) -> None:
    (one,) = ask(tmp_path, serve(answer("")), way).answers
    assert isinstance(one, Completion)
    assert (one.text, one.finish_reason) == ("", "stop")


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_an_answer_that_was_too_long_says_so(tmp_path, way) -> None:
    (one,) = ask(tmp_path, serve(answer("half", finish_reason="length")), way).answers
    assert (one.text, one.finish_reason) == ("half", "length")


def test_null_beside_tool_calls_is_normal(tmp_path) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    (one,) = ask(tmp_path, serve(reply(body))).answers
    assert (one.text, one.finish_reason, one.tool_calls[0].name) == (None, "tool_calls", "look")


@pytest.mark.parametrize(
    ("way", "fault"),
    in_turn([CHAT, Way("anthropic"), CHAT_STREAMED], ["HTML with 200", "choices: []"]),
    ids=str,
)
def test_nonsense_for_ever_does_not_end_the_run(tmp_path, way, fault) -> None:
    asked = ask(tmp_path, serve(NONSENSE[fault]), way, times=40, limits="attempts: 1, concurrency: 8")
    assert asked.kinds == {"malformed"}
    assert asked.attempts == asked.server.count == 40
    assert asked.server.most_at_once <= 8
