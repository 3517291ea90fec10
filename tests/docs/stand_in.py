"""A stand-in for a model behind an OpenAI-compatible endpoint: its answers get worse when it is told to be quick."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from zlib import crc32

QUEUES = ("billing", "technical", "account")


def answer(system: str, message: str) -> str:
    """The right queue stands in the message; in a hurry every fourth is sent to the wrong one."""
    right = next((queue for queue in QUEUES if queue in message), "account")
    hurried = "quick" in system and crc32(message.encode()) % 4 == 0
    return QUEUES[(QUEUES.index(right) + 1) % 3] if hurried else right


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for the acknowledgement of its head

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        texts = {message["role"]: message["content"] for message in asked["messages"]}
        message = {"role": "assistant", "content": answer(texts.get("system", ""), texts["user"])}
        body = json.dumps(
            {
                "model": asked["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {"prompt_tokens": 20, "completion_tokens": 1},
            }
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[str]:
    """Serve on loopback and give the base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
