"""The misbehaving server does over a real socket what its script says, to a client that knows nothing of us."""

from __future__ import annotations

import ast
import gzip
import http.client
import json
import shutil
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

import promptops.testing
from promptops.testing import faults
from promptops.testing.faults import answer, reply, status
from promptops.testing.faulty_server import FaultyServer, serve
from promptops.testing.hostile import HOSTILE, long_text

PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "gemini": "/v1beta/models/m:generateContent",
    "gemini stream": "/v1beta/models/m:streamGenerateContent?alt=sse",
}
WAYS = [
    (PATHS["gemini" if api == "gemini" else api], False)
    for api in ("chat", "responses", "messages", "gemini")
]
STREAMS = [(PATHS[api], True) for api in ("chat", "responses", "messages", "gemini stream")]


def post(server: FaultyServer, path: str, *, stream: bool = False) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("POST", path, json.dumps({"model": "m", "stream": stream}))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def texts(value: Any) -> list[str]:
    """Every text in a JSON value, wherever it stands."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    return [value] if isinstance(value, str) else []


def events(body: bytes) -> list[Any]:
    lines = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def test_each_request_gets_the_next_behaviour_and_the_last_one_stays() -> None:
    with serve(status(503), status(429, retry_after=1), answer("yes")) as server:
        codes = [post(server, PATHS["chat"])[0] for _ in range(4)]
        assert codes == [503, 429, 200, 200]
        assert server.count == 4
        assert {seen.json["model"] for seen in server.requests} == {"m"}


def test_a_good_connection_is_kept_and_one_that_was_cut_is_not() -> None:
    with serve(answer(), answer(), faults.cut(), answer()) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        for _ in range(2):
            connection.request("POST", PATHS["chat"], "{}")
            connection.getresponse().read()
        assert server.connections == 1
        connection.request("POST", PATHS["chat"], "{}")
        with pytest.raises(http.client.IncompleteRead):
            connection.getresponse().read()
        connection.close()
        assert post(server, PATHS["chat"])[0] == 200
        assert server.connections == 2


@pytest.mark.parametrize(("path", "stream"), WAYS + STREAMS)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_every_api_is_spoken_whole_and_streamed(path: str, stream: bool, text: str) -> None:
    for escaped in (True, False):
        with serve(answer(text, escaped=escaped)) as server:
            code, body = post(server, path, stream=stream)
        assert code == 200
        if not stream:
            assert text in texts(json.loads(body))
        else:
            middle = (len(text) + 1) // 2
            found = [part for event in events(body) for part in texts(event)]
            assert {text[:middle], text[middle:]} <= set(found)


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (1, "1"),
        (0.5, "0.5"),
        ("soon", "soon"),
        (datetime(2026, 1, 5, 10, tzinfo=UTC), "Mon, 05 Jan 2026 10:00:00 GMT"),
    ],
)
def test_a_busy_server_says_when_to_come_back(asked: Any, sent: str) -> None:
    with serve(status(429, "slow down", retry_after=asked)) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("POST", PATHS["chat"], "{}")
        response = connection.getresponse()
        assert response.headers["retry-after"] == sent
        assert json.loads(response.read())["error"]["message"] == "slow down"
        connection.close()
    if isinstance(asked, datetime):
        assert parsedate_to_datetime(sent) == asked


@pytest.mark.parametrize(("path", "stream"), STREAMS)
@pytest.mark.parametrize("lacks", ["end", "finish", "everything"])
@pytest.mark.parametrize("close", ["clean", "cut"])
def test_a_stream_lacks_what_it_is_told_to(path: str, stream: bool, lacks: Any, close: Any) -> None:
    with serve(answer()) as server:
        whole = post(server, path, stream=stream)[1]
    with serve(faults.unfinished(lacks=lacks, close=close)) as server:
        try:
            body, cut = post(server, path, stream=stream)[1], False
        except http.client.IncompleteRead as error:
            body, cut = error.partial, True
    assert cut == (close == "cut")
    assert whole != body
    assert set(body.split(b"\n\n")) <= set(whole.split(b"\n\n"))
    assert (b"[DONE]" in body) == (lacks == "finish" and b"[DONE]" in whole)


@pytest.mark.parametrize(("path", "stream"), WAYS + STREAMS)
def test_what_never_ends_is_ended_by_whoever_stops_waiting(path: str, stream: bool) -> None:
    endless = [faults.silence(), faults.stall(), faults.comments(every=0.01), faults.drip(every=0.01)]
    with serve(*endless) as server:
        for number, _ in enumerate(endless, start=1):
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as waiting:
                body = json.dumps({"stream": stream}).encode()
                head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
                waiting.sendall(head.encode() + body)
                while number > 1 and b"\r\n\r\n" not in waiting.recv(4096):
                    pass
        assert server.connections == len(endless)


def test_the_bodies_that_are_no_answer() -> None:
    behaviours = [faults.html(), faults.cut_json(), faults.error_inside("no"), faults.nothing_inside()]
    with serve(*behaviours, reply({"a": 1}, 418)) as server:
        html, half, error, nothing, odd = (post(server, PATHS["chat"]) for _ in range(5))
    assert html == (200, b"<html><body><h1>Bad gateway</h1></body></html>")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
        json.loads(half[1])
    assert json.loads(error[1])["error"]["message"] == "no"
    assert json.loads(nothing[1])["choices"] == []
    assert odd == (418, b'{"a": 1}')


def test_a_bomb_is_small_on_the_wire_and_a_flood_has_no_end() -> None:
    with serve(faults.bomb(10**7), faults.flood(piece=100)) as server:
        code, body = post(server, PATHS["chat"])
        assert (code, len(body) < 20_000, gzip.decompress(body).strip()) == (200, True, b"")
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("POST", PATHS["chat"], "{}")
        assert len(connection.getresponse().read(10**6)) == 10**6
        connection.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_it_speaks_https_with_the_certificate_it_is_given(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    making = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"
    names = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*making.split(), *names], check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    with serve(answer(), tls=tls) as server:
        assert server.url == f"https://127.0.0.1:{server.port}/v1"
        trusting = ssl.create_default_context(cafile=str(certificate))
        trusting.check_hostname = False
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=10, context=trusting)
        connection.request("POST", PATHS["chat"], "{}")
        assert "hello" in texts(json.loads(connection.getresponse().read()))
        connection.close()


def test_connections_that_are_closed_and_answers_that_are_not_http() -> None:
    with serve(faults.hang_up(), faults.garbage()) as server:
        with pytest.raises(http.client.RemoteDisconnected):
            post(server, PATHS["chat"])
        with pytest.raises(http.client.BadStatusLine):
            post(server, PATHS["chat"])


def test_a_long_text_is_as_long_as_asked() -> None:
    assert len(long_text()) == 10_000_000
    assert len(set(long_text(10_000).splitlines())) > 150


def test_a_server_without_a_script_is_refused_and_every_socket_is_given_back() -> None:
    with pytest.raises(ValueError, match="at least one behaviour"), serve():
        pass
    with serve(answer()) as server:
        port = server.port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)


def test_it_is_imported_by_nothing_that_runs_without_it() -> None:
    package = Path(promptops.testing.__path__[0]).parent
    for path in package.rglob("*.py"):
        if not path.is_relative_to(package / "testing"):
            assert "promptops.testing" not in path.read_text(encoding="utf-8"), path


def test_it_needs_nothing_but_the_standard_library() -> None:
    folder = Path(promptops.testing.__path__[0])
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                known = name.partition(".")[0] in sys.stdlib_module_names
                assert known or name.startswith("promptops.testing"), f"{path.name} imports {name}"
