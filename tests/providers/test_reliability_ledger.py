"""The whole layer: what the server saw is what the ledger says, and what no answer came to is no score."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncGenerator

import pytest
from reliability_help import CHAT, CHAT_STREAMED, WAYS, Ask, ask, promptops, request, write_project

from promptops.messages import Completion, Failure
from promptops.testing import faults
from promptops.testing.faults import answer, status
from promptops.testing.faulty_server import Behaviour, FaultyServer, Seen, serve

MIXTURE: list[Behaviour] = [
    answer(),
    status(500),
    status(429, retry_after=1),
    status(503),
    status(529),
    status(400),
    faults.html(),
    faults.cut(),
    faults.cut_json(),
    faults.error_inside(),
    faults.nothing_inside(),
    faults.unfinished(),
    faults.hang_up(),
]


def mixed(*, seed: int, count: int) -> list[Behaviour]:
    """Faults of all kinds, as many answers, in an order that looks like none."""
    toss = random.Random(seed)
    return [toss.choice([answer(), toss.choice(MIXTURE)]) for _ in range(count)]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_attempts_that_the_server_saw_are_the_attempts_of_the_ledger(tmp_path, way) -> None:
    asked = ask(tmp_path, serve(*mixed(seed=1, count=300)), way, times=60, limits="concurrency: 8")
    assert asked.stops == []
    assert asked.attempts == asked.server.count > 60
    assert asked.server.most_at_once <= 8
    failed = [one for one in asked.answers if isinstance(one, Failure)]
    assert {one.kind for one in failed} <= {
        "refused",
        "overloaded",
        "malformed",
        "truncated",
        "unreachable.lost",
    }
    assert {one.text for one in asked.answers if isinstance(one, Completion)} == {"hello"}


def test_one_call_is_retried_in_one_place(tmp_path) -> None:
    asked = ask(tmp_path, serve(status(500)), limits="attempts: 5, deadline: 100")
    assert asked.server.count == asked.attempts == 5
    assert len(asked.slept) == 4


def test_who_is_told_to_slow_down_asks_for_less_at_once(tmp_path) -> None:
    async def course(one: Ask, server: FaultyServer) -> None:
        await one(request())
        await asyncio.gather(*(one(request()) for _ in range(32)))
        server.most_at_once = 0
        await asyncio.gather(*(one(request()) for _ in range(64)))

    script = [answer(), *[status(429)] * 32, answer(after=0.02)]
    asked = ask(tmp_path, serve(*script), limits="concurrency: 32, attempts: 8", course=course)
    assert asked.stops == []
    assert 1 <= asked.server.most_at_once <= 24, "and a little more with every answer"


def by_message(answers: dict[int, Behaviour], seen_numbers: Counter[int]) -> Behaviour:
    """Answer `hello`, but do to the samples with these numbers what is said."""

    async def behave(seen: Seen) -> AsyncGenerator[bytes, None]:
        number = int(seen.json["messages"][0]["content"].split()[1])
        seen_numbers[number] += 1
        async for piece in answers.get(number, answer())(seen):
            yield piece

    return behave


@pytest.mark.slow
def test_what_no_answer_came_to_is_counted_and_no_score(tmp_path) -> None:
    bad = {3: faults.html(), 7: faults.unfinished(), 11: faults.nothing_inside(), 12: answer("wrong")}
    asked: Counter[int] = Counter()
    with serve(by_message(bad, asked)) as server:
        entry, limits = CHAT_STREAMED.entry(server.url), "concurrency: 4, attempts: 2"
        write_project(tmp_path, entry, samples=20, limits=limits)
        done = promptops(tmp_path, "test", "support", "--json")
    said = json.loads(done.stdout)
    (report,) = said["reports"]
    assert {number for number, times in asked.items() if times == 2} == {3, 7, 11}
    assert report["cost"]["calls"] == asked.total() == server.count == 23
    assert report["cost"]["failures"] == 3
    assert report["unscored"] == {"baseline": 0, "candidate": 3, "by_kind": {"malformed": 2, "truncated": 1}}
    (queue,) = (line for line in report["metrics"] if line["name"] == "queue")
    assert queue["candidate_mean"] == pytest.approx(16 / 17), (
        "three are missing; the one that is wrong counts"
    )
    assert queue["n"] == 20, "and none is dropped"


def test_a_refused_key_ends_the_command_with_one_line_and_keeps_what_is_finished(tmp_path) -> None:
    with serve(*[answer()] * 5, status(401, "invalid key"), answer()) as server:
        write_project(tmp_path, CHAT.entry(server.url), samples=12)
        stopped = promptops(tmp_path, "test", "support")
        assert stopped.returncode == 7
        (line,) = (line for line in stopped.stderr.splitlines() if "401" in line)
        assert "answered 401: invalid key; what was finished is kept" in line
        assert "Traceback" not in stopped.stderr
        assert server.count == 6
        resumed = promptops(tmp_path, "test", "support")
        assert resumed.returncode in (0, 4)
        assert server.count == 6 + 7, "the five that were answered are not asked again"
