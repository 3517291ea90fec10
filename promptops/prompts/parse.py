"""The text of a prompt file → Prompt, or all of its problems at once, each with file, line and column.

Opens nothing: partials come from a function that the caller gives. Which dialect a file is in is read from
its keys (formats.md 3); the two never mix in one file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from promptops.documents import MAX_BYTES, Document, compose, nearly, normal_text, validate
from promptops.errors import InvalidFile, InvalidInput, Problem
from promptops.nodes import NearlyRead
from promptops.prompts.canonical import body, digest
from promptops.prompts.checks import check_native
from promptops.prompts.github import is_github, translate
from promptops.prompts.model import Prompt, PromptSpec
from promptops.prompts.partials import gather, key_problems
from promptops.prompts.paths import check_id, is_prompt_path, stem

__all__ = ["check_id", "is_prompt_path", "parse_prompt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What one dialect has made of a file; `spec` is None where there are problems."""

    spec: PromptSpec | None
    problems: list[Problem]
    dialect: Literal["native", "github"]
    partials: dict[str, str]
    rows: tuple[dict[str, Any], ...] = ()


def parse_prompt(text: str, *, path: str, read_partial: Callable[[str], str | None], root: str) -> Prompt:
    """Read a prompt file.

    `path` is the file's place in the repository, with forward slashes; `root` the folder of prompts it
    belongs to. `read_partial` gets a place in the repository and returns the text there, None without one.

    Raises:
        InvalidFile: all problems of the file and of its partials.
    """
    text = normal_text(text)
    size = len(text.encode("utf-8", errors="surrogatepass"))
    if size > MAX_BYTES:
        raise InvalidFile([Problem(path, 0, 0, f"{size:,} bytes; at most {MAX_BYTES:,} are read")])
    keys = key_problems(text, path)
    refused: tuple[Problem, ...] = ()
    try:
        document = compose(text, path=path)
    except InvalidFile as error:
        found = nearly(error, text, path=path) if isinstance(error, NearlyRead) else None
        if found is None:
            raise InvalidFile([*error.problems, *keys]) from error
        document, refused = found, error.problems
    read = _read_github(document) if is_github(document) else _read_native(document, read_partial, root)
    problems = [*refused, *keys, *read.problems, *_id_problems(document)]
    if problems or read.spec is None:
        raise InvalidFile(problems)
    return _prompt(read.spec, read, document)


def _prompt(spec: PromptSpec, read: _Read, document: Document) -> Prompt:
    held = body(spec, read.partials)
    try:
        held_digest = digest(held)
    except InvalidInput as error:
        raise InvalidFile([Problem(document.path, 1, 1, str(error))]) from error
    return Prompt(
        id=spec.id or stem(document.path),
        path=document.path,
        source=document.source,
        spec=spec,
        digest=held_digest,
        body=held,
        partials=read.partials,
        dialect=read.dialect,
        rows=read.rows,
    )


def _read_native(document: Document, read_partial: Callable[[str], str | None], root: str) -> _Read:
    spec, problems = None, list[Problem]()
    try:
        spec, document = validate(document, PromptSpec)
    except InvalidFile as error:
        problems += error.problems
    kind = document.data.get("template", "jinja2") if isinstance(document.data, dict) else "jinja2"
    partials, wrong = gather(document, read=read_partial, root=root, kind=str(kind))
    problems += [*wrong, *check_native(document)]
    return _Read(spec=spec, problems=problems, dialect="native", partials=partials)


def _read_github(document: Document) -> _Read:
    try:
        spec, rows = translate(document)
    except InvalidFile as error:
        return _Read(spec=None, problems=list(error.problems), dialect="github", partials={})
    return _Read(spec=spec, problems=[], dialect="github", partials={}, rows=rows)


def _id_problems(document: Document) -> list[Problem]:
    written = document.data.get("id") if isinstance(document.data, dict) else None
    if written is not None:
        wrong = check_id(written) if isinstance(written, str) else ""
        return [document.problem(("id",), wrong)] if wrong else []
    wrong = check_id(stem(document.path))
    words = f"the file's name gives no id: {wrong}; rename the file or write id: in it"
    return [Problem(document.path, 1, 1, words)] if wrong else []
