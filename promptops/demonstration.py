"""`promptops demo`: a scratch repository in which a careless change is refused and a good one released and rolled back.

It types the commands that a person would type and prints each of them; every verdict is computed by them, on the
real local model or on its recorded answers. What came out is compared with what should, so a demo that is wrong
says so instead of telling a story.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from promptops.errors import ConfigError
from promptops.runs.ledger import begin
from promptops.workspace import STATE

PROMPT = "language-id"
FILE = f"prompts/{PROMPT}.prompt.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command: what is said before it, and the exit code that tells that all is well."""

    said: str
    command: tuple[str, ...]
    expected: int = 0


def steps(recorded: bool) -> list[Step]:
    """Return what is typed, in order; `cp` stands for a person's editor."""
    only = ("--recorded",) if recorded else ()
    ours = ("promptops",)
    taken = [
        Step(
            said="The answers of the real model were recorded; take them into this repository's cache.",
            command=(*ours, "cache", "import", "recorded/language-id.jsonl"),
        )
    ]
    return [
        *(taken if recorded else []),
        Step(
            said="A prompt that was never released. Its file says how good it must be: min.",
            command=(*ours, "status"),
        ),
        Step(
            said="Release version 1: there is nothing to compare with, so its floor decides.",
            command=(*ours, "promote", PROMPT, *only, "-m", "first version"),
        ),
        Step(
            said="A careless edit: most of the examples go, to save tokens.",
            command=("cp", "demo/language-id.v2.yaml", FILE),
        ),
        Step(said="What changed, in words.", command=(*ours, "diff", PROMPT)),
        Step(
            said="A look at three samples: they look as they did.",
            command=(*ours, "try", PROMPT, "-n", "3", *only),
        ),
        Step(
            said="The test: every recorded sample, answered by both versions.",
            command=(*ours, "test", PROMPT, *only),
            expected=3,
        ),
        Step(
            said="Somebody commits it all the same …", command=("git", "commit", "-qam", "Shorten the prompt")
        ),
        Step(said="… and wants it live.", command=(*ours, "promote", PROMPT, *only), expected=3),
        Step(
            said="A better edit: an example for every language.",
            command=("cp", "demo/language-id.v3.yaml", FILE),
        ),
        Step(
            said="Only what is new is asked: live answers come from the cache.",
            command=(*ours, "test", PROMPT, *only),
        ),
        Step(said="Commit it.", command=("git", "commit", "-qam", "Say it better")),
        Step(
            said="Release it: this very test has been run, so nothing is asked again.",
            command=(*ours, "promote", PROMPT, *only, "-m", "clearer examples"),
        ),
        Step(
            said="A bad hour: the version before is live again, offline, in one commit.",
            command=(*ours, "rollback", PROMPT, "-m", "complaints from support"),
        ),
        Step(said="Where things stand.", command=(*ours, "status")),
        Step(said="How they got there.", command=(*ours, "log", PROMPT)),
        Step(said="And that nobody tampered with it.", command=(*ours, "verify")),
    ]


def demonstrate(*, folder: Path | None, recorded: bool, clock: Callable[[], float] = time.monotonic) -> int:
    """Build the repository and type the commands; return 0 if every one ended as it should.

    Raises:
        ConfigError: the folder is not empty, or the examples are not installed.
    """
    place = _scratch(folder)
    began = clock()
    print(f"A scratch repository: {place}")  # noqa: T201
    _build(place, recorded=recorded)
    wrong = [step for step in steps(recorded) if not _type(step, place, began, clock)]
    took = clock() - began
    print(f"\n{took:.0f} s in all. Look around: cd {place} && promptops status")  # noqa: T201
    for step in wrong:
        print(f"NOT AS IT SHOULD BE: {' '.join(step.command)} (expected exit {step.expected})")  # noqa: T201
    return 1 if wrong else 0


def _type(step: Step, place: Path, began: float, clock: Callable[[], float]) -> bool:
    shown = " ".join(f'"{word}"' if " " in word else word for word in step.command)
    print(f"\n\033[2m# {step.said}\033[0m" if sys.stdout.isatty() else f"\n# {step.said}")  # noqa: T201
    print(f"$ {shown}", flush=True)  # noqa: T201
    if step.command[0] == "cp":
        shutil.copyfile(place / step.command[1], place / step.command[2])
        return True
    command = (
        [sys.executable, "-P", "-m", *step.command] if step.command[0] == "promptops" else list(step.command)
    )
    code = subprocess.run(command, cwd=place, env=_environment(), check=False).returncode
    if code:
        print(f"exit code {code}")  # noqa: T201
    if step.command[1:2] == ("test",):
        print(f"({clock() - began:.0f} s after the start)")  # noqa: T201
    return code == step.expected


def _scratch(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="promptops-demo-"))
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def examples() -> Path:
    """Return the folder of the examples: inside the package when installed, beside it in a checkout.

    Raises:
        ConfigError: they are in neither place.
    """
    here = Path(__file__).parent
    for place in (here / "_examples", here.parent / "examples"):
        if (place / "demo").is_dir():
            return place
    raise ConfigError("the examples are not installed with this copy of promptops; install the wheel")


def _build(place: Path, *, recorded: bool) -> None:
    source = examples()
    for name in (FILE, f"prompts/{PROMPT}.samples.jsonl"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, place / name)
    for name in ("demo", "recorded") if recorded else ("demo",):
        shutil.copytree(source / name, place / name)
    (place / ".gitignore").write_text(".promptops/\n", encoding="utf-8")
    begin(place / STATE)  # nothing was tested in a repository that is made just now
    for command in (
        ("init", "-q", "-b", "main"),
        ("add", "-A"),
        ("commit", "-qm", "Add a prompt and its samples"),
    ):
        subprocess.run(["git", *command], cwd=place, env=_environment(), check=True)


def _environment() -> dict[str, str]:
    """The person's own environment, with an author for the scratch repository where there is none."""
    named = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", "promptops demo"), ("EMAIL", "demo@example.org"))
    }
    return {**named, **{name: value for name, value in os.environ.items() if not name.startswith("GIT_DIR")}}
