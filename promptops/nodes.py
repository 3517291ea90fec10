"""YAML text → nodes that know their place; refuses what no prompt or configuration needs.

The tree is built from libyaml's events in one loop: nothing recurses, so 200,000 opening brackets end at the
101st instead of overflowing the C stack. Refused: more than 100 levels, more than 100,000 nodes once aliases
are written out, an alias inside its own anchor, merge keys, tags, keys that are not text, keys written twice.
Plain scalars are read by the core schema of YAML 1.2: `no`, `on`, `2024-01-01` and `1_000` are text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from promptops.errors import InvalidFile, Problem
from promptops.keys import hide_keys

MAX_DEPTH: Final = 100
MAX_NODES: Final = 100_000
# libyaml where PyYAML was built with it (ten times as fast); the pure parser gives the same events.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DIGITS: Final = 400

Place = tuple[int, int]


@dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """One written value: text, list or mapping, with the place of its first character, counted from 1.

    `size` and `height` count aliases as if they were written out. `key_places` and `value_places` belong to
    this node's own children: an alias stands where it is written, what it names where it was written first.
    """

    kind: str
    line: int
    column: int
    text: str = ""
    plain: bool = False
    style: str = ""
    end_line: int = 0
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Node] = field(default_factory=dict)
    key_places: dict[str, Place] = field(default_factory=dict)
    value_places: dict[str | int, Place] = field(default_factory=dict)
    size: int = 1
    height: int = 1
    open: bool = False
    key: tuple[str, Place] | None = None

    @property
    def value(self) -> Any:
        """The plain scalar by the YAML 1.2 core schema, any other as its text."""
        return core_value(self.text) if self.plain else self.text

    def child(self, part: str | int) -> Node | None:
        """Return what stands under a key or an index, if anything."""
        if self.kind == "mapping":
            return self.entries.get(str(part)) if isinstance(part, str) else None
        if self.kind == "list" and isinstance(part, int) and 0 <= part < len(self.items):
            return self.items[part]
        return None


_SURROGATE = re.compile("[\ud800-\udfff]")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def core_value(text: str) -> Any:
    """Read a plain scalar by the core schema of YAML 1.2: null, bool, int, float, else the text itself.

    More than 400 digits stay text: no JSON reader keeps them.
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", "", 1))
    if len(text) > _MAX_DIGITS:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def plain_data(node: Node) -> Any:
    """Return fresh dicts, lists and scalars; at most 100 levels deep, as `read_nodes` has checked."""
    if node.kind == "mapping":
        return {key: plain_data(child) for key, child in node.entries.items()}
    if node.kind == "list":
        return [plain_data(child) for child in node.items]
    return node.value


class NearlyRead(InvalidFile):
    """Refused for keys that are written twice and nothing else: `root` serves to find the other problems."""

    def __init__(self, problems: Iterable[Problem], root: Node | None) -> None:
        self.root = root
        super().__init__(problems)


def read_nodes(text: str, *, path: str) -> Node | None:
    """Return the root of the only document in a YAML text, None for an empty one.

    Raises:
        NearlyRead: a key is written twice, and nothing else is refused here.
        InvalidFile: not YAML, or YAML of a kind that is refused here; several problems where reading goes on.
    """
    builder = _Builder(path=path)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise InvalidFile([*builder.problems, _syntax_problem(text, error, path)]) from error
    except yaml.reader.ReaderError as error:
        raise InvalidFile([_character_problem(text, error, path)]) from error
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        raise InvalidFile([Problem(path, 1, 1, f"not YAML: {str(error).splitlines()[0]}")]) from error
    if builder.problems and len(builder.problems) == builder.twice:
        raise NearlyRead(builder.problems, builder.root)
    if builder.problems:
        raise InvalidFile(builder.problems)
    return builder.root


