"""The embedded model: what it refuses, how calls share its servers, and (marked) the real thing."""

from __future__ import annotations

import asyncio
import sys
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

from promptops.errors import ConfigError, NotFound, Refused, Unreachable
from promptops.messages import Completion, Message, Request, ToolSpec
from promptops.providers.local import Local, base_url, open_local
from promptops.providers.weights import SMOLLM2_135M, is_here, models_folder

# Looked up before the tests get a home of their own; the weights are never fetched here.
MODELS = models_folder()
needs_the_model = [
    pytest.mark.model,
    pytest.mark.skipif(find_spec("xllamacpp") is None, reason="needs the extra local"),
    pytest.mark.skipif(not is_here(SMOLLM2_135M, folder=MODELS), reason="the weights are not here"),
]
SCHEMA = {"enum": ["Dutch", "English", "French"]}


def quiet(_: str) -> None:
    pass


def request(text: str = "Say hi", **more: object) -> Request:
    parameters = {"temperature": 0, "max_tokens": 12}
    whole = {"model": "smollm2-135m", "messages": (Message(role="user", content=text),), **more}
    return Request(**{"parameters": parameters, **whole})  # type: ignore[arg-type]


class Slow:
    """Answers when told to, and counts how many it has in hand."""

    def __init__(self) -> None:
        self.in_hand = self.most = self.asked = 0
        self.go = asyncio.Event()

    async def complete(self, request: Request) -> Completion:
        self.asked += 1
        self.in_hand += 1
        self.most = max(self.most, self.in_hand)
        await self.go.wait()
        self.in_hand -= 1
        return Completion(text="ok", finish_reason="stop", model=request.model)


class Broken:
    async def complete(self, request: Request) -> Completion:
        raise Unreachable("gone")


def test_what_stands_for_the_server_is_the_same_in_every_run_and_names_the_weights() -> None:
    assert base_url() == f"local:smollm2-135m@sha256:{SMOLLM2_135M.sha256}"


def test_a_request_with_tools_is_refused_by_name() -> None:
    asked = request(tools=(ToolSpec(name="issue_refund"),))
    with pytest.raises(Refused, match=r"local/smollm2-135m cannot use tools \(here: issue_refund\)"):
        asyncio.run(Local("smollm2-135m", []).complete(asked))


def test_a_request_for_another_model_is_refused() -> None:
    with pytest.raises(Refused, match=r"runs local/smollm2-135m, not local/gpt-4o"):
        asyncio.run(Local("smollm2-135m", []).complete(request(model="gpt-4o")))


def test_an_unknown_model_is_named_with_the_nearest_known() -> None:
    with pytest.raises(NotFound, match="did you mean smollm2-135m"):
        base_url("smollm-135m")


def test_without_the_runtime_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)

    async def opened() -> None:
        async with open_local(say=quiet, folder=tmp_path):
            pytest.fail("opened without a runtime")

    with pytest.raises(ConfigError, match=r"pip install 'promptops-cli\[local\]'"):
        asyncio.run(opened())


def test_each_server_has_one_call_at_a_time() -> None:
    async def run() -> list[Slow]:
        servers = [Slow(), Slow()]
        local = Local("smollm2-135m", list(servers))
        calls = [asyncio.create_task(local.complete(request())) for _ in range(6)]
        await asyncio.sleep(0)
        for server in servers:
            server.go.set()
        await asyncio.gather(*calls)
        return servers

    servers = asyncio.run(run())
    assert [server.most for server in servers] == [1, 1]
    assert sum(server.asked for server in servers) == 6


def test_a_call_that_fails_gives_its_server_back() -> None:
    async def run() -> None:
        local = Local("smollm2-135m", [Broken()])
        for _ in range(2):
            with pytest.raises(Unreachable):
                await asyncio.wait_for(local.complete(request()), timeout=5)

    asyncio.run(run())


def started(text: str) -> Request:
    start = Message(role="system", content=text)
    return request(messages=(start, Message(role="user", content="?")))


def test_two_versions_under_test_keep_to_a_server_each() -> None:
    """Asked in turns, with more calls under way than servers; each server reads one start all the time."""

    class Noting(Slow):
        async def complete(self, request: Request) -> Completion:
            seen.append((self, request.messages[0].content))
            await asyncio.sleep(0)
            return await super().complete(request)

    seen: list[tuple[Slow, object]] = []

    async def run() -> None:
        servers = [Noting(), Noting()]
        for server in servers:
            server.go.set()
        local = Local("smollm2-135m", servers)
        await asyncio.gather(*(local.complete(started(text)) for _ in range(8) for text in ("one", "two")))

    asyncio.run(run())
    assert len(seen) == 16
    assert len(set(seen)) == 2


