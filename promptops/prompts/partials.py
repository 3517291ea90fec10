"""The partials of a prompt: beside the prompt file or under the prompts root, read once, never a circle.

A name means the same file wherever it is written, in the prompt or in another partial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from promptops.documents import Document, normal_text
from promptops.errors import InvalidFile, Problem
from promptops.keys import literal_keys
from promptops.prompts.paths import places
from promptops.prompts.template import PartialUse, TemplateFault, partial_uses, variables

MAX_DEPTH = 20
Report = Callable[[int, str], Problem]


@dataclass(slots=True, kw_only=True)
class Gathered:
    """What was found so far: texts by the name that is written, and what is wrong."""

    path: str
    root: str
    read: Callable[[str], str | None]
    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    keys: list[Problem] = field(default_factory=list)

    def follow(self, text: str, report: Report, chain: tuple[str, ...] = ()) -> None:
        """Gather what a text includes, and what that includes."""
        try:
            uses = partial_uses(text)
        except TemplateFault as fault:
            self.problems.append(report(fault.line, fault.reason))
            return
        for use in uses:
            self._include(use, report, chain)

    def _include(self, use: PartialUse, report: Report, chain: tuple[str, ...]) -> None:
        if use.name in chain:
            circle = " → ".join((*chain[chain.index(use.name) :], use.name))
            self.problems.append(report(use.line, f"partials include one another: {circle}"))
        elif len(chain) >= MAX_DEPTH:
            self.problems.append(report(use.line, f"partials more than {MAX_DEPTH} deep"))
        elif use.name not in self.texts:
            self._take(use, report, chain)

    def _take(self, use: PartialUse, report: Report, chain: tuple[str, ...]) -> None:
        try:
            text = self._read(use.name)
        except ValueError as error:
            self.problems.append(report(use.line, f"partial {error}"))
            return
        except InvalidFile as error:
            self.problems += error.problems
            return
        self.texts[use.name] = text
        self.keys += key_problems(text, self.files[use.name])
        self.follow(text, self._reporter(use.name), (*chain, use.name))

    def _read(self, name: str) -> str:
        looked = places(name, path=self.path, root=self.root)
        for place in looked:
            text = self.read(place)
            if text is not None:
                self.files[name] = place
                return normal_text(text).removesuffix("\n")
        raise ValueError(f"{name!r} not found; looked for {' and '.join(looked)}")

    def _reporter(self, name: str) -> Report:
        return lambda line, message: Problem(self.files[name], line, 1, message)


def gather(
    document: Document, *, read: Callable[[str], str | None], root: str, kind: str
) -> tuple[dict[str, str], list[Problem]]:
    """Return the partials of a prompt file by the names that are written, and all that is wrong with them."""
    found = Gathered(path=document.path, root=root, read=read)
    if kind != "jinja2":
        return {}, []
    written = list(_contents(document))
    for index, text in written:
        found.follow(text, _in_message(document, index, text))
    if not found.problems:  # without every partial, compiling would only say again that one is missing
        for index, text in written:
            found.problems += _compiles(text, found, _in_message(document, index, text))
    return found.texts, found.problems + found.keys


def key_problems(text: str, path: str) -> list[Problem]:
    """Return where literal keys stand in a text, without the keys."""
    return [
        Problem(
            path,
            text.count("\n", 0, at) + 1,
            at - text.rfind("\n", 0, at),
            f"this looks like {kind}; remove it, and revoke it if it was ever committed",
        )
        for at, kind in literal_keys(text)
    ]


def _contents(document: Document) -> Iterator[tuple[int, str]]:
    messages = document.data.get("messages") if isinstance(document.data, dict) else None
    for index, message in enumerate(messages if isinstance(messages, list) else []):
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            yield index, content


def _in_message(document: Document, index: int, text: str) -> Report:
    loc = ("messages", index, "content")

    def report(line: int, message: str) -> Problem:
        lines = text.split("\n")
        row = min(max(line, 1), len(lines)) - 1
        start = sum(len(one) + 1 for one in lines[:row])
        start += len(lines[row]) - len(lines[row].lstrip())
        place = document.locate_text(loc, min(start, max(len(text) - 1, 0)))
        return Problem(document.path, *place, f"messages[{index}].content: {message}")

    return report


def _compiles(text: str, found: Gathered, report: Report) -> list[Problem]:
    """Ask for the variables: it finds unknown filters and what else only compiling shows."""
    try:
        variables("jinja2", text, found.texts)
    except TemplateFault as fault:
        if fault.name is None:
            return [report(fault.line, fault.reason)]
        return [Problem(found.files.get(fault.name, fault.name), fault.line, 1, fault.reason)]
    return []
