"""What pydantic found wrong, said in one line each, at the place where it is written.

A `loc` of pydantic is not a path: unions add the names of their branches, missing keys point at nothing. Here
it becomes the path of nodes that exist, and the complaints of all branches of one union become one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError

from promptops.errors import Problem, did_you_mean
from promptops.keys import is_secret_name
from promptops.nodes import Node, Place, shorten

Path = tuple[str | int, ...]

# Finding the nearest of a hundred names takes a millisecond; 30,000 wrong keys must not take a minute.
_MAX_HINTS: Final = 50
_KINDS: Final = {
    "string_type": "text",
    "bytes_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
    "none_required": "nothing",
}
_BOUNDS: Final = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("of at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("of at most", "le"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One error of pydantic at a node: `path` leads to a node, except where `kind` is `missing`."""

    path: Path
    branch: bool
    kind: str
    words: str
    context: dict[str, Any]

    @property
    def expected(self) -> str:
        """What would have been right, where that is a kind of value; else nothing."""
        if self.kind in ("literal_error", "enum"):
            return str(self.context["expected"]).replace("'", "")
        return _KINDS.get(self.kind, "")


def wrongs(error: ValidationError, root: Node) -> list[Wrong]:
    """Return pydantic's errors with the paths of the nodes they are about."""
    found = []
    for entry in error.errors(include_url=False, include_input=False):
        path, branch = _real_path(entry["loc"], root, missing=entry["type"] == "missing")
        context = dict(entry.get("ctx") or {})
        found.append(Wrong(path=path, branch=branch, kind=entry["type"], words=entry["msg"], context=context))
    return found


def problems(found: Sequence[Wrong], root: Node, *, model: type[BaseModel], path: str) -> list[Problem]:
    """Return one problem for every place that is wrong."""
    groups: dict[Path, list[Wrong]] = {}
    for wrong in found:
        groups.setdefault(wrong.path, []).append(wrong)
    made: list[Problem] = []
    for where, group in groups.items():
        if all(wrong.expected for wrong in group) and _is_inside(where, found):
            continue  # another branch of the union fits better and says what is wrong further in
        hints = len(made) < _MAX_HINTS
        made += [
            Problem(path, *_place(root, where, group[0].kind), f"{dotted(where)}{words}")
            for words in _sentences(group, root, model=model, hints=hints)
        ]
    return made


def dotted(path: Path) -> str:
    """Write a path as people do: `messages[1].content: `; nothing for the whole file."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{shorten(part)}" if text else shorten(part)
    return f"{text}: " if text else ""


def descend(root: Node, path: Path) -> Node | None:
    """Return the node at a path, if there is one."""
    node: Node | None = root
    for part in path:
        node = node.child(part) if node else None
    return node


def value_place(root: Node, path: Path) -> Place:
    """Where the value at a path is written; the nearest parent's place where there is none."""
    place, node = (root.line, root.column), root
    for part in path:
        below = node.child(part)
        if below is None:
            return place
        place, node = node.value_places[part], below
    return place


def key_place(root: Node, path: Path) -> Place:
    """Where the last key of a path is written."""
    parent = descend(root, path[:-1]) if path else None
    last = path[-1] if path else None
    if parent is None or not isinstance(last, str) or last not in parent.key_places:
        return value_place(root, path)
    return parent.key_places[last]


def got(node: Node | None, path: Path) -> str:
    """Describe what is written, without printing what may be a secret."""
    if node is None:
        return "nothing"
    if node.kind != "text":
        return f"a {node.kind}"
    if any(isinstance(part, str) and is_secret_name(part) for part in path):
        return "a value (not shown: it may be a secret)"
    if not node.plain:
        return f"'{shorten(node.text)}'"
    if node.value is None:
        return node.text or "nothing"
    return shorten(node.text) if not isinstance(node.value, str) else f"'{shorten(node.text)}'"


def _real_path(loc: Iterable[str | int], root: Node, *, missing: bool) -> tuple[Path, bool]:
    parts = list(loc)
    last = [parts.pop()] if missing and parts else []
    path: list[str | int] = []
    node, branch = root, False
    for part in parts:
        below = node.child(part)
        if below is None:
            branch = True
            continue
        path.append(part)
        node = below
    return (*path, *last), branch


def _is_inside(where: Path, found: Sequence[Wrong]) -> bool:
    depth = len(where)
    return any(wrong.branch and len(wrong.path) > depth and wrong.path[:depth] == where for wrong in found)


def _place(root: Node, path: Path, kind: str) -> Place:
    return key_place(root, path) if kind == "extra_forbidden" else value_place(root, path)


def _sentences(group: Sequence[Wrong], root: Node, *, model: type[BaseModel], hints: bool) -> list[str]:
    node = descend(root, group[0].path)
    kinds = list(dict.fromkeys(wrong.expected for wrong in group if wrong.expected))
    other = list(dict.fromkeys(_sentence(wrong, node, model, hints) for wrong in group if not wrong.expected))
    if other:
        return other  # the right kind of value for one branch, with a fault of its own
    hint = ""
    if node and node.kind == "text" and hints:
        words = [word for kind in kinds for word in kind.replace(" or ", ", ").split(", ")]
        hint = did_you_mean(node.text[:100], words) if group[0].kind in ("literal_error", "enum") else ""
    return [f"expected {' or '.join(kinds)}, got {got(node, group[0].path)}{hint}"]


def _sentence(wrong: Wrong, node: Node | None, model: type[BaseModel], hints: bool) -> str:
    if wrong.kind == "missing":
        return "missing"
    if wrong.kind == "extra_forbidden":
        known = sorted(known_keys(model, wrong.path[:-1])) if hints else []
        return f"unknown key{did_you_mean(str(wrong.path[-1])[:100], known)}"
    if wrong.kind in _BOUNDS:
        word, name = _BOUNDS[wrong.kind]
        return f"expected a number {word} {wrong.context[name]:g}, got {got(node, wrong.path)}"
    if wrong.kind == "too_short":
        return f"expected at least {wrong.context['min_length']} item, got {wrong.context['actual_length']}"
    if wrong.kind == "too_long":
        return f"expected at most {wrong.context['max_length']}, got more"
    if wrong.kind in ("value_error", "assertion_error"):
        return shorten(str(wrong.context.get("error", wrong.words)), 300)
    words = wrong.words[:1].lower() + wrong.words[1:]
    return f"{shorten(words, 300)}, got {got(node, wrong.path)}"


def known_keys(model: type[BaseModel], path: Path) -> set[str]:
    """Return the keys that the model knows at a path."""
    types: list[Any] = [model]
    for part in path:
        types = [below for kind in types for below in _below(kind, part)]
    names: set[str] = set()
    for kind in types:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names |= {field.alias or name for name, field in kind.model_fields.items()}
    return names


def _below(kind: Any, part: str | int) -> list[Any]:
    """Return the types that a value at a key or index of this type may have."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields.items()
        return [
            one
            for name, field in fields
            if part in (name, field.alias)
            for one in _branches(field.annotation)
        ]
    arguments = get_args(kind)
    if get_origin(kind) in (list, tuple, dict) and arguments:
        return _branches(arguments[-1])
    return []


def _branches(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Annotated:
        return _branches(get_args(annotation)[0])
    if get_origin(annotation) in (list, tuple, dict) or isinstance(annotation, type):
        return [annotation]
    return [one for argument in get_args(annotation) for one in _branches(argument)]
