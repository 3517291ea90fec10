"""What goes over HTTP besides question and answer: packed bodies, cookies, what a request says of its sender."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import Any

import pytest

from promptops.errors import Malformed
from promptops.messages import Completion, Message, Request
from promptops.providers.asking import open_asker
from promptops.providers.openai import Chat

REQUEST = Request(model="tiny", messages=(Message(role="user", content="hi"),))


def ask(serve: Any, *behaviours: bytes, times: int = 1) -> tuple[Completion, list[str]]:
    async def run() -> tuple[Completion, list[str]]:
        async with serve(*behaviours) as server, open_asker(Chat(), server.url, None, at_once=1) as provider:
            for _ in range(times):
                answer = await provider.complete(REQUEST)
            return answer, server.heads

    return asyncio.run(run())


def deflated_without_a_head(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", deflated_without_a_head),
        ("identity", bytes),
    ],
)
def test_a_packed_answer_is_unpacked(serve, reply, chat, name, pack) -> None:
    body = pack(json.dumps(chat("word " * 20_000)).encode())
    answer, _ = ask(serve, reply(body, more=f"Content-Encoding: {name}\r\n"))
    assert answer.text == "word " * 20_000


@pytest.mark.parametrize(
    "head", ["Content-Encoding: gzip, gzip\r\n", "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"]
)
def test_an_answer_packed_twice_is_not_unpacked(serve, reply, chat, head) -> None:
    body = gzip.compress(gzip.compress(json.dumps(chat()).encode()))
    with pytest.raises(Malformed, match="not JSON"):
        ask(serve, reply(body, more=head))


def test_a_request_asks_only_for_what_can_be_unpacked_and_says_who_asks(serve, reply, chat) -> None:
    _, (head,) = ask(serve, reply(chat()))
    assert "accept-encoding: gzip, deflate\r\n" in head.lower()
    assert "user-agent: promptops\r\n" in head.lower()


def test_a_cookie_is_not_brought_back(serve, reply, chat) -> None:
    _, heads = ask(serve, reply(chat(), more="Set-Cookie: who=me\r\n"), times=2)
    assert len(heads) == 2
    assert "cookie" not in "".join(heads).lower()


def test_a_netrc_file_says_nothing_about_who_asks(serve, reply, chat, tmp_path, monkeypatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    _, (head,) = ask(serve, reply(chat()))
    assert "authorization" not in head.lower()
