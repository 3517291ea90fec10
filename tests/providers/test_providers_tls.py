"""Certificates and proxies, with real TLS and a real CONNECT proxy on loopback."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import ConfigError, Malformed, ProviderError, Refused, Unreachable
from promptops.messages import Completion, Message, Request
from promptops.providers.asking import open_asker
from promptops.providers.openai import Chat

REQUEST = Request(model="tiny", messages=(Message(role="user", content="hi"),))
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make certificates")


@dataclass(frozen=True)
class Authority:
    """A certificate authority of our own and a server's certificate for localhost that it signed."""

    ca: Path
    server: ssl.SSLContext


def make_certificate(folder: Path, *, name: str) -> Authority:
    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    (folder / "names").write_text(f"subjectAltName=DNS:{name}\n")
    ca_extensions = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign"]
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(
        "req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", *ca_extensions
    )
    openssl("req", *new, "-keyout", "server.key", "-out", "server.csr", "-subj", f"/CN={name}")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"]
    openssl("x509", "-req", "-in", "server.csr", *signed, "-out", "server.pem", "-days", "9")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return Authority(ca=folder / "ca.pem", server=context)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_certificate(tmp_path_factory.mktemp("ca"), name="localhost")


@dataclass
class Proxy:
    """What a proxy was asked to do."""

    port: int = 0
    asked: list[str] = field(default_factory=list)


@asynccontextmanager
async def connect_proxy(
    *, answer: bytes = b"200 Connection established", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Proxy]:
    """A proxy that connects to where it is told, if its answer is 200."""
    proxy = Proxy()
    tasks: set[asyncio.Task[Any]] = set()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
            proxy.asked.append(head)
            writer.write(b"HTTP/1.1 " + answer + b"\r\n\r\n")
            await writer.drain()
            if answer.startswith(b"200"):
                port = int(head.split()[1].rpartition(":")[2])
                there = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(pipe(reader, there[1]), pipe(there[0], writer))
        except (asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def ask(url: str, **options: Any) -> Completion:
    async with open_asker(Chat(), url, "sk-not-to-be-seen-by-a-proxy", at_once=1, **options) as provider:
        return await provider.complete(REQUEST)


def secure(server: Any) -> str:
    return f"https://localhost:{server.port}/v1"


@needs_openssl
def test_a_certificate_of_an_unknown_authority_is_refused(serve, reply, chat, authority) -> None:
    async def run() -> None:
        async with serve(reply(chat()), tls=authority.server) as server:
            try:
                await ask(secure(server))
            finally:
                heads.extend(server.heads)

    heads: list[str] = []
    with pytest.raises(
        Refused, match=r"the certificate of https://localhost:\d+/v1/\S+ is not trusted"
    ) as caught:
        asyncio.run(run())
    assert caught.value.kind == "refused.certificate"
    assert not caught.value.only_this
    assert heads == []


@needs_openssl
def test_an_authority_named_by_ca_file_is_trusted(serve, reply, chat, authority) -> None:
    async def run() -> Completion:
        async with serve(reply(chat("hello")), tls=authority.server) as server:
            return await ask(secure(server), ca_file=authority.ca)

    assert asyncio.run(run()).text == "hello"


@needs_openssl
def test_an_authority_named_by_ssl_cert_file_is_trusted(serve, reply, chat, authority, monkeypatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))

    async def run() -> Completion:
        async with serve(reply(chat("hello")), tls=authority.server) as server:
            return await ask(secure(server))

    assert asyncio.run(run()).text == "hello"


@needs_openssl
def test_a_certificate_for_another_host_is_refused(serve, reply, chat, tmp_path) -> None:
    other = make_certificate(tmp_path, name="elsewhere.example")

    async def run() -> None:
        async with serve(reply(chat()), tls=other.server) as server:
            await ask(secure(server), ca_file=other.ca)

    with pytest.raises(Refused, match=r"(?i)hostname mismatch|doesn't match|not valid for") as caught:
        asyncio.run(run())
    assert caught.value.kind == "refused.certificate"


def test_a_server_that_speaks_no_tls_is_no_bad_certificate(serve, reply) -> None:
    async def run() -> None:
        async with serve(reply(b"{}")) as server:

            async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                writer.close()

            door = await asyncio.start_server(plain, "127.0.0.1", 0)
            server.port = door.sockets[0].getsockname()[1]
            async with door:
                await ask(secure(server))

    with pytest.raises(Unreachable, match="no TLS with https://localhost") as caught:
        asyncio.run(run())
    assert caught.value.kind == "unreachable.lost"


@needs_openssl
def test_https_goes_through_a_connect_proxy_and_stays_closed_to_it(
    serve, reply, chat, authority, monkeypatch
) -> None:
    async def run() -> tuple[Completion, list[str], int]:
        async with serve(reply(chat("hello")), tls=authority.server) as server, connect_proxy() as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://user:word@127.0.0.1:{proxy.port}")
            return await ask(secure(server), ca_file=authority.ca), proxy.asked, server.port

    answer, asked, port = asyncio.run(run())
    assert answer.text == "hello"
    assert len(asked) == 1
    assert asked[0].startswith(f"CONNECT localhost:{port} HTTP/1.1")
    assert "proxy-authorization: basic dxnlcjp3b3jk" in asked[0].lower()
    assert "sk-not" not in asked[0]


