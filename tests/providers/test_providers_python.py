"""A user's own function as a provider: ordinary, asynchronous, raising, hanging, missing."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import ConfigError, Malformed, Overloaded, ProviderError, Truncated
from promptops.messages import Completion, Lost, Message, Request, ToolCall, Usage
from promptops.providers.python import Python, load_target, open_python

REQUEST = Request(model="bot", messages=(Message(role="user", content="hi"),))


def ask(target: Any) -> Completion:
    async def run() -> Completion:
        async with open_python(target, name="bots:answer") as provider:
            return await provider.complete(REQUEST)

    return asyncio.run(run())


def echo(request: Request) -> str:
    return f"{request.messages[-1].content}!"


async def echo_later(request: Request) -> str:
    await asyncio.sleep(0)
    return echo(request)


class Bot:
    async def __call__(self, request: Request) -> str:
        return echo(request)


@pytest.mark.parametrize(
    "target", [echo, echo_later, Bot(), partial(echo), partial(echo_later), lambda r: echo_later(r)]
)
def test_text_is_an_answer_whether_it_comes_now_or_later(target) -> None:
    assert ask(target) == Completion(text="hi!", finish_reason="stop", model="bot")


def test_messages_and_completions_are_answers() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": {"at": 1}}}
    answer = ask(lambda request: {"role": "assistant", "content": None, "tool_calls": [call]})
    assert answer.tool_calls == (ToolCall(id="1", name="look", arguments='{"at": 1}'),)
    assert answer.finish_reason == "tool_calls"
    whole = Completion(text="x", finish_reason="length", model="other", cost=0.5)
    assert ask(lambda request: whole) == whole
    called = replace(whole, attempts=5, cached=True, imported=True, lost=Lost(usd=1.0))
    assert ask(lambda request: called) == whole, "how often was asked is ours to say"
    choice = {"finish_reason": "stop", "message": {"content": "y"}}
    response = {"model": "m", "choices": [choice], "usage": {"prompt_tokens": 2}}
    assert ask(lambda request: response) == Completion(
        text="y", finish_reason="stop", model="m", usage=Usage(input_tokens=2)
    )


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, Malformed),
        (5, Malformed),
        ({}, Malformed),
        ({"choices": [{"message": {"content": ""}}]}, Truncated),
    ],
)
def test_anything_else_is_no_answer(value, kind) -> None:
    with pytest.raises(kind):
        ask(lambda request: value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", 5),
        ("finish_reason", None),
        ("model", None),
        ("tool_calls", [ToolCall(id="", name="f", arguments="{}")]),
        ("tool_calls", ({"name": "f"},)),
        ("tool_calls", (ToolCall(id="", name="f", arguments={}),)),  # type: ignore[arg-type]
        ("usage", None),
        ("usage", Usage(input_tokens=-1)),
        ("usage", Usage(output_tokens=10**400)),
        ("usage", Usage(cached_tokens=1.5)),  # type: ignore[arg-type]
        ("cost", -1.0),
        ("cost", "1"),
        ("cost", float("nan")),
        ("cost", 10**400),
        ("seconds", float("inf")),
        ("first_token_seconds", True),
    ],
)
def test_a_completion_with_what_it_cannot_hold_is_no_answer(field: str, value: object) -> None:
    made = replace(Completion(text="x", finish_reason="stop", model="m"), **{field: value})
    with pytest.raises(Malformed, match=rf"^a Completion came whose {field} (is|are) no "):
        ask(lambda request: made)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad\n\x1b[31mword"),
        StopIteration("over"),
        SystemExit(3),
        KeyError("k"),
        KeyboardInterrupt("enough"),
        asyncio.CancelledError("of its own"),
        BaseException("base"),
    ],
)
def test_what_it_raises_is_an_error_with_type_and_text(error) -> None:
    def fail(request: Request) -> str:
        raise error

    async def fail_later(request: Request) -> str:
        raise error

    for target in (fail, fail_later):
        with pytest.raises(ProviderError) as caught:
            ask(target)
        assert caught.value.kind == "error"
        assert str(caught.value).startswith("bots:answer raised ")
        assert "\n" not in str(caught.value)
    assert (type(error).__name__ in str(caught.value)) or isinstance(error, StopIteration)


def test_it_may_say_itself_that_trying_again_can_help() -> None:
    def busy(request: Request) -> str:
        raise Overloaded("later", retry_after=2.0)

    with pytest.raises(Overloaded) as caught:
        ask(busy)
    assert caught.value.retry_after == 2.0


def test_a_wait_that_is_no_number_is_its_error() -> None:
    def busy(request: Request) -> str:
        raise Overloaded("later", retry_after="soon")  # type: ignore[arg-type]

    with pytest.raises(ProviderError, match="raised Overloaded: later, with a retry_after in no seconds"):
        ask(busy)


def test_an_ordinary_function_holds_up_nobody() -> None:
    both = threading.Barrier(40)

    def wait(request: Request) -> str:
        both.wait(timeout=20)
        return "together"

    async def run() -> list[Completion]:
        provider = Python(wait, name="bot")
        return await asyncio.gather(*(provider.complete(REQUEST) for _ in range(40)))

    assert {answer.text for answer in asyncio.run(run())} == {"together"}


def test_a_coroutine_that_blocks_holds_up_no_deadline() -> None:
    release = threading.Event()

    async def block(request: Request) -> str:
        release.wait(timeout=20)
        return "late"

    async def run() -> list[BaseException | Completion]:
        async def asked(provider: Python) -> Completion:
            async with asyncio.timeout(0.1):
                return await provider.complete(REQUEST)

        async with open_python(block, name="slow") as slow, open_python(echo_later, name="quick") as quick:
            return await asyncio.gather(asked(slow), asked(quick), return_exceptions=True)

    stuck, answered = asyncio.run(run())
    assert isinstance(stuck, TimeoutError)
    assert isinstance(answered, Completion)
    release.set()
    for thread in threading.enumerate():
        if thread.name == "promptops-provider":
            thread.join(timeout=20)
            assert not thread.is_alive()


def test_coroutines_share_a_loop_so_that_they_can_share_a_client() -> None:
    loops: set[int] = set()

    async def where(request: Request) -> str:
        loops.add(id(asyncio.get_running_loop()))
        return "here"

    async def run() -> None:
        async with open_python(where, name="bot") as provider:
            await asyncio.gather(*(provider.complete(REQUEST) for _ in range(10)))

    asyncio.run(run())
    assert len(loops) == 1


def test_a_coroutine_is_cancelled_at_the_deadline() -> None:
    ended = threading.Event()

    async def sleep(request: Request) -> str:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return "late"

    async def run() -> None:
        async with open_python(sleep, name="bot") as provider:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await provider.complete(REQUEST)
            assert await asyncio.to_thread(ended.wait, 10)

    asyncio.run(run())


def test_a_hanging_function_is_left_at_the_deadline() -> None:
    release = threading.Event()

    def hang(request: Request) -> str:
        release.wait(timeout=20)
        return "late"

    async def run() -> None:
        async with asyncio.timeout(0.05):
            await Python(hang, name="bot").complete(REQUEST)

    with pytest.raises(TimeoutError):
        asyncio.run(run())
    release.set()
    for thread in threading.enumerate():
        if thread.name == "promptops-provider":
            thread.join(timeout=20)


@pytest.fixture
def root(tmp_path, monkeypatch) -> Any:
    monkeypatch.setattr(sys, "path", list(sys.path))
    package = tmp_path / "mybots_of_a_test"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "support.py").write_text(
        "NAME = 'x'\n"
        "class Bots:\n    @staticmethod\n    def answer(request):\n        return 'found'\n"
        "answer = Bots.answer\n"
    )
    (package / "needy.py").write_text("import surely_not_installed\n")
    (package / "broken.py").write_text("def answer(:\n")
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("mybots_of_a_test")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["answer", "Bots.answer"])
def test_a_function_is_found_under_the_root(root, name) -> None:
    assert ask(load_target(f"mybots_of_a_test.support:{name}", root=root)).text == "found"


def test_a_file_beside_it_stands_in_the_way_of_nothing_that_is_imported_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "pyclbr.py").write_text("raise RuntimeError('not asked for')\n")
    (tmp_path / "po_beside.py").write_text(
        "def answer(request):\n    import po_later\n    return po_later.WORD\n"
    )
    (tmp_path / "po_later.py").write_text("WORD = 'found'\n")
    assert ask(load_target("po_beside:answer", root=tmp_path)).text == "found"
    found = importlib.util.find_spec("pyclbr")
    assert found is not None
    assert found.origin != str(tmp_path / "pyclbr.py")


@pytest.mark.parametrize(
    ("target", "missing"),
    [
        ("mybots_of_a_test.support", "expected module:function"),
        (":answer", "expected module:function"),
        ("no_bots_at_all:answer", "no module no_bots_at_all in "),
        ("mybots_of_a_test.none:answer", "no module mybots_of_a_test.none in "),
        ("mybots_of_a_test.needy:answer", "needs the module surely_not_installed"),
        ("mybots_of_a_test.broken:answer", "importing it raised SyntaxError"),
        ("mybots_of_a_test.support:reply", "mybots_of_a_test.support has no reply"),
        ("mybots_of_a_test.support:NAME", "NAME is no function"),
        ("..bots:answer", "expected module:function"),
    ],
)
def test_what_is_missing_is_named(root, target, missing) -> None:
    with pytest.raises(ConfigError) as caught:
        load_target(target, root=root)
    assert missing in str(caught.value)
    assert repr(target) in str(caught.value)
