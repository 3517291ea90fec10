"""`equals`, `contains`, `starts_with`, `ends_with`: the answer beside a text or a value.

A list for `contains`, `starts_with` or `ends_with` means any of them; for all of them, write one scorer each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from promptops.samples import Sample
from promptops.scorers.checked import Found, Test
from promptops.scorers.fill import Template, Unscorable, fill
from promptops.scorers.text import Likeness, as_text, shown
from promptops.strictjson import NotJson


@dataclass(frozen=True, slots=True, kw_only=True)
class Equals:
    """The whole answer is the value; a value that is no text wants an answer that is JSON."""

    argument: Any
    like: Likeness
    template: Template

    def ask(self, sample: Sample) -> Test:
        wanted = fill(self.argument, sample, self.template)

        def test(found: Found) -> str:
            got = found.value if isinstance(wanted, str) else _json(found, wanted)
            return "" if self.like.same(wanted, got) else f"expected {shown(wanted)}, got {shown(got)}"

        return test


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """The answer holds, begins or ends with any of the texts; `missing` says it when it does not."""

    argument: Any
    like: Likeness
    template: Template
    holds: Callable[[str, str], bool]
    missing: str

    def ask(self, sample: Sample) -> Test:
        wanted = self._texts(fill(self.argument, sample, self.template))
        plain = [self.like.plain(text) for text in wanted]
        if not all(plain):
            raise Unscorable("there is an empty text to look for, which every answer would hold")

        def test(found: Found) -> str:
            got = self.like.plain(found.text)
            if any(self.holds(got, text) for text in plain):
                return ""
            choice = f"any of {', '.join(map(shown, wanted))}" if len(wanted) > 1 else shown(wanted[0])
            return f"{self.missing} {choice}: {shown(found.text)}"

        return test

    def _texts(self, argument: Any) -> list[str]:
        found = argument if isinstance(argument, list) else [argument]
        if not found or any(item is None or isinstance(item, (dict, list)) for item in found):
            raise Unscorable(f"a text to look for is needed, got {shown(argument)}")
        return [as_text(item) for item in found]


def _json(found: Found, wanted: Any) -> Any:
    """What the answer says as JSON; beside a number an answer that is none is just another answer."""
    try:
        return found.json()
    except NotJson:
        if isinstance(wanted, (list, dict)):
            raise
        return found.value


def contains(argument: Any, like: Likeness, template: Template) -> Near:
    return Near(
        argument=argument, like=like, template=template, holds=str.__contains__, missing="does not contain"
    )


def starts_with(argument: Any, like: Likeness, template: Template) -> Near:
    return Near(
        argument=argument, like=like, template=template, holds=str.startswith, missing="does not start with"
    )


def ends_with(argument: Any, like: Likeness, template: Template) -> Near:
    return Near(
        argument=argument, like=like, template=template, holds=str.endswith, missing="does not end with"
    )
