"""Every API over real HTTP, from a prompt file and a configuration to an answer on the screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from cli_help import Project

USAGE = {"input_tokens": 9, "output_tokens": 4}
ANSWERS: dict[str, Any] = {
    "/v1/messages": {
        "content": [{"type": "text", "text": "billing"}],
        "stop_reason": "end_turn",
        "model": "tiny",
        "usage": USAGE,
    },
    "/v1beta/models/tiny:generateContent": {
        "candidates": [{"content": {"parts": [{"text": "billing"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4},
    },
    "/v1/responses": {
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "billing"}]}],
        "usage": USAGE,
    },
    "/v1/chat/completions": {
        "choices": [{"message": {"content": "billing"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4},
    },
}
KEY = "a-key-that-nobody-may-see"


class Vendor(ThreadingHTTPServer):
    """Answers as every vendor does, by the path, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.silent, self.goodbye = False, Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Vendor

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.path, headers, json.loads(body)))
        if self.server.silent:
            self.server.goodbye.wait()
            return
        answer = json.dumps(ANSWERS[self.path]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.goodbye.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("kind", "path", "header"),
    [
        ("kind: anthropic", "/v1/messages", ("x-api-key", KEY)),
        ("kind: gemini", "/v1beta/models/tiny:generateContent", ("x-goog-api-key", KEY)),
        ("kind: openai, api: responses", "/v1/responses", ("authorization", f"Bearer {KEY}")),
        ("kind: openai", "/v1/chat/completions", ("authorization", f"Bearer {KEY}")),
    ],
)
def test_a_prompt_is_answered_by_every_api(
    fresh: Project, vendor: Vendor, monkeypatch: pytest.MonkeyPatch, kind, path, header
) -> None:
    monkeypatch.setenv("VENDOR_KEY", KEY)
    monkeypatch.setenv("TEAM", "support")
    base = vendor.url + ("/v1" if "openai" in kind else "")
    headers = "headers: {X-Team: {env: TEAM}}"
    entry = f"vendor: {{{kind}, base_url: '{base}', api_key: {{env: VENDOR_KEY}}, {headers}}}"
    fresh.write("promptops.yaml", f"promptops: 1\nproviders:\n  {entry}\n")
    fresh.edit("model: bot/small", "model: vendor/tiny\nparameters: {max_tokens: 9}")
    said = fresh.run("try", "-i", "message=hello")
    assert said.code == 0, said
    assert "billing" in said.out
    [(asked, sent, body)] = vendor.asked
    assert asked == path
    assert sent[header[0]] == header[1]
    assert sent["x-team"] == "support"
    assert "hello" in json.dumps(body)
    kept = b"".join(file.read_bytes() for file in (fresh.path / ".promptops").rglob("*") if file.is_file())
    assert KEY.encode() not in kept
    assert KEY not in said.out + said.err


def test_a_vendor_needs_a_variable_and_nothing_else(
    fresh: Project, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", vendor.url)
    fresh.edit("model: bot/small", "model: anthropic/tiny\nparameters: {max_tokens: 9}")
    said = fresh.run("try", "-i", "message=hello")
    assert said.code == 0, said
    assert vendor.asked[0][0] == "/v1/messages"


def test_the_times_of_an_entry_end_an_attempt(fresh: Project, vendor: Vendor) -> None:
    vendor.silent = True
    entry = (
        f"vendor: {{kind: openai, base_url: '{vendor.url}/v1', stream: true, timeouts: {{first_token: 0.1}}}}"
    )
    fresh.write("promptops.yaml", f"promptops: 1\nproviders:\n  {entry}\nlimits: {{attempts: 1}}\n")
    fresh.edit("model: bot/small", "model: vendor/tiny")
    said = fresh.run("try", "-i", "message=hello")
    assert "timeout.first_token: no token within 0.1 s" in said.out
    assert len(vendor.asked) == 1