@needs_openssl
def test_a_proxy_that_is_reached_by_https_is_trusted_as_a_server_is(
    serve, reply, chat, authority, monkeypatch
) -> None:
    async def run() -> tuple[Completion, list[str]]:
        async with (
            serve(reply(chat("hello")), tls=authority.server) as server,
            connect_proxy(tls=authority.server) as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", f"https://localhost:{proxy.port}")
            return await ask(secure(server), ca_file=authority.ca), proxy.asked

    answer, asked = asyncio.run(run())
    assert (answer.text, len(asked)) == ("hello", 1)


def test_http_goes_through_a_proxy_that_is_told_who_asks(serve, reply, chat, monkeypatch) -> None:
    async def run() -> tuple[Completion, str]:
        async with serve(reply(chat("hello"))) as proxy:
            monkeypatch.setenv("HTTP_PROXY", f"user:w%40rd@127.0.0.1:{proxy.port}")
            return await ask("http://models.invalid/v1"), proxy.heads[0]

    answer, head = asyncio.run(run())
    assert answer.text == "hello"
    assert head.startswith("POST http://models.invalid/v1/chat/completions HTTP/1.1\r\n")
    assert "proxy-authorization: basic dxnlcjp3qhjk" in head.lower()


@needs_openssl
@pytest.mark.parametrize("excepted", ["localhost", "*", "example.com,localhost"])
def test_no_proxy_names_hosts_that_are_asked_directly(
    serve, reply, chat, authority, monkeypatch, excepted
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", excepted)

    async def run() -> Completion:
        async with serve(reply(chat("hello")), tls=authority.server) as server:
            return await ask(secure(server), ca_file=authority.ca)

    assert asyncio.run(run()).text == "hello"


def proxied(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> ProviderError:
    async def run() -> None:
        async with connect_proxy(answer=answer) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            await ask("https://models.invalid/v1")

    with pytest.raises(ProviderError) as caught:
        asyncio.run(run())
    return caught.value


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"407 Proxy Authentication Required", "refused"),
        (b"403 Forbidden", "refused"),
        (b"502 Bad Gateway", "unreachable.lost"),
    ],
)
def test_a_proxy_that_says_no_is_named(answer, kind, monkeypatch) -> None:
    error = proxied(answer, monkeypatch)
    assert error.kind == kind
    assert str(error).startswith("the proxy would not connect to https://models.invalid/v1/chat/completions")
    assert f"it answered {answer[:3].decode()}" in str(error)


def test_a_proxy_that_is_not_there_is_named(monkeypatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(
        Unreachable, match=r"cannot connect to the proxy for https://models\.invalid"
    ) as caught:
        asyncio.run(ask("https://models.invalid/v1"))
    assert caught.value.kind == "unreachable.refused"


@pytest.mark.parametrize("address", ["ftp://127.0.0.1:9", "socks5://127.0.0.1:9", "http://[::1"])
def test_a_proxy_that_cannot_be_used_is_an_error_of_the_configuration(address, monkeypatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(ConfigError, match="HTTPS_PROXY"):
        asyncio.run(ask("https://models.invalid/v1"))


def test_a_proxy_that_does_not_concern_an_address_is_not_looked_at(serve, reply, chat, monkeypatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    async def run() -> Completion:
        async with serve(reply(chat("hello"))) as server:
            return await ask(server.url)

    assert asyncio.run(run()).text == "hello"


@pytest.mark.parametrize("content", ["no certificate", None])
def test_a_ca_file_that_is_none_is_named(tmp_path, content) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"ca_file \S+ca\.pem"):
        asyncio.run(ask("https://models.invalid/v1", ca_file=path))


@pytest.mark.parametrize("content", ["no certificate", None])
def test_an_ssl_cert_file_that_is_none_is_named(tmp_path, monkeypatch, content) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(ConfigError, match="SSL_CERT_FILE or SSL_CERT_DIR names no certificates"):
        asyncio.run(ask("https://models.invalid/v1"))


def test_where_no_tls_is_spoken_no_certificates_are_read(serve, reply, chat, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))

    async def run() -> Completion:
        async with serve(reply(chat("hello"))) as server:
            return await ask(server.url)

    assert asyncio.run(run()).text == "hello"


@needs_openssl
def test_a_connection_lost_behind_tls_is_lost(serve, authority) -> None:
    async def close(writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def run() -> None:
        async with serve(close, tls=authority.server) as server:
            await ask(secure(server), ca_file=authority.ca)

    with pytest.raises(Unreachable) as caught:
        asyncio.run(run())
    assert caught.value.kind == "unreachable.lost"
    assert not isinstance(caught.value, Malformed)