def test_a_call_that_stopped_waiting_takes_no_server_with_it() -> None:
    class Cancelling(Slow):
        async def complete(self, request: Request) -> Completion:
            answer = await super().complete(request)
            if self.asked == 1:  # runs after this server was given to the third, before the third knows
                asyncio.get_running_loop().call_soon(calls[2].cancel)
            return answer

    calls: list[asyncio.Task[Completion]] = []

    async def run() -> Completion:
        server = Cancelling()
        local = Local("smollm2-135m", [server])
        calls.extend(asyncio.create_task(local.complete(request())) for _ in range(3))
        await asyncio.sleep(0)
        calls[1].cancel()
        server.go.set()
        await asyncio.gather(*calls, return_exceptions=True)
        assert [call.cancelled() for call in calls] == [False, True, True]
        assert server.asked == 1
        return await asyncio.wait_for(local.complete(request()), timeout=5)

    assert asyncio.run(run()).text == "ok"


class TestTheRealModel:
    pytestmark = needs_the_model

    def test_the_same_request_gets_the_same_answer_whoever_else_asks(self) -> None:
        schema = {"type": "json_schema", "json_schema": {"name": "language", "schema": SCHEMA}}
        texts = ["Waar is mijn pakje?", "Where is my parcel?", "Où est mon colis ?", "Waar is mijn pakje?"]

        async def run(at_once: int) -> list[str | None]:
            async with open_local(say=quiet, folder=MODELS, at_once=at_once) as local:
                asked = [local.complete(request(text, response_format=schema)) for text in texts]
                return [completion.text for completion in await asyncio.gather(*asked)]

        alone = asyncio.run(run(1))
        assert alone[0] == alone[3]
        assert asyncio.run(run(2)) == alone

    def test_what_was_asked_before_changes_nothing(self) -> None:
        """Two prompts that begin alike: part of the second one is in the cache, or it is not."""
        step = "What language is “{}”?"
        start = (
            Message(role="system", content="You name the language of a sentence and say why."),
            Message(role="user", content=step.format("Der Ton fällt immer wieder aus.")),
            Message(role="assistant", content="German, because of the words “der” and “immer”."),
        )
        texts = [
            "Waar is mijn pakje?",
            "Il treno era in ritardo.",
            "O voo foi cancelado.",
            "La soupe est froide.",
        ]
        asked = [
            request(
                messages=(*start, Message(role="user", content=step.format(text))),
                parameters={"temperature": 0, "max_tokens": 40},
            )
            for text in texts
        ]

        async def run(before: Request | None) -> list[str | None]:
            answers = []
            for one in asked:
                async with open_local(say=quiet, folder=MODELS) as local:
                    if before:
                        await local.complete(before)
                    answers.append((await local.complete(one)).text)
            return answers

        other = request(messages=(*start[:1], Message(role="user", content=step.format("Good morning."))))
        assert asyncio.run(run(other)) == asyncio.run(run(None))

    def test_it_names_itself_counts_tokens_and_is_silent(
        self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

        async def run() -> Completion:
            async with open_local(say=quiet, folder=MODELS) as local:
                with pytest.raises(Refused, match="context") as refused:
                    await local.complete(request("word " * 4000))
                assert refused.value.only_this
                return await local.complete(request())

        completion = asyncio.run(run())
        assert completion.model == "smollm2-135m"
        assert completion.usage.input_tokens
        assert completion.usage.output_tokens
        assert capfd.readouterr() == ("", "")

    def test_strangers_are_not_answered_and_the_end_is_the_end(self) -> None:
        async def run() -> str:
            async with open_local(say=quiet, folder=MODELS) as local:
                url = local._desk._free[0].server.base_url  # type: ignore[attr-defined]
                asked = urllib.request.Request(f"{url}/chat/completions", data=b"{}")
                with pytest.raises(urllib.error.HTTPError, match="401") as refused:
                    await asyncio.to_thread(urllib.request.urlopen, asked)
                refused.value.close()
                return str(url)

        url = asyncio.run(run())
        with pytest.raises(urllib.error.URLError, match="refused"):
            urllib.request.urlopen(f"{url}/models")
