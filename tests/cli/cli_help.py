"""A repository as a user has it: a prompt, 120 samples, a bot of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typed import Run, Said

ID = "support-triage"
PATH = f"prompts/{ID}.prompt.yaml"
SAMPLES = f"prompts/{ID}.samples.jsonl"
POINTER = f"prompts/releases/{ID}/production.yaml"
N = 120
QUEUES = ("billing", "technical", "account")
CONFIG = """\
promptops: 1
prompts: [prompts]
providers:
  bot: {kind: python, target: "bots:answer"}
limits: {concurrency: 4, attempts: 1, deadline: 20, outage: 0.3}
"""
# Its quality depends on the words of its instructions; it writes one letter for every call beside the repository.
BOT = """\
from pathlib import Path

BESIDE = Path(__file__).resolve().parent.parent


async def answer(request):
    with (BESIDE / "calls").open("a") as file:
        file.write(".")
    rule, message = str(request.messages[0].content), str(request.messages[-1].content)
    number = int(message.split()[1])
    if (BESIDE / "down").exists() and number >= int((BESIDE / "down").read_text()):
        from promptops.errors import Unreachable

        raise Unreachable("bot: connection refused")
    if "silent" in rule and number % 10 == 0:
        raise ValueError("no answer for this one")
    right = message.split()[-1]
    if "quick" in rule and number % 5 == 0:
        return "sales"
    if "hasty" in rule and number % 40 == 0:
        return "sales"
    if "verbose" in rule:
        return {"role": "assistant", "content": right + (" and more words" if number % 3 == 0 else "")}
    return right
"""
PROMPT = """\
description: Sends a message to a queue
owners: ["@acme/support"]
model: bot/small
messages:
  - {role: system, content: "Be careful. Answer with one word: billing, technical or account."}
  - {role: user, content: "{{ message }}"}
scorers:
  queue: {equals: "{{ expected }}", min: 0.8}
"""


def sample(number: int) -> dict[str, Any]:
    queue = QUEUES[number % 3]
    return {
        "inputs": {"message": f"message {number} about {queue}"},
        "expected": queue,
        "slices": {"language": "de" if number % 2 else "en"},
    }


@dataclass(frozen=True, slots=True)
class Project:
    """A repository at `path`; `run` types a command there, in this process."""

    path: Path
    run: Callable[..., Said]
    git: Callable[..., str]

    def write(self, name: str, content: str | bytes) -> Path:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(
            content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        )
        return target

    def edit(self, before: str, after: str, *, name: str = PATH) -> None:
        text = (self.path / name).read_text(encoding="utf-8")
        assert before in text
        self.write(name, text.replace(before, after))

    def reword(self, word: str) -> None:
        """Have the instructions say another word than careful."""
        self.edit("careful", word)

    def commit(self, message: str = "Change") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def keep_samples(self, count: int) -> None:
        lines = (self.path / SAMPLES).read_text().splitlines(keepends=True)
        self.write(SAMPLES, "".join(lines[:count]))

    def calls(self) -> int:
        counted = self.path.parent / "calls"
        return counted.stat().st_size if counted.exists() else 0

    def forget(self) -> None:
        """Throw away answers and runs, as on another machine."""
        shutil.rmtree(self.path / ".promptops", ignore_errors=True)

    def pointer(self, environment: str = "production") -> str:
        return (self.path / f"prompts/releases/{ID}/{environment}.yaml").read_text(encoding="utf-8")

    def snapshot(self) -> dict[str, str]:
        """Every tracked file's index entry and status: what a command must not touch."""
        return {
            "index": self.git("ls-files", "--stage"),
            "status": self.git("status", "--porcelain"),
            "head": self.git("rev-parse", "HEAD"),
        }


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def build(folder: Path) -> None:
    """Write and commit the repository, nothing released yet."""
    folder.mkdir(parents=True)
    files = {
        "promptops.yaml": CONFIG,
        "bots.py": BOT,
        ".gitignore": ".promptops/\n__pycache__/\n",
        PATH: PROMPT,
        SAMPLES: "".join(json.dumps(sample(number)) + "\n" for number in range(N)),
        "README.md": "a project\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    git(folder, "init", "-q", "--template=")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Add a prompt and its samples")


def copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True)
    # git compares times of the work tree with the index: the copies are new files
    subprocess.run(["git", "update-index", "-q", "--refresh"], cwd=target, check=True)


def project_at(path: Path, run_in: Run) -> Project:
    """The repository at `path`, with hands."""
    return Project(path, lambda *words: run_in(path, *words), lambda *words: git(path, *words))


def gated(project: Project, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the gate; return its exit code and what it says."""
    said = project.run("gate", "--base", "main", "--json", *arguments)
    return said.code, said.json


def only(found: dict[str, Any]) -> dict[str, Any]:
    """Return the one prompt that the gate has found."""
    assert len(found["prompts"]) == 1, found["prompts"]
    return dict(found["prompts"][0])
