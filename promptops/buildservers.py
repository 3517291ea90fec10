"""What `init --ci` writes: the files with which a build server runs the gate, and what to type so that it is required.

The texts are in `templates/`; what is put into them is quoted for YAML, and nothing of a pull request ever stands in
a shell line: scripts read variables.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Literal

Server = Literal["github", "gitlab"]

_PLACES: dict[Server, dict[str, str]] = {
    "github": {
        "promptops-gate.yml": ".github/workflows/promptops-gate.yml",
        "promptops-fork.yml": ".github/workflows/promptops-fork.yml",
        "promptops-released.yml": ".github/workflows/promptops-released.yml",
        "promptops-rollback.yml": ".github/workflows/promptops-rollback.yml",
        "promptops-verify.yml": ".github/workflows/promptops-verify.yml",
        "promptops-ruleset.json": ".github/promptops-ruleset.json",
    },
    "gitlab": {"promptops.yml": ".gitlab/promptops.yml", "gitlab-ci.yml": ".gitlab-ci.yml"},
}
_SCRIPTS = ("comment.sh", "outputs.sh", "queue.sh", "status.sh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a build server has to know: `folder` is where promptops.yaml is, from the top, `.` for the top itself.

    `keys` are the names of the variables that hold keys, never the keys.
    """

    version: str
    branch: str
    folder: str
    environments: tuple[str, ...]
    keys: tuple[str, ...]


def files(server: Server, facts: Facts) -> dict[str, str]:
    """Return the texts by their paths from the top of the repository."""
    return {place: _filled(server, name, facts) for name, place in _PLACES[server].items()}


def ways_on(server: Server, facts: Facts, *, kept: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return what to do next, commands for a shell among it; `kept` are the files that were there already."""
    if server == "gitlab":
        include = ("  add to .gitlab-ci.yml: include: [{local: .gitlab/promptops.yml}]",)
        return (
            "next: commit these files, then, once",
            *(include if ".gitlab-ci.yml" in kept else ()),
            *(f"  printenv {key} | glab variable set {key} --masked" for key in facts.keys),
            "  glab api --method PUT projects/:id --field only_allow_merge_if_pipeline_succeeds=true",
            f"  glab schedule create --description 'promptops verify' --cron '17 5 * * 1' --ref {quote(facts.branch)}",
        )
    return (
        "next: commit these files, then, once",
        *(f"  gh secret set {key}" for key in facts.keys),
        f"  # no way into {facts.branch} but a pull request with the status promptops",
        "  gh api --method POST 'repos/{owner}/{repo}/rulesets' --input .github/promptops-ruleset.json",
    )


def _filled(server: Server, name: str, facts: Facts) -> str:
    folder = Path(__file__).parent / "templates" / server
    lines = (folder / name).read_text(encoding="utf-8").split("\n")
    shared = {f"@{script[:-3].upper()}@": script for script in _SCRIPTS}
    found: list[str] = []
    for line in lines:
        if (script := shared.get(line.strip())) is not None:
            found += _indented((folder / script).read_text(encoding="utf-8"), line)
        elif line == "@KEYS@":
            found += [f"          {name}: ${{{{ secrets.{name} }}}}" for name in facts.keys]
        else:
            found.append(line)
    text = "\n".join(found)
    for mark, value in _values(facts).items():
        text = text.replace(mark, value)
    return text


def _indented(script: str, line: str) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    return [f"{indent}{row}" if row else "" for row in script.rstrip("\n").split("\n")]


def _values(facts: Facts) -> dict[str, str]:
    return {
        "@VERSION@": facts.version.partition("+")[0],
        "@FOLDER@": json.dumps(facts.folder),
        "@BRANCH@": json.dumps(facts.branch, ensure_ascii=False),
        "@BRANCH_TEXT@": json.dumps(facts.branch, ensure_ascii=False)[1:-1],
        "@ENVIRONMENT@": json.dumps(facts.environments[-1]),
        "@ENVIRONMENTS@": json.dumps(list(facts.environments)),
    }
