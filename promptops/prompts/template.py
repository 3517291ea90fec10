"""Text with places → text: the three template kinds; needs nothing but jinja2, and that only for `jinja2`.

`jinja2` runs in a sandbox with limits (sandbox.py); `simple` replaces `{{name}}` in one pass, so that text
from data is never read as a template; `none` sends what is written. What is written is what is sent: a final
newline stays. (The one at the end of a partial's file is dropped when it is read, so it is not hashed.)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from promptops.errors import InvalidInput

Kind = Literal["jinja2", "simple", "none"]
# Most templates hold nothing but these two, with names that mean nothing to jinja2; reading them needs no jinja2,
# whose import is a quarter of what `promptops status` costs.
_PLAIN_PLACE: Final = re.compile(r"(?<!\{)\{\{[ \t]*([A-Za-z][A-Za-z0-9_]*)[ \t]*\}\}(?!\})")
_PLAIN_INCLUDE: Final = re.compile(
    r"(?<!\{)\{%[ \t]*include[ \t]+(?:\"([^\"\\\n]+)\"|'([^'\\\n]+)')[ \t]*%\}(?!\})"
)
_PLAIN_UP_TO: Final = 50_000  # characters
_MEANT: Final = frozenset(
    (
        "and",
        "or",
        "not",
        "is",
        "in",
        "if",
        "elif",
        "else",
        "true",
        "false",
        "none",
        "True",
        "False",
        "None",
        "loop",
        "self",
        "super",
        "caller",
        "varargs",
        "kwargs",
        "range",
        "dict",
        "namespace",
        "cycler",
        "joiner",
        "lipsum",
        "for",
        "recursive",
        "import",
        "include",
        "from",
        "as",
        "extends",
        "block",
        "set",
    )
)
_PLACE: Final = re.compile(r"\{\{[ \t]*([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*\}\}")


class TemplateFault(InvalidInput):
    """A template that cannot be read or rendered; `line` counts from 1, `name` is the partial it is in."""

    def __init__(self, message: str, *, line: int = 1, name: str | None = None) -> None:
        self.reason, self.line, self.name = message, line, name
        super().__init__(f"{name}:{line}: {message}" if name else f"line {line} of the template: {message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialUse:
    """A partial that a template names, and the line where it does."""

    name: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The names that a template takes from its inputs; without the optional ones it renders all the same."""

    names: tuple[str, ...]
    optional: frozenset[str] = frozenset()

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if name not in self.optional)


def render_text(kind: str, text: str, values: Mapping[str, Any], partials: Mapping[str, str]) -> str:
    """Return the text with its places filled.

    Raises:
        TemplateFault: a name has no value, the template is wrong, or it passes a limit of the sandbox.
    """
    if kind == "none" or ("{" not in text and kind == "jinja2"):
        return text
    if kind == "simple":
        return _fill(text, values)
    from promptops.prompts.sandbox import render  # 50 ms that simple prompts do not pay

    return render(text, values, partials)


def used_variables(kind: str, text: str, partials: Mapping[str, str]) -> Variables:
    """Return what a template takes from its inputs, its partials' names included.

    Raises:
        TemplateFault: the template is wrong, or a partial that it names is not given.
    """
    if kind == "none" or "{" not in text:
        return Variables(names=())
    if kind == "simple":
        return Variables(names=tuple(sorted({match[1] for match in _PLACE.finditer(text)})))
    if (plain := _plain_variables(text, partials)) is not None:
        return Variables(names=tuple(sorted(plain)))
    from promptops.prompts.reading import find_variables

    names, optional = find_variables(text, partials)
    return Variables(names=tuple(sorted(names)), optional=frozenset(optional))


def variables(kind: str, text: str, partials: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names that a template takes from its inputs, sorted.

    Raises:
        TemplateFault: the template is wrong, or a partial that it names is not given.
    """
    return used_variables(kind, text, partials).names


def partial_uses(text: str) -> tuple[PartialUse, ...]:
    """Return the partials that a jinja2 template names, in order, with repetitions.

    Raises:
        TemplateFault: the template is wrong, or a partial's name is not a constant text.
    """
    if "{%" not in text:
        return ()
    if (plain := _read_plainly(text)) is not None:
        return plain[1]
    from promptops.prompts.reading import find_partials

    return tuple(PartialUse(name=name, line=line) for name, line in find_partials(text))


def _read_plainly(text: str) -> tuple[frozenset[str], tuple[PartialUse, ...]] | None:
    """Return the names and the partials of a template that holds nothing else, None where jinja2 must read it."""
    if len(text) > _PLAIN_UP_TO:
        return None
    rest = _PLAIN_INCLUDE.sub(" ", _PLAIN_PLACE.sub(" ", text))
    names = frozenset(match[1] for match in _PLAIN_PLACE.finditer(text))
    if any(mark in rest for mark in ("{{", "{%", "{#")) or names & _MEANT:
        return None
    uses = (
        PartialUse(name=match[1] or match[2], line=text.count("\n", 0, match.start()) + 1)
        for match in _PLAIN_INCLUDE.finditer(text)
    )
    return names, tuple(uses)


def _plain_variables(text: str, partials: Mapping[str, str]) -> frozenset[str] | None:
    """Return the names of a template and of all its partials if every one of them is plain, else None."""
    found, waiting, seen = frozenset[str](), [text], set[str]()
    while waiting:
        read = _read_plainly(waiting.pop())
        if read is None or any(use.name not in partials for use in read[1]):
            return None
        found |= read[0]
        fresh = {use.name for use in read[1]} - seen
        seen |= fresh
        waiting += [partials[name] for name in fresh]
    return found


def as_text(value: Any) -> str:
    """Return a value as `simple` templates show it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _fill(text: str, values: Mapping[str, Any]) -> str:
    missing = [match for match in _PLACE.finditer(text) if match[1] not in values]
    if missing:
        names = ", ".join(dict.fromkeys(match[1] for match in missing))
        raise TemplateFault(f"no value for {names}", line=text.count("\n", 0, missing[0].start()) + 1)
    return _PLACE.sub(lambda match: as_text(values[match[1]]), text)
