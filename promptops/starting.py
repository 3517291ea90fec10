"""The first minutes: a configuration, a folder for prompts, a prompt file of four lines. Nothing is overwritten."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from promptops.buildservers import Facts, Server, files, ways_on
from promptops.config import FILE_NAME, KeyName
from promptops.errors import ConfigError, InvalidInput
from promptops.gitstore.releases import read_releases, release_ref
from promptops.gitstore.trees import prompts
from promptops.prompts.parse import check_id
from promptops.prompts.schema import json_schema
from promptops.runs.ledger import begin
from promptops.version import tool_version
from promptops.workspace import STATE, Workspace

CONFIG = """\
promptops: 1
prompts: [prompts]
environments: [production]
# providers:
#   openai: {kind: openai, base_url: https://api.openai.com/v1, api_key: {env: OPENAI_API_KEY}}
# limits: {concurrency: 16, deadline: 60, budget_usd: 5}
"""
PROMPT = """\
model: openai/gpt-4o-mini
messages:
  - {role: system, content: "Answer with one word: billing, technical or account."}
  - {role: user, content: "{{ message }}"}
"""
SCHEMA = f"{STATE}/schema/prompt.schema.json"
# Of the vendors that need no entry; tests compare it with what is really read.
VENDORS_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "gemini": "GEMINI_API_KEY"}
EDITOR = {"yaml.schemas": {f"./{SCHEMA}": "**/*.prompt.yaml"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What was written and what was there already, relative to the folder; `ways_on` is what to do next."""

    written: tuple[str, ...]
    kept: tuple[str, ...]
    ways_on: tuple[str, ...] = ()


def initialise(folder: Path) -> Started:
    """Write what is missing of a set-up; running it again changes nothing but the editor's schema."""
    is_empty = not any((folder / "prompts").rglob("*.prompt.*"))
    texts = {
        FILE_NAME: CONFIG,
        **({} if _has_prompts(folder) else {"prompts/.gitkeep": ""}),
        SCHEMA: json.dumps(json_schema(), indent=2, sort_keys=True) + "\n",
        ".vscode/settings.json": json.dumps(EDITOR, indent=2) + "\n",
    }
    written = [name for name, text in texts.items() if _write_new(folder / name, text)]
    if _ignore(folder / ".gitignore"):
        written.append(".gitignore")
    if is_empty and FILE_NAME in written:
        begin(folder / STATE)  # no configuration and no prompt: nothing can have been tested before
    names = (*texts, ".gitignore")
    return Started(written=tuple(written), kept=tuple(name for name in names if name not in written))


def _has_prompts(folder: Path) -> bool:
    """Whether there is a place for prompts already, here or wherever the configuration says."""
    place = folder / "prompts"
    return (folder / FILE_NAME).exists() or (place.is_dir() and any(place.iterdir()))


def build_server(workspace: Workspace, server: Server) -> Started:
    """Write the files with which a build server runs the gate, from the top of the repository.

    Raises:
        RepoError: the configured release branch exists nowhere.
    """
    facts = Facts(
        version=tool_version(),
        branch=_release_branch(workspace),
        folder=workspace.base or ".",
        environments=tuple(workspace.config.environments),
        keys=_keys(workspace),
    )
    texts = files(server, facts)
    written = tuple(name for name, text in texts.items() if _write_new(workspace.top / name, text))
    kept = tuple(name for name in texts if name not in written)
    return Started(written=written, kept=kept, ways_on=ways_on(server, facts, kept=kept))


def _release_branch(workspace: Workspace) -> str:
    ref = release_ref(workspace.repo, workspace.config.release_branch).ref
    name = ref.removeprefix("refs/heads/").removeprefix(f"refs/remotes/{workspace.repo.remote()}/")
    return workspace.config.release_branch or ("main" if name == "HEAD" else name)


def _keys(workspace: Workspace) -> tuple[str, ...]:
    """Return the variables of keys that the configuration names, and of the vendors that prompts name or would."""
    providers = workspace.config.providers
    named = {spec.api_key.env for spec in providers.values() if spec.api_key is not None}
    headers = [value for spec in providers.values() for value in spec.headers.values()]
    named |= {value.env for value in headers if isinstance(value, KeyName)}
    known = [one for root in workspace.roots for one in prompts(workspace.repo, None, root=root).prompts]
    # Without a prompt: the vendor of the one that `new` writes.
    vendors = {one.spec.model.partition("/")[0] for one in known} or {"openai"}
    return tuple(
        sorted(named | {VENDORS_KEYS[name] for name in vendors - providers.keys() if name in VENDORS_KEYS})
    )


def new_prompt(workspace: Workspace, prompt_id: str) -> Path:
    """Write a prompt file that works, and return where.

    Raises:
        InvalidInput: not an id.
        ConfigError: the file is there already, or another one has this id.
    """
    if problem := check_id(prompt_id):
        raise InvalidInput(problem)
    known = [one for root in workspace.roots for one in prompts(workspace.repo, None, root=root).prompts]
    for prompt in known:
        if prompt.id == prompt_id:
            raise ConfigError(f"{prompt.path} is there already, and its id is {prompt_id}")
    if not known and not _was_released(workspace):
        begin(workspace.state)  # the first prompt: nothing can have been tested before
    path = workspace.top / workspace.roots[0] / f"{prompt_id}.prompt.yaml"
    if not _write_new(path, PROMPT):
        raise ConfigError(f"{path.relative_to(workspace.top)} is there already")
    return path


def _was_released(workspace: Workspace) -> bool:
    head = workspace.repo.head()
    return any(read_releases(workspace.repo, head, root=root).files for root in workspace.roots)


def _write_new(path: Path, text: str) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _ignore(path: Path) -> bool:
    """Have git ignore `.promptops/`: it holds answers, which are customers' text."""
    line = f"{STATE}/".encode()
    # Bytes: the file is somebody's, in whatever encoding and with whatever line ends.
    present = path.read_bytes() if path.exists() else b""
    if line in present.splitlines():
        return False
    joint = b"" if not present or present.endswith(b"\n") else b"\n"
    with path.open("ab") as file:
        file.write(joint + line + b"\n")
    return True
