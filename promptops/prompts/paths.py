"""Names and places of prompts and partials: ids, prompt files, and the repository as the boundary."""

from __future__ import annotations

import posixpath
import re
from typing import Final

from promptops.prompts.written import ID_PATTERN

SUFFIXES: Final = (".prompt.yaml", ".prompt.yml")
MAX_ID: Final = 100
_RESERVED: Final = frozenset(
    ["con", "prn", "aux", "nul", *(f"{device}{number}" for device in ("com", "lpt") for number in range(10))]
)


def is_prompt_path(path: str) -> bool:
    """Whether a path is that of a prompt file, by its name."""
    name = posixpath.basename(path)
    return name.endswith(SUFFIXES) and name not in SUFFIXES


def stem(path: str) -> str:
    """Return a prompt file's name without its folders and its two suffixes."""
    name = posixpath.basename(path)
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def check_id(name: str) -> str:
    """Return what is wrong with an id, nothing if it is fine."""
    if name in _RESERVED:
        return f"{name!r} is a reserved name on some systems; choose another id"
    if len(name) > MAX_ID:
        return f"an id has at most {MAX_ID} characters, this has {len(name)}"
    if re.fullmatch(ID_PATTERN, name) is None:
        return f"{name[:60]!r} is no id; small letters, digits and hyphens, like support-triage"
    return ""


def places(name: str, *, path: str, root: str) -> tuple[str, ...]:
    """Return where a partial is looked for, best first: beside the prompt file, then under the prompts root.

    All paths are relative to the repository, with forward slashes.

    Raises:
        ValueError: the name is absolute, not a plain path, or leaves the repository everywhere.
    """
    if not name or name != name.strip() or not name.isprintable():
        raise ValueError("a partial needs the name of a file")
    if "\\" in name:
        raise ValueError(f"{name!r}: write forward slashes")
    if name.startswith(("/", "~")) or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", name):
        raise ValueError(f"{name!r}: a partial is named relative to the prompt file or to {root}")
    found = dict.fromkeys(
        posixpath.normpath(posixpath.join(base, name)) for base in (posixpath.dirname(path), root)
    )
    inside = tuple(place for place in found if not _leaves(place))
    if not inside:
        raise ValueError(f"{name!r} is outside of the repository")
    return inside


def _leaves(place: str) -> bool:
    parts = place.split("/")
    return parts[0] in ("..", "", ".") or any(part.lower() == ".git" for part in parts)
