"""What programs use: `promptops.load("support-triage")` gives the prompt that is live, ready to be sent.

Imports only yaml and jinja2 and asks no git: the release files of the checkout that the program runs from are the
truth. Reading the work tree while editing (`PROMPTOPS_ENV=worktree`) goes through the whole parser.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptops.errors import ConfigError, IntegrityError, InvalidFile, InvalidInput, NotFound, Problem
from promptops.nodes import plain_data, read_nodes
from promptops.prompts.template import render_text

WORKTREE = "worktree"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A prompt that is live (or that is being edited); `body` is what its digest covers."""

    id: str
    version: int | None
    digest: str
    environment: str
    body: Mapping[str, Any]

    @property
    def metadata(self) -> dict[str, str]:
        """What to put on the trace of a call, so that its sample knows which version answered."""
        number = f"v{self.version}" if self.version else WORKTREE
        return {"prompt_id": self.id, "prompt_version": number, "prompt_digest": self.digest}

    def messages(self, **inputs: Any) -> list[dict[str, str]]:
        """Return the rendered messages.

        Raises:
            InvalidInput: an input is missing.
        """
        self._check(inputs)
        kind, partials = self.body["template"], self.body["partials"]
        return [
            {"role": one["role"], "content": render_text(kind, one["content"], inputs, partials)}
            for one in self.body["messages"]
        ]

    def openai(self, **inputs: Any) -> dict[str, Any]:
        """Return keyword arguments for an OpenAI-compatible `chat.completions.create`.

        Raises:
            InvalidInput: an input is missing.
        """
        arguments = dict(self.body["parameters"])
        arguments["model"] = self.body["model"].partition("/")[2]
        arguments["messages"] = self.messages(**inputs)
        if self.body["response_format"]:
            arguments["response_format"] = self.body["response_format"]
        if self.body["tools"]:
            arguments["tools"] = [_tool(one) for one in self.body["tools"]]
        return arguments

    def _check(self, inputs: Mapping[str, Any]) -> None:
        required = (self.body["inputs"] or {}).get("required", [])
        missing = [name for name in required if name not in inputs]
        if missing:
            raise InvalidInput(
                f"{self.id}: missing input{'s' if len(missing) > 1 else ''}: {', '.join(missing)}"
            )


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": tool["name"], "description": tool["description"], "parameters": tool["parameters"]}
    return {"type": "function", "function": function}


def load(prompt: str, *, environment: str | None = None, root: str | Path = "prompts") -> Loaded:
    """Return what is live in an environment: the one given, else `PROMPTOPS_ENV`, else production.

    `root` is the folder of prompts, relative to the current one. `worktree` reads the prompt file itself.

    Raises:
        NotFound: it is not live there, or there is no such prompt.
        IntegrityError: a release file is damaged, or the frozen version is not what the pointer names.
        InvalidFile: in the work tree, the prompt file has problems.
    """
    wanted = environment or os.environ.get("PROMPTOPS_ENV") or "production"
    folder = Path(root)
    if wanted == WORKTREE:
        return _from_worktree(prompt, folder)
    if not wanted.replace("-", "").isalnum() or not prompt.replace("-", "").isalnum():
        raise ConfigError(f"{prompt!r} in {wanted!r}: not a prompt's id and an environment")
    place = folder / "releases" / prompt
    if not place.is_dir():
        known = sorted(one.name for one in (folder / "releases").glob("*") if one.is_dir())
        raise NotFound("released prompt", prompt, known, hint=f"looked in {folder / 'releases'}")
    pointer = _read(place / f"{wanted}.yaml", "release", f"{prompt} in {wanted}", _POINTER)
    number = pointer["version"]
    version = _read(place / f"v{number}.yaml", "version", f"{prompt} v{number}", _VERSION)
    if (version["id"], version["digest"]) != (prompt, pointer["digest"]):
        raise IntegrityError(f"{place}: the pointer names another v{number}; run promptops verify")
    if missing := sorted(_BODY - version["body"].keys()):
        raise IntegrityError(f"{place}/v{number}.yaml: its body lacks {missing[0]}; run promptops verify")
    return Loaded(
        id=prompt, version=number, digest=version["digest"], environment=wanted, body=version["body"]
    )


# What is read of a release file; `promptops verify` checks the whole.
_POINTER = {"version": int, "digest": str}
_VERSION = {"id": str, "digest": str, "body": dict}
_BODY = frozenset(
    {"model", "parameters", "template", "messages", "inputs", "partials", "response_format", "tools"}
)


def _read(path: Path, kind: str, name: str, needed: Mapping[str, type]) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise NotFound(kind, name, hint=f"there is no {path}") from error
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{path}: not UTF-8; run promptops verify") from error
    try:
        node = read_nodes(text, path=str(path))
    except InvalidFile as error:
        raise IntegrityError(f"{error}; run promptops verify") from error
    found = plain_data(node) if node is not None else None
    if not isinstance(found, dict) or any(type(found.get(key)) is not what for key, what in needed.items()):
        raise IntegrityError(f"{path}: not a {kind} file; run promptops verify")
    return found


def _from_worktree(prompt: str, folder: Path) -> Loaded:
    """Read the prompt file as it lies there, by its id; partials as far as they stay below the current folder."""
    from promptops.documents import decode
    from promptops.prompts.parse import is_prompt_path, parse_prompt

    # The parser knows only paths below the repository; of a folder elsewhere, what is above it counts as that.
    above = folder.parent if folder.is_absolute() or ".." in folder.parts else Path()

    def read(path: str) -> str | None:
        try:
            return decode((above / path).read_bytes(), path=path)
        except OSError:
            return None

    known: list[str] = []
    problems: list[Problem] = []
    for path in sorted(folder.rglob("*.y*ml")):
        place, root = path.relative_to(above).as_posix(), folder.relative_to(above).as_posix()
        if not is_prompt_path(place) or "releases" in path.relative_to(folder).parts[:1]:
            continue
        try:
            found = parse_prompt(read(place) or "", path=place, read_partial=read, root=root)
        except InvalidFile as error:
            problems += error.problems  # of another prompt, perhaps: that one may be half written
            continue
        if found.id == prompt:
            return Loaded(id=prompt, version=None, digest=found.digest, environment=WORKTREE, body=found.body)
        known.append(found.id)
    if problems:
        raise InvalidFile(problems)
    raise NotFound("prompt", prompt, known, hint=f"looked in {folder}")