@dataclass(slots=True, kw_only=True)
class _Builder:
    """Takes events one by one; `stack` holds the lists and mappings that are still open."""

    path: str
    root: Node | None = None
    documents: int = 0
    total: int = 0
    twice: int = 0
    stack: list[Node] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def take(self, event: Any) -> None:
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            self.stop(event, "a second document begins here; one file holds one document")

    def scalar(self, event: Any) -> None:
        self.check_tag(event)
        plain = bool(event.implicit[0]) and event.style in (None, "") and event.tag is None
        node = self.node("text", event, text=event.value, plain=plain, style=event.style or "")
        if _SURROGATE.search(node.text):
            self.report(event, "half of a surrogate pair; write the character itself")
        self.place(node, event)

    def begin_list(self, event: Any) -> None:
        self.begin("list", event)

    def begin_mapping(self, event: Any) -> None:
        self.begin("mapping", event)

    def begin(self, kind: str, event: Any) -> None:
        self.check_tag(event)
        if len(self.stack) >= MAX_DEPTH:
            self.stop(event, f"more than {MAX_DEPTH} levels deep")
        node = self.node(kind, event, open=True)
        if self.wants_key():
            hint = "; put text that begins with {{ in quotes" if kind == "mapping" else ""
            self.stop(event, f"a key must be text, not a {kind}{hint}")
        self.stack.append(node)

    def end(self, event: Any) -> None:
        node = self.stack.pop()
        node.open = False
        node.end_line = event.end_mark.line + 1
        self.attach(node, (node.line, node.column))

    def alias(self, event: Any) -> None:
        target = self.anchors.get(event.anchor)
        if target is None:
            self.stop(event, f"no anchor called {shorten(event.anchor)} before this place")
            return
        if target.open:
            self.stop(event, f"the alias {shorten(event.anchor)} stands inside its own anchor")
        if self.wants_key():
            self.stop(event, "a key must be written out, not an alias")
        self.count(event, target.size)
        if len(self.stack) + target.height > MAX_DEPTH:
            self.stop(event, f"more than {MAX_DEPTH} levels deep once aliases are written out")
        self.attach(target, _place(event))

    def node(self, kind: str, event: Any, **more: Any) -> Node:
        self.count(event, 1)
        line, column = _place(event)
        made = Node(kind=kind, line=line, column=column, end_line=event.end_mark.line + 1, **more)
        if event.anchor is not None:
            self.anchors[event.anchor] = made
        return made

    def count(self, event: Any, more: int) -> None:
        self.total += more
        if self.total > MAX_NODES:
            self.stop(event, f"more than {MAX_NODES:,} values once aliases are written out")

    def wants_key(self) -> bool:
        return bool(self.stack) and self.stack[-1].kind == "mapping" and self.stack[-1].key is None

    def place(self, node: Node, event: Any) -> None:
        if not self.wants_key():
            self.attach(node, _place(event))
            return
        parent, key = self.stack[-1], node.text
        parent.key = (key, _place(event))
        if node.plain and key == "<<":
            self.report(event, "merge keys (<<) are not read; write the keys out")
        elif key in parent.key_places:
            self.twice += 1
            self.report(event, f"{shorten(key)}: written twice, first in line {parent.key_places[key][0]}")

    def attach(self, node: Node, where: Place) -> None:
        """Put a finished node into its parent, which is one larger and perhaps one higher for it."""
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if parent.kind == "list":
            parent.value_places[len(parent.items)] = where
            parent.items.append(node)
        elif parent.key is not None:
            key, key_place = parent.key
            parent.key = None
            parent.entries.setdefault(key, node)
            parent.key_places.setdefault(key, key_place)
            parent.value_places.setdefault(key, where)

    def check_tag(self, event: Any) -> None:
        if event.tag is not None and event.tag not in ("!", "tag:yaml.org,2002:str"):
            self.report(event, "tags (!name) are not read; put text that begins with ! in quotes")

    def report(self, event: Any, message: str) -> None:
        self.problems.append(Problem(self.path, *_place(event), message))

    def stop(self, event: Any, message: str) -> None:
        self.report(event, message)
        raise InvalidFile(self.problems)


_HANDLERS: Final[Mapping[type, Callable[[_Builder, Any], None]]] = {
    yaml.DocumentStartEvent: _Builder.document,
    yaml.ScalarEvent: _Builder.scalar,
    yaml.SequenceStartEvent: _Builder.begin_list,
    yaml.MappingStartEvent: _Builder.begin_mapping,
    yaml.SequenceEndEvent: _Builder.end,
    yaml.MappingEndEvent: _Builder.end,
    yaml.AliasEvent: _Builder.alias,
}
_TAB_HINT: Final = "; indent with spaces, not with a tab"
_HINTS: Final = (
    ("mapping values are not allowed", "; put text that holds ': ' in quotes"),
    ("cannot start any token", "; put the text in quotes"),
    ("tab character", _TAB_HINT),
    ("could not find expected ':'", "; a key needs a colon, and text of several lines needs | after its key"),
    ("did not find expected key", "; look for quotes or indentation that do not match"),
    ("expected <block end>", "; look for quotes or indentation that do not match"),
    ("unexpected end of stream", "; a quote that was opened is never closed"),
)


def shorten(text: str, limit: int = 60) -> str:
    """Cut a text for a message, on one line and without literal keys."""
    safe = hide_keys(text)
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in safe[: limit + 1])
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _syntax_problem(text: str, error: yaml.MarkedYAMLError, path: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    words = shorten(error.problem or error.context or "not YAML", 200)
    at_tab = mark is not None and text[mark.index : mark.index + 1] == "\t"
    hint = _TAB_HINT if at_tab else next((hint for part, hint in _HINTS if part in words), "")
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Problem(path, line, column, f"not YAML: {words}{hint}")


def _character_problem(text: str, error: yaml.reader.ReaderError, path: str) -> Problem:
    at = next((index for index, char in enumerate(text) if ord(char) == error.character), 0)
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return Problem(
        path, line, column, f"a character that YAML does not allow (U+{ord(text[at]) if text else 0:04X})"
    )
