"""What a jinja2 template names without rendering it: its partials, and what it takes from its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from jinja2 import TemplateError, meta, nodes

from promptops.prompts.sandbox import parsed
from promptops.prompts.template import TemplateFault

_NAMING: Final = (nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)
_GLOBALS: Final = frozenset({"range", "dict", "namespace", "cycler", "joiner"})


def find_partials(text: str) -> Iterator[tuple[str, int]]:
    """Yield the name and the line of every include, import and extends.

    Raises:
        TemplateFault: not a template, or a name that is not a constant text.
    """
    yield from _named(parsed(text))


def _named(tree: nodes.Template) -> Iterator[tuple[str, int]]:
    for node in tree.find_all(_NAMING):
        name = getattr(node, "template", None)
        if not isinstance(name, nodes.Const) or not isinstance(name.value, str):
            raise TemplateFault(
                "name one partial in quotes, so that it is known what is sent", line=node.lineno
            )
        yield name.value, node.lineno


def find_variables(text: str, partials: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """Return the names that a template and its partials take from the inputs, and the optional ones of them.

    A name is optional where every use of it is `name | default(…)`, or stands in a template that asks
    whether `name is defined`.

    Raises:
        TemplateFault: not a template, or a partial that is not given.
    """
    names, required, seen = set[str](), set[str](), set[str]()
    waiting: list[tuple[str | None, str, frozenset[str]]] = [(None, text, frozenset())]
    while waiting:
        partial, source, given = waiting.pop()
        tree = parsed(source, partial)
        stored = given | {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
        free = _undeclared(tree, partial) - given - _GLOBALS
        names |= free
        required |= free - _optional(tree)
        for name, line in _named(tree):
            if name not in partials:
                raise TemplateFault(f"no partial called {name!r}", line=line, name=partial)
            if name not in seen:
                seen.add(name)
                waiting.append((name, partials[name], stored))
    return names, names - required


def _undeclared(tree: nodes.Template, partial: str | None) -> set[str]:
    try:
        return meta.find_undeclared_variables(tree)
    except TemplateError as error:
        line = getattr(error, "lineno", 1)
        raise TemplateFault(str(error.message), line=line, name=partial) from error
    except RecursionError as error:
        raise TemplateFault("nested too deeply", name=partial) from error


def _optional(tree: nodes.Template) -> set[str]:
    asked = {
        test.node.name
        for test in tree.find_all(nodes.Test)
        if test.name in ("defined", "undefined") and isinstance(test.node, nodes.Name)
    }
    defaulted = [
        filter_.node
        for filter_ in tree.find_all(nodes.Filter)
        if filter_.name in ("default", "d") and isinstance(filter_.node, nodes.Name)
    ]
    uses: dict[str, int] = {}
    for node in tree.find_all(nodes.Name):
        uses[node.name] = uses.get(node.name, 0) + 1
    for node in defaulted:
        uses[node.name] -= 1
    return asked | {node.name for node in defaulted if uses[node.name] == 0}
