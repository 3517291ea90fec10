"""What a large history costs: CPU seconds of whole processes with their children (git), beside bare Python.

Builds the repository of `releaseworld` (1,000 prompts, 2,000 releases, 10,000 commits), or takes one that was built
before, and runs the commands there as a user does, in turn and again. Medians; the operating system's own account.
The first status reads every prompt, later ones what has changed; the prompt that is blamed was released most often.
What `promptops gate` costs is taken at the moment when it first asks a model: a server on loopback answers nobody
and reads the account of the process that asks.

    python benchmarks/releases.py [--rounds 5] [--prompts 1000 --releases 2000 --commits 10000] [--at FOLDER]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from socket import create_server

from releaseparts import name_of, path_of
from releaseworld import build

AT_MOST = {"status": 0.5, "verify": 5.0, "gate": 1.0, "blame": 1.5}
BUSY, AFFECTED = 0, 500  # the prompt with the longest history, and one with few releases
TOOL = [sys.executable, "-P", "-m", "promptops"]


def finished(command: list[str], cwd: Path) -> float:
    """CPU seconds of one finished process and of all that it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def until_it_asks(command: list[str], cwd: Path) -> float:
    """CPU seconds of a process, and of its finished children, until it first asks a model."""
    with closing(create_server(("127.0.0.1", 0))) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        environ = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none"}
        quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(command, cwd=cwd, env=environ, text=True, **quiet) as process:
            server.settimeout(0.05)
            while process.poll() is None:
                try:
                    server.accept()[0].close()
                except TimeoutError:
                    continue
                spent = _account(process.pid)
                process.kill()
                return spent
            said = process.stdout.read() if process.stdout else ""
    raise SystemExit(f"{' '.join(command)}: ended without asking a model\n{said[-2000:]}")


def _account(pid: int) -> float:
    """CPU seconds of a running process and of its children: those that it waited for, and those that still run."""
    tick, total = os.sysconf("SC_CLK_TCK"), 0
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if pid in (int(place.parent.name), int(fields[1])):
            total += sum(int(one) for one in fields[11:15])
    return total / tick


def change(top: Path) -> None:
    """Commit a change of one prompt on a branch of its own, as a pull request brings it."""
    file = top / path_of(AFFECTED)
    file.write_text(file.read_text().replace("Keep to the facts", "Keep to what is known"))
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for words in (
        ["switch", "-q", "-C", "change"],
        [*identity, "commit", "-q", "-a", "-m", "Change a prompt"],
    ):
        subprocess.run(["git", *words], cwd=top, check=True, capture_output=True)


def measure(top: Path, rounds: int) -> dict[str, float]:
    """Return the median of each command's CPU seconds."""
    name = name_of(BUSY)
    memory = top / ".promptops" / "remembered.json"
    memory.parent.mkdir(exist_ok=True)  # whoever has tested anything has this folder

    def first_status() -> float:
        memory.unlink(missing_ok=True)
        return finished([*TOOL, "status"], top)

    ways: dict[str, Callable[[], float]] = {
        "bare Python": lambda: finished([sys.executable, "-c", "pass"], top),
        "--help": lambda: finished([*TOOL, "--help"], top),
        "first status": first_status,
        "status": lambda: finished([*TOOL, "status"], top),
        "verify": lambda: finished([*TOOL, "verify"], top),
        "blame": lambda: finished([*TOOL, "blame", name], top),
        "blame --at": lambda: finished([*TOOL, "blame", name, "--at", "2026-01-01"], top),
        "log of one": lambda: finished([*TOOL, "log", name], top),
        "gate": lambda: until_it_asks([*TOOL, "gate", "--base", "main"], top),
    }
    costs: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            costs[way].append(run())
    return {way: statistics.median(values) for way, values in costs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--releases", type=int, default=2000)
    parser.add_argument("--commits", type=int, default=10_000)
    parser.add_argument(
        "--at", type=Path, help="build it here and keep it, or take what was built here before"
    )
    asked = parser.parse_args()
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        top = asked.at or Path(folder) / "world"
        if not (top / ".git").exists():
            start = time.process_time()
            build(top, prompts=asked.prompts, releases=asked.releases, commits=asked.commits)
            change(top)
            print(f"built in {time.process_time() - start:.1f} s CPU: {asked}")
        found = measure(top, asked.rounds)
    bare = found["bare Python"]
    print(f"{'':<14}{'CPU s':>8}{'× bare':>8}{'at most':>9}")
    for way, seconds in found.items():
        bound = f"{AT_MOST[way]:>9.1f}" if way in AT_MOST else ""
        print(f"{way:<14}{seconds:>8.2f}{seconds / bare:>8.1f}{bound}")


if __name__ == "__main__":
    main()
