"""What the history of a prompt costs: CPU seconds of a whole process, as a ratio to starting a bare Python.

Builds a repository with one prompt of 100 commits among 20 others, then asks for its story in fresh processes
and counts the CPU time of each with its children (git). Ratios hold on a busy machine; milliseconds do not.

    python benchmarks/log.py [--commits 100] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ASK = (
    "from promptops.gitstore.history import history; from promptops.gitstore.repo import Repo; "
    "print(len(history(Repo.open('.'), 'p0').events))"
)
IMPORT = "import promptops.gitstore.history"


def prompt(number: int, text: str) -> str:
    return (
        f"model: openai/gpt-4o-mini\nparameters: {{temperature: 0, max_tokens: {100 + number}}}\nmessages:\n"
        f"  - role: system\n    content: |\n      You route support messages.\n      {text}\n"
        '  - {role: user, content: "{{ message }}"}\n'
    )


def build(top: Path, commits: int) -> None:
    """Write the history with one `git fast-import`."""
    lines = []
    for number in range(commits):
        files = {"prompts/p0.prompt.yaml": prompt(number, f"Version {number}.")}
        if number == 0:
            files |= {f"prompts/p{other}.prompt.yaml": prompt(other, "Another.") for other in range(1, 21)}
        message = f"Change {number}"
        lines.append(f"commit refs/heads/main\ncommitter A <a@example.org> {1767000000 + number} +0000")
        lines.append(f"data {len(message)}\n{message}")
        lines += [f"M 100644 inline {path}\ndata {len(text)}\n{text}" for path, text in files.items()]
    subprocess.run(["git", "init", "-q", "-b", "main", str(top)], check=True)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=top, input="\n".join(lines).encode(), check=True)


def cpu(code: str, top: Path) -> float:
    """Return the CPU seconds of a fresh interpreter and of all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], cwd=top, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--commits", type=int, default=100)
    options.add_argument("--rounds", type=int, default=5)
    asked = options.parse_args()
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        build(top, asked.commits)
        costs = {name: [] for name in ("bare python", "imports", f"log of {asked.commits} commits")}
        for _ in range(asked.rounds):
            for name, code in zip(costs, ("pass", IMPORT, ASK), strict=True):
                costs[name].append(cpu(code, top))
    bare = statistics.median(costs["bare python"])
    for name, seconds in costs.items():
        middle = statistics.median(seconds)
        print(f"{name:24} {middle * 1000:7.1f} ms CPU   {middle / bare:5.1f} × bare python")


if __name__ == "__main__":
    main()
