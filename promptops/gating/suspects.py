"""Which prompt files a change may concern, told from paths and bytes alone: a thousand prompts are not parsed for one.

A sieve may keep too much and never too little: what it keeps is looked at closely afterwards. Texts that can name a
file without spelling it out, or lead out of sight, are always kept.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final

from promptops.gitstore.releases import folder
from promptops.prompts.paths import stem

SAMPLE_ENDS = (".jsonl", ".ndjson", ".csv", ".tsv")
_INCLUDES: Final = re.compile(rb"\{%[-+]?\s*(?:include|import|from|extends)\b(?P<rest>[^%]*)")
# One name in quotes and no second one after it, which jinja2 would join to the first.
_SPELT_OUT: Final = re.compile(rb"\s*([\"'])(?!\.\./|[^\"']*/\.\./)[^\"'\\]+\1\s*(?![\"'\s])")
# In YAML these stand for other characters, or for none at the end of a line.
_ESCAPES: Final = re.compile(rb"\\[xuU0-7N\\\r\n]")


def suspects(
    changed: Iterable[str],
    prompts: Mapping[str, bytes],
    others: Mapping[str, bytes],
    *,
    root: str,
    names: Mapping[str, str],
    links: Collection[str] = (),
) -> frozenset[str]:
    """Return the prompt files that a change of these paths may concern.

    `prompts` are the prompt files of one commit with their bytes, `others` the files under the root that are none:
    what a prompt includes may include what has changed. `names` are the prompts' ids by path. `links` are
    those of both that are symbolic links.
    """
    paths = frozenset(changed)
    shelf = f"{folder(root)}/"
    elsewhere = [path for path in paths if not path.startswith(shelf)]
    words = _words(elsewhere, others, links)
    releases = {path.removeprefix(shelf).split("/")[0] for path in paths if path.startswith(shelf)}
    has_samples = any(path.endswith(SAMPLE_ENDS) for path in paths)
    return frozenset(
        path
        for path, content in prompts.items()
        if path in paths
        or names[path] in releases
        or (has_samples and b"samples" in content)
        or (has_samples and not paths.isdisjoint(samples_by_custom(path, names[path])))
        or any(word in content for word in words)
        or (elsewhere and (path in links or _ESCAPES.search(content) is not None or _hides(content)))
    )


def samples_by_custom(path: str, name: str) -> frozenset[str]:
    """Return where the samples of a prompt file are that names none."""
    beside = path[: path.rfind("/") + 1]
    names = {name, stem(path)}
    return frozenset(f"{beside}{one}.samples{end}" for one in names for end in (".jsonl", ".csv"))


def _words(changed: Iterable[str], others: Mapping[str, bytes], links: Collection[str]) -> frozenset[bytes]:
    """Return how the changed files may be called in others, and the files that call them so, and so on."""
    words = {_word(path) for path in changed}
    left = dict(others) if words else {}
    hiding = {path for path, content in left.items() if path in links or _hides(content)}
    while True:
        found = [
            path for path, content in left.items() if path in hiding or any(word in content for word in words)
        ]
        if not found:
            return frozenset(words)
        for path in found:
            words.add(_word(path))
            del left[path]


def _hides(content: bytes) -> bool:
    """Whether a template includes something that it does not spell out, or that other folders hold."""
    return any(_SPELT_OUT.match(tag["rest"]) is None for tag in _INCLUDES.finditer(content))


def _word(path: str) -> bytes:
    place = PurePosixPath(path)
    # A python scorer is named as a module, without its ending.
    return (place.stem if place.suffix == ".py" else place.name).encode("utf-8", "surrogateescape")
