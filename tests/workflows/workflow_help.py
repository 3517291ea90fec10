"""Workflow files as a runner reads them: their steps, with the values that GitHub would put in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)


def read(path: Path) -> dict[str, Any]:
    """Read a workflow; YAML takes its key `on` for true."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in found.items()}


def steps(workflow: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every step of a workflow or of a composite action."""
    if "runs" in workflow:
        yield from workflow["runs"]["steps"]
    for job in workflow.get("jobs", {}).values():
        yield from job["steps"]


def step(workflow: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The step with this id or name."""
    return next(one for one in steps(workflow) if name in (one.get("id"), one.get("name")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one step printed, and its exit code."""

    code: int
    out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A machine of a build server: `temp` is its folder, `bin` holds programs that stand before all others."""

    temp: Path
    bin: Path

    def run(self, one: Mapping[str, Any], folder: Path, values: Mapping[str, str]) -> Ran:
        """Run a step's script as GitHub does; `values` are what its expressions come to."""
        given = {name: self._filled(str(text), values) for name, text in one.get("env", {}).items()}
        assert not EXPRESSION.search(one["run"])
        script = self.temp / "script.sh"
        script.write_text(one["run"], encoding="utf-8")
        path = f"{self.bin}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        world = {"RUNNER_TEMP": str(self.temp), "GITHUB_STEP_SUMMARY": str(self.temp / "job-summary.md")}
        world |= {"GITHUB_OUTPUT": str(self.temp / "outputs"), "GITHUB_REPOSITORY": "acme/shop", "PATH": path}
        world |= {
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_RUN_ID": "1",
            "GITHUB_REF_NAME": "main",
        }
        world |= {"GITHUB_ACTOR": "grace", "GITHUB_ACTOR_ID": "7", "GITHUB_SHA": values.get("github.sha", "")}
        options = ["-e", "-o", "pipefail"] if one.get("shell") == "bash" else ["-e"]
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", *options, str(script)],
            cwd=folder,
            env={**os.environ, **world, **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return Ran(code=done.returncode, out=done.stdout.decode())

    def outputs(self) -> dict[str, str]:
        """What steps have written as their outputs, and forget it."""
        path, found = self.temp / "outputs", dict[str, str]()
        lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
        rest = iter(lines)
        for line in rest:
            if match := re.fullmatch(r"(\w+)<<(.+)", line):
                found[match[1]] = "\n".join(iter(lambda end=match[2]: _until(next(rest), end), None))
            elif line:
                name, _, value = line.partition("=")
                found[name] = value
        path.unlink(missing_ok=True)
        return found

    def _filled(self, text: str, values: Mapping[str, str]) -> str:
        return EXPRESSION.sub(lambda match: values[match[1]], text)


def _until(line: str, end: str) -> str | None:
    return None if line == end else line
