"""Remotes as people have them: a bare repository behind file:// and behind `git http-backend` on loopback."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from forked import Forked
from typed import Said

from promptops.gitstore.releases import release_files
from promptops.records import Evidence, Release, SampleSet, Version, body_digest, canonical, sha256
from promptops.succession import following

AT = "2026-01-05T10:00:00Z"
FILES = {
    "promptops.yaml": "promptops: 1\nenvironments: [staging, production]\n"
    'providers: {bot: {kind: python, target: "bots:answer"}}\n',
    "bots.py": "def answer(request):\n    return 'fine'\n",
    ".gitignore": ".promptops/\n__pycache__/\n",
    "prompts/greet-0.samples.jsonl": '{"inputs": {}, "expected": "fine"}\n' * 2,
}
BACKEND = (
    Path(subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip())
    / "git-http-backend"
)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def text_of(prompt: str, number: int) -> str:
    return f'model: bot/small\nmessages:\n  - {{role: user, content: "{prompt} {number}"}}\n'


def frozen(prompt: str, number: int) -> Version:
    body = {"model": "bot/small", "messages": [{"role": "user", "content": f"{prompt} {number}"}]}
    return Version(
        id=prompt,
        version=number,
        digest=body_digest(body),
        path=f"prompts/{prompt}.prompt.yaml",
        source=text_of(prompt, number),
        body=body,
    )


def files_of(version: Version, previous: Release | None) -> tuple[dict[str, bytes], Release]:
    """The files of the next release of a version, and its pointer, as `promote` would write them."""
    evidence = Evidence(
        prompt=version.id,
        baseline=None,
        candidate=version.digest,
        samples=SampleSet(digest=sha256(b"samples"), n=300),
        policy=sha256(b"policy"),
        verdict="pass",
        alpha=0.05,
        tool_version="0.1.0",
        model="small",
        provider="bot",
        run="r1",
        at=AT,
    )
    record = following(
        previous,
        version=version,
        environment="production",
        kind="promote" if previous else "first",
        evidence=sha256(canonical(evidence)),
        reason="",
        by="Ada <ada@example.org>",
        at=AT,
    )
    return release_files("prompts", record, version=version, evidence=evidence), record


def build(top: Path, prompts: Sequence[str], *, versions: int = 2) -> Path:
    """A repository in which every prompt was released so many times, one commit a version."""
    top.mkdir(parents=True)
    git(top, "init", "-q")
    live: dict[str, Release] = {}
    (top / "prompts").mkdir()
    for path, text in FILES.items():
        (top / path).write_text(text)
    for prompt in prompts:
        (top / f"prompts/{prompt}.prompt.yaml").write_text(text_of(prompt, 9))
    commit(top, "Start")
    for number in range(1, versions + 1):
        for prompt in prompts:
            files, live[prompt] = files_of(frozen(prompt, number), live.get(prompt))
            for path, content in files.items():
                (top / path).parent.mkdir(parents=True, exist_ok=True)
                (top / path).write_bytes(content)
        commit(top, f"Release v{number}")
    return top


def commit(top: Path, message: str) -> str:
    git(top, "add", "-A")
    git(top, "commit", "-q", "--allow-empty", "-m", message)
    return git(top, "rev-parse", "HEAD")


def live(bare: Path, prompt: str, ref: str = "main") -> str:
    """What a pointer says at a ref: `v1 rollback 3`."""
    lines = git(bare, "show", f"{ref}:prompts/releases/{prompt}/production.yaml").split("\n")
    values = dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith(" "))
    return f"v{values['version']} {values['kind']} {values['sequence']}"


@dataclass
class Remote:
    """A bare repository and the URL it is reached at.

    `fault` is what happens to the next push that sends commits: `before` (the connection breaks, nothing arrives),
    `half` (half of it arrives), `after` (it arrives, the answer does not), `stall`, `forbidden`. `gone`: none answers.
    """

    bare: Path
    url: str
    fault: str = ""
    stays_gone: bool = False
    gone: bool = False
    seen: list[str] = field(default_factory=list)

    def clone(self, name: str, *words: str) -> Path:
        target = self.bare.parent / name
        git(self.bare.parent, "clone", "-q", *words, self.url, name)
        return target


class _Handler(BaseHTTPRequestHandler):
    remote: Remote

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["content-length"])))

    def _answer(self, body: bytes) -> None:
        remote = self.remote
        remote.seen.append(f"{self.command} {self.path}")
        fault = remote.fault if self.path.endswith("/git-receive-pack") and len(body) > 4 else ""
        if remote.gone:
            return
        if fault:
            remote.fault, remote.gone = "", remote.stays_gone
        if fault == "stall":
            Event().wait(30)  # who asked has left long before
            return
        if fault == "forbidden":
            self.send_error(403)
        if fault in ("before", "forbidden"):
            return
        answer = self._backend(body[: len(body) // 2] if fault == "half" else body)
        if fault:
            return
        head, _, content = answer.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _backend(self, body: bytes) -> bytes:
        path, _, query = self.path.partition("?")
        known = {
            "CONTENT_TYPE": "content-type",
            "HTTP_CONTENT_ENCODING": "content-encoding",
            "GIT_PROTOCOL": "git-protocol",
        }
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "GIT_PROJECT_ROOT": str(self.remote.bare.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "ada",
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            **{name: self.headers[key] for name, key in known.items() if self.headers[key]},
        }
        done = subprocess.run([BACKEND], env=environ, input=body, capture_output=True, check=False)
        return done.stdout


@contextmanager
def over_http(bare: Path) -> Iterator[Remote]:
    """Serve a bare repository with git's own server program."""
    remote = Remote(bare=bare, url="")
    handler = type("Handler", (_Handler,), {"remote": remote})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    remote.url = f"http://127.0.0.1:{server.server_port}/{bare.name}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield remote
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def hook(repository: Path, name: str, script: str) -> None:
    """Install a hook; `repository` is a work tree or a bare one."""
    folder = (repository / ".git" if (repository / ".git").is_dir() else repository) / "hooks"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def start(folder: Path, *arguments: str) -> Forked:
    """Start the program in a folder, as a process of its own."""
    out, err = (folder.with_name(f"{folder.name}.{stream}") for stream in ("out", "err"))
    return Forked(folder, *arguments, out=out, err=err)


def ended(process: Forked) -> Said:
    code = process.wait()
    assert "Traceback" not in process.err, process.err
    return Said(code, process.out, process.err)


def state(folder: Path) -> tuple[str, ...]:
    """What a refusal must leave as it was: branches here, the index, the work tree."""
    asked = (["for-each-ref", "refs/heads"], ["ls-files", "--stage"], ["status", "--porcelain"])
    return (git(folder, "rev-parse", "HEAD"), *(git(folder, *words) for words in asked))
