"""Fakes at the Provider protocol, and time that passes only when somebody sleeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from promptops.messages import Completion, Message, Request
from promptops.samples import Sample


class Script:
    """A provider that says what it is told to, in turn; an error is raised. The last word stays."""

    def __init__(self, words: Iterable[Any]) -> None:
        self.words = list(words)
        self.asked: list[Request] = []

    async def complete(self, request: Request) -> Completion:
        self.asked.append(request)
        word = self.words[min(len(self.asked), len(self.words)) - 1]
        if isinstance(word, BaseException):
            raise word
        return (
            word if isinstance(word, Completion) else Completion(text=word, finish_reason="stop", model="m")
        )


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def script() -> Callable[..., Script]:
    return lambda *words: Script(words)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def request_for() -> Callable[[str], Request]:
    return lambda word, **more: Request(model="m", messages=(Message(role="user", content=word),), **more)


@pytest.fixture
def samples() -> Callable[[int], list[tuple[int, Sample]]]:
    return lambda n: [
        (index, Sample(sample_id=f"smp_{index:04}", inputs={"word": f"w{index}"})) for index in range(n)
    ]
