"""What is allowed in a prompt file and probably not meant; what is not allowed, parse.py refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from promptops.documents import Document, compose
from promptops.errors import did_you_mean
from promptops.nodes import shorten
from promptops.prompts.inputs import used_inputs
from promptops.prompts.model import Prompt
from promptops.prompts.partials import key_problems
from promptops.risks import Approval, Risk

Loc = tuple[str | int, ...]
_PLACE: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAME: Final = re.compile(r"[ \t]*[A-Za-z_][A-Za-z0-9_.-]*[ \t]*")
_HONOURED: Final = frozenset({"max_tokens", "temperature", "top_p"})


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing worth a look; `code` is a fixed name for it, lines and columns count from 1."""

    path: str
    line: int
    column: int
    severity: Severity
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.severity}: {self.message} [{self.code}]"


def lint(prompt: Prompt, samples_inputs: Iterable[Mapping[str, Any]] | None = None) -> tuple[Finding, ...]:
    """Return what is worth a look in a prompt, in file order; with samples, also what they do not give."""
    page = _Page(prompt=prompt, document=compose(prompt.source, path=prompt.path))
    found = [*_keys(page), *_names(page), *_tools(page), *_texts(page), *_owners(page)]
    if prompt.dialect == "github":
        found += _github(page)
    if samples_inputs is not None:
        found += _samples(page, samples_inputs)
    return tuple(sorted(set(found)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """A prompt and the places of its text."""

    prompt: Prompt
    document: Document

    def at(self, loc: Loc, severity: Severity, code: str, message: str) -> Finding:
        return Finding(self.prompt.path, *self.document.locate(loc), severity, code, message)

    def in_text(self, index: int, offset: int, severity: Severity, code: str, message: str) -> Finding:
        place = self.document.locate_text(("messages", index, "content"), offset)
        return Finding(self.prompt.path, *place, severity, code, message)


def _keys(page: _Page) -> Iterator[Finding]:
    texts = [
        (page.prompt.source, page.prompt.path),
        *((text, name) for name, text in page.prompt.partials.items()),
    ]
    for text, path in texts:
        for problem in key_problems(text, path):
            yield Finding(path, problem.line, problem.column, Severity.ERROR, "literal-key", problem.message)


def _names(page: _Page) -> Iterator[Finding]:
    declared = page.prompt.spec.inputs
    if declared is None:
        return
    known = declared.get("properties") or {}
    used = used_inputs(page.prompt).names
    for name in known:
        if name not in used:
            loc = ("inputs", "properties", name)
            place = page.document.locate_key(loc)
            hint = did_you_mean(name, set(used) - set(known))
            message = f"input {shorten(name)} is declared and never used{hint}"
            yield Finding(page.prompt.path, *place, Severity.WARNING, "unused-input", message)
    for name in used:
        if name not in known:
            message = f"{name} is used and not declared under inputs{did_you_mean(name, known)}"
            yield _where_used(page, name, Severity.ERROR, "undefined-variable", message)


def _where_used(page: _Page, name: str, severity: Severity, code: str, message: str) -> Finding:
    for index, text in enumerate(page.prompt.spec.messages):
        match = re.search(rf"\{{[^}}]*?(?<![\w.])({re.escape(name)})(?!\w)", text.content)
        if match:
            return page.in_text(index, match.start(1), severity, code, message)
    return page.at(("messages",), severity, code, message)


def _tools(page: _Page) -> Iterator[Finding]:
    for index, tool in enumerate(page.prompt.spec.tools):
        loc = ("tools", index)
        risk = tool.risk or Risk.IRREVERSIBLE
        if tool.risk is None:
            message = (
                f"{tool.name} has no risk, so it counts as irreversible; write read, write or irreversible"
            )
            yield page.at(loc, Severity.WARNING, "tool-risk", message)
        if risk is Risk.IRREVERSIBLE and tool.approval is None:
            message = f"{tool.name} is irreversible and says nothing of approval; write required or none"
            yield page.at(loc, Severity.WARNING, "tool-approval", message)
        elif risk is Risk.IRREVERSIBLE and tool.approval is Approval.NONE:
            yield page.at(
                (*loc, "approval"), Severity.INFO, "tool-approval", f"{tool.name} runs without approval"
            )
        if not tool.description:
            yield page.at(
                loc, Severity.WARNING, "tool-description", f"{tool.name} has no description to choose it by"
            )


def _texts(page: _Page) -> Iterator[Finding]:
    for index, message in enumerate(page.prompt.spec.messages):
        if not message.content.strip():
            loc = ("messages", index, "content")
            yield page.at(
                loc, Severity.WARNING, "empty-message", f"the message of the {message.role} is empty"
            )
        yield from _syntax(page, index, message.content)


def _syntax(page: _Page, index: int, text: str) -> Iterator[Finding]:
    kind = page.prompt.spec.template
    if kind == "jinja2":
        for match in re.finditer(r"\{#|\{\{\{\{", text):
            what = "begins a comment, which is not sent" if match[0] == "{#" else "is not two braces"
            message = f"{match[0]} {what} in jinja2; to send it, write {{{{ '{match[0]}' }}}}"
            yield page.in_text(index, match.start(), Severity.WARNING, "braces", message)
        return
    for match in re.finditer(r"\{%.*?%\}|\{#.*?#\}", text, re.DOTALL):
        message = f"{shorten(match[0], 30)} is sent as it stands: template is {kind}, not jinja2"
        yield page.in_text(index, match.start(), Severity.WARNING, "literal-syntax", message)
    for match in _PLACE.finditer(text):
        if kind == "none" or _NAME.fullmatch(match[1]) is None:
            message = f"{shorten(match[0], 30)} is sent as it stands: template is {kind}, not jinja2"
            yield page.in_text(index, match.start(), Severity.WARNING, "literal-syntax", message)


def _owners(page: _Page) -> Iterator[Finding]:
    if not page.prompt.spec.owners and page.prompt.dialect == "native":
        yield page.at((), Severity.INFO, "no-owners", 'nobody owns this prompt; write owners: ["@team"]')


def _github(page: _Page) -> Iterator[Finding]:
    """Yield where we differ from GitHub's own runner on purpose."""
    data = page.document.data
    for index, message in enumerate(page.prompt.spec.messages):
        for match in _PLACE.finditer(message.content):
            if _NAME.fullmatch(match[1]) and match[1] != match[1].strip():
                words = f"{match[0]} is filled here; GitHub's runner fills only {{{{{match[1].strip()}}}}}"
                yield page.in_text(index, match.start(), Severity.INFO, "github-spaces", words)
    for name in page.prompt.spec.parameters.keys() - _HONOURED:
        words = f"{name} is sent here; GitHub's runner drops all but maxTokens, temperature and topP"
        yield page.at(("modelParameters",), Severity.INFO, "github-parameters", words)
    if "jsonSchema" in data and data.get("responseFormat") != "json_schema":
        words = "jsonSchema does nothing without responseFormat: json_schema"
        yield page.at(("jsonSchema",), Severity.WARNING, "github-json-schema", words)
    for index, one in enumerate(data.get("evaluators") or []):
        yield from _evaluator(page, index, one)


def _evaluator(page: _Page, index: int, one: Mapping[str, Any]) -> Iterator[Finding]:
    loc: Loc = ("evaluators", index)
    if "llm" in one or "uses" in one:
        words = "the judge's whole reply must be one choice; GitHub's runner takes the first anywhere in it"
        yield page.at(loc, Severity.INFO, "github-judge", words)
    tests: Mapping[str, Any] = one.get("string") or {}
    written = [name for name in ("equals", "contains", "startsWith", "endsWith") if tests.get(name)]
    if len(written) > 1:
        words = f"only {written[0]} counts, as in GitHub's runner; {', '.join(written[1:])} does nothing"
        yield page.at((*loc, "string"), Severity.WARNING, "github-string", words)
    if any("{{" in str(tests[name]) for name in written):
        words = "places are filled from the row here; GitHub's runner compares with the text as it stands"
        yield page.at((*loc, "string"), Severity.INFO, "github-string", words)


def _samples(page: _Page, rows: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    needed = used_inputs(page.prompt).required
    lacking = dict.fromkeys(needed, 0)
    total = 0
    for row in rows:
        total += 1
        for name in needed:
            lacking[name] += name not in row
    severity = Severity.WARNING if page.prompt.dialect == "github" else Severity.ERROR
    for name, count in lacking.items():
        if count:
            message = f"{count:,} of {total:,} samples have no input {name}"
            yield _where_used(page, name, severity, "missing-input", message)
